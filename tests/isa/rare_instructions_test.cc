// Instructions that compilers emit seldom or never: what the ISA guide says they do, and which fault and why.
#include <array>

#include "emulator/shader/coverage.h"
#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using emulator::ShaderFaultKind;

class RareInstructions : public ProgramTest {};

// Counts passes in v1 of each half, and the state of EXEC at the end in v2.
constexpr const char* kSubvectorLoop = R"(
  s_mov_b64 exec, s[0:1]
  v_mov_b32 v1, 0
  s_subvector_loop_begin s4, 2
  v_add_nc_u32 v1, v1, 1
  s_subvector_loop_end s4, 0xfffd
  s_mov_b64 s[6:7], exec
  s_mov_b64 exec, -1
)";

TEST_F(RareInstructions, SubvectorLoopsRunOncePerHalfThatHasLanes) {
  const uint64_t out = gpu_.allocate(4096);
  for (const uint64_t exec : {0xffff0000'0000000full, 0x5ull, 0xa'00000000ull, 0ull}) {
    emulator::Dispatch d = dispatch_of(std::string("s_mov_b64 s[8:9], s[2:3]\n") + kSubvectorLoop + R"(
      v_lshlrev_b32 v3, 4, v0
      v_mov_b32 v2, s6
      v_mov_b32 v4, s7
      global_store_b32 v3, v1, s[8:9]
      global_store_b32 v3, v2, s[8:9] offset:4
      global_store_b32 v3, v4, s[8:9] offset:8
      s_endpgm
    )",
                                       exec, 64, 64);
    d.pgm_rsrc2 = (d.pgm_rsrc2 & ~0x3eu) | 4u << 1;  // 4 user SGPRs
    d.user_data[2] = lo32(out);
    d.user_data[3] = hi32(out);
    std::memset(gpu_.host(out), 0, 4096);
    const auto fault = gpu_.run(d);
    ASSERT_FALSE(fault.has_value()) << fault->message;
    for (unsigned lane = 0; lane < 64; ++lane) {
      const uint32_t* row = gpu_.at<uint32_t>(out) + lane * 4;
      EXPECT_EQ(row[0], exec >> lane & 1) << lane;
      EXPECT_EQ(make_u64(row[1], row[2]), exec) << lane;
    }
  }
}

TEST_F(RareInstructions, MqsadSumsMaskedDifferencesAtFourOffsets) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_mov_b32 v2, 0x04030201
    v_mov_b32 v3, 0x08070605
    v_mov_b32 v4, 0xff000a01
    v_mov_b32 v5, 0
    v_mov_b32 v6, 1
    v_mov_b32 v7, -1
    v_mov_b32 v8, 100
    v_mqsad_u32_u8 v[10:13], v[2:3], v4, v[5:8]
    v_mqsad_u32_u8 v[5:8], v[2:3], v4, v[5:8] clamp
    v_mov_b32 v1, 0
    global_store_b128 v1, v[10:13], s[0:1]
    global_store_b128 v1, v[5:8], s[0:1] offset:16
    s_endpgm
  )",
      out, 1);
  std::array<uint32_t, 4> sums{};
  const std::array<uint8_t, 4> reference = {0x01, 0x0a, 0x00, 0xff};
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 4; ++k) {
      if (reference[k] != 0) sums[i] += static_cast<uint32_t>(std::abs(i + k + 1 - static_cast<int>(reference[k])));
    }
  }
  const uint32_t* got = gpu_.at<uint32_t>(out);
  const std::array<uint32_t, 4> added = {0, 1, ~0u, 100};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(got[i], sums[i] + added[i]) << i;
    EXPECT_EQ(got[4 + i], i == 2 ? ~0u : sums[i] + added[i]) << i;
  }
}

TEST_F(RareInstructions, DirectLoadsOfLdsGoToAllActiveLanes) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_mov_b32 v1, 8
    v_mov_b32 v2, 0x8765f3a1
    ds_store_b32 v1, v2
    s_mov_b32 m0, 0x20008
    lds_direct_load v4
    s_mov_b32 m0, 0x40008
    lds_direct_load v5
    s_mov_b32 m0, 0x50008
    lds_direct_load v6
    s_mov_b32 m0, 0x00009
    lds_direct_load v7
    v_lshlrev_b32 v3, 4, v0
    global_store_b128 v3, v[4:7], s[0:1]
    s_endpgm
  )",
      out, 2);
  for (unsigned lane = 0; lane < 2; ++lane) {
    const uint32_t* row = gpu_.at<uint32_t>(out) + lane * 4;
    EXPECT_EQ(row[0], 0x8765f3a1u);
    EXPECT_EQ(row[1], 0xffffffa1u);
    EXPECT_EQ(row[2], 0xfffff3a1u);
    EXPECT_EQ(row[3], 0xf3u);
  }
}

TEST_F(RareInstructions, LdsAccessesMayBeMisalignedAndPairsAreCheckedOneByOne) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_mov_b32 v1, 0xfff9
    v_mov_b32 v2, 0x44332211
    v_mov_b32 v3, 0x88776655
    ds_store_b32 v1, v2
    ds_store_b32 v1, v3 offset:4
    ds_load_b32 v4, v1
    ds_load_u16 v5, v1 offset:1
    v_mov_b32 v1, 0xfff8
    v_mov_b32 v6, 7
    v_mov_b32 v7, 7
    ds_load_2addr_b32 v[6:7], v1 offset0:1 offset1:2
    v_mov_b32 v1, 0
    global_store_b128 v1, v[4:7], s[0:1]
    s_endpgm
  )",
      out, 1);
  const uint32_t* got = gpu_.at<uint32_t>(out);
  EXPECT_EQ(got[0], 0x44332211u);
  EXPECT_EQ(got[1], 0x3322u);
  // The store at 0xfffd reached beyond LDS and was dropped.
  EXPECT_EQ(got[2], 0x00000044u);
  EXPECT_EQ(got[3], 0u);
}

TEST_F(RareInstructions, SetkillEndsTheWaveWhereItStands) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_mov_b32 v1, 0
    v_mov_b32 v2, 1
    s_setkill 0
    global_store_b32 v1, v2, s[0:1]
    s_setkill 1
    global_store_b32 v1, v2, s[0:1] offset:4
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[0], 1u);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[1], 0u);
}

TEST_F(RareInstructions, WhatOnlyTrapHandlersMayDoFaults) {
  EXPECT_EQ(fault_of("s_rfe_b64 s[0:1]\n").kind, ShaderFaultKind::kIllegal);
  EXPECT_EQ(fault_of("s_sendmsg sendmsg(MSG_HALT_WAVES)\n s_endpgm\n").kind, ShaderFaultKind::kUnsupported);
  EXPECT_EQ(fault_of("s_sendmsghalt sendmsg(MSG_DEALLOC_VGPRS)\n s_endpgm\n").kind, ShaderFaultKind::kTrap);
}

TEST_F(RareInstructions, WhatTheCardLacksFaultsAsUnsupportedWithTheReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"image_sample v[0:3], v[0:1], s[0:7], s[8:11] dmask:0xf dim:SQ_RSRC_IMG_2D\n", "images"},
      {"image_bvh_intersect_ray v[4:7], v[9:19], s[4:7]\n", "ray tracing"},
      {"ds_bvh_stack_rtn_b32 v0, v1, v2, v[4:7]\n", "ray tracing"},
      {"exp mrt0 v0, v0, v0, v0 done\n", "exports"},
      {"lds_param_load v0, attr0.x\n", "interpolation"},
      {"v_interp_p10_f16_f32 v0, v1, v2, v3\n", "interpolation"},
      {"ds_gws_barrier v0 gds\n", "global data share"},
      {"ds_add_u32 v0, v1 gds\n", "global data share"},
      {"ds_add_gs_reg_rtn v[0:1], v2 gds\n", "stream-out"},
      {"s_sendmsg sendmsg(MSG_GS_ALLOC_REQ)\n", "graphics"},
  };
  for (const auto& [text, reason] : cases) {
    const auto fault = fault_of(std::string(text) + "s_endpgm\n");
    EXPECT_EQ(fault.kind, ShaderFaultKind::kUnsupported) << text;
    EXPECT_NE(fault.message.find(reason), std::string::npos) << fault.message;
  }
}

// As an f32 EXEC is a NaN here, all of it, however the lanes are grouped where NaNs take another way.
TEST_F(RareInstructions, ExecIsTheSameNumberInAllLanes) {
  const uint64_t out = gpu_.allocate(4096);
  run("v_lshlrev_b32 v1, 2, v0\n v_rndne_f32 v2, exec_lo\n global_store_b32 v1, v2, s[0:1]\n s_endpgm\n", out);
  for (uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(gpu_.at<uint32_t>(out)[lane], 0xffffffffu) << lane;
}

TEST_F(RareInstructions, SccAsANumberIsThatOfItsPlaceInTheProgram) {
  const uint64_t out = gpu_.allocate(4096);
  run("v_lshlrev_b32 v1, 2, v0\n s_cmp_eq_u32 s0, s0\n v_mov_b32 v2, src_scc\n s_lshl_b32 s2, s0, 32\n"
      "s_cmp_lg_u32 s0, s0\n s_lshl3_add_u32 s2, 0, 0\n global_store_b32 v1, v2, s[0:1]\n s_endpgm\n",
      out);
  for (uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(gpu_.at<uint32_t>(out)[lane], 1u) << lane;
}

// Every instruction of the table is executed or refused with a reason, and only what is not for compute is refused.
TEST(Coverage, NoComputeInstructionIsMissing) {
  using amdgpu::gfx11::Encoding;
  for (const auto& row : emulator::instruction_coverage()) {
    EXPECT_NE(row.support, emulator::Support::kMissing) << row.info->mnemonic;
    if (row.support != emulator::Support::kUnsupported) continue;
    ASSERT_NE(row.reason, nullptr);
    const bool may_be = row.info->encoding == Encoding::MIMG || row.info->encoding == Encoding::EXP ||
                        row.info->encoding == Encoding::LDSDIR || row.info->encoding == Encoding::VINTERP ||
                        row.info->encoding == Encoding::DS;
    EXPECT_TRUE(may_be) << row.info->mnemonic;
  }
}

}  // namespace
}  // namespace bw::test
