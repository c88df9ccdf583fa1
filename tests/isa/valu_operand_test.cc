// Operands of vector instructions: modifiers of moves, inline constants of 16-bit and packed operands, relative
// registers. Expected values follow from the RDNA3 ISA guide ("Input Operand Modifiers", "Inline Constants with Packed
// Math", "Non-Standard Uses of Operand Fields", "Out-of-Range GPRs").
#include "tests/isa/valu_test.h"

namespace bw::test {
namespace {

using ValuOperand = ValuTest;

// VOP3 of one source with abs and neg, which LLVM's assembler does not take for moves.
std::string vop3_move(uint32_t opcode, uint32_t destination, uint32_t source, uint32_t abs, uint32_t neg) {
  return fmt::format(".long {:#x}, {:#x}", 0xd4000000 | opcode << 16 | abs << 8 | destination,
                     (256 + source) | neg << 29);
}

TEST_F(ValuOperand, MovesTakeSignModifiers) {
  constexpr uint32_t kMov = 385, kMovrels = 451;
  const Inputs inputs = {0xbf800001};
  EXPECT_EQ(run_one(0, vop3_move(kMov, 8, 2, 1, 0), inputs)[0], 0x3f800001u);
  EXPECT_EQ(run_one(0, vop3_move(kMov, 8, 2, 0, 1), inputs)[0], 0x3f800001u);
  EXPECT_EQ(run_one(0, vop3_move(kMov, 8, 2, 1, 1), inputs)[0], 0xbf800001u);
  EXPECT_EQ(run_one(0, "s_mov_b32 m0, 1\n" + vop3_move(kMovrels, 8, 2, 1, 0), {0, 0xbf800001})[0], 0x3f800001u);
  // DPP16 with src0_neg: v_mov_b32 v8, -v2 quad_perm:[0,1,2,3].
  EXPECT_EQ(run_one(0, ".long 0x7e1002fa, 0xff10e402", inputs)[0], 0x3f800001u);
}

// v8.h is v136 in VOP1; LLVM's assembler has no name for it here.
TEST_F(ValuOperand, SaturatedBytesGoToEitherHalf) {
  const auto sat_pk = [](uint32_t vdst) { return fmt::format(".long {:#x}", 0x7e000000 | vdst << 17 | 98 << 9 | 258); };
  EXPECT_EQ(run_one(0, sat_pk(8), {0x0123fff0})[0], 0xdeadff00u);
  EXPECT_EQ(run_one(0, sat_pk(8 + 128), {0x0123fff0})[0], 0xff00beefu);
}

TEST_F(ValuOperand, InlineFloatsOfSixteenBitIntegersAreTheLowHalfOfTheF32) {
  check({{"v_add_nc_u16 v8, v2, 1.0", 0, {5}, 0xdead0005},
         {"v_lshrrev_b16 v8, v2, 0.15915494", 0, {0}, 0xdeadf983},
         {"v_add_f16 v8, v2, 1.0", 0xf0, {0x3c00}, 0xdead4000},
         {"v_add_f16 v8, v2, 0.15915494", 0xf0, {0}, 0xdead3118},
         {"v_pk_add_u16 v8, v2, 1.0", 0, {0x00010002}, 0x3f810002},
         {"v_pk_add_f16 v8, v2, 1.0", 0xf0, {0x3c003c00}, 0x3c004000}});
  // op_sel of an inline constant: its upper half.
  EXPECT_EQ(run_one(0, "v_add_nc_u16 v8, v2, 1.0 op_sel:[0,1,0]", {5})[0], 0xdead3f85u);
}

// Those with an f32 result as captured of a W7900 (ROCm/rocm-systems, emulation/rocjitsu, gfx11_dot2_test.cpp).
TEST_F(ValuOperand, InlineConstantsOfDotProductsStandInOneHalfOrBoth) {
  constexpr uint32_t kF16 = 0x40003c00, kBf16 = 0x40003f80;  // (1, 2)
  check({{"v_dot2_f32_f16 v8, v2, 1.0, 0", 0xf0, {kF16}, 0x3f800000},
         {"v_dot2_f32_f16 v8, v2, 1.0, 0 op_sel_hi:[1,0,0]", 0xf0, {kF16}, 0x40400000},
         {"v_dot2_f32_f16 v8, v2, 1.0, 0 op_sel:[0,1,0] op_sel_hi:[1,0,0]", 0xf0, {kF16}, 0x40000000},
         {"v_dot2_f32_f16 v8, v2, 1, 0 op_sel_hi:[1,0,0]", 0xf0, {kF16}, 0x34400000},
         {"v_dot2_f32_bf16 v8, v2, 1.0, 0", 0xf0, {kBf16}, 0x40400000},
         {"v_dot2_f32_bf16 v8, v2, 1.0, 0 op_sel:[0,1,0] op_sel_hi:[1,0,0]", 0xf0, {kBf16}, 0x40400000},
         {"v_dot2_f32_bf16 v8, v2, 0.15915494, 0", 0xf0, {kBf16}, 0x3ef30000},
         {"v_dot2_f32_bf16 v8, v2, 1, 0", 0xf0, {kBf16}, 0},
         {"v_mov_b32 v8, 0\n v_dot2acc_f32_f16 v8, 1.0, v2", 0xf0, {kF16}, 0x3f800000},
         {"v_mov_b32 v8, 0\n v_dot2acc_f32_f16 v8, 1, v2", 0xf0, {kF16}, 0x33800000},
         {"v_mov_b32 v8, 0\n v_dual_dot2acc_f32_f16 v8, 1.0, v2 :: v_dual_mov_b32 v9, v3", 0xf0, {kF16}, 0x40400000},
         {"v_dot2_f16_f16 v8, v2, 1.0, v3", 0xf0, {kF16}, 0xdead4200},
         {"v_dot2_bf16_bf16 v8, v2, 1.0, v3", 0xf0, {kBf16}, 0xdead4040}});
}

TEST_F(ValuOperand, DotProductsToSixteenBitsTakeSignsOfBothHalves) {
  check({{"v_dot2_f16_f16 v8, -v2, v3, v4", 0xf0, {0x40004200, 0x3c003c00, 0}, 0xdeadc500},
         {"v_dot2_f16_f16 v8, |v2|, v3, -v4", 0xf0, {0xc0004200, 0x3c003c00, 0x3c00}, 0xdead4400},
         {"v_dot2_bf16_bf16 v8, v2, v3, -v4", 0xf0, {0x40004040, 0x3f803f80, 0x3f80}, 0xdead4080}});
}

TEST_F(ValuOperand, MatricesTakeInlineFloatsOfTheAccumulatorsFormat) {
  // 0 * 0 + 2.0
  const std::string text = R"(
    v_mov_b32 v10, 0
    v_mov_b32 v11, 0
    v_mov_b32 v12, 0
    v_mov_b32 v13, 0
    v_mov_b32 v14, 0
    v_mov_b32 v15, 0
    v_mov_b32 v16, 0
    v_mov_b32 v17, 0
    v_wmma_{0}_16x16x16_{1} v[20:27], v[10:17], v[10:17], 2.0
    v_mov_b32 v8, v20)";
  const auto result = [&](const char* to, const char* from) {
    return run_lanes(0xf0, fmt::format(fmt::runtime(text), to, from), std::vector<Inputs>(32))[0][0];
  };
  EXPECT_EQ(result("f16", "f16") & 0xffff, 0x4000u);
  EXPECT_EQ(result("bf16", "bf16") & 0xffff, 0x4000u);
  EXPECT_EQ(result("f32", "f16"), 0x40000000u);
}

TEST_F(ValuOperand, RelativeRegistersBeyondTheFileReadV0AndAreNotWritten) {
  const Inputs inputs = {0x1234, 0x5678};
  const auto with = [&](const char* text) {
    return run_one(
        0, fmt::format("v_mov_b32 v10, v0\n v_mov_b32 v0, 0x77\n {}\n v_mov_b32 v9, v0\n v_mov_b32 v0, v10", text),
        inputs);
  };
  EXPECT_EQ(with("s_movk_i32 m0, 254\n v_movrels_b32 v8, v2"), (Outputs{0x77, 0x77}));
  EXPECT_EQ(with("s_movk_i32 m0, 254\n v_movreld_b32 v2, v3"), (Outputs{0xdeadbeef, 0x77}));
  EXPECT_EQ(with("s_mov_b32 m0, 0xfe0000\n v_swaprel_b32 v2, v3\n v_mov_b32 v8, v3"), (Outputs{0x5678, 0x77}));
  EXPECT_EQ(with("s_movk_i32 m0, 1\n v_movrels_b32 v8, v2"), (Outputs{0x5678, 0x77}));
}

}  // namespace
}  // namespace bw::test
