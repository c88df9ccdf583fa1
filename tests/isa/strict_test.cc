// Strict mode of the shader cores, waits and hazards: each rule on the smallest program that breaks it, and on one that
// keeps it.
#include <gtest/gtest.h>

#include "tests/isa/strict_fixture.h"

namespace bw::test {
namespace {

using emulator::ShaderFaultKind;

using Strict = StrictTest;

TEST_F(Strict, FaultNamesRuleRegisterBothPlacesWaveAndWorkgroup) {
  const auto fault = run("v_mov_b32 v1, 0\n global_load_b32 v2, v1, s[0:1]\n v_add_f32 v3, v2, v2");
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, ShaderFaultKind::kHazard);
  EXPECT_EQ(fault->disassembly, "v_add_f32_e32 v3, v2, v2");
  EXPECT_EQ(fault->pc, fault->cause_pc.value_or(0) + 8);
  for (const char* part : {"missing wait for vmcnt: v2 is read", "(program + 0x4): global_load_b32 v2, v1, s[0:1]",
                           "workgroup (0, 0, 0), wave 0", "(program + 0xc): v_add_f32_e32 v3, v2, v2"}) {
    EXPECT_NE(fault->message.find(part), std::string::npos) << fault->message;
  }
  EXPECT_EQ(fault->message.find('\n'), std::string::npos);
}

TEST_F(Strict, OrdinaryModeLetsTheSameProgramsPass) {
  Gpu plain;
  LlvmMc mc;
  const auto code = mc.assemble("v_mov_b32 v1, 0\n global_load_b32 v2, v1, s[0:1]\n v_add_f32 v3, v2, v2\n s_endpgm\n");
  const auto fault = plain.run(Gpu::dispatch(plain.load(*code), 32, plain.allocate(4096)));
  EXPECT_FALSE(fault.has_value()) << fault->message;
}

TEST_F(Strict, VectorLoadsReturnInTheOrderOfIssue) {
  const std::string loads = "v_mov_b32 v1, 0\n global_load_b32 v2, v1, s[0:1]\n global_load_b64 v[4:5], v1, s[0:1]\n";
  expect_clean(loads + "s_waitcnt vmcnt(1)\n v_mov_b32 v3, v2\n s_waitcnt vmcnt(0)\n v_mov_b32 v3, v5");
  expect_hazard(loads + "s_waitcnt vmcnt(1)\n v_mov_b32 v3, v5", "v5 is read");
  expect_hazard(loads + "s_waitcnt lgkmcnt(0)\n v_mov_b32 v3, v2", "missing wait for vmcnt: v2");
  expect_clean(loads + "s_waitcnt_vmcnt null, 0\n v_mov_b32 v3, v5");
  expect_hazard(loads + "s_waitcnt_vmcnt null, 2\n v_mov_b32 v3, v2", "v2 is read");
}

TEST_F(Strict, OverwritingAnOutstandingRegisterFaultsUnlessLoadsAreInOrder) {
  const std::string load = "v_mov_b32 v1, 0\n global_load_b32 v2, v1, s[0:1]\n";
  expect_hazard(load + "v_mov_b32 v2, 0", "v2 is overwritten");
  expect_clean(load + "global_load_b32 v2, v1, s[0:1]");
  expect_hazard(load + "ds_load_b32 v2, v1", "v2 is overwritten");
  expect_clean("v_mov_b32 v1, 0\n ds_load_u16_d16 v2, v1\n ds_load_u16_d16_hi v2, v1");
  expect_hazard("s_load_b32 s4, s[0:1], null\n s_load_b32 s4, s[0:1], null", "s4 is overwritten");
}

TEST_F(Strict, StoresReadTheirDataAndAddressesAndDoNotCountAsLoads) {
  const std::string load = "v_mov_b32 v1, 0\n global_load_b32 v2, v1, s[0:1]\n";
  expect_hazard(load + "global_store_b32 v1, v2, s[0:1]", "v2 is read");
  expect_clean(load + "s_waitcnt vmcnt(0)\n global_store_b32 v1, v2, s[0:1]\n v_mov_b32 v2, 0");
  // A store has a counter of its own, so vmcnt(1) does not wait for the load before it.
  expect_hazard(load + "global_store_b32 v1, v1, s[0:1]\n s_waitcnt vmcnt(1)\n v_mov_b32 v3, v2", "v2 is read");
}

TEST_F(Strict, BufferLoadsTouchAsManyRegistersAsTheyReturn) {
  const std::string resource = "s_mov_b32 s4, s0\n s_mov_b32 s5, s1\n s_mov_b32 s6, 64\n s_mov_b32 s7, 0x31014000\n";
  const std::string load = resource + "v_mov_b32 v1, 0\n buffer_load_b64 v[2:3], v1, s[4:7], 0 offen\n";
  expect_hazard(load + "v_mov_b32 v5, v3", "v3 is read");
  expect_clean(load + "v_mov_b32 v5, v4\n v_mov_b32 v0, 0\n s_waitcnt vmcnt(0)\n v_mov_b32 v5, v3");
  expect_hazard(load + "buffer_store_b32 v3, v1, s[4:7], 0 offen", "v3 is read");
}

TEST_F(Strict, ScalarLoadsReturnInAnyOrder) {
  const std::string loads = "s_load_b32 s4, s[0:1], null\n s_load_b64 s[6:7], s[0:1], null\n";
  expect_hazard(loads + "s_waitcnt lgkmcnt(1)\n s_mov_b32 s5, s4", "missing wait for lgkmcnt: s4");
  expect_clean(loads + "s_waitcnt lgkmcnt(0)\n s_add_u32 s5, s4, s7");
  expect_hazard(loads + "v_mov_b32 v1, s7", "s7 is read");
  expect_hazard("s_load_b32 vcc_lo, s[0:1], null\n v_cndmask_b32 v1, v0, v0, vcc_lo", "vcc_lo is read");
}

TEST_F(Strict, LdsReturnsInOrderAlsoBetweenScalarLoads) {
  const std::string loads = "v_mov_b32 v1, 0\n ds_load_b32 v2, v1\n ds_load_b32 v3, v1\n s_load_b32 s4, s[0:1], null\n";
  expect_clean(loads + "s_waitcnt lgkmcnt(1)\n v_mov_b32 v4, v2");
  expect_hazard(loads + "s_waitcnt lgkmcnt(1)\n v_mov_b32 v4, v3", "v3 is read");
  expect_hazard(loads + "s_waitcnt lgkmcnt(1)\n s_mov_b32 s5, s4", "s4 is read");
  expect_clean(loads + "s_waitcnt_lgkmcnt null, 0\n v_mov_b32 v4, v3\n s_mov_b32 s5, s4");
}

TEST_F(Strict, FlatLoadsNeedBothCountersAtZero) {
  const std::string load = "v_mov_b32 v1, s0\n v_mov_b32 v2, s1\n flat_load_b32 v3, v[1:2]\n";
  expect_hazard(load + "s_waitcnt vmcnt(0)\n v_mov_b32 v4, v3", "missing wait for vmcnt and lgkmcnt: v3");
  expect_hazard(load + "s_waitcnt lgkmcnt(0)\n v_mov_b32 v4, v3", "v3 is read");
  expect_clean(load + "s_waitcnt vmcnt(0) lgkmcnt(0)\n v_mov_b32 v4, v3");
}

TEST_F(Strict, AtomicsCountAsLoadsOnlyWithReturn) {
  const std::string start = "v_mov_b32 v1, 0\n v_mov_b32 v2, 1\n";
  expect_hazard(start + "global_atomic_add_u32 v3, v1, v2, s[0:1] glc\n v_mov_b32 v4, v3", "v3 is read");
  expect_clean(start + "global_atomic_add_u32 v1, v2, s[0:1]\n v_mov_b32 v4, v0\n v_mov_b32 v0, 0");
}

TEST_F(Strict, LoopsMayLoadTheRegisterTheyWaitedForBefore) {
  // A loop that waits for what the turn before loaded.
  expect_clean(R"(
    v_mov_b32 v1, 0
    s_mov_b32 s4, 4
    again:
    s_waitcnt vmcnt(0)
    global_load_b32 v2, v1, s[0:1]
    s_sub_u32 s4, s4, 1
    s_cmp_lg_u32 s4, 0
    s_cbranch_scc1 again
  )");
}

TEST_F(Strict, DualInstructionsAreOneInstruction) {
  const std::string load = "v_mov_b32 v1, 0\n global_load_b32 v2, v1, s[0:1]\n";
  expect_hazard(load + "v_dual_mov_b32 v4, v1 :: v_dual_add_f32 v5, v2, v1", "v2 is read");
  // Each half reads what the other writes, before it does.
  expect_clean("v_dual_mov_b32 v4, v1 :: v_dual_mov_b32 v1, v4");
}

TEST_F(Strict, TranscendentalResultsMustBeWaitedFor) {
  expect_hazard("v_rcp_f32 v1, v0\n v_add_f32 v2, v1, v1", "hazard VALUTransUse: v1");
  expect_clean("v_rcp_f32 v1, v0\n s_waitcnt_depctr 0xfff\n v_add_f32 v2, v1, v1");
  expect_clean("v_rcp_f32 v1, v0\n global_load_b32 v5, v0, s[0:1]\n v_add_f32 v2, v1, v1");
  const std::string five = "v_nop\n v_nop\n v_nop\n v_nop\n v_nop\n";
  expect_hazard("v_rcp_f32 v1, v0\n" + five + "v_add_f32 v2, v1, v1", "VALUTransUse");
  expect_clean("v_rcp_f32 v1, v0\n" + five + "v_nop\n v_add_f32 v2, v1, v1");
  expect_hazard("v_rcp_f32 v1, v0\n v_rcp_f32 v3, v0\n v_add_f32 v2, v1, v0", "VALUTransUse");
  expect_clean("v_rcp_f32 v1, v0\n v_rcp_f32 v3, v0\n v_rcp_f32 v4, v0\n v_add_f32 v2, v1, v0");
  expect_clean("v_rcp_f32 v1, v0\n v_add_f32 v2, v0, v0");
}

TEST_F(Strict, PartialForwardingNeedsWave64AndAChangeOfExecBetween) {
  const std::string text = "v_mov_b32 v1, v0\n s_mov_b64 exec, -1\n v_mov_b32 v2, v0\n";
  expect_hazard(text + "v_add_f32 v3, v1, v2", "hazard VALUPartialForwarding: v1", 64);
  expect_clean(text + "s_waitcnt_depctr 0xfff\n v_add_f32 v3, v1, v2", 64);
  expect_clean(text + "v_nop\n v_nop\n v_nop\n v_nop\n v_nop\n v_add_f32 v3, v1, v2", 64);
  expect_clean(
      "v_mov_b32 v1, v0\n v_nop\n s_mov_b64 exec, -1\n v_nop\n v_nop\n v_mov_b32 v2, v0\n v_add_f32 v3, v1, v2", 64);
  expect_clean("v_mov_b32 v1, v0\n v_mov_b32 v2, v0\n v_add_f32 v3, v1, v2", 64);
  expect_clean("v_mov_b32 v1, v0\n s_mov_b32 exec_lo, -1\n v_mov_b32 v2, v0\n v_add_f32 v3, v1, v2", 32);
}

TEST_F(Strict, MasksWrittenByTheScalarAluMustSettleInWave64) {
  const std::string text = "v_cndmask_b32 v1, v0, v0, s[4:5]\n s_mov_b64 s[4:5], 0\n";
  expect_hazard(text + "s_mov_b32 s6, s5", "hazard VALUMaskWrite: s5", 64);
  expect_clean(text + "s_waitcnt_depctr 0xfffe\n s_mov_b32 s6, s5", 64);
  expect_clean("v_cndmask_b32 v1, v0, v0, s[4:5]\n v_mov_b32 v2, s8\n s_mov_b64 s[4:5], 0\n s_mov_b32 s6, s5", 64);
  expect_clean("v_cndmask_b32 v1, v0, v0, s4\n s_mov_b32 s4, 0\n s_mov_b32 s6, s4", 32);
}

TEST_F(Strict, MatrixResultsNeedAnInstructionBetween) {
  const std::string first = "v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]\n";
  expect_hazard(first + "v_wmma_f32_16x16x16_f16 v[24:31], v[0:7], v[16:23], v[24:31]", "hazard WMMA: matrix A at v0");
  expect_hazard(first + "v_wmma_f32_16x16x16_f16 v[24:31], v[16:23], v[4:11], v[24:31]", "hazard WMMA: matrix B at v4");
  expect_clean(first + "v_nop\n v_wmma_f32_16x16x16_f16 v[24:31], v[0:7], v[16:23], v[24:31]");
  expect_clean(first + "v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]");
}

TEST_F(Strict, PermlaneAfterACompareThatSetsExecNeedsAnInstructionBetween) {
  const std::string compare = "v_mov_b32 v1, v0\n v_cmpx_ge_u32 v0, v0\n";
  expect_hazard(compare + "v_permlane16_b32 v1, v0, s2, s3", "hazard VcmpxPermlane");
  expect_hazard(compare + "v_nop\n v_permlane16_b32 v1, v0, s2, s3", "hazard VcmpxPermlane");
  expect_clean(compare + "v_mov_b32 v2, v0\n v_permlane16_b32 v1, v0, s2, s3");
}

TEST_F(Strict, MultiplyAddInSeveralPassesMustNotOverlapItsSources) {
  expect_hazard("v_mad_u64_u32 v[2:3], null, v2, v1, v[4:5]", "hazard MADIntraFwdBug: the source at v2");
  expect_hazard("v_mad_u64_u32 v[2:3], null, v0, v1, v[2:3]", "the source at v2");
  expect_clean("v_mad_u64_u32 v[2:3], null, v0, v1, v[4:5]");
  expect_clean("v_mad_u64_u32 v[2:3], null, v0, v4, v[1:2]");
}

TEST_F(Strict, VgprsAreReleasedAfterANopAndNotUsedThen) {
  expect_hazard("s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)", "hazard NopBeforeDeallocVGPRs");
  expect_clean("s_nop 0\n s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)");
  expect_hazard("s_nop 0\n s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)\n v_mov_b32 v1, 0", "VGPRs are used");
  const std::string store = "scratch_store_b32 off, v0, off\n";
  const std::string release = "s_nop 0\n s_sendmsg sendmsg(MSG_DEALLOC_VGPRS)";
  expect_hazard(store + release, "missing wait for vscnt: VGPRs are released");
  expect_clean(store + "s_waitcnt_vscnt null, 0\n" + release);
}

TEST_F(Strict, DirectLdsLoadsCountWithExpcnt) {
  const std::string load = "s_mov_b32 m0, 0x20000\n lds_direct_load v1 wait_vdst:0\n";
  expect_hazard(load + "v_mov_b32 v2, v1", "missing wait for expcnt: v1 is read");
  expect_hazard(load + "s_waitcnt vmcnt(0) lgkmcnt(0)\n v_mov_b32 v2, v1", "missing wait for expcnt: v1 is read");
  expect_clean(load + "s_waitcnt expcnt(0)\n v_mov_b32 v2, v1");
  expect_clean(load + "s_waitcnt_expcnt null, 0\n v_mov_b32 v2, v1");
  expect_clean(load + "lds_direct_load v2 wait_vdst:0\n s_waitcnt expcnt(1)\n v_mov_b32 v3, v1");
  expect_hazard(load + "lds_direct_load v2 wait_vdst:0\n s_waitcnt expcnt(1)\n v_mov_b32 v3, v2", "v2 is read");
  expect_clean("v_mov_b32 v4, 0\n" + load + "v_interp_p2_f32 v2, v4, v4, v4 wait_exp:0\n v_mov_b32 v3, v1");
  expect_hazard("v_mov_b32 v4, 0\n" + load + "v_interp_p2_f32 v2, v1, v4, v4 wait_exp:7", "v1 is read");
}

TEST_F(Strict, DirectLdsLoadsWaitForTheVectorAluByTheirField) {
  const auto load = [](int wait) { return "s_mov_b32 m0, 0\n lds_direct_load v1 wait_vdst:" + std::to_string(wait); };
  expect_hazard("v_mov_b32 v1, v0\n" + load(15), "hazard LdsDirectVALU: v1 is loaded with wait_vdst:15 where 0 is");
  expect_hazard("v_mov_b32 v2, v1\n" + load(1), "hazard LdsDirectVALU");
  expect_clean("v_mov_b32 v1, v0\n" + load(0));
  expect_clean("v_mov_b32 v1, v0\n v_nop\n" + load(1));
  expect_hazard("v_mov_b32 v1, v0\n v_nop\n" + load(2), "where 1 is needed");
  expect_hazard("v_mov_b32 v1, v0\n v_rcp_f32 v3, v0\n" + load(1), "where 0 is needed");
  expect_clean("v_mov_b32 v1, v0\n s_waitcnt_depctr 0xfff\n" + load(15));
  expect_clean("v_mov_b32 v1, v0\n global_store_b32 v0, v0, s[0:1]\n" + load(15));
  std::string many = "v_mov_b32 v1, v0\n";
  for (int i = 0; i < 14; ++i) many += "v_nop\n";
  expect_hazard(many + load(15), "where 14 is needed");
  expect_clean(many + "v_nop\n" + load(15));
}

TEST_F(Strict, DirectLdsLoadsDoNotWaitForMemoryInstructionsToReadTheirRegisters) {
  const std::string store = "v_mov_b32 v1, 0\n global_store_b32 v1, v1, s[0:1]\n s_mov_b32 m0, 0\n";
  const std::string load = "lds_direct_load v1 wait_vdst:0";
  expect_hazard(store + load, "hazard LdsDirectVMEM: v1 is loaded without s_waitcnt_depctr vm_vsrc(0)");
  expect_clean(store + "s_waitcnt_depctr 0xffe3\n" + load);
  expect_clean(store + "v_nop\n" + load);
  expect_clean(store + "s_waitcnt 0\n" + load);
  expect_hazard("v_mov_b32 v1, 0\n ds_store_b32 v1, v1\n s_mov_b32 m0, 0\n" + load, "hazard LdsDirectVMEM");
  expect_clean(store + "lds_direct_load v2 wait_vdst:0");
}

}  // namespace
}  // namespace bw::test
