// Rules of the scalar registers: alignment, ranges, trap temporaries, hardware registers, and what scalar instructions
// do to SCC. Source: RDNA3 ISA guide, "SGPRs", "Hardware Internal Registers".
#include <array>

#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using emulator::ShaderFaultKind;

class RegisterRules : public ProgramTest {
 protected:
  // Runs `body` in one lane with s[0:1] = out; what it leaves in s4..s11.
  std::array<uint32_t, 8> scalars_after(const std::string& body, uint32_t wave_size = 32) {
    const uint64_t out = gpu_.allocate(4096);
    std::string text = body;
    for (int i = 0; i < 8; ++i) text += "\nv_mov_b32 v1" + std::to_string(i) + ", s" + std::to_string(4 + i);
    text += R"(
      v_mov_b32 v1, 0
      global_store_b128 v1, v[10:13], s[0:1]
      global_store_b128 v1, v[14:17], s[0:1] offset:16
      s_endpgm
    )";
    run(text, out, 1, wave_size);
    std::array<uint32_t, 8> result{};
    std::memcpy(result.data(), gpu_.host(out), sizeof(result));
    return result;
  }
};

TEST_F(RegisterRules, QuadMasksSetScc) {
  const auto s = scalars_after(R"(
    s_mov_b32 s20, 0x00f00010
    s_mov_b32 s21, 0
    s_mov_b64 s[22:23], 0
    s_quadmask_b32 s4, s20
    s_cselect_b32 s5, 1, 0
    s_quadmask_b32 s6, s21
    s_cselect_b32 s7, 1, 0
    s_quadmask_b64 s[8:9], s[20:21]
    s_cselect_b32 s8, 1, 0
    s_cmp_eq_u32 s21, 0
    s_quadmask_b64 s[10:11], s[22:23]
    s_cselect_b32 s9, 1, 0
  )");
  EXPECT_EQ(s[0], 0b100010u);
  EXPECT_EQ(s[1], 1u);
  EXPECT_EQ(s[2], 0u);
  EXPECT_EQ(s[3], 0u);
  EXPECT_EQ(s[4], 1u);
  EXPECT_EQ(s[5], 0u);
}

TEST_F(RegisterRules, OddPairsAndUnalignedQuadsBeginAtTheMultipleBelow) {
  const auto s = scalars_after(R"(
    s_mov_b64 s[4:5], 0
    s_mov_b64 s[8:9], 0
    s_mov_b32 s20, 11
    s_mov_b32 s21, 22
    s_mov_b32 s22, 33
    .long 0xbe850115                ; s_mov_b64 with destination 5 and source 21
    v_mov_b32 v2, 0
    v_mov_b32 v3, 0x77
    v_mov_b32 v4, 0x88
    global_store_b64 v2, v[3:4], s[0:1] offset:64
    s_waitcnt_vscnt null, 0
    .long 0xf4040240, 0xf8000040    ; s_load_b64 with destination 9
    s_waitcnt lgkmcnt(0)
  )");
  EXPECT_EQ(s[0], 11u);
  EXPECT_EQ(s[1], 22u);
  EXPECT_EQ(s[4], 0x77u);
  EXPECT_EQ(s[5], 0x88u);
}

TEST_F(RegisterRules, TrapTemporariesReadAsZeroAndAreNotWritten) {
  const auto s = scalars_after(R"(
    s_mov_b32 ttmp3, 5
    s_mov_b32 s4, ttmp3
    s_cmp_eq_u32 s4, s4             ; SCC = 1, which a failed write leaves alone
    s_and_b32 ttmp3, s4, 0
    s_cselect_b32 s5, 1, 0
    s_and_b32 null, s4, 0           ; but not one to null
    s_cselect_b32 s6, 1, 0
    s_cmp_eq_u32 s4, s4
    s_addk_i32 ttmp3, 1
    s_cselect_b32 s7, 1, 0
    s_cmpk_eq_i32 ttmp3, 1          ; only reads
    s_cselect_b32 s8, 1, 0
    s_mov_b32 s20, exec_lo
    s_and_not1_saveexec_b32 ttmp4, 0 ; EXEC is written all the same
    s_mov_b32 s9, exec_lo
    s_mov_b32 exec_lo, s20
    s_mov_b32 s10, ttmp4
    v_readfirstlane_b32 ttmp5, v0
    s_mov_b32 s11, ttmp5
  )");
  EXPECT_EQ(s, (std::array<uint32_t, 8>{0, 1, 0, 1, 0, 0, 0, 0}));
}

TEST_F(RegisterRules, RelativeMovesReachVccAndNoFurther) {
  const auto s = scalars_after(R"(
    s_mov_b32 vcc_lo, 77
    s_mov_b32 vcc_hi, 78
    s_mov_b32 s20, 5
    s_mov_b32 m0, 106
    s_movrels_b32 s4, s0            ; vcc_lo
    s_mov_b32 m0, 107
    s_movrels_b64 s[6:7], s[0:1]    ; odd: vcc
    s_mov_b32 m0, 108
    s_movrels_b32 s5, s0            ; beyond: 0
    s_movreld_b32 s0, s20           ; beyond: dropped
    s_mov_b32 m0, 0xffffffff
    s_movreld_b32 s9, s20           ; s8
    s_mov_b32 m0, 0x00030001
    s_movrelsd_2_b32 s8, s19        ; s11 = s20
  )");
  EXPECT_EQ(s[0], 77u);
  EXPECT_EQ(s[1], 0u);
  EXPECT_EQ(s[2], 77u);
  EXPECT_EQ(s[3], 78u);
  EXPECT_EQ(s[4], 5u);
  EXPECT_EQ(s[7], 5u);
}

TEST_F(RegisterRules, StatusTellsConditionsAndWorkgroup) {
  const auto s = scalars_after(R"(
    s_mov_b32 vcc_lo, 0
    s_cmp_eq_u32 s0, s0
    s_getreg_b32 s4, hwreg(HW_REG_STATUS)
    s_mov_b32 vcc_lo, 1
    s_cmp_lg_u32 s0, s0
    s_getreg_b32 s5, hwreg(HW_REG_STATUS, 9, 2)
    s_setreg_b32 hwreg(HW_REG_STATUS, 0, 1), s4
    s_cselect_b32 s6, 1, 0
    s_getreg_b32 s7, hwreg(HW_REG_IB_STS)
  )");
  EXPECT_EQ(s[0] & 0x11e21u, 0x10401u);  // VALID, VCCZ, SCC; neither EXECZ, IN_TG, PRIV nor IN_BARRIER
  EXPECT_EQ(s[1], 0u);
  EXPECT_EQ(s[2], 0u) << "programs cannot write STATUS";
  EXPECT_EQ(s[3], 0u);
}

TEST_F(RegisterRules, AllocationRegistersTellWhatTheDispatchAskedFor) {
  const auto s = scalars_after(R"(
    s_getreg_b32 s4, hwreg(HW_REG_GPR_ALLOC, 12, 8)
    s_getreg_b32 s5, hwreg(HW_REG_LDS_ALLOC, 12, 9)
    s_getreg_b32 s6, hwreg(HW_REG_SH_MEM_BASES, 0, 16)
    s_getreg_b32 s7, hwreg(HW_REG_SH_MEM_BASES, 16, 16)
    s_mov_b64 s[20:21], src_private_base
    s_mov_b32 s8, s21
    s_mov_b64 s[20:21], src_shared_base
    s_mov_b32 s9, s21
    s_getreg_b32 s10, hwreg(28, 11, 1)
  )");
  EXPECT_EQ(s[0], 31u);
  EXPECT_EQ(s[1], 128u);
  EXPECT_EQ(s[2] << 16, s[4]) << "the private aperture";
  EXPECT_EQ(s[3] << 16, s[5]) << "the shared aperture";
  EXPECT_EQ(s[6], 0u) << "IB_STS2.WAVE64";
  EXPECT_EQ(scalars_after("s_getreg_b32 s4, hwreg(28, 11, 1)", 64)[0], 1u);
}

TEST_F(RegisterRules, PartsOfModeAreSetAndRead) {
  const auto s = scalars_after(R"(
    s_setreg_imm32_b32 hwreg(HW_REG_MODE, 4, 2), 3
    s_getreg_b32 s4, hwreg(HW_REG_MODE, 0, 8)
    s_setreg_imm32_b32 hwreg(HW_REG_MODE, 2, 2), 0xfffffffd
    s_getreg_b32 s5, hwreg(HW_REG_MODE, 0, 8)
    s_round_mode 0xe
    s_denorm_mode 0x9
    s_getreg_b32 s6, hwreg(HW_REG_MODE, 0, 10)
  )");
  EXPECT_EQ(s[0], 0xf0u);
  EXPECT_EQ(s[1], 0xf4u);
  EXPECT_EQ(s[2], 0x39eu);
}

TEST_F(RegisterRules, UnknownHardwareRegistersFault) {
  EXPECT_EQ(fault_of("s_getreg_b32 s4, hwreg(50)\n s_endpgm\n").kind, ShaderFaultKind::kUnimplemented);
  EXPECT_EQ(fault_of("s_setreg_b32 hwreg(50), s4\n s_endpgm\n").kind, ShaderFaultKind::kUnimplemented);
}

TEST_F(RegisterRules, InterruptsCarryTheLow24BitsOfM0) {
  std::vector<uint32_t> sent;
  emulator::Dispatch dispatch = dispatch_of(R"(
    s_mov_b32 m0, 0x12345678
    s_sendmsg sendmsg(MSG_INTERRUPT)
    s_mov_b32 m0, 7
    s_sendmsg sendmsg(MSG_INTERRUPT)
    s_endpgm
  )",
                                            0, 32);
  dispatch.interrupt = [&](uint32_t data) { sent.push_back(data); };
  const auto fault = gpu_.run(dispatch);
  EXPECT_FALSE(fault.has_value()) << fault->message;
  EXPECT_EQ(sent, (std::vector<uint32_t>{0x345678, 7}));
}

}  // namespace
}  // namespace bw::test
