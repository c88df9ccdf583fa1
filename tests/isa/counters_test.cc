// Counters of dispatches: hand-written programs with known counts.
#include "emulator/shader/counters.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/shader/counted_instruction.h"
#include "emulator/shader/lds_banks.h"
#include "emulator/shader/touched_bytes.h"
#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

using emulator::AccessCounts;
using emulator::CounterLog;
using emulator::Dispatch;
using emulator::DispatchCounters;
using emulator::LdsAccess;

constexpr size_t kWidth8 = 0, kWidth16 = 1, kWidth32 = 2, kWidth64 = 3, kWidth96 = 4, kWidth128 = 5;

class Counters : public testing::Test {
 protected:
  struct Shape {
    uint32_t lanes = 32;
    uint32_t groups = 1;
    uint32_t wave_size = 32;
    size_t threads = 1;
    std::vector<std::pair<uint64_t, uint64_t>> ranges = {};  // begin and end, from the start of the memory
  };

  // Of the text with s_endpgm behind it; s[0:1] point to 64 KiB of memory.
  DispatchCounters count(const std::string& text, const Shape& shape) {
    auto log = std::make_shared<CounterLog>();
    Gpu gpu(emulator::make_interpreter(shape.threads, emulator::Strictness::kOff, nullptr, log));
    LlvmMc mc(shape.wave_size == 32 ? "+wavefrontsize32" : "+wavefrontsize64,-wavefrontsize32");
    std::string error;
    const auto code = mc.assemble(text + "\n s_endpgm\n", &error);
    EXPECT_TRUE(code.has_value()) << error;
    if (!code) return {};
    const uint64_t memory = gpu.allocate(65536);
    std::vector<emulator::RangeCounts> ranges;
    for (const auto& [begin, end] : shape.ranges) ranges.push_back({.begin = memory + begin, .end = memory + end});
    log->set_ranges(ranges);
    Dispatch dispatch = Gpu::dispatch(gpu.load(*code), shape.lanes, memory);
    dispatch.wave_size = shape.wave_size;
    dispatch.workgroup_count[0] = shape.groups;
    const auto fault = gpu.run(dispatch);
    EXPECT_FALSE(fault.has_value()) << fault->message;
    const std::vector<DispatchCounters> finished = log->take();
    EXPECT_EQ(finished.size(), 1u);
    EXPECT_TRUE(log->take().empty());
    return finished.empty() ? DispatchCounters{} : finished[0];
  }
  DispatchCounters count(const std::string& text) { return count(text, Shape{}); }
};

TEST_F(Counters, InstructionsCountUnderTheirClass) {
  const DispatchCounters counters = count(R"(
    s_mov_b32 s4, 0
    s_load_b64 s[6:7], s[0:1], 0x0
    s_waitcnt lgkmcnt(0)
    v_fma_f32 v1, v0, v0, v0
    v_fmac_f32 v1, v0, v0
    v_fmaak_f32 v1, v0, v0, 0x40000000
    v_dual_fmac_f32 v2, v4, v5 :: v_dual_fmac_f32 v3, v6, v7
    v_dual_fmac_f32 v2, v4, v5 :: v_dual_mov_b32 v3, v6
    v_dual_mul_f32 v2, v4, v5 :: v_dual_add_f32 v3, v6, v7
    v_wmma_f32_16x16x16_f16 v[32:39], v[8:15], v[16:23], v[32:39]
    v_dot4_i32_iu8 v1, v2, v3, v4
    v_rcp_f32 v1, v0
    v_pk_fma_f16 v1, v2, v3, v4
    v_pk_mul_f16 v1, v2, v3
    v_div_fmas_f32 v1, v2, v3, v4
    v_add_f32 v1, v2, v3
    v_add_f32_dpp v1, v2, v3 quad_perm:[1,0,3,2] row_mask:0xf bank_mask:0xf
    s_delay_alu instid0(VALU_DEP_1)
    s_nop 0
    s_barrier
    s_setprio 1
    s_branch next
  next:
    ds_permute_b32 v1, v0, v2
    buffer_gl0_inv
    s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)
  )");
  const auto& all = counters.instructions;
  EXPECT_EQ(all.total, 26u);
  EXPECT_EQ(all.salu, 1u);
  EXPECT_EQ(all.smem, 1u);
  EXPECT_EQ(all.valu, 14u);
  EXPECT_EQ(all.lds, 1u);
  EXPECT_EQ(all.vmem, 0u);
  EXPECT_EQ(all.branch, 1u);
  EXPECT_EQ(all.barrier, 1u);
  EXPECT_EQ(all.message, 1u);
  EXPECT_EQ(all.wait, 3u);
  EXPECT_EQ(all.other, 3u);
  EXPECT_EQ(all.fma, 3u);
  EXPECT_EQ(all.vopd, 3u);
  EXPECT_EQ(all.vopd_fmas, 3u);
  EXPECT_EQ(all.vopd_dual_fma, 1u);
  EXPECT_EQ(all.vopd_movs, 1u);
  EXPECT_EQ(all.wmma, 1u);
  EXPECT_EQ(all.dot, 1u);
  EXPECT_EQ(all.transcendental, 1u);
  EXPECT_EQ(all.packed, 2u);
  EXPECT_EQ(all.packed_fma, 1u);
  EXPECT_DOUBLE_EQ(all.fma_instructions(), 5.5);
  EXPECT_EQ(counters.lds.exchanges, 1u);
  EXPECT_EQ(counters.scalar_load_bytes, 8u);
  EXPECT_EQ(counters.touched.read, 8u);
}

TEST_F(Counters, LoopsCountEachPassOfEachWave) {
  const DispatchCounters counters = count(R"(
    s_mov_b32 s4, 10
  loop:
    v_add_f32 v1, v1, v0
    s_sub_u32 s4, s4, 1
    s_cmp_lg_u32 s4, 0
    s_cbranch_scc1 loop
  )",
                                          {.lanes = 96, .groups = 5});
  constexpr uint64_t kWaves = 15;
  EXPECT_EQ(counters.instructions.valu, 10 * kWaves);
  EXPECT_EQ(counters.instructions.branch, 10 * kWaves);
  EXPECT_EQ(counters.instructions.salu, 21 * kWaves);
  EXPECT_EQ(counters.instructions.other, kWaves);  // s_endpgm
  EXPECT_EQ(counters.workgroups, 5u);
  EXPECT_EQ(counters.workgroup_size[0], 96u);
  EXPECT_EQ(counters.vgprs, 256u);
  EXPECT_EQ(counters.lds_bytes, 65536u);
}

// Both halves read what the other writes, which the interpreter executes as three steps.
TEST_F(Counters, ADualInstructionCountsOnceHoweverItIsExecuted) {
  const DispatchCounters counters = count("v_dual_mov_b32 v2, v3 :: v_dual_mov_b32 v3, v2");
  EXPECT_EQ(counters.instructions.total, 2u);
  EXPECT_EQ(counters.instructions.vopd, 1u);
  EXPECT_EQ(counters.instructions.valu_lanes, 32u);
}

TEST_F(Counters, LanesThatAreNotActiveDoNotCount) {
  const DispatchCounters counters = count(R"(
    s_mov_b32 exec_lo, 0xff
    v_lshlrev_b32 v1, 2, v0
    global_load_b32 v2, v1, s[0:1]
    s_mov_b32 exec_lo, 0
    v_mov_b32 v3, v0
    global_load_b32 v2, v1, s[0:1]
  )");
  EXPECT_EQ(counters.instructions.valu_lanes, 8u);
  EXPECT_EQ(counters.instructions.memory_lanes, 8u);
  EXPECT_EQ(counters.loads.requested.instructions[kWidth32], 2u);
  EXPECT_EQ(counters.loads.requested.bytes[kWidth32], 32u);
  EXPECT_EQ(counters.touched.read, 32u);
}

TEST_F(Counters, GlobalBytesByWidthAndDirection) {
  const DispatchCounters counters = count(R"(
    v_lshlrev_b32 v1, 4, v0
    global_load_u8 v2, v0, s[0:1]
    global_load_d16_b16 v2, v1, s[0:1]
    global_load_b64 v[2:3], v1, s[0:1]
    global_load_b96 v[2:4], v1, s[0:1]
    global_load_b128 v[2:5], v1, s[0:1]
    global_store_b128 v1, v[2:5], s[0:1] offset:2048
    global_store_b8 v1, v2, s[0:1] offset:2048
    global_atomic_add_u32 v1, v2, s[0:1] offset:1024
    global_atomic_cmpswap_b64 v1, v[2:5], s[0:1] offset:1024
  )");
  const AccessCounts& loads = counters.loads.requested;
  EXPECT_EQ(loads.bytes[kWidth8], 32u);
  EXPECT_EQ(loads.bytes[kWidth16], 64u);
  EXPECT_EQ(loads.bytes[kWidth64], 256u);
  EXPECT_EQ(loads.bytes[kWidth96], 384u);
  EXPECT_EQ(loads.bytes[kWidth128], 512u);
  EXPECT_EQ(loads.instruction_count(), 5u);
  EXPECT_EQ(counters.stores.requested.bytes[kWidth128], 512u);
  EXPECT_EQ(counters.stores.requested.bytes[kWidth8], 32u);
  EXPECT_EQ(counters.atomics.requested.bytes[kWidth32], 128u);
  EXPECT_EQ(counters.atomics.requested.bytes[kWidth64], 256u);
  EXPECT_EQ(counters.touched.read, 512u + 256u);  // loads, and atomics behind them
  EXPECT_EQ(counters.touched.written, 512u + 256u);
  EXPECT_EQ(counters.instructions.vmem, 9u);
}

// 32 lanes of a dword: side by side, all at the same one, 64 bytes apart, and side by side across a line.
TEST_F(Counters, LinesAndBytesOfAnInstructionCountOnce) {
  const auto loads = [&](const std::string& addresses) {
    return count(addresses + "\n global_load_b32 v2, v1, s[0:1]").loads;
  };
  const auto side_by_side = loads("v_lshlrev_b32 v1, 2, v0");
  EXPECT_EQ(side_by_side.lines_32, 4u);
  EXPECT_EQ(side_by_side.lines_64, 2u);
  EXPECT_EQ(side_by_side.lines_128, 1u);
  EXPECT_EQ(side_by_side.coalesced_bytes, 128u);
  const auto same = loads("v_mov_b32 v1, 64");
  EXPECT_EQ(same.lines_32, 1u);
  EXPECT_EQ(same.lines_128, 1u);
  EXPECT_EQ(same.coalesced_bytes, 4u);
  EXPECT_EQ(same.requested.byte_count(), 128u);
  const auto apart = loads("v_lshlrev_b32 v1, 6, v0");
  EXPECT_EQ(apart.lines_32, 32u);
  EXPECT_EQ(apart.lines_64, 32u);
  EXPECT_EQ(apart.lines_128, 16u);
  EXPECT_EQ(apart.coalesced_bytes, 128u);
  const auto across = loads("v_lshlrev_b32 v1, 2, v0\n v_add_nc_u32 v1, 0x40, v1");
  EXPECT_EQ(across.lines_64, 2u);
  EXPECT_EQ(across.lines_128, 2u);
  const auto backwards = loads("v_sub_nc_u32 v1, 31, v0\n v_lshlrev_b32 v1, 2, v1");
  EXPECT_EQ(backwards.lines_128, 1u);
  EXPECT_EQ(backwards.coalesced_bytes, 128u);
}

// Each workgroup reads the same 128 bytes twice and writes 128 of its own.
TEST_F(Counters, TouchedBytesCountOnceForTheDispatchAndOnceForEachGroup) {
  const std::string text = R"(
    v_lshlrev_b32 v1, 2, v0
    s_lshl_b32 s3, s2, 7
    v_add_nc_u32 v2, s3, v1
    global_load_b32 v3, v1, s[0:1]
    global_load_b32 v3, v1, s[0:1]
    s_waitcnt vmcnt(0)
    global_store_b32 v2, v3, s[0:1] offset:1024
  )";
  for (const size_t threads : {1, 2, 4}) {
    const DispatchCounters counters = count(text, {.groups = 100, .threads = threads});
    EXPECT_EQ(counters.loads.requested.byte_count(), 25600u);
    EXPECT_EQ(counters.touched_by_groups.read, 12800u);
    EXPECT_EQ(counters.touched.read, 128u);
    EXPECT_EQ(counters.touched_by_groups.written, 12800u);
    EXPECT_EQ(counters.touched.written, 12800u);
    EXPECT_EQ(counters.instructions.total, 800u);
  }
}

// A scalar load and vector loads, and the same bytes by several lanes; what lies outside of the ranges does not count.
TEST_F(Counters, RangesCountWhatIsAskedOfThem) {
  const std::string text = R"(
    s_load_b128 s[4:7], s[0:1], 0x0
    v_lshlrev_b32 v1, 4, v0
    global_load_b128 v[2:5], v1, s[0:1]
    v_mov_b32 v1, 0
    global_load_b32 v2, v1, s[0:1]
    global_store_b32 v1, v2, s[0:1] offset:1024
    global_load_b32 v2, v1, s[0:1] offset:2048
  )";
  const DispatchCounters counters = count(text, {.groups = 3, .threads = 2, .ranges = {{0, 512}, {1024, 1028}}});
  ASSERT_EQ(counters.ranges.size(), 2u);
  EXPECT_EQ(counters.ranges[0].loaded_bytes, 3 * (16u + 512u + 128u));
  EXPECT_EQ(counters.ranges[0].loaded_bytes_128, 3 * (16u + 512u));
  EXPECT_EQ(counters.ranges[0].stored_bytes, 0u);
  EXPECT_EQ(counters.ranges[1].stored_bytes, 3 * 128u);
  EXPECT_EQ(counters.ranges[1].loaded_bytes, 0u);
}

TEST_F(Counters, LdsCountsBytesCyclesAndConflicts) {
  const DispatchCounters counters = count(R"(
    v_lshlrev_b32 v1, 2, v0
    v_lshlrev_b32 v2, 3, v0
    v_lshlrev_b32 v3, 7, v0
    ds_store_b32 v1, v0
    ds_store_b32 v3, v0
    ds_load_b32 v4, v2
    ds_load_b64 v[4:5], v2
    ds_load_2addr_b32 v[4:5], v1 offset1:1
    ds_load_2addr_stride64_b32 v[4:5], v3 offset1:1
    ds_add_u32 v1, v0
  )");
  const auto& lds = counters.lds;
  EXPECT_EQ(lds.stores.bytes[kWidth32], 256u);
  EXPECT_EQ(lds.loads.instructions[kWidth32], 3u);
  EXPECT_EQ(lds.loads.bytes[kWidth32], 128u + 256u + 256u);
  EXPECT_EQ(lds.loads.bytes[kWidth64], 256u);
  EXPECT_EQ(lds.atomics.bytes[kWidth32], 128u);
  EXPECT_EQ(lds.cycles, 1u + 1u + 1u + 2u + 2u + 2u + 1u);
  EXPECT_EQ(lds.store_conflict_cycles, 31u);
  EXPECT_EQ(lds.load_conflict_cycles, 1u + 31u + 31u);
  EXPECT_EQ(counters.touched.read, 0u);
}

TEST_F(Counters, HalvesOfAWave64AreAccessesOfTheirOwn) {
  const DispatchCounters counters = count(R"(
    v_lshlrev_b32 v1, 2, v0
    global_load_b32 v2, v1, s[0:1]
    ds_load_b32 v2, v1
  )",
                                          {.lanes = 64, .wave_size = 64});
  EXPECT_EQ(counters.instructions.vmem, 1u);
  EXPECT_EQ(counters.loads.requested.instructions[kWidth32], 1u);
  EXPECT_EQ(counters.loads.requested.byte_count(), 256u);
  EXPECT_EQ(counters.loads.lines_128, 2u);
  EXPECT_EQ(counters.lds.cycles, 2u);
  EXPECT_EQ(counters.instructions.memory_lanes, 128u);
}

// LDS has its own aperture; a lane there reaches no global memory.
TEST_F(Counters, FlatCountsWhereItLeads) {
  const DispatchCounters counters = count(R"(
    s_mov_b32 s4, 0
    s_mov_b64 s[4:5], src_shared_base
    v_lshlrev_b32 v1, 2, v0
    v_mov_b32 v3, s5
    v_add_nc_u32 v2, s0, v1
    v_mov_b32 v4, s1
    v_cmp_gt_u32 vcc_lo, 8, v0
    v_cndmask_b32 v2, v2, v1, vcc_lo
    v_cndmask_b32 v3, v4, v3, vcc_lo
    flat_load_b32 v5, v[2:3]
  )");
  EXPECT_EQ(counters.instructions.flat, 1u);
  EXPECT_EQ(counters.flat_aperture_bytes, 32u);
  EXPECT_EQ(counters.loads.requested.byte_count(), 96u);
  EXPECT_EQ(counters.touched.read, 96u);
}

TEST(CountedInstructions, EachCountsUnderOneClassWithTheWidthOfItsName) {
  using emulator::CountedInstruction;
  for (const amdgpu::gfx11::InstructionInfo& info : amdgpu::gfx11::instructions()) {
    amdgpu::gfx11::Instruction in;
    in.info = in.info_y = &info;
    const CountedInstruction counted = CountedInstruction::make(in);
    const emulator::InstructionCounts& once = counted.once;
    EXPECT_EQ(once.total, 1u);
    EXPECT_EQ(once.salu + once.smem + once.valu + once.vmem + once.lds + once.branch + once.barrier + once.message +
                  once.wait + once.other,
              1u)
        << info.name;
    EXPECT_LE(once.fma + once.vopd + once.wmma + once.dot + once.transcendental + once.packed, once.valu) << info.name;
    const std::string_view name = info.name;
    const bool is_plain = name.find("_load_") != name.npos || name.find("_store_") != name.npos;
    if (!is_plain || counted.reach == CountedInstruction::Reach::kNothing) continue;
    uint32_t bytes = counted.bytes;
    for (const uint32_t bits : {32u, 64u, 96u, 128u, 256u, 512u}) {
      if (name.ends_with(fmt::format("_b{}", bits))) bytes = bits / 8;
    }
    if (name.ends_with("u8") || name.ends_with("_b8")) bytes = 1;
    if (name.ends_with("u16") || name.ends_with("_b16")) bytes = 2;
    EXPECT_EQ(counted.bytes, bytes) << name;
  }
}

// Side by side, and each lane alone in its bank but for one pair.
TEST(LdsBanks, StridesHaveTheConflictsOfTheModel) {
  const auto conflicts = [](uint32_t stride_bytes, uint32_t size_bytes, LdsAccess access, uint32_t active = ~0u) {
    std::array<uint32_t, 32> address{};
    for (uint32_t l = 0; l < 32; ++l) address[l] = l * stride_bytes;
    return emulator::lds_cycles(address, active, size_bytes, access).conflicts;
  };
  EXPECT_EQ(conflicts(0, 4, LdsAccess::kLoad), 0u);  // broadcast
  EXPECT_EQ(conflicts(4, 4, LdsAccess::kLoad), 0u);
  EXPECT_EQ(conflicts(8, 4, LdsAccess::kLoad), 1u);
  EXPECT_EQ(conflicts(16, 4, LdsAccess::kLoad), 3u);
  EXPECT_EQ(conflicts(128, 4, LdsAccess::kLoad), 31u);
  EXPECT_EQ(conflicts(132, 4, LdsAccess::kLoad), 0u);
  EXPECT_EQ(conflicts(1, 1, LdsAccess::kLoad), 0u);
  EXPECT_EQ(conflicts(8, 8, LdsAccess::kLoad), 0u);
  EXPECT_EQ(conflicts(128, 8, LdsAccess::kLoad), 30u);
  EXPECT_EQ(conflicts(136, 8, LdsAccess::kStore), 0u);
  EXPECT_EQ(conflicts(16, 16, LdsAccess::kLoad), 0u);
  EXPECT_EQ(conflicts(16, 16, LdsAccess::kStore), 0u);
  EXPECT_EQ(conflicts(128, 16, LdsAccess::kStore), 28u);
  EXPECT_EQ(conflicts(144, 16, LdsAccess::kStore), 0u);
  EXPECT_EQ(conflicts(128, 16, LdsAccess::kStore, 0x01010101), 0u);  // one lane a phase
  EXPECT_EQ(conflicts(0, 4, LdsAccess::kAtomic), 31u);
  EXPECT_EQ(conflicts(4, 4, LdsAccess::kAtomic), 0u);
}

// Lanes 0 and 20 are served together in loads of 128 bits, lanes 0 and 4 are not.
TEST(LdsBanks, PhasesOfWideLoadsAreThoseMeasured) {
  const auto conflicts = [](uint32_t a, uint32_t b, LdsAccess access) {
    std::array<uint32_t, 32> address{};
    address[b] = 128;
    return emulator::lds_cycles(address, 1u << a | 1u << b, 16, access);
  };
  EXPECT_EQ(conflicts(0, 20, LdsAccess::kLoad).conflicts, 1u);
  EXPECT_EQ(conflicts(0, 20, LdsAccess::kLoad).needed, 1u);
  EXPECT_EQ(conflicts(0, 4, LdsAccess::kLoad).conflicts, 0u);
  EXPECT_EQ(conflicts(0, 4, LdsAccess::kLoad).needed, 2u);
  EXPECT_EQ(conflicts(0, 4, LdsAccess::kStore).conflicts, 1u);
  EXPECT_EQ(conflicts(0, 20, LdsAccess::kStore).conflicts, 0u);
}

TEST(TouchedBytes, CountsEachByteOnce) {
  std::mt19937 random(7);
  std::vector<bool> expected(20000);
  emulator::TouchedBytes all, first, second;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t begin = random() % 19000, size = 1 + random() % (i % 50 == 0 ? 900 : 16);
    std::fill_n(expected.begin() + static_cast<long>(begin), size, true);
    all.add(begin, size);
    (i % 2 == 0 ? first : second).add(begin, size);
  }
  const auto count = static_cast<uint64_t>(std::count(expected.begin(), expected.end(), true));
  EXPECT_EQ(all.count(), count);
  first.add(second);
  EXPECT_EQ(first.count(), count);
  EXPECT_EQ(first.add(0, 20000), 20000 - count);
  first.clear();
  EXPECT_EQ(first.count(), 0u);
  EXPECT_EQ(first.add(4095, 2), 2u);
  EXPECT_EQ(first.add(4095, 2), 0u);
}

}  // namespace
}  // namespace bw::test
