// What the shader cores do around single instructions: faults, control flow, barriers, partial waves, several
// workgroups.
#include <gtest/gtest.h>

#include <cmath>

#include "base/bits.h"
#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

using emulator::Access;
using emulator::Dispatch;
using emulator::ShaderFaultKind;

class Programs : public testing::Test {
 protected:
  uint64_t load(const std::string& text) {
    std::string error;
    auto code = mc_.assemble(text, &error);
    EXPECT_TRUE(code.has_value()) << error;
    return code ? gpu_.load(*code) : 0;
  }
  // Runs text with s[0:1] = `pointer`, expecting no fault.
  void run(const std::string& text, uint64_t pointer, uint32_t lanes = 32) {
    const auto fault = gpu_.run(Gpu::dispatch(load(text), lanes, pointer));
    EXPECT_FALSE(fault.has_value()) << fault->message;
  }
  emulator::ShaderFault fault_of(const std::string& text, uint64_t pointer, uint32_t lanes = 32) {
    const auto fault = gpu_.run(Gpu::dispatch(load(text), lanes, pointer));
    EXPECT_TRUE(fault.has_value());
    return fault.value_or(emulator::ShaderFault{});
  }

  LlvmMc mc_;
  Gpu gpu_{2};
};

constexpr const char* kStoreLaneIds = R"(
  v_lshlrev_b32 v1, 2, v0
  global_store_b32 v1, v0, s[0:1]
  s_endpgm
)";

TEST_F(Programs, ReadOfAnUnmappedAddressFaultsWithPlaceAndLane) {
  const uint64_t page = gpu_.allocate(4096);
  // Lanes 8 and up of a row of dwords that begins 32 bytes before the end of the page.
  const auto fault =
      fault_of("v_lshlrev_b32 v1, 2, v0\n global_load_b32 v2, v1, s[0:1]\n s_endpgm\n", page + 4096 - 32);
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.access, Access::kRead);
  EXPECT_EQ(fault.address, page + 4096);
  EXPECT_EQ(fault.lane, 8u);
  EXPECT_EQ(fault.disassembly, "global_load_b32 v2, v1, s[0:1]");
  EXPECT_NE(fault.message.find("wave 0"), std::string::npos) << fault.message;
}

TEST_F(Programs, WriteToReadOnlyMemoryFaults) {
  const uint64_t page = gpu_.allocate(4096, Gpu::Rights::kReadOnly);
  const auto fault = fault_of(kStoreLaneIds, page);
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.access, Access::kWrite);
  EXPECT_EQ(fault.address, page);
}

TEST_F(Programs, ScalarLoadOfAnUnmappedAddressFaults) {
  const auto fault = fault_of("s_load_b64 s[2:3], s[0:1], 0x10\n s_endpgm\n", 0x1000);
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.address, 0x1010u);
}

TEST_F(Programs, AtomicOnAMisalignedAddressFaults) {
  const uint64_t page = gpu_.allocate(4096);
  const auto fault = fault_of("v_mov_b32 v1, 2\n global_atomic_add_u32 v1, v1, s[0:1]\n s_endpgm\n", page);
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.address, page + 2);
}

TEST_F(Programs, BytesThatAreNoInstructionFaultAsIllegalOnlyWhenReached) {
  const uint64_t page = gpu_.allocate(4096);
  run("s_branch done\n .long 0xbf820000 | (100 << 16)\n done:\n s_endpgm\n", page);
  const auto fault = fault_of("s_nop 0\n .long 0xbf820000 | (100 << 16)\n s_endpgm\n", page);
  EXPECT_EQ(fault.kind, ShaderFaultKind::kIllegal);
  EXPECT_NE(fault.message.find("program + 0x4"), std::string::npos) << fault.message;
}

TEST_F(Programs, RegistersBeyondTheFileAreIllegal) {
  // v[254:257] as the destination of a load of four dwords.
  const auto fault = fault_of(".long 0xdc5e0000, 0xfe000001\n s_endpgm\n", gpu_.allocate(4096));
  EXPECT_EQ(fault.kind, ShaderFaultKind::kIllegal);
}

TEST_F(Programs, RunningOffTheMappedCodeFaultsAsExecute) {
  std::string nops;
  for (int i = 0; i < 1024; ++i) nops += "s_nop 0\n";
  const uint64_t program = load(nops);
  const auto fault = gpu_.run(Gpu::dispatch(program, 1, 0));
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault->access, Access::kExecute);
  EXPECT_EQ(fault->address, program + 4096);
}

TEST_F(Programs, UnsupportedInstructionsAndTrapsSayWhatTheyAre) {
  EXPECT_EQ(fault_of("image_load v[0:3], v0, s[0:7] dmask:0xf dim:SQ_RSRC_IMG_1D\n s_endpgm\n", 0).kind,
            ShaderFaultKind::kUnsupported);
  EXPECT_EQ(fault_of("s_trap 2\n s_endpgm\n", 0).kind, ShaderFaultKind::kTrap);
}

TEST_F(Programs, SeeTheShaderClockRunWithinATurn) {
  // 1024 cycles later, as device code measures: LLVM reads this register for __builtin_readcyclecounter().
  const uint64_t out = gpu_.allocate(4096);
  const uint64_t program = load(R"(
    s_getreg_b32 s4, hwreg(HW_REG_SHADER_CYCLES, 0, 20)
    again:
    s_getreg_b32 s5, hwreg(HW_REG_SHADER_CYCLES, 0, 20)
    s_sub_i32 s6, s5, s4
    s_and_b32 s6, s6, 0xfffff
    s_cmp_lt_u32 s6, 0x400
    s_cbranch_scc1 again
    v_mov_b32 v1, s6
    v_mov_b32 v2, 0
    global_store_b32 v2, v1, s[0:1]
    s_endpgm
  )");
  ASSERT_FALSE(gpu_.run(Gpu::dispatch(program, 1, out)).has_value());
  EXPECT_GE(*gpu_.at<uint32_t>(out), 0x400u);
}

TEST_F(Programs, GoOnAfterATrapForADebuggerThatIsNotThere) {
  const uint64_t out = gpu_.allocate(4096);
  const uint64_t program =
      load("s_trap 3\n v_mov_b32 v1, 7\n v_mov_b32 v2, 0\n global_store_b32 v2, v1, s[0:1]\n s_endpgm\n");
  ASSERT_FALSE(gpu_.run(Gpu::dispatch(program, 1, out)).has_value());
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 7u);
}

TEST_F(Programs, ProgramsAreDecodedAgainWhenTheirBytesChange) {
  const uint64_t out = gpu_.allocate(4096);
  const uint64_t program = load("v_mov_b32 v1, 1\n v_mov_b32 v2, 0\n global_store_b32 v2, v1, s[0:1]\n s_endpgm\n");
  const Dispatch dispatch = Gpu::dispatch(program, 1, out);
  ASSERT_FALSE(gpu_.run(dispatch).has_value());
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 1u);
  auto changed = mc_.assemble("v_mov_b32 v1, 2\n");
  std::memcpy(gpu_.host(program), changed->data(), 4);
  ASSERT_FALSE(gpu_.run(dispatch).has_value());
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 2u);
}

TEST_F(Programs, InactiveLanesOfAPartialWaveDoNothing) {
  const uint64_t out = gpu_.allocate(4096);
  std::memset(gpu_.host(out), 0xff, 4096);
  run(kStoreLaneIds, out, 33);
  for (uint32_t i = 0; i < 33; ++i) EXPECT_EQ(gpu_.at<uint32_t>(out)[i], i);
  for (uint32_t i = 33; i < 64; ++i) EXPECT_EQ(gpu_.at<uint32_t>(out)[i], ~0u);
}

TEST_F(Programs, WithExecZeroVectorInstructionsHaveNoEffectAndScalarOnesDo) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_mov_b32 v1, 7
    s_mov_b32 s4, exec_lo
    s_mov_b32 exec_lo, 0
    v_mov_b32 v1, 8
    global_load_b32 v1, v1, s[8:9]
    s_mov_b32 s5, 9
    s_cbranch_execz skip
    s_mov_b32 s5, 10
    skip:
    s_mov_b32 exec_lo, s4
    v_mov_b32 v2, s5
    v_mov_b32 v3, 0
    global_store_b64 v3, v[1:2], s[0:1]
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[0], 7u);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[1], 9u);
}

// Each of 128 work-items stores its id to LDS and reads that of the mirrored work-item, in another wave.
constexpr const char* kMirrorThroughLds = R"(
  v_lshlrev_b32 v1, 2, v0
  ds_store_b32 v1, v0
  s_waitcnt lgkmcnt(0)
  s_barrier
  v_sub_nc_u32 v2, 0x1fc, v1
  ds_load_b32 v3, v2
  s_waitcnt lgkmcnt(0)
  global_store_b32 v1, v3, s[0:1]
  s_endpgm
)";

TEST_F(Programs, BarriersOrderLdsAcrossTheWavesOfAWorkgroup) {
  const uint64_t out = gpu_.allocate(4096);
  run(kMirrorThroughLds, out, 128);
  for (uint32_t i = 0; i < 128; ++i) EXPECT_EQ(gpu_.at<uint32_t>(out)[i], 127 - i);
}

TEST_F(Programs, WavesOfSixtyFourLanesGiveTheSame) {
  const uint64_t out = gpu_.allocate(4096);
  LlvmMc wave64("+wavefrontsize64,-wavefrontsize32");
  auto code = wave64.assemble(kMirrorThroughLds);
  ASSERT_TRUE(code.has_value());
  Dispatch dispatch = Gpu::dispatch(gpu_.load(*code), 128, out);
  dispatch.wave_size = 64;
  const auto fault = gpu_.run(dispatch);
  ASSERT_FALSE(fault.has_value()) << fault->message;
  for (uint32_t i = 0; i < 128; ++i) EXPECT_EQ(gpu_.at<uint32_t>(out)[i], 127 - i);
}

TEST_F(Programs, AWaveThatSpinsGivesWayToTheOneItWaitsFor) {
  const uint64_t out = gpu_.allocate(4096);
  // Wave 0 spins until wave 1 has stored a flag.
  run(R"(
    v_mov_b32 v1, 0
    v_mov_b32 v2, 1
    v_cmp_gt_u32 vcc_lo, 32, v0
    s_cbranch_vccz other
    again:
    s_load_b32 s4, s[0:1], null glc
    s_waitcnt lgkmcnt(0)
    s_cmp_eq_u32 s4, 0
    s_cbranch_scc1 again
    s_endpgm
    other:
    global_store_b32 v1, v2, s[0:1]
    s_endpgm
  )",
      out, 64);
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 1u);
}

TEST_F(Programs, JumpsThroughRegistersReachCodeThatWasNotDecoded) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    s_getpc_b64 s[4:5]
    s_add_u32 s4, s4, 20
    s_addc_u32 s5, s5, 0
    s_swappc_b64 s[6:7], s[4:5]
    s_branch done
    s_nop 0
    v_mov_b32 v1, 5
    s_setpc_b64 s[6:7]
    done:
    v_mov_b32 v2, 0
    global_store_b32 v2, v1, s[0:1]
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 5u);
  EXPECT_EQ(fault_of("s_mov_b32 s4, 2\n s_mov_b32 s5, 0\n s_setpc_b64 s[4:5]\n", 0).kind, ShaderFaultKind::kIllegal);
}

TEST_F(Programs, WorkgroupsKnowTheirIdsAndTheLastOnesMayBePartial) {
  const uint64_t out = gpu_.allocate(4096);
  // out[10 * (y * 4 + x) + id] = id + 100 * x + 1000 * y, for workgroups of up to 10 work-items.
  Dispatch d = Gpu::dispatch(load(R"(
    s_mul_i32 s4, s3, 4
    s_add_u32 s4, s4, s2
    s_mul_i32 s4, s4, 10
    v_add_nc_u32 v1, s4, v0
    v_lshlrev_b32 v1, 2, v1
    s_mul_i32 s5, s2, 100
    s_mul_i32 s6, s3, 1000
    s_add_u32 s5, s5, s6
    v_add_nc_u32 v2, s5, v0
    global_store_b32 v1, v2, s[0:1]
    s_endpgm
  )"),
                             10, out);
  d.pgm_rsrc2 |= 1u << 8;  // workgroup id y
  d.workgroup_count = {4, 2, 1};
  d.partial_size = {7, 0, 0};
  std::memset(gpu_.host(out), 0, 4096);
  const auto fault = gpu_.run(d);
  ASSERT_FALSE(fault.has_value()) << fault->message;
  for (uint32_t y = 0; y < 2; ++y) {
    for (uint32_t x = 0; x < 4; ++x) {
      for (uint32_t i = 0; i < 10; ++i) {
        const uint32_t want = x == 3 && i >= 7 ? 0 : i + 100 * x + 1000 * y;
        EXPECT_EQ(gpu_.at<uint32_t>(out)[10 * (y * 4 + x) + i], want) << x << " " << y << " " << i;
      }
    }
  }
}

TEST_F(Programs, WorkItemIdsArePackedTenBitsEach) {
  const uint64_t out = gpu_.allocate(4096);
  Dispatch d = Gpu::dispatch(load(R"(
    v_and_b32 v1, 0x3ff, v0
    v_bfe_u32 v2, v0, 10, 10
    v_bfe_u32 v3, v0, 20, 10
    v_mad_u32_u24 v4, v3, 3, v2
    v_mad_u32_u24 v4, v4, 2, v1
    v_lshlrev_b32 v4, 2, v4
    global_store_b32 v4, v0, s[0:1]
    s_endpgm
  )"),
                             2, out);
  d.workgroup_size = {2, 3, 4};
  ASSERT_FALSE(gpu_.run(d).has_value());
  for (uint32_t i = 0; i < 24; ++i) {
    EXPECT_EQ(gpu_.at<uint32_t>(out)[i], (i % 2) | (i / 2 % 3) << 10 | (i / 6) << 20);
  }
}

TEST_F(Programs, AtomicsAddUpAcrossWorkgroupsAndThreads) {
  const uint64_t out = gpu_.allocate(4096);
  Dispatch d = Gpu::dispatch(
      load("v_mov_b32 v1, 0\n v_mov_b32 v2, 1\n global_atomic_add_u32 v1, v2, s[0:1]\n s_endpgm\n"), 64, out);
  d.workgroup_count = {100, 1, 1};
  ASSERT_FALSE(gpu_.run(d).has_value());
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 6400u);
}

TEST_F(Programs, DenormalsOfF32FollowTheMode) {
  const uint64_t out = gpu_.allocate(4096);
  const std::string text = R"(
    v_mov_b32 v1, 0x00400000
    v_mul_f32 v2, 1.0, v1
    v_mov_b32 v3, 0
    global_store_b32 v3, v2, s[0:1]
    s_endpgm
  )";
  run(text, out, 1);
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 0u);
  Dispatch d = Gpu::dispatch(load(text), 1, out);
  d.pgm_rsrc1 |= 0x30u << 12;  // FLOAT_MODE 0xf0
  ASSERT_FALSE(gpu_.run(d).has_value());
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 0x00400000u);
}

TEST_F(Programs, DispatchesThatNoCardTakesAreRefused) {
  const uint64_t program = load("s_endpgm\n");
  Dispatch d = Gpu::dispatch(program, 2000, 0);
  EXPECT_TRUE(gpu_.run(d).has_value());
  d = Gpu::dispatch(program, 32, 0);
  d.wave_size = 16;
  EXPECT_TRUE(gpu_.run(d).has_value());
  d = Gpu::dispatch(program, 32, 0);
  d.workgroup_count = {0, 1, 1};
  EXPECT_FALSE(gpu_.run(d).has_value());
  d.workgroup_count = {~0u, ~0u, ~0u};
  EXPECT_TRUE(gpu_.run(d).has_value());
}

TEST_F(Programs, OutOfRangeLdsReadsZeroAndDropsWrites) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_mov_b32 v1, 0x10000
    v_mov_b32 v2, 5
    v_mov_b32 v3, 6
    ds_store_b32 v1, v2
    ds_load_b32 v3, v1
    s_waitcnt lgkmcnt(0)
    v_mov_b32 v4, 0
    global_store_b32 v4, v3, s[0:1]
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 0u);
}

}  // namespace
}  // namespace bw::test
