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

// Words from LLVM's assembler, with other register numbers.
TEST(Decode, RejectsRegistersThatDoNotExist) {
  EXPECT_TRUE(decode_words({0xe0500000, 0x8001ff00}).is_ok());   // buffer_load_b32 v255, off, s[4:7], 0
  EXPECT_FALSE(decode_words({0xe0500000, 0x8021ff00}).is_ok());  // the same with tfe: a dword more
  EXPECT_TRUE(decode_words({0xe0540000, 0x8001fe00}).is_ok());   // buffer_load_b64 v[254:255], off, s[4:7], 0
  EXPECT_FALSE(decode_words({0xe0540000, 0x8001ff00}).is_ok());
  EXPECT_FALSE(decode_words({0xe0500000, 0x801f0000}).is_ok());  // a resource at NULL
  EXPECT_TRUE(decode_words({0xdc520000, 0x010000ff}).is_ok());   // global_load_b32 v1, v255, s[0:1]
  EXPECT_FALSE(decode_words({0xdc520000, 0x017c00ff}).is_ok());  // global_load_b32 v1, v[255:256], off
  EXPECT_FALSE(decode_words({0xd9400000, 0x0004ff01}).is_ok());  // ds_cmpstore_b64 v1, v[255:256], v[4:5]
}

TEST(Decode, TakesNullForAMatrixOfZeros) {
  auto in = decode_words({0xcc436f7e, 0xb9f34304});  // v_wmma_bf16_16x16x16_bf16 v[126:133], v[4:11], v[161:168], null
  EXPECT_TRUE(in.is_ok()) << in.status().message();
}

TEST(Decode, TakesSgprsAndVccAsOneRangeOfRegisters) {
  EXPECT_TRUE(decode_words({0xf40c1800, 0xf8000000}).is_ok());   // s_load_b256 s[96:103], s[0:1], 0
  EXPECT_TRUE(decode_words({0xf40c1900, 0xf8000000}).is_ok());   // ... into s100 to s105, and VCC
  EXPECT_FALSE(decode_words({0xf40c1a00, 0xf8000000}).is_ok());  // ... into s104 to ttmp3
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
