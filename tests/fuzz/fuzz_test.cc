// The fuzzers for a short time, with fixed seeds. isa_fuzz runs them for longer.
#include <gtest/gtest.h>

#include "tests/fuzz/decode_fuzz.h"
#include "tests/fuzz/program_fuzz.h"
#include "tests/fuzz/random_program.h"

namespace bw::test {
namespace {

constexpr double kUnlimited = 1e6;

TEST(DecodeFuzz, DecoderAndLlvmAgree) {
  const DecodeFuzzResult result = fuzz_decoder(11, kUnlimited, 100'000);
  EXPECT_EQ(result.failure, "");
  EXPECT_GT(result.both_take, 20'000u);
  EXPECT_GT(result.both_reject, 20'000u);
}

class ProgramFuzz : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(WaveSizes, ProgramFuzz, testing::Values(32, 64));

// Workgroups leave nothing behind for each other: where they run makes no difference.
TEST_P(ProgramFuzz, GivesTheSameOnOneThreadAndOnMore) {
  Gpu one_thread(1), more_threads(3);
  const ProgramFuzzResult result =
      fuzz_programs(one_thread, more_threads, FaultReports::kSamePlace, GetParam(), 5, kUnlimited, 60);
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(result.programs, 60u);
  EXPECT_LT(result.faults, 20u);
}

// Registers, LDS, memory, MODE, the number of instructions executed, and every word of a fault.
TEST_P(ProgramFuzz, GivesTheSameOnTheJitAsOnTheInterpreter) {
  Gpu interpreter(1, Engine::kInterpreter), jit(1, Engine::kJit);
  const ProgramFuzzResult result =
      fuzz_programs(interpreter, jit, FaultReports::kIdentical, GetParam(), 17, kUnlimited, 30);
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(result.programs, 30u);
  EXPECT_LT(result.faults, 15u);
}

// Every row that the emulator executes, but for control flow and the like.
TEST_P(ProgramFuzz, CanDrawEveryRow) {
  LlvmMc llvm(GetParam() == 32 ? "+wavefrontsize32" : "-wavefrontsize32,+wavefrontsize64");
  RandomInstructions instructions(GetParam(), llvm);
  std::mt19937 random(7);
  EXPECT_GT(instructions.rows().size(), 1150u);
  for (const amdgpu::gfx11::InstructionInfo* row : instructions.rows()) {
    bool is_drawn = false;
    for (int attempt = 0; attempt < 50 && !is_drawn; ++attempt)
      is_drawn = instructions.make_of(*row, random).has_value();
    EXPECT_TRUE(is_drawn) << row->mnemonic;
  }
}

TEST_P(ProgramFuzz, MakesTheSameProgramOfTheSameNumbers) {
  RandomProgramGenerator generator(GetParam());
  std::mt19937 random(3), again(3), other(4);
  const std::vector<uint32_t> code = generator.make(random, 30).code;
  EXPECT_EQ(code, generator.make(again, 30).code);
  EXPECT_NE(code, generator.make(other, 30).code);
}

}  // namespace
}  // namespace bw::test
