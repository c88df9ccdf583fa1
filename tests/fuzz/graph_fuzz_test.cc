// Owns: the fuzzer of the compiler among the tests: programs of fixed seeds, or as many as fit into
// BAREWAVE_GRAPH_FUZZ_SECONDS seconds in each mode where that is set.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/fuzz/graph_fuzz.h"

namespace bw::test {
namespace {

void expect_agreement(GraphFuzzOptions options, uint64_t count) {
  const char* seconds = std::getenv("BAREWAVE_GRAPH_FUZZ_SECONDS");
  options.seconds = seconds != nullptr ? std::atof(seconds) : 1e6;
  options.count = seconds != nullptr ? UINT64_MAX : count;
  const GraphFuzzResult result = fuzz_graphs(options);
  EXPECT_EQ(result.failure, "");
  EXPECT_GT(result.programs, 0u);
}

TEST(GraphFuzz, CompiledProgramsGiveWhatTheEvaluatorGives) {
  expect_agreement({.seed = 1}, 1100);
}

TEST(GraphFuzz, TranslatedKernelsDoToo) {
  expect_agreement({.seed = 50001, .engine = emulator::ShaderEngine::kJitAtOnce}, 330);
}

TEST(GraphFuzz, KernelsRunCleanInStrictMode) {
  expect_agreement({.seed = 100001, .strictness = emulator::Strictness::kOn}, 330);
}

// LLVM made v_dot4_u32_u8 of products that were masked (docs/errata.md).
TEST(GraphFuzz, MaskedProductsOfBytesAreNotAdded) {
  EXPECT_EQ(check_program("cast(a[33, 63]:u8[2:33, 2:63], i32) @ cast(b[61, 2]:u8, i32)", 27, 0, {}), "");
}

}  // namespace
}  // namespace bw::test
