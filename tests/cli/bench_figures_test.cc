// Owns: what the compiler's kernels reach, as counted on the emulated card: shares of WMMA and FMAs, bytes against the
// minimum, conflicts in LDS. Counts do not depend on the machine or on chance, so that a kernel that gets worse fails
// here. Sizes are small where the figure is the same for large ones.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/command.h"

namespace bw {
namespace {

using nlohmann::json;

const std::string kModel = BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf";

json count(const std::string& name) {
  const tests::CommandResult result =
      tests::run_barewave({"--device", "emulated", "bench", "--counters", "--json", "--model", kModel, name});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  const json document = json::parse(result.out, nullptr, false);
  return document.is_discarded() ? json() : document["cases"][0];
}

// A case that is one kernel.
json count_kernel(const std::string& name) {
  const json one = count(name);
  EXPECT_EQ(one["kernels"].size(), 1u) << name;
  return one["kernels"][0];
}

double conflict_cycles(const json& kernel) {
  return kernel["lds"]["load_conflict_cycles"].get<double>() + kernel["lds"]["store_conflict_cycles"].get<double>();
}

void expect_no_spills(const json& kernel) {
  EXPECT_EQ(kernel["resources"]["vgpr_spills"], 0);
  EXPECT_EQ(kernel["scratch_bytes"], 0);
}

struct WmmaCase {
  const char* name;
  double share;  // of WMMA among the vector instructions, at least
};
class Wmma : public testing::TestWithParam<WmmaCase> {};

// Tiles depend on the size, so it is that of the figure. What is stored row by row has to be turned on its way into
// LDS, which costs VALU instructions.
TEST_P(Wmma, IsTheBulkOfVectorInstructionsAndItsTilesAreReadOnce) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "takes too long with a sanitizer";
#endif
  const json kernel = count_kernel(GetParam().name);
  EXPECT_GE(kernel["shares"]["wmma_of_vector"], GetParam().share);
  EXPECT_LE(kernel["shares"]["read_of_tiling_minimum"], 1.15);
  EXPECT_GE(kernel["group_extent"][0], 128);
  EXPECT_GE(kernel["group_extent"][1], 128);
  EXPECT_EQ(conflict_cycles(kernel), 0);
  expect_no_spills(kernel);
}
INSTANTIATE_TEST_SUITE_P(F16, Wmma,
                         testing::Values(WmmaCase{"matmul_f16_nt_2048", 0.40}, WmmaCase{"matmul_f16_nn_2048", 0.40}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(MatmulI8, TurnsWordsOfBytesNotSingleBytes) {
  const json kernel = count_kernel("matmul_i8_1024");
  EXPECT_GE(kernel["shares"]["wmma_of_vector"], 0.35);
  EXPECT_EQ(conflict_cycles(kernel), 0);
  expect_no_spills(kernel);
}

TEST(MatmulF32, IsThreeQuartersFmasMostOfThemDual) {
  const json kernel = count_kernel("matmul_f32_512");
  EXPECT_GE(kernel["shares"]["fma_of_valu"], 0.75);
  EXPECT_GE(kernel["shares"]["dual_of_fma"], 0.5);
  EXPECT_LE(kernel["shares"]["read_of_tiling_minimum"], 1.15);
  EXPECT_EQ(conflict_cycles(kernel), 0);
  expect_no_spills(kernel);
}

// The largest argument that the kernels of a case load: the matrix, or the input of a norm. What is small and needed
// everywhere, a vector or the parameters of a norm, each workgroup reads again.
struct LargestInput {
  double size = 0;
  double loaded = 0;
  double loaded_wide = 0;  // by 128 bits

  explicit LargestInput(const json& one) {
    for (const json& kernel : one["kernels"]) {
      for (const json& buffer : kernel["buffers"]) {
        if (buffer["size_bytes"] <= size || buffer["loaded_bytes"] == 0) continue;
        size = buffer["size_bytes"];
        loaded = buffer["loaded_bytes"];
        loaded_wide = buffer["loaded_bytes_in_128_bits"];
      }
    }
  }
};

class MatrixVector : public testing::TestWithParam<const char*> {};

TEST_P(MatrixVector, ReadsItsMatrixOnceAndWide) {
  const json one = count(GetParam());
  const LargestInput matrix(one);
  EXPECT_LE(matrix.loaded, 1.03 * matrix.size);
  EXPECT_GE(matrix.loaded_wide, 0.9 * matrix.loaded);
  for (const json& kernel : one["kernels"]) expect_no_spills(kernel);
}
INSTANTIATE_TEST_SUITE_P(Types, MatrixVector, testing::Values("matvec_f32", "matvec_f16", "matvec_q8_0"),
                         [](const auto& test) { return std::string(test.param); });

class Row : public testing::TestWithParam<const char*> {};

TEST_P(Row, IsOneKernelThatReadsEveryInputByteOnce) {
  const json one = count(GetParam());
  ASSERT_EQ(one["kernels"].size(), 1u);
  const LargestInput rows(one);
  EXPECT_EQ(rows.loaded, rows.size);
  EXPECT_EQ(conflict_cycles(one["kernels"][0]), 0);
  expect_no_spills(one["kernels"][0]);
}
INSTANTIATE_TEST_SUITE_P(Kinds, Row,
                         testing::Values("sum_rows", "max_rows", "prod_rows", "softmax", "layer_norm", "rms_norm"),
                         [](const auto& test) { return std::string(test.param); });

class AttentionKernel : public testing::TestWithParam<const char*> {};

TEST_P(AttentionKernel, IsOneWithoutConflicts) {
  const json kernel = count_kernel(GetParam());
  EXPECT_EQ(conflict_cycles(kernel), 0);
  expect_no_spills(kernel);
}
INSTANTIATE_TEST_SUITE_P(Kinds, AttentionKernel, testing::Values("attention_decode", "attention_prefill"),
                         [](const auto& test) { return std::string(test.param); });

TEST(AttentionOfOnePosition, ReadsItsCacheOnce) {
  const LargestInput cache(count("attention_decode"));
  EXPECT_EQ(cache.loaded, cache.size);
}

TEST(DecodeStep, TakesAtMostSixKernelsALayer) {
  constexpr int kLayers = 4;
  const json one = count("decode_step");
  EXPECT_LE(one["launches"], 6 * kLayers);
  for (const json& kernel : one["kernels"]) {
    EXPECT_EQ(conflict_cycles(kernel), 0) << kernel["name"];
    expect_no_spills(kernel);
  }
}

}  // namespace
}  // namespace bw
