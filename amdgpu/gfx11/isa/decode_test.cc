#include "amdgpu/gfx11/isa/decode.h"

#include <gtest/gtest.h>

#include <vector>

namespace bw::amdgpu::gfx11 {
namespace {

Result<Instruction> decode_words(std::vector<uint32_t> words) {
  return decode(words);
}

TEST(Decode, ReadsTheFieldsOfAScalarInstruction) {
  auto in = decode_words({0x80028100});  // s_add_u32 s2, s0, 1
  ASSERT_TRUE(in.is_ok()) << in.status().message();
  EXPECT_EQ(in->info->op, Op::s_add_u32);
  EXPECT_EQ(in->size_dwords, 1);
  EXPECT_EQ(in.value()[Field::sdst], 2u);
  EXPECT_EQ(in.value()[Field::ssrc0], 0u);
  EXPECT_EQ(in.value()[Field::ssrc1], kCodeInlineZero + 1u);
}

TEST(Decode, WidensVgprFieldsToSourceCodes) {
  auto in = decode_words({0x7e0a0303});  // v_mov_b32_e32 v5, v3
  ASSERT_TRUE(in.is_ok());
  EXPECT_EQ(in.value()[Field::vdst], kCodeVgpr0 + 5u);
  EXPECT_EQ(in.value()[Field::src0], kCodeVgpr0 + 3u);
}

TEST(Decode, TakesALiteralDword) {
  auto in = decode_words({0xbe8000ff, 0x12345678});  // s_mov_b32 s0, 0x12345678
  ASSERT_TRUE(in.is_ok());
  EXPECT_EQ(in->size_dwords, 2);
  EXPECT_TRUE(in->has_literal);
  EXPECT_EQ(in->literal(), 0x12345678u);
}

TEST(Decode, RejectsALiteralThatTheCodeCutsOff) {
  EXPECT_FALSE(decode_words({0xbe8000ff}).is_ok());
  EXPECT_FALSE(decode_words({}).is_ok());
}

TEST(Decode, DerivesTheParityOfTheSecondDestinationOfAPair) {
  auto in = decode_words({0xca100080, 0x00000080});  // v_dual_mov_b32 v0, 0 :: v_dual_mov_b32 v1, 0
  ASSERT_TRUE(in.is_ok()) << in.status().message();
  EXPECT_EQ(in->info->op, Op::v_dual_mov_b32);
  EXPECT_EQ(in->info_y->op, Op::v_dual_mov_b32);
  EXPECT_EQ(in.value()[Field::vdstx], kCodeVgpr0 + 0u);
  EXPECT_EQ(in.value()[Field::vdsty], kCodeVgpr0 + 1u);
}

TEST(Decode, RejectsWhatGfx1100DoesNotHave) {
  EXPECT_FALSE(decode_words({0xbf820000 | 100 << 16}).is_ok());  // SOPP opcode 102
  EXPECT_FALSE(decode_words({0xbe8000f9}).is_ok());              // source code 249 (SDWA of older parts)
  EXPECT_FALSE(decode_words({0x7e0002fa, 0xff014200}).is_ok());  // DPP row_bcast
}

TEST(FindInstruction, KnowsEveryRowByItsEncodingAndOpcode) {
  for (const InstructionInfo& info : instructions()) {
    EXPECT_EQ(find_instruction(info.encoding, info.opcode), &info) << info.mnemonic;
  }
  EXPECT_EQ(find_instruction(Encoding::SOP1, 7), nullptr);
  EXPECT_EQ(find_instruction(Encoding::VINTERP, 0xffff), nullptr);
}

}  // namespace
}  // namespace bw::amdgpu::gfx11
