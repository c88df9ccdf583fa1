// Kernels dispatched by AQL packets, executed by the emulated card: assembled by LLVM, with descriptors of literal
// dwords, on queues whose client knows nothing of ROCr.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/bits.h"
#include "emulator/testing/aql_client.h"
#include "tests/isa/llvm_mc.h"

namespace bw::emulator {
namespace {

using testing::AqlClient;
using testing::AqlGrid;
using testing::AqlPacket;
using testing::AqlSignal;
using testing::Cores;
using testing::dispatch_packet;
using ::testing::Each;
using testing::eventually;
using ::testing::HasSubstr;
using testing::Machine;
using testing::TestBuffer;

constexpr uint32_t kRsrc1 = 0x60af0001;  // 16 VGPRs in wave32
constexpr uint32_t kUserSgprs2 = 2 << 1;
constexpr uint32_t kWorkgroupIds = 0x380;
constexpr uint32_t kWorkitemIds = 2 << 11;
constexpr uint32_t kScratch = 1;
constexpr uint16_t kKernarg = 0x008;
constexpr uint16_t kDispatchPointer = 0x002;
constexpr uint16_t kWave32 = 0x400;

std::vector<uint32_t> assemble(const std::string& text, const char* features = "+wavefrontsize32") {
  std::string error;
  const auto code = test::LlvmMc(features).assemble(text, &error);
  EXPECT_TRUE(code) << error;
  return code.value_or(std::vector<uint32_t>());
}

class AqlKernels : public ::testing::Test {
 protected:
  // The argument of all kernels here: one address.
  uint64_t argument(uint64_t address) {
    const TestBuffer buffer = machine_.gtt();
    buffer.qword(0) = address;
    return buffer.va;
  }

  Machine machine_{{}, Cores::kReal};
  AqlClient client_{machine_};
  TestBuffer out_ = machine_.gtt(1 << 20);
};

TEST_F(AqlKernels, RunEachWorkItemOfPartialWorkgroupsOnce) {
  struct Case {
    AqlGrid grid;
    uint16_t wave;
  };
  const Case cases[] = {{{{1, 1, 1}, {64, 1, 1}, 1}, kWave32},  {{{1000, 1, 1}, {256, 1, 1}, 1}, kWave32},
                        {{{1000, 1, 1}, {256, 1, 1}, 1}, 0},    {{{33, 17, 1}, {32, 4, 1}, 2}, kWave32},
                        {{{33, 17, 9}, {8, 8, 4}, 3}, kWave32}, {{{33, 17, 9}, {8, 8, 4}, 3}, 0},
                        {{{5, 3, 2}, {16, 16, 4}, 3}, kWave32}, {{{70, 1, 3}, {7, 1, 2}, 3}, 0}};
  for (const Case& one : cases) {
    const auto& [grid, workgroup, dimensions] = one.grid;
    const uint64_t kernel =
        client_.load(kRsrc1, kUserSgprs2 | kWorkgroupIds | kWorkitemIds, kKernarg | one.wave,
                     assemble(fmt::format(R"(
        s_load_b64 s[8:9], s[0:1], 0x0
        v_and_b32_e32 v1, 0x3ff, v0
        v_bfe_u32 v2, v0, 10, 10
        v_bfe_u32 v3, v0, 20, 10
        s_mul_i32 s2, s2, {}
        s_mul_i32 s3, s3, {}
        s_mul_i32 s4, s4, {}
        v_add_nc_u32_e32 v1, s2, v1
        v_add_nc_u32_e32 v2, s3, v2
        v_add_nc_u32_e32 v3, s4, v3
        v_mad_u32_u24 v4, v3, {}, v2
        v_mad_u32_u24 v4, v4, {}, v1
        v_lshlrev_b32_e32 v4, 2, v4
        v_mov_b32_e32 v5, 1
        s_waitcnt lgkmcnt(0)
        global_atomic_add_u32 v4, v5, s[8:9]
        s_endpgm)",
                                          workgroup[0], workgroup[1], workgroup[2], grid[1], grid[0]),
                              one.wave != 0 ? "+wavefrontsize32" : "+wavefrontsize64"));
    const size_t count = size_t{grid[0]} * grid[1] * grid[2];
    std::fill_n(out_.dwords(), count + 64, 0);
    ASSERT_TRUE(client_.run(dispatch_packet(one.grid, kernel, argument(out_.va), {})));
    EXPECT_THAT(std::vector(out_.dwords(), out_.dwords() + count), Each(1u));
    EXPECT_THAT(std::vector(out_.dwords() + count, out_.dwords() + count + 64), Each(0u));
  }
}

// Counts up in memory until the word behind it is not zero.
TEST_F(AqlKernels, StandStillWhileTheirQueueIsSuspended) {
  const uint64_t kernel = client_.load(kRsrc1, kUserSgprs2, kKernarg | kWave32, assemble(R"(
        s_load_b64 s[8:9], s[0:1], 0x0
        v_mov_b32_e32 v1, 0
        v_mov_b32_e32 v2, 0
        s_waitcnt lgkmcnt(0)
        again:
        v_add_nc_u32_e32 v2, 1, v2
        global_store_b32 v1, v2, s[8:9]
        s_load_b32 s4, s[8:9], 0x4 glc
        s_waitcnt lgkmcnt(0)
        s_cmp_eq_u32 s4, 0
        s_cbranch_scc1 again
        s_endpgm)"));
  const AqlSignal signal = client_.signal();
  client_.submit(dispatch_packet({{1, 1, 1}, {1, 1, 1}, 1}, kernel, argument(out_.va), signal));
  kfd::uapi::UpdateQueueArgs update{};
  update.ring_base_address = client_.queue().ring.va;
  update.ring_size = client_.queue().ring.size_bytes;
  update.queue_id = client_.queue().id;
  for (int times = 0; times < 3; ++times) {
    const uint32_t before = out_.dword(0);
    ASSERT_TRUE(eventually([&] { return out_.dword(0) > before; }));
    update.queue_percentage = 0;
    ASSERT_EQ(machine_.ioctl(kfd::uapi::kUpdateQueue, update), 0);
    const uint32_t count = out_.dword(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(out_.dword(0), count);
    EXPECT_EQ(signal.value(), 1);
    update.queue_percentage = 100;
    ASSERT_EQ(machine_.ioctl(kfd::uapi::kUpdateQueue, update), 0);
  }
  out_.dword(1) = 1;
  EXPECT_TRUE(eventually([&] { return signal.value() == 0; }));
  // And one that is destroyed while its program stands still.
  out_.dword(1) = 0;
  client_.submit(dispatch_packet({{1, 1, 1}, {1, 1, 1}, 1}, kernel, argument(out_.va), signal));
  update.queue_percentage = 0;
  ASSERT_EQ(machine_.ioctl(kfd::uapi::kUpdateQueue, update), 0);
  EXPECT_EQ(machine_.destroy(client_.queue()), 0);
}

TEST_F(AqlKernels, ShareTheGroupSegmentThatThePacketAsksFor) {
  // Each work-item stores its id to LDS at 4 KiB, and reads that of its opposite.
  const uint64_t kernel = client_.load(kRsrc1, kUserSgprs2 | kWorkgroupIds, kKernarg | kWave32, assemble(R"(
        s_load_b64 s[8:9], s[0:1], 0x0
        v_lshlrev_b32_e32 v1, 2, v0
        v_xor_b32_e32 v2, 0x3fc, v1
        ds_store_b32 v1, v0 offset:4096
        s_waitcnt lgkmcnt(0)
        s_barrier
        ds_load_b32 v3, v2 offset:4096
        s_lshl_b32 s2, s2, 10
        v_add_nc_u32_e32 v1, s2, v1
        s_waitcnt lgkmcnt(0)
        global_store_b32 v1, v3, s[8:9]
        s_endpgm)"));
  AqlPacket packet = dispatch_packet({{256 * 20, 1, 1}, {256, 1, 1}, 1}, kernel, argument(out_.va), {});
  packet[7] = 5 * 1024;
  ASSERT_TRUE(client_.run(packet));
  for (uint32_t i = 0; i < 256 * 20; ++i) ASSERT_EQ(out_.dword(i), 255 - i % 256) << i;
}

TEST_F(AqlKernels, ReadTheirPacket) {
  // As code objects of version 4 do for the size of the grid.
  const uint64_t kernel = client_.load(kRsrc1, 4 << 1, kDispatchPointer | kKernarg | kWave32, assemble(R"(
        s_load_b32 s4, s[0:1], 0xc
        s_load_b64 s[8:9], s[2:3], 0x0
        v_mov_b32_e32 v1, 0
        s_waitcnt lgkmcnt(0)
        v_mov_b32_e32 v2, s4
        global_store_b32 v1, v2, s[8:9]
        s_endpgm)"));
  ASSERT_TRUE(client_.run(dispatch_packet({{12345, 1, 1}, {64, 1, 1}, 1}, kernel, argument(out_.va), {})));
  EXPECT_EQ(out_.dword(0), 12345u);
}

// The client's side of the scratch hand-shake.
class AqlScratch : public AqlKernels {
 protected:
  // Stores the work-item's number to its private segment at `offset`, and reads it from there.
  uint64_t spill(uint32_t offset, uint16_t wave) {
    return client_.load(kRsrc1, kUserSgprs2 | kWorkgroupIds | kScratch, kKernarg | wave,
                        assemble(fmt::format(R"(
        s_load_b64 s[8:9], s[0:1], 0x0
        s_lshl_b32 s2, s2, 8
        v_add_nc_u32_e32 v1, s2, v0
        s_mov_b32 s10, {0}
        scratch_store_b32 off, v1, s10
        s_waitcnt_vscnt null, 0x0
        v_mov_b32_e32 v1, 0
        scratch_load_b32 v2, off, s10
        v_add_nc_u32_e32 v1, s2, v0
        v_lshlrev_b32_e32 v1, 2, v1
        s_waitcnt vmcnt(0) lgkmcnt(0)
        global_store_b32 v1, v2, s[8:9]
        s_endpgm)",
                                             offset),
                                 wave != 0 ? "+wavefrontsize32" : "+wavefrontsize64"));
  }
  AqlPacket spill_packet(uint32_t private_bytes, uint16_t wave, const AqlSignal& signal) {
    AqlPacket packet =
        dispatch_packet({{256 * 40, 1, 1}, {256, 1, 1}, 1}, spill(private_bytes - 4, wave), argument(out_.va), signal);
    packet[6] = private_bytes;
    return packet;
  }
  // `private_bytes` for each work-item of as many waves of `lanes` as `waves` for each of the card's six engines.
  void provide(uint32_t private_bytes, uint32_t lanes, uint32_t waves) {
    const uint32_t wave_bytes = static_cast<uint32_t>(align_up(uint64_t{private_bytes} * lanes, 256));
    const TestBuffer scratch = machine_.vram(align_up(uint64_t{wave_bytes} * waves * 6, 4096));
    client_.qword(0xa0) = scratch.va;
    client_.qword(0xa8) = uint64_t{wave_bytes} * waves * 6;
    client_.dword(0x8c) = waves | wave_bytes / 256 << 12;
    client_.dword(0xb0) = wave_bytes / 64;
  }
  void expect_numbers() {
    for (uint32_t i = 0; i < 256 * 40; ++i) ASSERT_EQ(out_.dword(i), i);
  }
};

TEST_F(AqlScratch, IsAskedForWhenItIsFirstNeededAndWhenMoreIs) {
  const AqlSignal inactive = client_.watch_inactive();
  uint64_t index = 0;
  for (const uint32_t bytes : {16u, 4000u}) {
    for (const uint16_t wave : {kWave32, uint16_t{0}}) {  // what is enough for 32 lanes is half of it for 64
      const AqlSignal done = client_.signal();
      client_.submit(spill_packet(bytes, wave, done));
      ASSERT_TRUE(eventually([&] { return inactive.value() == (wave == kWave32 ? 0x400 : 0x1); }));
      EXPECT_EQ(client_.read_index(), index) << "the client reads the packet";
      EXPECT_EQ(client_.header(index), 0x1402);
      provide(bytes, wave == kWave32 ? 32 : 64, 16);
      inactive.value() = 0;
      ASSERT_TRUE(eventually([&] { return done.value() == 0; }));
      expect_numbers();
      std::fill_n(out_.dwords(), 256 * 40, 0);
      ASSERT_TRUE(client_.run(spill_packet(bytes, wave, {})));  // now there is enough
      expect_numbers();
      index += 2;
    }
  }
}

TEST_F(AqlScratch, RequestRaisesTheEventOfTheInactiveSignal) {
  const AqlSignal inactive = client_.watch_inactive(), done = client_.signal();
  const uint32_t event = machine_.create_event(0);
  inactive.mailbox() = machine_.mailbox(event);
  inactive.event_id() = event;
  client_.submit(spill_packet(64, kWave32, done));
  ASSERT_EQ(machine_.wait_event(event, 10'000), 0u);
  EXPECT_EQ(inactive.value(), 0x400);
  provide(64, 32, 8);
  inactive.value() = 0;
  EXPECT_TRUE(eventually([&] { return done.value() == 0; }));
  expect_numbers();
}

TEST_F(AqlScratch, ForOneUseIsReturned) {
  const AqlSignal inactive = client_.watch_inactive(), done = client_.signal(), next = client_.signal();
  provide(64, 32, 8);
  client_.dword(0xb4) = 0x10;  // use once
  client_.submit(spill_packet(64, kWave32, done));
  ASSERT_TRUE(eventually([&] { return inactive.value() == 512; }));
  EXPECT_EQ(done.value(), 0);
  client_.submit(testing::barrier_packet(testing::kAqlBarrierAnd, {}, next));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(next.value(), 1) << "the queue waits until the client has taken it back";
  client_.dword(0xb4) = 0;
  inactive.value() = 0;
  EXPECT_TRUE(eventually([&] { return next.value() == 0; }));
}

TEST_F(AqlScratch, IsNotAskedForWithoutAnInactiveSignal) {
  client_.submit(spill_packet(64, kWave32, {}));
  EXPECT_THAT(machine_.wait_fault().message, HasSubstr("64 bytes of private memory for each work-item"));
}

TEST_F(AqlKernels, OfTheOlderCodeObjectAreWave64AndTakeFlatAddresses) {
  // amd_kernel_code_t, as ROCr's blit kernels have it: versions at 0 and 4, no sizes; a copy of a byte for each
  // work-item, from the address in the argument to 4 KiB behind it.
  const uint64_t kernel = client_.load(kRsrc1, kUserSgprs2 | kWorkgroupIds, kKernarg,
                                       assemble(R"(
        s_load_b64 s[8:9], s[0:1], 0x0
        s_lshl_b32 s2, s2, 6
        v_add_nc_u32_e32 v1, s2, v0
        s_waitcnt lgkmcnt(0)
        v_add_co_u32 v2, vcc, s8, v1
        v_mov_b32_e32 v3, s9
        v_add_co_ci_u32_e64 v3, vcc, 0, v3, vcc
        flat_load_u8 v4, v[2:3]
        v_add_co_u32 v2, vcc, 0x1000, v2
        v_add_co_ci_u32_e64 v3, vcc, 0, v3, vcc
        s_waitcnt vmcnt(0) lgkmcnt(0)
        flat_store_b8 v[2:3], v4
        s_endpgm)",
                                                "+wavefrontsize64"));
  const uint32_t versions[] = {1, 2};
  std::copy_n(versions, 2, reinterpret_cast<uint32_t*>(kernel));
  auto* bytes = reinterpret_cast<uint8_t*>(out_.va);
  for (uint32_t i = 0; i < 1000; ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  ASSERT_TRUE(client_.run(dispatch_packet({{1000, 1, 1}, {64, 1, 1}, 1}, kernel, argument(out_.va), {})));
  EXPECT_TRUE(std::equal(bytes, bytes + 1000, bytes + 4096));
  EXPECT_EQ(bytes[4096 + 1000], 0);
}

TEST_F(AqlKernels, OfSeveralQueuesRunAtOnce) {
  // The first spins until the second has written.
  const uint64_t waits = client_.load(kRsrc1, kUserSgprs2, kKernarg | kWave32, assemble(R"(
        s_load_b64 s[8:9], s[0:1], 0x0
        v_mov_b32_e32 v1, 0
        s_waitcnt lgkmcnt(0)
        global_load_b32 v2, v1, s[8:9] glc dlc
        s_waitcnt vmcnt(0)
        v_cmp_ne_u32_e32 vcc_lo, 7, v2
        s_cbranch_vccnz -5
        s_endpgm)"));
  const uint64_t writes = client_.load(kRsrc1, kUserSgprs2, kKernarg | kWave32, assemble(R"(
        s_load_b64 s[8:9], s[0:1], 0x0
        v_mov_b32_e32 v1, 0
        v_mov_b32_e32 v2, 7
        s_waitcnt lgkmcnt(0)
        global_store_b32 v1, v2, s[8:9]
        s_endpgm)"));
  AqlClient other(machine_);
  const AqlSignal done = client_.signal();
  const AqlGrid one{{32, 1, 1}, {32, 1, 1}, 1};
  client_.submit(dispatch_packet(one, waits, argument(out_.va), done));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(done.value(), 1);
  EXPECT_TRUE(other.run(dispatch_packet(one, writes, argument(out_.va), {})));
  EXPECT_TRUE(eventually([&] { return done.value() == 0; }));
}

TEST_F(AqlKernels, ThatFaultTellOfTheInstructionAndThePacket) {
  const uint64_t kernel = client_.load(kRsrc1, kUserSgprs2, kKernarg | kWave32, assemble(R"(
        v_mov_b32_e32 v1, 0x10000
        v_mov_b32_e32 v2, 0
        global_store_b32 v[1:2], v1, off
        s_endpgm)"));
  client_.submit(dispatch_packet({{32, 1, 1}, {32, 1, 1}, 1}, kernel, 0, client_.signal()));
  const FaultReport report = machine_.wait_fault();
  EXPECT_EQ(report.kind, FaultKind::kShader);
  EXPECT_EQ(report.engine, "aql");
  EXPECT_EQ(report.packet_address, client_.packet_address(0));
  EXPECT_THAT(report.message, HasSubstr("kernel dispatch 0 at"));
  EXPECT_THAT(report.message, HasSubstr("global_store_b32 v[1:2], v1, off"));
}

}  // namespace
}  // namespace bw::emulator
