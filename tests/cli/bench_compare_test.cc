// Owns: `barewave bench --compare rocr` seen from outside: with a runtime of our own that only looks like ROCr, and
// with a real one where the environment names it (BAREWAVE_TEST_HSA_LIBRARY).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/command.h"

namespace bw {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using tests::CommandResult;
using tests::run_barewave;

// Where kernels are executed is up to `engine`; the fake runtime executes none.
CommandResult compare(const std::string& library, std::vector<std::string> arguments,
                      const std::string& engine = "none") {
  const std::vector<std::string> before = {"--device", "emulated",      "--engine", engine,
                                           "bench",    "--compare",     "rocr",     "--hsa-library",
                                           library,    "--repetitions", "48"};
  arguments.insert(arguments.begin(), before.begin(), before.end());
  return run_barewave(arguments);
}

std::map<std::string, json> results_of(const CommandResult& result) {
  EXPECT_EQ(result.exit_status, 0) << result.err;
  const json document = json::parse(result.out, nullptr, false);
  std::map<std::string, json> results;
  if (!document.is_object()) return results;
  for (const json& one : document["benchmarks"]) results[one["name"]] = one;
  return results;
}

void expect_both_sides(const std::string& library, const std::string& engine) {
  const auto results = results_of(compare(library,
                                          {"--json", "dispatch/", "graph_replay/7", "copy/h2d/4096", "copy/d2h/4096",
                                           "gemm/f16/64x64x64", "gemv/f32/96x64", "sum_rows"},
                                          engine));
  for (const std::string name : {"dispatch/host", "dispatch/round_trip", "graph_replay/7", "copy/h2d/4096",
                                 "copy/d2h/4096", "gemm/f16/64x64x64", "gemv/f32/96x64"}) {
    ASSERT_TRUE(results.contains(name)) << name;
    ASSERT_TRUE(results.contains("rocr/" + name)) << name;
    EXPECT_EQ(results.at("rocr/" + name)["iterations"], 48);
    EXPECT_GT(results.at("rocr/" + name)["p50"], 0);
    EXPECT_LE(results.at("rocr/" + name)["p50"], results.at("rocr/" + name)["p99"]);
  }
  EXPECT_TRUE(results.contains("rocr/graph_replay_one_doorbell/7"));
  EXPECT_TRUE(results.contains("sum_rows"));
  EXPECT_FALSE(results.contains("rocr/sum_rows"));
}

TEST(BenchCompare, HasBothSidesInOneDocument) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the shim does not go with sanitizers";
#endif
  expect_both_sides(FAKE_HSA_LIBRARY, "none");
}

TEST(BenchCompare, HasBothSidesWithARealRuntime) {
  const char* library = std::getenv("BAREWAVE_TEST_HSA_LIBRARY");
  if (library == nullptr) GTEST_SKIP() << "BAREWAVE_TEST_HSA_LIBRARY names no HSA runtime";
  expect_both_sides(library, "jit");
}

TEST(BenchCompare, ShowsRatiosAndWhatKindOfCardItWas) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the shim does not go with sanitizers";
#endif
  const CommandResult result = compare(FAKE_HSA_LIBRARY, {"dispatch/host", "graph_replay/3"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("same kind of card (emulated)"), HasSubstr("graph_replay_one_doorbell/3"),
                                HasSubstr("ROCr is")));
}

TEST(BenchCompare, SaysWhatKeepsItFromComparing) {
  // ROCr's side alone: what starts it is the shim, which does not go with sanitizers.
  const CommandResult missing =
      run_barewave({"bench", "--rocr-only", "--hsa-library", "/nonexistent/libhsa.so", "dispatch/host"});
  EXPECT_EQ(missing.exit_status, 1);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("/nonexistent/libhsa.so"), HasSubstr("--hsa-library")));
  const CommandResult other = run_barewave({"bench", "--rocr-only", "--hsa-library", "libm.so.6", "dispatch/host"});
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_THAT(other.err, HasSubstr("hsa_init"));
  const CommandResult failing =
      run_barewave({"bench", "--rocr-only", "--hsa-library", FAKE_HSA_LIBRARY, "dispatch/host"}, {"FAKE_HSA_FAILS=1"});
  EXPECT_EQ(failing.exit_status, 1);
  EXPECT_THAT(failing.err, AllOf(HasSubstr("0x1008"), HasSubstr("FAKE_STATUS")));
  EXPECT_EQ(run_barewave({"bench", "--compare", "cuda"}).exit_status, 2);
}

}  // namespace
}  // namespace bw
