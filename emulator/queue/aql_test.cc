// AQL packets as literal dwords, one by one, on a machine that is reached through its system calls. Programs are only
// noted here; tests/device/aql_kernels_test.cc executes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/bits.h"
#include "emulator/testing/aql_client.h"

namespace bw::emulator {
namespace {

using testing::AqlClient;
using testing::AqlGrid;
using testing::AqlPacket;
using testing::AqlSignal;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::HasSubstr;
using testing::Machine;
using testing::TestBuffer;

constexpr std::chrono::milliseconds kAWhile{5};

std::optional<ShaderFault> fault_of(ShaderFaultKind kind) {
  ShaderFault fault;
  fault.kind = kind;
  fault.message = "as the test wants it";
  return fault;
}

class Aql : public ::testing::Test {
 protected:
  Dispatch last_dispatch() {
    std::lock_guard lock(machine_.cores().mutex);
    return machine_.cores().dispatches.back();
  }
  AqlPacket dispatch_of(uint64_t kernel, const AqlSignal& signal = {}) {
    return testing::dispatch_packet(AqlGrid{}, kernel, 0, signal);
  }

  Machine machine_;
  AqlClient client_{machine_};
  // SGPRs and VGPRs of no special size; the kernarg address in 2 user SGPRs; wave32.
  const uint64_t kernel_ = client_.load(0x60af0000, 0x84, 0x408, {0xbfb00000});
};

using AqlDispatch = Aql;
TEST_F(AqlDispatch, OfOneWorkItemRunsAndTakesOneFromItsSignal) {
  const AqlSignal signal = client_.signal(5);
  client_.submit(dispatch_of(kernel_, signal));
  ASSERT_TRUE(eventually([&] { return signal.value() == 4; }));
  EXPECT_GT(signal.start(), 0u);
  EXPECT_GE(signal.end(), signal.start());
  EXPECT_EQ(client_.read_index(), 1u);
  EXPECT_EQ(client_.header(0), 1u);  // invalid: the slot is the client's again
}

TEST_F(AqlDispatch, GivesTheShaderCoresItsGrid) {
  AqlPacket packet = testing::dispatch_packet({{100, 7, 5}, {32, 4, 2}, 3}, kernel_, 0, {});
  packet[7] = 1000;  // bytes of LDS
  ASSERT_TRUE(client_.run(packet));
  const Dispatch dispatch = last_dispatch();
  EXPECT_EQ(dispatch.program_address, kernel_ + 256);
  EXPECT_THAT(dispatch.workgroup_size, ElementsAre(32, 4, 2));
  EXPECT_THAT(dispatch.workgroup_count, ElementsAre(4, 2, 3));
  EXPECT_THAT(dispatch.partial_size, ElementsAre(4, 3, 1));
  EXPECT_EQ(dispatch.pgm_rsrc1, 0x60af0000u);
  EXPECT_EQ(dispatch.pgm_rsrc2, 0x84u | 2u << 15);  // 2 x 512 bytes
  EXPECT_EQ(dispatch.wave_size, 32u);
}

TEST_F(AqlDispatch, LeavesDimensionsOutThatItDoesNotUse) {
  ASSERT_TRUE(client_.run(testing::dispatch_packet({{100, 0, 0}, {64, 0, 0}, 1}, kernel_, 0, {})));
  EXPECT_THAT(last_dispatch().workgroup_size, ElementsAre(64, 1, 1));
  EXPECT_THAT(last_dispatch().workgroup_count, ElementsAre(2, 1, 1));
}

TEST_F(AqlDispatch, IsWave64UnlessTheKernelSaysOtherwise) {
  ASSERT_TRUE(client_.run(dispatch_of(client_.load(0x60af0000, 0x84, 0x008, {0xbfb00000}))));
  EXPECT_EQ(last_dispatch().wave_size, 64u);
}

TEST_F(AqlDispatch, FillsTheUserSgprsInTheirOrder) {
  // Dispatch pointer, queue pointer, kernarg address, dispatch id, flat scratch base, private segment size, and, of old
  // code objects, the numbers of workgroups.
  const uint64_t kernel = client_.load(0x60af0000, 0xa0, 0x7fe, {0xbfb00000});
  client_.qword(0xa0) = 0x123400000000;  // scratch location
  client_.dword(0xb0) = 0x1000;          // bytes for each work-item of a wave64
  ASSERT_TRUE(client_.run(dispatch_of(kernel_)));
  AqlPacket packet = testing::dispatch_packet({{8, 6, 2}, {4, 1, 1}, 3}, kernel, 0x0000aabbccddee00, {});
  packet[6] = 0x20;  // bytes of private segment
  ASSERT_TRUE(client_.run(packet));
  const uint64_t at = client_.packet_address(1), queue = client_.amd_queue();
  EXPECT_THAT(last_dispatch().user_data, ElementsAre(lo32(at), hi32(at), lo32(queue), hi32(queue), 0xccddee00, 0xaabb,
                                                     1, 0, 0, 0x1234, 0x20, 2, 6, 2, 0, 0));
}

TEST_F(AqlDispatch, GivesTheScratchDescriptorOfTheQueue) {
  const uint64_t kernel = client_.load(0x60af0000, 0x88, 0x401, {0xbfb00000});
  for (uint32_t i = 0; i < 4; ++i) client_.dword(0x90 + 4 * i) = 0x100 + i;
  ASSERT_TRUE(client_.run(dispatch_of(kernel)));
  const auto sgprs = last_dispatch().user_data;
  EXPECT_THAT(std::vector(sgprs.begin(), sgprs.begin() + 4), ElementsAre(0x100, 0x101, 0x102, 0x103));
}

using AqlSignals = Aql;
TEST_F(AqlSignals, RaiseTheEventOfTheirMailbox) {
  const uint32_t event = machine_.create_event(0);
  const AqlSignal signal = client_.signal();
  signal.mailbox() = machine_.mailbox(event);
  signal.event_id() = event;
  EXPECT_EQ(machine_.wait_event(event, 0), 1u);
  client_.submit(dispatch_of(kernel_, signal));
  EXPECT_EQ(machine_.wait_event(event, 10'000), 0u);
  EXPECT_EQ(signal.value(), 0);
}

TEST_F(AqlSignals, AreNotNeeded) {
  client_.submit(dispatch_of(kernel_));
  EXPECT_TRUE(eventually([&] { return client_.read_index() == 1; }));
}

TEST_F(AqlSignals, TellTheTimeOfTheDispatch) {
  machine_.cores().tell([](const Dispatch&, const AddressSpace&, std::stop_token) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return std::optional<ShaderFault>();
  });
  const AqlSignal signal = client_.signal();
  client_.submit(dispatch_of(kernel_, signal));
  ASSERT_TRUE(eventually([&] { return signal.value() == 0; }));
  EXPECT_GE(signal.end() - signal.start(), 2'000'000u);  // at 100 MHz
}

TEST_F(AqlSignals, OutsideOfTheCardsMemoryAreAMemoryFault) {
  client_.submit(dispatch_of(kernel_, AqlSignal{0x10000}));
  EXPECT_THAT(machine_.wait_fault().message, HasSubstr("write at 0x10000: no page is mapped there"));
}

using AqlRing = Aql;
TEST_F(AqlRing, WrapsAround) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(client_.run(dispatch_of(kernel_)));
  EXPECT_EQ(client_.read_index(), 200u);
  EXPECT_EQ(machine_.cores().count, 200u);
}

TEST_F(AqlRing, StallsAtAHeaderThatIsNotWrittenYet) {
  const AqlSignal first = client_.signal(), second = client_.signal();
  client_.reserve(2);
  client_.write_body(1, dispatch_of(kernel_, second));
  client_.write_header(1, testing::kAqlDispatch | 3 << 16);
  client_.ring(1);
  std::this_thread::sleep_for(kAWhile);
  EXPECT_EQ(client_.read_index(), 0u);
  client_.write_body(0, dispatch_of(kernel_, first));
  client_.write_header(0, testing::kAqlDispatch | 3 << 16);  // and no doorbell
  EXPECT_TRUE(eventually([&] { return first.value() == 0 && second.value() == 0; }));
}

TEST_F(AqlRing, GoesOnAfterDoorbellsThatGoBackwards) {
  for (uint64_t i = 0; i < 40; i += 2) {
    const AqlSignal a = client_.signal(), b = client_.signal();
    client_.reserve(2);
    client_.write_body(i, dispatch_of(kernel_, a));
    client_.write_body(i + 1, dispatch_of(kernel_, b));
    client_.write_header(i + 1, testing::kAqlDispatch | 3 << 16);
    client_.ring(i + 1);
    client_.write_header(i, testing::kAqlDispatch | 3 << 16);
    client_.ring(i);
    ASSERT_TRUE(eventually([&] { return a.value() == 0 && b.value() == 0; }));
  }
}

TEST_F(AqlRing, TakesPacketsOfManyProducers) {
  constexpr int kEach = 500;
  const AqlSignal signal = client_.signal(4 * kEach);
  std::vector<std::thread> producers;
  for (int i = 0; i < 4; ++i) {
    producers.emplace_back([&] {
      for (int n = 0; n < kEach; ++n) client_.submit(dispatch_of(kernel_, signal));
    });
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(eventually([&] { return signal.value() == 0; }));
  EXPECT_EQ(machine_.cores().count, 4u * kEach);
}

using AqlBarrier = Aql;
TEST_F(AqlBarrier, AndWaitsForAllOfItsSignals) {
  const AqlSignal a = client_.signal(), b = client_.signal(), done = client_.signal(), next = client_.signal();
  client_.submit(testing::barrier_packet(testing::kAqlBarrierAnd, {a.handle, 0, b.handle}, done));
  client_.submit(dispatch_of(kernel_, next));
  a.value() = 0;
  std::this_thread::sleep_for(kAWhile);
  EXPECT_EQ(done.value(), 1);
  EXPECT_EQ(next.value(), 1) << "packets do not overtake a barrier";
  b.value() = 0;
  EXPECT_TRUE(eventually([&] { return done.value() == 0 && next.value() == 0; }));
}

TEST_F(AqlBarrier, OrWaitsForOneOfItsSignals) {
  const AqlSignal a = client_.signal(), b = client_.signal(-1), done = client_.signal();
  client_.submit(testing::barrier_packet(testing::kAqlBarrierOr, {0, a.handle, b.handle}, done));
  std::this_thread::sleep_for(kAWhile);
  EXPECT_EQ(done.value(), 1);
  b.value() = 0;
  EXPECT_TRUE(eventually([&] { return done.value() == 0; }));
  EXPECT_EQ(a.value(), 1);
}

TEST_F(AqlBarrier, WithoutSignalsWaitsForNothing) {
  EXPECT_TRUE(client_.run(testing::barrier_packet(testing::kAqlBarrierAnd, {}, {})));
  EXPECT_TRUE(client_.run(testing::barrier_packet(testing::kAqlBarrierOr, {}, {})));
}

TEST_F(AqlBarrier, OfOneQueueWaitsForADispatchOfAnother) {
  AqlClient other(machine_);
  const AqlSignal kernel = client_.signal(), done = client_.signal();
  other.submit(testing::barrier_packet(testing::kAqlBarrierAnd, {kernel.handle}, done));
  std::this_thread::sleep_for(kAWhile);
  client_.submit(dispatch_of(kernel_, kernel));
  EXPECT_TRUE(eventually([&] { return done.value() == 0; }));
}

TEST_F(AqlBarrier, ValueComparesOneSignalUnderAMask) {
  struct Case {
    uint32_t condition;
    int64_t before, after;
  };
  // Equal, not equal, less, greater or equal: to 5, of the low four bits.
  for (const Case& one : {Case{0, 0x14, 0x25}, Case{1, 0x15, 0x16}, Case{2, 0x15, 0x14}, Case{3, 0x34, 0x06}}) {
    const AqlSignal signal = client_.signal(one.before), done = client_.signal();
    AqlPacket packet{};
    packet[0] = testing::kAqlVendor | 2 << 16;
    packet[2] = lo32(signal.handle);
    packet[3] = hi32(signal.handle);
    packet[4] = 5;
    packet[6] = 0xf;
    packet[8] = one.condition;
    packet[14] = lo32(done.handle);
    packet[15] = hi32(done.handle);
    client_.submit(packet);
    std::this_thread::sleep_for(kAWhile);
    EXPECT_EQ(done.value(), 1) << one.condition;
    signal.value() = one.after;
    EXPECT_TRUE(eventually([&] { return done.value() == 0; })) << one.condition;
  }
}

class AqlVendor : public Aql {
 protected:
  // WRITE_DATA of one dword at `at`.
  static std::vector<uint32_t> write_one(uint64_t at, uint32_t value) {
    return {0xc0033700, 0x00000500, lo32(at), hi32(at), value};
  }
  uint64_t put(const std::vector<uint32_t>& dwords) {
    std::copy(dwords.begin(), dwords.end(), buffer_.dwords());
    return buffer_.va;
  }
  TestBuffer buffer_ = machine_.gtt();
  TestBuffer data_ = machine_.gtt();
};

TEST_F(AqlVendor, IndirectBufferOfPm4PacketsIsExecuted) {
  // What ROCr sends after loading code: ACQUIRE_MEM; here with a WRITE_DATA behind it.
  std::vector<uint32_t> dwords = {0xc0065800, 0, 0xffffffff, 0xff, 0, 0, 0xa, 0x4381};
  for (uint32_t dword : write_one(data_.va, 77)) dwords.push_back(dword);
  ASSERT_TRUE(client_.run(testing::indirect_buffer_packet(put(dwords), static_cast<uint32_t>(dwords.size()), {})));
  EXPECT_EQ(data_.dword(0), 77u);
}

TEST_F(AqlVendor, IndirectBufferThatWaitsLetsOtherQueuesRun) {
  std::vector<uint32_t> dwords = {0xc0053c00, 0x00000013, lo32(data_.va), hi32(data_.va), 1, 0xffffffff, 4};
  const AqlSignal done = client_.signal();
  client_.submit(testing::indirect_buffer_packet(put(dwords), 7, done));
  AqlClient other(machine_);
  EXPECT_TRUE(other.run(dispatch_of(kernel_)));
  EXPECT_EQ(done.value(), 1);
  data_.dword(0) = 1;
  EXPECT_TRUE(eventually([&] { return done.value() == 0; }));
}

TEST_F(AqlVendor, IndirectBufferWithABadPacketStopsTheQueue) {
  client_.submit(testing::indirect_buffer_packet(put({0x12345678}), 1, {}));
  const FaultReport report = machine_.wait_fault();
  EXPECT_THAT(report.message, HasSubstr("vendor packet 0 at"));
  EXPECT_THAT(report.message, HasSubstr("0x12345678 is no type-3 packet header"));
  EXPECT_EQ(report.dwords.size(), 16u);
}

using AqlDestroy = Aql;
TEST_F(AqlDestroy, OfABusyQueueAbandonsItsProgram) {
  std::atomic<bool> runs{false};
  machine_.cores().tell([&](const Dispatch&, const AddressSpace&, std::stop_token cancel) {
    runs = true;
    while (!cancel.stop_requested()) std::this_thread::yield();
    return std::optional<ShaderFault>();
  });
  const AqlSignal done = client_.signal(), dependency = client_.signal();
  client_.submit(dispatch_of(kernel_, done));
  ASSERT_TRUE(eventually([&] { return runs.load(); }));
  EXPECT_EQ(machine_.destroy(client_.queue()), 0);
  EXPECT_EQ(done.value(), 1);
  EXPECT_EQ(client_.read_index(), 0u);
  AqlClient waiting(machine_);
  waiting.submit(testing::barrier_packet(testing::kAqlBarrierAnd, {dependency.handle}, done));
  EXPECT_EQ(machine_.destroy(waiting.queue()), 0);
}

// What a queue without an enabled runtime tells by its inactive signal, for each kind of bad packet.
class AqlErrors : public Aql {
 protected:
  int64_t error_of(const AqlPacket& packet) {
    const AqlSignal inactive = client_.watch_inactive();
    client_.submit(packet);
    EXPECT_TRUE(eventually([&] { return inactive.value() != 0; }));
    EXPECT_EQ(client_.read_index(), 0u);
    return inactive.value();
  }
};

TEST_F(AqlErrors, NoDimensions) {
  EXPECT_EQ(error_of(testing::dispatch_packet({{1, 1, 1}, {1, 1, 1}, 0}, kernel_, 0, {})), 0x2);
}
TEST_F(AqlErrors, EmptyGrid) {
  EXPECT_EQ(error_of(testing::dispatch_packet({{8, 0, 1}, {1, 1, 1}, 2}, kernel_, 0, {})), 0x2);
}
TEST_F(AqlErrors, TooMuchLds) {
  AqlPacket packet = dispatch_of(kernel_);
  packet[7] = 64 * 1024 + 1;
  EXPECT_EQ(error_of(packet), 0x4);
}
TEST_F(AqlErrors, NoKernelObject) {
  EXPECT_EQ(error_of(dispatch_of(0)), 0x8);
}
TEST_F(AqlErrors, UnknownPacketType) {
  AqlPacket packet{};
  packet[0] = 0x1409;
  EXPECT_EQ(error_of(packet), 0x20);
}
TEST_F(AqlErrors, AgentDispatch) {
  AqlPacket packet{};
  packet[0] = testing::kAqlAgentDispatch;
  EXPECT_EQ(error_of(packet), 0x20);
}
TEST_F(AqlErrors, WorkgroupTooLarge) {
  EXPECT_EQ(error_of(testing::dispatch_packet({{64, 64, 1}, {64, 17, 1}, 2}, kernel_, 0, {})), 0x40);
}
TEST_F(AqlErrors, NoRoomForTheRegisters) {
  // 256 VGPRs take 264 of the 1536 of a SIMD: 5 waves fit on each of the 2 of a compute unit, or of the 4 in WGP mode.
  const uint64_t kernel = client_.load(0x40af001f, 0x84, 0x408, {0xbfb00000});
  const uint64_t in_wgp_mode = client_.load(0x60af001f, 0x84, 0x408, {0xbfb00000});
  for (const uint16_t fits : {256, 320}) {
    ASSERT_TRUE(client_.run(testing::dispatch_packet({{fits, 1, 1}, {fits, 1, 1}, 1}, kernel, 0, {})));
  }
  ASSERT_TRUE(client_.run(testing::dispatch_packet({{640, 1, 1}, {640, 1, 1}, 1}, in_wgp_mode, 0, {})));
  const AqlSignal inactive = client_.watch_inactive();
  client_.submit(testing::dispatch_packet({{352, 1, 1}, {352, 1, 1}, 1}, kernel, 0, {}));
  EXPECT_TRUE(eventually([&] { return inactive.value() == 0x80; }));
}
TEST_F(AqlErrors, AddressOfMoreThan48Bits) {
  machine_.cores().tell([](const Dispatch&, const AddressSpace&, std::stop_token) {
    std::optional<ShaderFault> fault = fault_of(ShaderFaultKind::kMemory);
    fault->address = 0x0123'4567'89ab'cdef;
    return fault;
  });
  EXPECT_EQ(error_of(dispatch_of(kernel_)), 0x20000000);
}
TEST_F(AqlErrors, UnknownVendorFormat) {
  AqlPacket packet{};
  packet[0] = testing::kAqlVendor | 9 << 16;
  EXPECT_EQ(error_of(packet), 0x100);
}
TEST_F(AqlErrors, IllegalInstruction) {
  machine_.cores().tell(
      [](const Dispatch&, const AddressSpace&, std::stop_token) { return fault_of(ShaderFaultKind::kIllegal); });
  EXPECT_EQ(error_of(dispatch_of(kernel_)), 0x40000000);
}
TEST_F(AqlErrors, Trap) {
  machine_.cores().tell(
      [](const Dispatch&, const AddressSpace&, std::stop_token) { return fault_of(ShaderFaultKind::kTrap); });
  EXPECT_EQ(error_of(dispatch_of(kernel_)), 0x80000000);
}

}  // namespace
}  // namespace bw::emulator
