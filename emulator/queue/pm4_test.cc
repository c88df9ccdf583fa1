// PM4 packets as literal dwords, one by one, on a machine that is reached through its system calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/bits.h"
#include "emulator/testing/machine.h"

namespace bw::emulator {
namespace {

using testing::eventually;
using ::testing::HasSubstr;
using testing::Machine;
using testing::TestBuffer;
using testing::TestQueue;

class Pm4 : public ::testing::Test {
 protected:
  void submit(const std::vector<uint32_t>& dwords) { machine_.submit(queue_, dwords); }
  void run(const std::vector<uint32_t>& dwords) {
    submit(dwords);
    EXPECT_TRUE(machine_.drain(queue_));
  }
  // A packet that must stop the queue: its report's message.
  std::string fault(const std::vector<uint32_t>& dwords) {
    submit(dwords);
    return machine_.wait_fault().message;
  }
  uint64_t at(size_t dword) const { return data_.va + dword * 4; }
  std::vector<uint32_t> indirect_buffer(uint64_t address, uint32_t control) {
    return {0xc0023f00, lo32(address), hi32(address), control};
  }

  Machine machine_;
  TestQueue queue_ = machine_.compute_queue();
  TestBuffer data_ = machine_.gtt(65536);
};

using Nop = Pm4;
TEST_F(Nop, OfEverySizeIsSkipped) {
  run({0xffff1000});                       // header only
  run({0xc0001000, 0xdeadbeef});           // one dword
  run({0xc0031000, 0xffffffff, 0, 0, 0});  // more
  EXPECT_EQ(machine_.read_pointer(queue_), 8u);
}

TEST_F(Nop, RingWrapsAroundAndTheReadPointerWithIt) {
  // Packets of 7 dwords on a ring of 1024: one of them stands across the end.
  for (int i = 0; i < 400; ++i) run({0xc0051000, 1, 2, 3, 4, 5, 6});
  EXPECT_EQ(machine_.read_pointer(queue_), 400u * 7 % 1024);
}

TEST_F(Nop, PacketThatIsNotAllThereYetWaits) {
  submit({0xc0031000, 1});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(machine_.read_pointer(queue_), 0u);
  run({2, 3, 4});
  EXPECT_EQ(machine_.read_pointer(queue_), 5u);
}

using WriteData = Pm4;
TEST_F(WriteData, StoresItsDwordsInOrder) {
  run({0xc0053700, 0x00100500, lo32(at(0)), hi32(at(0)), 11, 22, 33});
  EXPECT_EQ(data_.dword(0), 11u);
  EXPECT_EQ(data_.dword(1), 22u);
  EXPECT_EQ(data_.dword(2), 33u);
}

TEST_F(WriteData, WithoutIncrementLeavesTheLastOne) {
  run({0xc0053700, 0x00010500, lo32(at(0)), hi32(at(0)), 11, 22, 33});
  EXPECT_EQ(data_.dword(0), 33u);
  EXPECT_EQ(data_.dword(1), 0u);
}

TEST_F(WriteData, ToARegisterIsAFault) {
  EXPECT_THAT(fault({0xc0033700, 0x00000000, 0x1234, 0, 1}), HasSubstr("DST_SEL 0 is not implemented"));
}

using CopyData = Pm4;
TEST_F(CopyData, CopiesMemoryImmediatesAndTheClock) {
  data_.qword(0) = 0x1122334455667788;
  run({0xc0044000, 0x00010502, lo32(at(0)), hi32(at(0)), lo32(at(4)), hi32(at(4))});  // 64 bits of memory
  run({0xc0044000, 0x00000202, lo32(at(0)), hi32(at(0)), lo32(at(8)), hi32(at(8))});  // 32 bits
  run({0xc0044000, 0x00010505, 7, 8, lo32(at(12)), hi32(at(12))});                    // immediate
  run({0xc0044000, 0x00010509, 0, 0, lo32(at(16)), hi32(at(16))});                    // clock
  EXPECT_EQ(data_.qword(2), 0x1122334455667788u);
  EXPECT_EQ(data_.qword(4), 0x55667788u);
  EXPECT_EQ(data_.qword(6), 0x0000000800000007u);
  EXPECT_NE(data_.qword(8), 0u);
}

using ReleaseMem = Pm4;
TEST_F(ReleaseMem, WritesDataOf32And64Bits) {
  run({0xc0064900, 0x0070f514, 0x20000000, lo32(at(0)), hi32(at(0)), 0xaabbccdd, 0x11111111, 0});
  run({0xc0064900, 0x0070f514, 0x40000000, lo32(at(2)), hi32(at(2)), 0xaabbccdd, 0x11111111, 0});
  EXPECT_EQ(data_.qword(0), 0xaabbccddu);
  EXPECT_EQ(data_.qword(1), 0x11111111aabbccddu);
}

TEST_F(ReleaseMem, TimestampsCountAt100MHz) {
  const auto stamp = [&](size_t dword) {
    run({0xc0064900, 0x0070f514, 0x60000000, lo32(at(dword)), hi32(at(dword)), 0, 0, 0});
  };
  stamp(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  stamp(2);
  const uint64_t ticks = data_.qword(1) - data_.qword(0);
  EXPECT_GE(ticks, 2'000'000u);
  EXPECT_LT(ticks, 500'000'000u);
}

TEST_F(ReleaseMem, RaisesTheEventWhoseMailboxItWrites) {
  const uint32_t event = machine_.create_event(0);
  EXPECT_EQ(machine_.wait_event(event, 0), 1u);
  const uint64_t mailbox = machine_.mailbox(event);
  run({0xc0064900, 0x00000514, 0x22000000, lo32(mailbox), hi32(mailbox), event, 0, event});
  EXPECT_EQ(machine_.wait_event(event, 10'000), 0u);
  EXPECT_EQ(machine_.wait_event(event, 0), 1u);
}

TEST_F(ReleaseMem, MisalignedIsAFault) {
  EXPECT_THAT(fault({0xc0064900, 0x0070f514, 0x40000000, lo32(at(1)), hi32(at(1)), 0, 0, 0}),
              HasSubstr("not a multiple of 8"));
}

using WaitRegMem = Pm4;
TEST_F(WaitRegMem, BlocksUntilMaskedValueMatches) {
  submit({0xc0053c00, 0x00000013, lo32(at(0)), hi32(at(0)), 0x34, 0xff, 4});  // (value & 0xff) == 0x34
  submit({0xc0033700, 0x00000500, lo32(at(1)), hi32(at(1)), 1});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(data_.dword(1), 0u);
  data_.dword(0) = 0x1235;
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(data_.dword(1), 0u);
  data_.dword(0) = 0x1234;
  EXPECT_TRUE(machine_.drain(queue_));
  EXPECT_EQ(data_.dword(1), 1u);
}

TEST_F(WaitRegMem, ComparesWithoutSignByEachFunction) {
  struct Case {
    uint32_t function, value, reference;
  };
  const Case holding[] = {{0, 5, 9}, {1, 4, 5},          {2, 5, 5},         {3, 5, 5},
                          {4, 4, 5}, {5, 0x80000000, 5}, {6, 0xffffffff, 5}};
  for (const Case& test : holding) {
    data_.dword(0) = test.value;
    run({0xc0053c00, 0x10 | test.function, lo32(at(0)), hi32(at(0)), test.reference, 0xffffffff, 4});
  }
  const Case waiting[] = {{1, 5, 5}, {2, 6, 5}, {3, 4, 5}, {4, 5, 5}, {5, 4, 5}, {6, 5, 5}};
  for (const Case& test : waiting) {
    TestQueue queue = machine_.compute_queue();
    data_.dword(0) = test.value;
    machine_.submit(queue, {0xc0053c00, 0x10 | test.function, lo32(at(0)), hi32(at(0)), test.reference, 0xffffffff, 4});
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(machine_.read_pointer(queue), 0u) << "function " << test.function;
    EXPECT_EQ(machine_.destroy(queue), 0);
  }
}

TEST_F(WaitRegMem, Of64BitsComparesAllOfThem) {
  data_.qword(0) = 0x100000000;
  run({0xc0079300, 0x00000015, lo32(at(0)), hi32(at(0)), 0xffffffff, 0, 0xffffffff, 0xffffffff, 4});
}

TEST_F(WaitRegMem, TheFlushOfTheHostDataPathIsDoneAtOnce) {
  run({0xc0053c00, 0x00000045, 0xe26, 0xe27, 0xffffffff, 0xffffffff, 0x20});
}

TEST_F(WaitRegMem, OnAnotherRegisterIsAFault) {
  EXPECT_THAT(fault({0xc0053c00, 0x00000003, 0x2e00, 0, 1, 1, 4}), HasSubstr("COMPUTE_DISPATCH_INITIATOR"));
}

TEST_F(WaitRegMem, ABlockedQueueDoesNotHinderAnother) {
  submit({0xc0053c00, 0x00000013, lo32(at(0)), hi32(at(0)), 1, 0xffffffff, 4});
  TestQueue other = machine_.compute_queue();
  machine_.submit(other, {0xc0033700, 0x00000500, lo32(at(0)), hi32(at(0)), 1});
  EXPECT_TRUE(machine_.drain(other));
  EXPECT_TRUE(machine_.drain(queue_)) << "and may be what it waits for";
}

TEST_F(WaitRegMem, AQueueThatWaitsForEverCanBeDestroyed) {
  for (int i = 0; i < 50; ++i) {
    TestQueue queue = machine_.compute_queue();
    machine_.submit(queue, {0xc0053c00, 0x00000013, lo32(at(0)), hi32(at(0)), 1, 0xffffffff, 4});
    EXPECT_EQ(machine_.destroy(queue), 0);
  }
}

using IndirectBuffer = Pm4;
TEST_F(IndirectBuffer, RunsNestedAndChainedBuffersInOrder) {
  const TestBuffer ib = machine_.gtt(4096);
  uint32_t* dwords = ib.dwords();
  const auto put = [&](size_t index, const std::vector<uint32_t>& packet) {
    for (uint32_t value : packet) dwords[index++] = value;
  };
  // 0: writes 1, calls 64, then writes 3 and chains to 128.
  put(0, {0xc0033700, 0x00000500, lo32(at(0)), hi32(at(0)), 1});
  put(5, indirect_buffer(ib.va + 256, 0x00800005));
  put(9, {0xc0033700, 0x00000500, lo32(at(2)), hi32(at(2)), 3});
  put(14, indirect_buffer(ib.va + 512, 0x00900005));
  // 64: copies what 0 wrote. 128: the end.
  put(64, {0xc0044000, 0x00000202, lo32(at(0)), hi32(at(0)), lo32(at(1))});
  dwords[64] = 0xc0033700;
  put(64, {0xc0033700, 0x00000500, lo32(at(1)), hi32(at(1)), 2});
  put(128, {0xc0033700, 0x00000500, lo32(at(3)), hi32(at(3)), 4});
  run(indirect_buffer(ib.va, 0x00800012));
  EXPECT_EQ(data_.dword(0), 1u);
  EXPECT_EQ(data_.dword(1), 2u);
  EXPECT_EQ(data_.dword(2), 3u);
  EXPECT_EQ(data_.dword(3), 4u);
}

TEST_F(IndirectBuffer, WithoutValidIsAFault) {
  EXPECT_THAT(fault(indirect_buffer(data_.va, 0x00000004)), HasSubstr("VALID is not set"));
}

TEST_F(IndirectBuffer, NestingTooDeepIsAFault) {
  // It calls itself.
  const auto self = indirect_buffer(data_.va, 0x00800004);
  std::copy(self.begin(), self.end(), data_.dwords());
  EXPECT_THAT(fault(self), HasSubstr("nest deeper than 2"));
}

TEST_F(IndirectBuffer, ChainingForEverDoesNotHinderDestruction) {
  const auto chain = indirect_buffer(data_.va, 0x00900004);
  std::copy(chain.begin(), chain.end(), data_.dwords());
  submit(indirect_buffer(data_.va, 0x00800004));
  TestQueue other = machine_.compute_queue();
  machine_.submit(other, {0xffff1000});
  EXPECT_TRUE(machine_.drain(other));
  EXPECT_EQ(machine_.destroy(queue_), 0);
}

TEST_F(IndirectBuffer, PacketAcrossItsEndIsAFault) {
  data_.dwords()[0] = 0xc0051000;
  EXPECT_THAT(fault(indirect_buffer(data_.va, 0x00800003)), HasSubstr("only 3 more"));
}

TEST_F(IndirectBuffer, OutsideOfMappedMemoryIsAMemoryFault) {
  const uint32_t event = machine_.create_event(8);
  const std::string message = fault(indirect_buffer(0x10000000, 0x00800004));
  EXPECT_THAT(message, HasSubstr("read at 0x10000000: no page is mapped there"));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.memory_exception_data.va, 0x10000000u);
  EXPECT_EQ(data.memory_exception_data.gpu_id, machine_.gpu_id());
  EXPECT_EQ(data.memory_exception_data.failure.NotPresent, 1u);
}

using Malformed = Pm4;
TEST_F(Malformed, UnknownOpcodeStopsTheQueueWithAReportAndAnEvent) {
  const uint32_t event = machine_.create_event(3);
  run({0xffff1000});
  submit({0xc0010100, 1, 2, 0xffff1000});
  const FaultReport report = machine_.wait_fault();
  EXPECT_EQ(report.kind, FaultKind::kPacket);
  EXPECT_EQ(report.queue_id, queue_.id);
  EXPECT_EQ(report.ring_offset_dwords, 1u);
  EXPECT_EQ(report.packet_address, queue_.ring.va + 4);
  EXPECT_THAT(report.dwords, ::testing::ElementsAre(0xc0010100, 1, 2));
  EXPECT_THAT(report.message, HasSubstr("there is no such opcode; packet: c0010100 00000001 00000002"));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.hw_exception_data.gpu_id, machine_.gpu_id());
  EXPECT_EQ(machine_.read_pointer(queue_), 1u) << "nothing after the fault is done";
  EXPECT_EQ(machine_.destroy(queue_), 0);
}

TEST_F(Malformed, ZeroIsNoPacket) {
  EXPECT_THAT(fault({0, 0, 0, 0}), HasSubstr("0x00000000 is no type-3 packet header"));
}

TEST_F(Malformed, KnownButNotBuiltIsToldSo) {
  EXPECT_THAT(fault({0xc0041e00, 0, 0, 0, 0, 0}), HasSubstr("ATOMIC_MEM"));
}

TEST_F(Malformed, WrongSizesAreFaults) {
  EXPECT_THAT(fault({0xc0054900, 0, 0, 0, 0, 0, 0}), HasSubstr("7 dwords instead of 8"));
}

TEST_F(Malformed, DoorbellBeyondTheRingIsAFault) {
  queue_.doorbell->store(5000, std::memory_order_release);
  EXPECT_THAT(machine_.wait_fault().message, HasSubstr("not within a ring of 1024 dwords"));
}

TEST_F(Malformed, EveryTruncatedAndRandomPacketEndsInAReportAndNotInACrash) {
  uint32_t state = 12345;
  const auto random = [&] { return state = state * 1664525 + 1013904223; };
  for (size_t i = 1; i <= 60; ++i) {
    TestQueue queue = machine_.compute_queue();
    std::vector<uint32_t> packet{0xc0000000 | (random() & 0xff00) | (random() % 9 << 16)};
    while (packet.size() < 32) packet.push_back(random() % 3 == 0 ? 0 : random());
    machine_.submit(queue, packet);
    // Some random packet may wait; most stop the queue.
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    EXPECT_EQ(machine_.destroy(queue), 0);
    EXPECT_EQ(machine_.free(queue.ring), -EBUSY);
  }
}

using Registers = Pm4;
TEST_F(Registers, UnknownOnesAreFaults) {
  EXPECT_THAT(fault({0xc0017600, 0x3f0, 1}), HasSubstr("0x2ff0 (offset 0x3f0) is no register"));
}

TEST_F(Registers, UconfigKnowsItsOwn) {
  run({0xc0017900, 0x200, 0xe0000000});  // GRBM_GFX_INDEX
  EXPECT_THAT(fault({0xc0017900, 0x1, 1}), HasSubstr("0xc001 is no register"));
}

class Dispatches : public Pm4 {
 protected:
  // The registers as a working runtime sets them (facts of submission), for a program at 0x1234500.
  std::vector<uint32_t> state() const {
    return {0xc0027600, 0x20c, 0x12345,    0,                               // PGM_LO, HI
            0xc0027600, 0x212, 0x600f0001, 0x0000008c,                      // RSRC1, 2
            0xc0017600, 0x228, 0x5,                                         // RSRC3
            0xc0017600, 0x218, 0x00020200,                                  // TMPRING_SIZE
            0xc0027600, 0x210, 0x40,       0x1,                             // DISPATCH_SCRATCH_BASE
            0xc0027600, 0x240, 0xaaaa,     0xbbbb,                          // USER_DATA_0, 1
            0xc0087600, 0x204, 0,          0,          0, 32, 4, 2, 0, 0};  // START, NUM_THREAD, 0, 0
  }
  Dispatch only_dispatch() {
    std::lock_guard lock(machine_.cores().mutex);
    EXPECT_EQ(machine_.cores().dispatches.size(), 1u);
    return machine_.cores().dispatches.empty() ? Dispatch{} : machine_.cores().dispatches.back();
  }
};

TEST_F(Dispatches, DirectHandsTheRegistersToTheShaderCores) {
  submit(state());
  run({0xc0031500, 7, 8, 9, 0x00008005, 0xc0004600, 0x00000407});
  const Dispatch dispatch = only_dispatch();
  EXPECT_EQ(dispatch.program_address, 0x1234500u);
  EXPECT_EQ(dispatch.pgm_rsrc1, 0x600f0001u);
  EXPECT_EQ(dispatch.pgm_rsrc2, 0x8cu);
  EXPECT_EQ(dispatch.pgm_rsrc3, 5u);
  EXPECT_EQ(dispatch.user_data[0], 0xaaaau);
  EXPECT_EQ(dispatch.user_data[1], 0xbbbbu);
  EXPECT_THAT(dispatch.workgroup_size, ::testing::ElementsAre(32, 4, 2));
  EXPECT_THAT(dispatch.workgroup_count, ::testing::ElementsAre(7, 8, 9));
  EXPECT_THAT(dispatch.start_workgroup, ::testing::ElementsAre(0, 0, 0));
  EXPECT_THAT(dispatch.partial_size, ::testing::ElementsAre(0, 0, 0));
  EXPECT_EQ(dispatch.scratch_address, 0x10000004000u);
  EXPECT_EQ(dispatch.scratch_bytes_per_wave, 0x2000u);
  EXPECT_EQ(dispatch.scratch_wave_count, 0x200u * 6);
  EXPECT_EQ(dispatch.wave_size, 32u);
}

TEST_F(Dispatches, InThreadDimensionsRoundUpAndKeepTheRest) {
  submit(state());
  run({0xc0031500, 100, 8, 1, 0x00000025});
  const Dispatch dispatch = only_dispatch();
  EXPECT_THAT(dispatch.workgroup_count, ::testing::ElementsAre(4, 2, 1));
  EXPECT_THAT(dispatch.partial_size, ::testing::ElementsAre(4, 0, 1));
  EXPECT_EQ(dispatch.wave_size, 64u);
}

TEST_F(Dispatches, IndirectReadsItsSize) {
  data_.dwords()[0] = 3;
  data_.dwords()[1] = 1;
  data_.dwords()[2] = 2;
  submit(state());
  run({0xc0021600, lo32(at(0)), hi32(at(0)), 0x00008005});
  EXPECT_THAT(only_dispatch().workgroup_count, ::testing::ElementsAre(3, 1, 2));
}

TEST_F(Dispatches, OfNoWorkgroupDoNothing) {
  submit(state());
  run({0xc0031500, 7, 0, 9, 0x00008005});
  std::lock_guard lock(machine_.cores().mutex);
  EXPECT_TRUE(machine_.cores().dispatches.empty());
}

TEST_F(Dispatches, BadSizesAndInitiatorsAreFaults) {
  EXPECT_THAT(fault({0xc0031500, 1, 1, 1, 0x00008005}), HasSubstr("workgroups of 0 x 0 x 0"));
  TestQueue other = machine_.compute_queue();
  machine_.submit(other, state());
  machine_.submit(other, {0xc0031500, 1, 1, 1, 0x00008004});
  EXPECT_THAT(machine_.wait_fault(2).message, HasSubstr("COMPUTE_SHADER_EN is not set"));
}

TEST_F(Dispatches, AnInterruptOfAShaderSetsItsEvent) {
  const uint32_t event = machine_.create_event(0);
  *reinterpret_cast<uint64_t*>(machine_.mailbox(event)) = event;  // as a shader does before it sends the interrupt
  machine_.cores().tell([event](const Dispatch& dispatch, const AddressSpace&, std::stop_token) {
    dispatch.interrupt(event);
    return std::nullopt;
  });
  submit(state());
  run({0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_EQ(machine_.wait_event(event, 5000), 0u);
}

TEST_F(Dispatches, MemoryFaultOfAShaderReachesTheEventAndTheReport) {
  const uint32_t event = machine_.create_event(8);
  machine_.cores().tell([&](const Dispatch&, const AddressSpace&, std::stop_token) {
    ShaderFault fault;
    fault.kind = ShaderFaultKind::kMemory;
    fault.address = 0xdead1234;
    fault.access = Access::kWrite;
    fault.disassembly = "global_store_b32 v0, v1, s[0:1]";
    fault.message = "wave 0 of workgroup (0, 0, 0) at pc 0x1234508: write of 0xdead1234";
    return std::optional(fault);
  });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005});
  const FaultReport report = machine_.wait_fault();
  EXPECT_EQ(report.kind, FaultKind::kShader);
  ASSERT_TRUE(report.shader.has_value());
  EXPECT_EQ(report.shader->disassembly, "global_store_b32 v0, v1, s[0:1]");
  EXPECT_THAT(report.message, HasSubstr("DISPATCH_DIRECT"));
  EXPECT_THAT(report.message, HasSubstr("pc 0x1234508"));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.memory_exception_data.va, 0xdead1000u);
}

TEST_F(Dispatches, IllegalInstructionRaisesAHwException) {
  const uint32_t event = machine_.create_event(3);
  machine_.cores().tell([](const Dispatch&, const AddressSpace&, std::stop_token) {
    ShaderFault fault;
    fault.kind = ShaderFaultKind::kIllegal;
    fault.message = "illegal";
    return std::optional(fault);
  });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_EQ(machine_.wait_event(event, 10'000), 0u);
}

TEST_F(Dispatches, DestroyingTheQueueWaitsForTheProgramAtHand) {
  std::atomic<bool> running{false};
  std::atomic<bool> ended{false};
  machine_.cores().tell([&](const Dispatch&, const AddressSpace&, std::stop_token) -> std::optional<ShaderFault> {
    running = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ended = true;
    return std::nullopt;
  });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005, 0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_TRUE(eventually([&] { return running.load(); }));
  EXPECT_EQ(machine_.destroy(queue_), 0);
  EXPECT_TRUE(ended);
  std::lock_guard lock(machine_.cores().mutex);
  EXPECT_EQ(machine_.cores().dispatches.size(), 1u) << "the one after it is not begun";
}

// A program that ends when it is told to.
std::optional<ShaderFault> run_for_ever(std::stop_token cancel) {
  while (!cancel.stop_requested()) std::this_thread::yield();
  return std::nullopt;
}

TEST_F(Dispatches, DestroyingTheQueueAbandonsAProgramThatDoesNotEnd) {
  machine_.cores().tell([](auto&, auto&, std::stop_token cancel) { return run_for_ever(std::move(cancel)); });
  run(state());
  const uint64_t read_pointer = machine_.read_pointer(queue_);
  submit({0xc0031500, 1, 1, 1, 0x00008005, 0xc0033700, 0x00100500, lo32(at(0)), hi32(at(0)), 1});
  EXPECT_TRUE(eventually([&] { return machine_.cores().count == 1; }));
  EXPECT_EQ(machine_.destroy(queue_), 0);
  EXPECT_EQ(data_.dword(0).load(), 0u) << "the packet after the program";
  EXPECT_EQ(machine_.read_pointer(queue_), read_pointer);
  EXPECT_TRUE(machine_.driver().fault_reports().empty());
}

TEST_F(Dispatches, TheMachineGoesWithAProgramRunning) {
  machine_.cores().tell([](auto&, auto&, std::stop_token cancel) { return run_for_ever(std::move(cancel)); });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_TRUE(eventually([&] { return machine_.cores().count == 1; }));
}

}  // namespace
}  // namespace bw::emulator
