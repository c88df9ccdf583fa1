// Strict mode of the shader cores, undefined values: what may be done with them and what not.
#include <gtest/gtest.h>

#include "tests/isa/strict_fixture.h"

namespace bw::test {
namespace {

using emulator::ShaderFaultKind;

class Undefined : public StrictTest {
 protected:
  // Uses of v9 by lane 0: its bits reach memory.
  static std::string store(const std::string& vgpr = "v9") {
    return "\n v_mov_b32 v255, 0\n global_store_b32 v255, " + vgpr + ", s[0:1]\n";
  }
  void expect_undefined(const std::string& text, uint32_t wave_size = 32) {
    expect_hazard(text + store(), "undefined value: v9 is stored to memory by lane", wave_size);
  }
  void expect_defined(const std::string& text, uint32_t wave_size = 32) { expect_clean(text + store(), wave_size); }
};

TEST_F(Undefined, FaultNamesRegisterLaneUseAndWhereTheValueComesFrom) {
  const auto fault =
      run("v_mov_b32 v1, 0\n v_add_f32 v2, v7, v1\n v_mul_f32 v3, v2, v2\n"
          "global_store_b32 v1, v3, s[0:1]");
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, ShaderFaultKind::kHazard);
  for (const char* part :
       {"undefined value: v3 is stored to memory by lane 0; it comes from v7, never written, read at pc",
        "(program + 0x4): v_add_f32_e32 v2, v7, v1", "workgroup (0, 0, 0), wave 0",
        "(program + 0xc): global_store_b32 v1, v3, s[0:1]"}) {
    EXPECT_NE(fault->message.find(part), std::string::npos) << fault->message;
  }
  EXPECT_EQ(fault->message.find('\n'), std::string::npos);
}

TEST_F(Undefined, AddressesMustBeDefined) {
  expect_hazard("global_load_b32 v2, v1, s[0:1]", "v1 is used as an address by lane 0, but was never written");
  expect_hazard("v_mov_b32 v1, 0\n global_load_b32 v2, v1, s[8:9]", "s8 is used as an address, but");
  expect_hazard("s_load_b32 s4, s[8:9], null", "s8 is used as an address");
  expect_hazard("s_load_b32 s4, s[0:1], s9", "s9 is used as an address");
  expect_hazard("ds_load_b32 v2, v1", "v1 is used as an address");
  expect_hazard("scratch_load_b32 v2, v1, off", "v1 is used as an address");
  expect_hazard("v_mov_b32 v1, s0\n flat_load_b32 v2, v[1:2]", "v2 is used as an address");
  expect_hazard("v_mov_b32 v1, 0\n buffer_load_b32 v2, v1, s[4:7], 0 offen", "s4 is used as an address");
  expect_hazard("v_mov_b32 v1, 0\n ds_load_addtid_b32 v1", "m0 is used as an address");
}

TEST_F(Undefined, WhatTheDispatchSetsIsDefined) {
  expect_clean("v_lshlrev_b32 v0, 2, v0\n global_store_b32 v0, v0, s[0:1]");
  expect_defined("v_mov_b32 v9, s2");  // the workgroup's number
  expect_undefined("v_mov_b32 v9, s3");
  expect_undefined("v_mov_b32 v9, vcc_lo");
  expect_undefined("v_mov_b32 v9, m0");
  expect_defined("v_mov_b32 v9, exec_lo");
  expect_defined("s_cselect_b32 s4, 1, 0\n v_mov_b32 v9, s4");
  expect_defined("s_getreg_b32 s4, hwreg(HW_REG_MODE)\n v_mov_b32 v9, s4");
}

TEST_F(Undefined, RegistersArePartlyWrittenByExec) {
  expect_undefined("s_mov_b32 exec_lo, 0xff\n v_mov_b32 v9, 0\n s_mov_b32 exec_lo, -1");
  expect_hazard("s_mov_b32 exec_lo, 0xff\n v_mov_b32 v9, 0\n s_mov_b32 exec_lo, -1" + store(), "by lane 8");
  expect_defined("s_mov_b32 exec_lo, 0xff\n v_mov_b32 v9, 0\n s_mov_b32 exec_lo, 0xf0");
  expect_undefined("s_mov_b64 exec, 0xff\n v_mov_b32 v9, 0\n s_mov_b64 exec, -1", 64);
  expect_defined("v_mov_b32 v9, 0", 64);
}

TEST_F(Undefined, MovingAndKeepingIsNoUse) {
  expect_clean("v_mov_b32 v1, v2\n v_add_f32 v3, v1, v1\n s_mov_b32 s4, s9\n v_mov_b32 v4, s4");
  expect_clean("s_cmp_eq_u32 s8, s9\n s_cselect_b32 s10, 1, 0");
  expect_clean("v_mov_b32 v0, 0\n ds_store_b32 v0, v5");
  expect_clean("scratch_store_b32 off, v5, off");
}

TEST_F(Undefined, BranchesMustBeDecided) {
  expect_hazard("s_cmp_eq_u32 s8, 0\n s_cbranch_scc1 1\n s_nop 0", "scc is what a branch depends on; it comes from s8");
  expect_hazard("s_bitcmp1_b32 s8, 0\n s_cbranch_scc1 1\n s_nop 0", "scc is what a branch depends on");
  expect_hazard("s_cbranch_vccz 1\n s_nop 0", "vcc_lo is what a branch depends on");
  expect_hazard("v_cmp_eq_u32 vcc_lo, v0, v1\n s_cbranch_vccz 1\n s_nop 0", "vcc_lo is what a branch depends on");
  // One lane that is set for sure is enough.
  expect_clean("v_cmp_eq_u32 vcc_lo, v0, v1\n s_or_b32 vcc_lo, vcc_lo, 1\n s_cbranch_vccz 1\n s_nop 0");
  expect_clean("s_or_b32 s4, s8, 1\n s_cbranch_scc1 1\n s_nop 0");
  expect_hazard("s_or_b32 s4, s8, 0\n s_cbranch_scc1 1\n s_nop 0", "scc is what a branch depends on");
  expect_hazard("s_setpc_b64 s[8:9]", "s8 is the target of a jump");
}

TEST_F(Undefined, ExecAndModeMustBeDefined) {
  expect_hazard("s_mov_b32 exec_lo, s8", "s8 is what EXEC is set from");
  expect_hazard("v_cmp_eq_u32 vcc_lo, v0, v1\n s_and_saveexec_b32 s4, vcc_lo", "vcc_lo is what EXEC is set from");
  expect_hazard("v_cmpx_eq_u32 v0, v1", "v1 is what EXEC is set from");
  expect_hazard("s_and_saveexec_b64 s[4:5], s[8:9]", "s8 is what EXEC is set from", 64);
  expect_hazard("s_setreg_b32 hwreg(HW_REG_MODE, 0, 4), s8", "s8 is written to a hardware register");
  expect_clean("v_cmp_eq_u32 vcc_lo, v0, v0\n s_and_saveexec_b32 s4, vcc_lo\n s_mov_b32 exec_lo, s4");
  // Inactive lanes compare as false, whatever they hold.
  expect_clean("s_mov_b32 exec_lo, 1\n v_mov_b32 v1, 0\n v_cmp_eq_u32 vcc_lo, v0, v1\n s_and_saveexec_b32 s4, vcc_lo");
}

TEST_F(Undefined, BitsThatAreMaskedOrShiftedAwayDoNotCount) {
  expect_undefined("v_and_b32 v9, 0xff, v1");
  expect_defined("v_and_b32 v9, 0, v1");
  expect_defined("v_or_b32 v9, -1, v1");
  expect_undefined("v_or_b32 v9, 0, v1");
  expect_defined(
      "v_mov_b32 v1, 0\n global_load_d16_b16 v2, v1, s[0:1]\n s_waitcnt vmcnt(0)\n v_and_b32 v9, 0xffff, v2");
  expect_undefined("v_mov_b32 v1, 0\n global_load_d16_b16 v2, v1, s[0:1]\n s_waitcnt vmcnt(0)\n v_mov_b32 v9, v2");
  const std::string half = "v_mov_b32 v1, 0\n global_load_d16_hi_b16 v2, v1, s[0:1]\n s_waitcnt vmcnt(0)\n";
  expect_defined(half + "v_lshrrev_b32 v9, 16, v2");
  expect_undefined(half + "v_lshrrev_b32 v9, 15, v2");
  expect_defined(half + "v_bfe_u32 v9, v2, 16, 16");
  expect_undefined(half + "v_bfe_u32 v9, v2, 12, 8");
  expect_defined(half + "v_perm_b32 v9, v1, v2, 0x0c0c0302");  // bytes 2 and 3 of v2, and zeros
  expect_undefined(half + "v_mov_b32 v3, 0x0c0c0100\n v_perm_b32 v9, v1, v2, v3");
  expect_defined(half + "v_alignbit_b32 v9, v0, v2, 16");
  expect_undefined(half + "v_alignbit_b32 v9, v2, v0, 16");
  expect_defined(half + "v_mov_b32 v3, 0xffff\n v_bfi_b32 v9, v3, v0, v2");
  expect_undefined(half + "v_mov_b32 v3, 0xffff\n v_bfi_b32 v9, v3, v2, v0");
  expect_undefined(half + "v_add_nc_u32 v9, v2, v0");  // the carry
}

TEST_F(Undefined, ScalarBitsFlowAsVectorBitsDo) {
  expect_defined("s_and_b32 s4, s8, 0\n v_mov_b32 v9, s4");
  expect_undefined("s_and_b32 s4, s8, 1\n v_mov_b32 v9, s4");
  expect_defined("s_and_not1_b32 s4, s8, -1\n v_mov_b32 v9, s4");
  expect_defined("s_mov_b32 s8, 0\n s_lshl_b64 s[4:5], s[8:9], 3\n v_mov_b32 v9, s4");
  expect_undefined("s_mov_b32 s8, 0\n s_lshr_b64 s[4:5], s[8:9], 3\n v_mov_b32 v9, s4");
  expect_defined("s_mov_b32 s8, 0\n s_pack_ll_b32_b16 s4, s8, s8\n v_mov_b32 v9, s4");
  expect_undefined("s_mov_b32 s8, 0\n s_pack_ll_b32_b16 s4, s8, s9\n v_mov_b32 v9, s4");
  expect_defined("s_mov_b32 s8, 0\n s_bfe_u32 s4, s8, 0x80000\n v_mov_b32 v9, s4");
  expect_defined("s_mov_b32 s8, 1\n s_cmp_eq_u32 s0, s0\n s_cselect_b32 s4, s8, s10\n v_mov_b32 v9, s4");
  expect_undefined("s_mov_b32 s8, 1\n s_cmp_lg_u32 s0, s0\n s_cselect_b32 s4, s8, s10\n v_mov_b32 v9, s4");
  expect_undefined("s_cmp_lg_u32 s0, s0\n s_cmov_b32 s4, 1\n v_mov_b32 v9, s4");
  expect_defined("s_cmp_eq_u32 s0, s0\n s_cmov_b32 s4, 1\n v_mov_b32 v9, s4");
  expect_undefined("s_mov_b32 s4, 0\n s_cmp_eq_u32 s8, 0\n s_addc_u32 s4, s4, s4\n v_mov_b32 v9, s4");
}

TEST_F(Undefined, HalvesAreApart) {
  const std::string low = "v_mov_b32 v1, 0\n global_load_d16_b16 v2, v1, s[0:1]\n s_waitcnt vmcnt(0)\n";
  expect_defined(low + "v_mov_b32 v9, 0\n v_add_f16 v9, v2, v2");
  expect_undefined(low + "v_add_f16 v9, v2, v2");  // leaves the high half of v9
  expect_undefined(low + "v_mov_b32 v9, 0\n v_add_nc_u16 v9, v2, v2 op_sel:[1,1,0]");
  expect_defined(low + "v_pk_add_u16 v9, v2, v2 op_sel_hi:[0,0]");
  expect_undefined(low + "v_pk_add_u16 v9, v2, v2");
  expect_defined(low + "v_pack_b32_f16 v9, v2, v2");
  expect_undefined(low + "v_pack_b32_f16 v9, v2, v2 op_sel:[0,1,0]");
  expect_defined(low + "v_fma_mix_f32 v9, v2, v1, v1 op_sel_hi:[1,0,0]");
  expect_undefined(low + "v_fma_mix_f32 v9, v2, v1, v1 op_sel:[1,0,0] op_sel_hi:[1,0,0]");
  expect_clean(low + "global_store_b16 v1, v2, s[0:1]");
  expect_hazard(low + "global_store_b32 v1, v2, s[0:1]", "v2 is stored to memory");
  expect_hazard(low + "global_store_d16_hi_b16 v1, v2, s[0:1]", "v2 is stored to memory");
  expect_clean(low + "global_store_b8 v1, v2, s[0:1]");
  expect_defined(low + "v_cvt_f32_ubyte1 v9, v2");
  expect_undefined(low + "v_cvt_f32_ubyte2 v9, v2");
}

TEST_F(Undefined, SixtyFourBitsAreTwoRegisters) {
  expect_defined("v_mov_b32 v2, 0\n v_lshlrev_b64 v[9:10], 3, v[2:3]");
  expect_undefined("v_mov_b32 v2, 0\n v_lshrrev_b64 v[9:10], 3, v[2:3]");
  expect_defined("v_mov_b32 v2, 0\n v_mad_u64_u32 v[9:10], null, v0, v2, v[2:3]");
  expect_hazard("v_mov_b32 v2, 0\n v_mad_u64_u32 v[9:10], null, v0, v2, v[2:3]" + store("v10"), "v10 is stored");
  expect_undefined("v_mov_b32 v2, 0\n v_add_f64 v[9:10], v[2:3], 1.0");
}

TEST_F(Undefined, SumsThatOverlapTheirAddendHaveNoHighDword) {
  const std::string sum = "v_mov_b32 v2, 0\n v_mov_b32 v3, 0\n v_mad_u64_u32 v[3:4], null, v0, v2, v[2:3]\n";
  expect_clean(sum + store("v3"));
  expect_hazard(sum + store("v4"), "v4 is stored to memory by lane 0; it comes from a sum whose addend it overwrites");
}

TEST_F(Undefined, MasksSelectByLane) {
  const std::string select = "v_cndmask_b32 v9, v1, v0, vcc_lo";
  expect_defined("s_mov_b32 vcc_lo, -1\n " + select);
  expect_undefined("s_mov_b32 vcc_lo, 1\n " + select);
  expect_undefined("v_mov_b32 v1, 5\n " + select);
  expect_defined("v_mov_b32 v1, v0\n " + select);  // either way the same
  expect_undefined("v_add_co_u32 v2, vcc_lo, v1, v0\n v_mov_b32 v1, 0\n v_add_co_ci_u32 v9, vcc_lo, v0, v1, vcc_lo");
  expect_defined("v_add_co_u32 v2, vcc_lo, v0, v0\n v_add_co_ci_u32 v9, vcc_lo, v0, v0, vcc_lo");
}

TEST_F(Undefined, DualInstructionsReadBeforeTheyWrite) {
  expect_undefined("v_dual_mov_b32 v9, v0 :: v_dual_mov_b32 v0, v5\n v_mov_b32 v9, v0");
  expect_defined("v_mov_b32 v4, 0\n v_dual_mov_b32 v9, v4 :: v_dual_mov_b32 v4, v7");
}

TEST_F(Undefined, DppTakesOtherLanes) {
  const std::string first = "s_mov_b32 exec_lo, 1\n v_mov_b32 v1, 7\n s_mov_b32 exec_lo, -1\n";  // lane 0 only
  expect_defined(first + "v_mov_b32_dpp v9, v1 row_share:0 row_mask:0x1 bank_mask:0xf\n s_mov_b32 exec_lo, 0xffff");
  expect_undefined(first + "v_mov_b32_dpp v9, v1 row_share:1 row_mask:0xf bank_mask:0xf");
  // Lanes without a source keep what they have, or become zero.
  expect_undefined("v_mov_b32_dpp v9, v0 row_shl:1 row_mask:0xf bank_mask:0xf");
  expect_defined("v_mov_b32_dpp v9, v0 row_shl:1 row_mask:0xf bank_mask:0xf bound_ctrl:1");
  expect_defined("v_mov_b32 v9, 0\n v_mov_b32_dpp v9, v0 row_shl:1 row_mask:0xf bank_mask:0xf");
  expect_defined(first + "v_add_nc_u32_dpp v9, v1, v0 dpp8:[0,0,0,0,0,0,0,0]\n s_mov_b32 exec_lo, 0xff");
  expect_undefined(first + "v_add_nc_u32_dpp v9, v1, v0 dpp8:[0,1,0,0,0,0,0,0]");
}

TEST_F(Undefined, LanesAreMovedWithTheirBits) {
  const std::string first = "s_mov_b32 exec_lo, 1\n v_mov_b32 v1, 7\n s_mov_b32 exec_lo, -1\n";
  expect_defined(first + "v_readfirstlane_b32 s4, v1\n v_mov_b32 v9, s4");
  expect_defined(first + "v_readlane_b32 s4, v1, 0\n v_mov_b32 v9, s4");
  expect_undefined(first + "v_readlane_b32 s4, v1, 1\n v_mov_b32 v9, s4");
  expect_undefined("v_readlane_b32 s4, v0, s8\n v_mov_b32 v9, s4");
  expect_defined("v_writelane_b32 v9, exec_lo, 3\n s_mov_b32 exec_lo, 8");
  expect_undefined("v_writelane_b32 v9, s8, 3\n s_mov_b32 exec_lo, 8");
  expect_undefined("v_writelane_b32 v9, s0, 3\n s_mov_b32 exec_lo, 4");
  expect_defined(first + "v_permlane16_b32 v9, v1, 0, 0\n s_mov_b32 exec_lo, 0xffff");
  expect_undefined(first + "v_permlane16_b32 v9, v1, 1, 0\n s_mov_b32 exec_lo, 0xffff");
  expect_undefined("v_permlane16_b32 v9, v0, s8, 0");
  expect_defined(first + "v_swap_b32 v1, v9\n s_mov_b32 exec_lo, 1");
  expect_undefined("v_mov_b32 v9, 0\n v_swap_b32 v1, v9");
  expect_defined(first + "v_mov_b32 v2, 0\n ds_bpermute_b32 v9, v2, v1\n s_waitcnt lgkmcnt(0)");
  expect_undefined(first + "v_mov_b32 v2, 4\n ds_bpermute_b32 v9, v2, v1\n s_waitcnt lgkmcnt(0)");
  expect_undefined("ds_bpermute_b32 v9, v2, v0\n s_waitcnt lgkmcnt(0)");
  expect_defined(first + "ds_swizzle_b32 v9, v1 offset:swizzle(BROADCAST,32,0)\n s_waitcnt lgkmcnt(0)");
  expect_undefined(first + "ds_swizzle_b32 v9, v1 offset:swizzle(BROADCAST,32,1)\n s_waitcnt lgkmcnt(0)");
}

TEST_F(Undefined, MatricesNeedTheirCopiesInTheUpperLanes) {
  std::string all;
  for (unsigned i = 8; i < 32; ++i) all += "v_mov_b32 v" + std::to_string(i) + ", 0\n";
  const std::string multiply = "v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[24:31]\n v_mov_b32 v9, v0\n";
  expect_defined(all + multiply);
  expect_undefined(multiply);
  const std::string spoil = "s_mov_b32 exec_lo, 0x20000\n v_mov_b32 v12, v40\n s_mov_b32 exec_lo, -1\n";
  expect_undefined(all + spoil + multiply);  // row 1, in lane 17
  const std::string row0 = "s_mov_b32 exec_lo, 0xffff\n";
  expect_defined(all + spoil + multiply + row0);
  const std::string spoil_c = "s_mov_b32 exec_lo, 2\n v_mov_b32 v24, v40\n s_mov_b32 exec_lo, -1\n";
  expect_undefined(all + spoil_c + multiply);
  expect_defined(all + spoil_c + multiply + "s_mov_b32 exec_lo, 0xfffffffd\n");
}

TEST_F(Undefined, LdsIsWrittenByByte) {
  const std::string zero = "v_mov_b32 v1, 0\n";
  const std::string wait = "\n s_waitcnt lgkmcnt(0)";
  expect_hazard(zero + "ds_load_b32 v9, v1" + wait + store(),
                "v9 is stored to memory by lane 0; it comes from LDS that was never written read at");
  expect_defined(zero + "ds_store_b32 v1, v0\n ds_load_b32 v9, v1" + wait);
  expect_undefined(zero + "ds_store_b32 v1, v5\n ds_load_b32 v9, v1" + wait);
  expect_undefined(zero + "ds_store_b8 v1, v0\n ds_load_u16 v9, v1" + wait);
  expect_defined(zero + "ds_store_b8 v1, v0\n ds_load_u8 v9, v1" + wait);
  expect_defined(zero + "ds_store_b8 v1, v0 offset:3\n ds_load_u8 v9, v1 offset:3" + wait);
  expect_undefined(zero + "ds_store_b8 v1, v0 offset:3\n ds_load_i8 v9, v1 offset:2" + wait);
  expect_defined(zero + "ds_store_2addr_b32 v1, v0, v0 offset1:5\n ds_load_b32 v9, v1 offset:20" + wait);
  expect_undefined(zero + "ds_store_2addr_b32 v1, v0, v0 offset1:5\n ds_load_b32 v9, v1 offset:16" + wait);
  expect_defined(zero + "ds_store_2addr_stride64_b32 v1, v0, v0 offset1:1\n ds_load_b32 v9, v1 offset:256" + wait);
  expect_undefined(zero + "ds_store_b32 v1, v0\n v_mov_b32 v10, 0\n ds_load_b64 v[9:10], v1" + wait +
                   "\n v_mov_b32 v9, v10");
  expect_defined(zero + "v_mov_b32 v1, -4\n ds_load_b32 v9, v1" + wait);  // beyond LDS: zero
  expect_defined(zero + "v_mov_b32 v9, 0\n ds_store_b16 v1, v0\n ds_load_u16_d16_hi v9, v1" + wait);
}

TEST_F(Undefined, AtomicsOnLdsReadIt) {
  const std::string zero = "v_mov_b32 v1, 0\n", wait = "\n s_waitcnt lgkmcnt(0)";
  expect_undefined(zero + "ds_add_rtn_u32 v9, v1, v0" + wait);
  expect_defined(zero + "ds_store_b32 v1, v1\n ds_add_rtn_u32 v9, v1, v0" + wait);
  expect_undefined(zero + "ds_store_b32 v1, v1\n ds_add_u32 v1, v5\n ds_load_b32 v9, v1" + wait);
  expect_undefined(zero + "ds_add_u32 v1, v0\n ds_load_b32 v9, v1" + wait);
  expect_defined(zero + "ds_storexchg_rtn_b32 v2, v1, v0\n ds_load_b32 v9, v1" + wait);
  expect_undefined(zero + "ds_store_b32 v1, v1\n ds_cmpstore_rtn_b32 v2, v1, v0, v5\n ds_load_b32 v9, v1" + wait);
  expect_hazard("v_mov_b32 v1, 0\n global_atomic_add_u32 v1, v5, s[0:1]", "v5 is stored to memory");
}

TEST_F(Undefined, ScratchMemoryKeepsUndefinedBits) {
  const std::string wait = "\n s_waitcnt vmcnt(0)";
  expect_undefined("scratch_store_b32 off, v5, off\n scratch_load_b32 v9, off, off" + wait);
  expect_defined("scratch_store_b32 off, v0, off\n scratch_load_b32 v9, off, off" + wait);
  expect_undefined("scratch_load_b32 v9, off, off offset:8" + wait);
  expect_undefined("scratch_store_b16 off, v0, off\n scratch_load_b32 v9, off, off" + wait);
  expect_defined("scratch_store_b16 off, v0, off\n scratch_load_u16 v9, off, off" + wait);
  // Through the aperture of FLAT.
  expect_defined(
      "scratch_store_b32 off, v0, off offset:4\n v_mov_b32 v2, 4\n v_mov_b32 v3, src_private_base\n"
      "s_mov_b64 s[4:5], src_private_base\n v_mov_b32 v3, s5\n flat_load_b32 v9, v[2:3]\n"
      "s_waitcnt vmcnt(0) lgkmcnt(0)");
}

TEST_F(Undefined, RegistersChosenByM0AreFollowed) {
  expect_defined("v_mov_b32 v3, 0\n s_mov_b32 m0, 2\n v_movrels_b32 v9, v1");
  expect_undefined("v_mov_b32 v3, 0\n s_mov_b32 m0, 1\n v_movrels_b32 v9, v1");
  expect_defined("s_mov_b32 m0, 5\n v_movreld_b32 v4, v0");
  expect_undefined("s_mov_b32 m0, 5\n v_movreld_b32 v4, v1");
  expect_hazard("v_movrels_b32 v9, v0", "m0 is what chooses a register, but was never written");
  expect_defined("s_mov_b32 m0, 2\n s_movrels_b32 s6, s0\n v_mov_b32 v9, s6");
  expect_undefined("s_mov_b32 m0, 5\n s_movrels_b32 s6, s0\n v_mov_b32 v9, s6");
  expect_hazard("s_mov_b32 m0, 2\n v_mov_b32 v1, 0\n global_load_b32 v3, v1, s[0:1]\n v_movrels_b32 v9, v1",
                "missing wait for vmcnt: v3 is read");
  expect_hazard("s_mov_b32 m0, 2\n v_mov_b32 v1, 0\n global_load_b32 v3, v1, s[0:1]\n v_movreld_b32 v1, v1",
                "missing wait for vmcnt: v3 is");
}

TEST_F(Undefined, LoadsFromGlobalMemoryDefine) {
  expect_defined("v_mov_b32 v1, 0\n global_load_b32 v9, v1, s[0:1]\n s_waitcnt vmcnt(0)");
  expect_defined("s_load_b32 s4, s[0:1], null\n s_waitcnt lgkmcnt(0)\n v_mov_b32 v9, s4");
  expect_undefined(
      "v_mov_b32 v1, 0\n s_mov_b32 exec_lo, 1\n global_load_b32 v9, v1, s[0:1]\n s_waitcnt vmcnt(0)\n"
      "s_mov_b32 exec_lo, -1");
}

// Two waves exchange through LDS: the store must have ended before its wave says so at the barrier.
TEST_F(Undefined, LdsStoresMustHaveEndedAtTheBarrier) {
  const std::string start = "v_lshlrev_b32 v1, 2, v0\n ds_store_b32 v1, v0\n";
  const std::string end = "s_barrier\n v_xor_b32 v2, 0x80, v1\n ds_load_b32 v9, v2\n s_waitcnt lgkmcnt(0)\n";
  expect_clean(start + "s_waitcnt lgkmcnt(0)\n" + end, 32, 64);
  expect_hazard(start + end, "missing wait for lgkmcnt before s_barrier: LDS at 0x", 32, 64);
  // A wave may read what it stored itself, and what it stores after the barrier needs the next one.
  expect_clean(start + "s_barrier\n ds_load_b32 v9, v1\n s_waitcnt lgkmcnt(0)\n", 32, 64);
}

}  // namespace
}  // namespace bw::test
