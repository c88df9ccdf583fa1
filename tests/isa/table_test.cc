// The instruction table and the decoder against LLVM's assembler and disassembler, over byte vectors of every row.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "amdgpu/gfx11/isa/decode.h"
#include "tests/isa/csv.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

using namespace amdgpu::gfx11;

std::string our_mnemonic(const Instruction& in) {
  return in.info->mnemonic;
}

// LLVM adds the operand forms of DPP to the mnemonic, and leaves out _e32 where there is no other form.
std::string plain(std::string mnemonic) {
  for (const char* suffix : {"_e64_dpp", "_dpp", "_e64", "_e32"}) {
    const std::string s = suffix;
    if (mnemonic.size() > s.size() && mnemonic.ends_with(s)) return mnemonic.substr(0, mnemonic.size() - s.size());
  }
  return mnemonic;
}

struct Sample {
  std::string encoding;
  std::string name;
  std::vector<uint32_t> dwords;
  std::string text;
};

std::vector<Sample> samples() {
  std::vector<Sample> out;
  for (const auto& cells : read_csv(BAREWAVE_TEST_DATA "/isa/encodings.csv")) {
    out.push_back({cells[0], cells[2], dwords_of_hex(cells[4]), cells[5]});
  }
  return out;
}

TEST(IsaTable, DecodesEverySampleToLlvmsMnemonicAndLength) {
  size_t count = 0;
  for (const Sample& sample : samples()) {
    auto in = decode(sample.dwords);
    ASSERT_TRUE(in.is_ok()) << sample.text << ": " << in.status().message();
    EXPECT_EQ(in->size_dwords, sample.dwords.size()) << sample.text;
    const std::string mnemonic = sample.text.substr(0, sample.text.find(' '));
    EXPECT_EQ(plain(our_mnemonic(in.value())), plain(mnemonic)) << sample.text;
    if (in->info_y != nullptr) {
      EXPECT_NE(sample.text.find(std::string(":: ") + in->info_y->mnemonic), std::string::npos) << sample.text;
    }
    ++count;
  }
  EXPECT_GE(count, 4700u);
}

TEST(IsaTable, SamplesCoverEveryRow) {
  std::set<const InstructionInfo*> seen;
  for (const Sample& sample : samples()) {
    auto in = decode(sample.dwords);
    if (!in.is_ok()) continue;
    seen.insert(in->info);
    seen.insert(in->info_y);
  }
  for (const InstructionInfo& info : instructions()) {
    // These three have no text of their own in LLVM 19.
    const bool only_bytes = info.encoding == Encoding::VOP3 &&
                            (info.op == Op::v_nop || info.op == Op::v_pipeflush || info.op == Op::v_mov_b16);
    EXPECT_TRUE(only_bytes || seen.contains(&info)) << info.mnemonic;
  }
}

TEST(IsaTable, SamplesRoundTripThroughLlvmsAssembler) {
  LlvmMc mc;
  for (const Sample& sample : samples()) {
    auto text = mc.disassemble(sample.dwords);
    ASSERT_TRUE(text.has_value()) << sample.text;
    EXPECT_EQ(text->text, sample.text);
    EXPECT_EQ(text->size_bytes, sample.dwords.size() * 4) << sample.text;
    std::string error;
    auto again = mc.assemble(text->text + "\n", &error);
    ASSERT_TRUE(again.has_value()) << sample.text << ": " << error;
    EXPECT_EQ(*again, sample.dwords) << sample.text;
  }
}

// The instructions of the recorded programs, which compilers and people wrote. A pair of VOPD has two names.
TEST(IsaTable, DecodesTheInstructionsOfTheTestVectors) {
  std::ifstream file(BAREWAVE_TEST_DATA "/isa-vectors/encodings.jsonl");
  size_t count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const nlohmann::json sample = nlohmann::json::parse(line);
    const std::string text = sample.at("asm");
    const std::vector<uint32_t> dwords = dwords_of_hex(sample.at("bytes"));
    auto in = decode(dwords);
    ASSERT_TRUE(in.is_ok()) << text << ": " << in.status().message();
    EXPECT_EQ(in->size_dwords, dwords.size()) << text;
    EXPECT_EQ(plain(our_mnemonic(in.value())), plain(text.substr(0, text.find(' ')))) << text;
    if (in->info_y != nullptr) {
      EXPECT_NE(text.find(std::string(":: ") + in->info_y->mnemonic), std::string::npos) << text;
    }
  }
  EXPECT_EQ(count, 826u);
}

// Random dwords of every encoding. LLVM refuses bits that have no meaning where the hardware does not look at them, and
// takes some operands that have no text of their own; but what both take is the same instruction.
TEST(IsaTable, AgreesWithLlvmOnRandomBytesThatBothTake) {
  LlvmMc mc;
  constexpr uint32_t kSeed = 7;
  std::mt19937 random(kSeed);
  int taken = 0;
  for (int i = 0; i < 200000; ++i) {
    const EncodingLayout& shape = layout(static_cast<Encoding>(random() % static_cast<unsigned>(Encoding::kCount)));
    std::vector<uint32_t> dwords(kMaxInstructionDwords);
    for (uint32_t& dword : dwords) dword = random();
    dwords[0] = (dwords[0] & ~shape.mask) | shape.value;
    auto in = decode(dwords);
    auto text = mc.disassemble(dwords);
    if (!in.is_ok() || !text) continue;
    ++taken;
    EXPECT_EQ(plain(our_mnemonic(in.value())), plain(text->mnemonic)) << text->text;
    EXPECT_EQ(in->size_dwords * 4, text->size_bytes) << text->text;
  }
  EXPECT_GT(taken, 50000);
}

}  // namespace
}  // namespace bw::test
