// Owns: `barewave bench` seen from outside. Not here: what the compiler's kernels are to reach (bench_figures_test.cc).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/command.h"

namespace bw {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;
using tests::CommandResult;
using tests::run_barewave;

const std::string kModel = BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf";

CommandResult bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--device", "emulated", "bench"});
  return run_barewave(arguments);
}

json bench_json(std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const CommandResult result = bench(arguments);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  return json::parse(result.out, nullptr, false);
}

void expect_refused(const std::vector<std::string>& arguments, const std::string& what) {
  const CommandResult result = bench(arguments);
  EXPECT_NE(result.exit_status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(StartsWith("barewave: "), HasSubstr(what)));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

TEST(Bench, ListsItsCasesWithoutADevice) {
  const CommandResult result = run_barewave({"bench", "--list", "--device", "kfd"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  for (const char* name :
       {"dispatch/host", "graph_replay/1000", "copy/h2d/4096", "elementwise_1m", "gemm/f32/2048x2048x2048",
        "gemm/f16_nt/1024x1024x1024", "gemv/q4_0/4096x4096", "attention_decode"}) {
    EXPECT_THAT(result.out, HasSubstr(name));
  }
  EXPECT_THAT(result.out, Not(HasSubstr("decode/")));
  EXPECT_THAT(run_barewave({"bench", "--list", "--model", kModel}).out,
              AllOf(HasSubstr("decode/kjv-3m.Q8_0"), HasSubstr("decode_host_loop/kjv-3m.Q8_0"),
                    HasSubstr("decode_device_loop/kjv-3m.Q8_0")));
  EXPECT_THAT(run_barewave({"bench", "--list", "--counters", "--model", kModel}).out,
              AllOf(HasSubstr("matmul_f16_nt_1024"), HasSubstr("decode_step"), Not(HasSubstr("dispatch"))));
  EXPECT_THAT(run_barewave({"bench", "--list", "norm"}).out, AllOf(HasSubstr("rms_norm"), Not(HasSubstr("softmax"))));
  for (const char* option : {"--counters", "--json", "--tune", "--repetitions", "--model", "--list", "FILTER"}) {
    EXPECT_THAT(run_barewave({"bench", "--help"}).out, HasSubstr(option));
  }
}

TEST(Bench, CountsBytesAndInstructionsTheSameEachTime) {
  const json document = bench_json({"--counters", "elementwise_1m"});
  EXPECT_EQ(document["version"], 1);
  EXPECT_EQ(document["device"], "emulated");
  ASSERT_EQ(document["cases"].size(), 1u);
  const json& one = document["cases"][0];
  EXPECT_EQ(one["ok"], true);
  EXPECT_EQ(one["minimum_bytes"], 8u << 20);
  ASSERT_EQ(one["kernels"].size(), 1u);
  const json& kernel = one["kernels"][0];
  EXPECT_EQ(kernel["global_loads"]["bytes"], 4u << 20);
  EXPECT_EQ(kernel["global_stores"]["bytes"], 4u << 20);
  EXPECT_EQ(kernel["touched_bytes"]["written"], 4u << 20);
  EXPECT_GT(kernel["resources"]["vgprs"], 0);
  const json& counts = kernel["instructions"];
  uint64_t sum = 0;
  for (const char* name : {"valu", "vmem", "lds", "salu", "smem", "branch", "barrier", "wait", "message", "other"}) {
    sum += counts[name].get<uint64_t>();
  }
  EXPECT_EQ(counts["total"], sum);
  EXPECT_EQ(bench_json({"--counters", "elementwise_1m"}), document);
}

TEST(Bench, TimesWhatItHasVerified) {
  const json document = bench_json({"sum_rows", "--repetitions", "2"});
  EXPECT_EQ(document["context"]["device"], "emulated");
  EXPECT_EQ(document["context"]["engine"], "jit");
  ASSERT_EQ(document["benchmarks"].size(), 1u);
  const json& one = document["benchmarks"][0];
  EXPECT_EQ(one["name"], "sum_rows");
  EXPECT_EQ(one["time_unit"], "ns");
  EXPECT_EQ(one["iterations"], 2);
  EXPECT_GT(one["real_time"], 0);
  EXPECT_GT(one["p50"], 0);
  EXPECT_LE(one["p50"], one["p99"]);
  EXPECT_GT(one["bytes_per_second"], 0);
  const CommandResult text = bench({"sum_rows", "rms_norm", "--repetitions", "1"});
  EXPECT_THAT(text.out, AllOf(HasSubstr("sum_rows"), HasSubstr("rms_norm"), HasSubstr("B/s")));
}

TEST(Bench, CountsAStepOfAModel) {
  const json document = bench_json({"--counters", "decode_step", "--model", kModel});
  const json& step = document["cases"][0];
  uint64_t launches = 0, read = 0;
  for (const json& kernel : step["kernels"]) {
    launches += kernel["launches"].get<uint64_t>();
    read += kernel["global_loads"]["coalesced_bytes"].get<uint64_t>() + kernel["scalar_load_bytes"].get<uint64_t>();
  }
  EXPECT_EQ(step["launches"], launches);
  EXPECT_GT(read, 3'000'000u);  // the weights
}

std::vector<std::string> names_in(const json& document) {
  std::vector<std::string> names;
  for (const json& one : document["benchmarks"]) names.push_back(one["name"]);
  return names;
}

TEST(Bench, TimesWhatTheHostDoesWithoutExecuting) {
  const json document = bench_json({"--repetitions", "48", "dispatch/", "^graph_replay/1(0+)?$"});
  EXPECT_THAT(names_in(document), ElementsAre("dispatch/host", "dispatch/round_trip", "graph_replay/1",
                                              "graph_replay/10", "graph_replay/100", "graph_replay/1000"));
  EXPECT_EQ(document["context"]["engine_of_host_costs"], "none");
  for (const json& one : document["benchmarks"]) {
    EXPECT_EQ(one["iterations"], 48) << one;
    EXPECT_GT(one["p50"], 0) << one;
    EXPECT_EQ(one["label"].get<std::string>().find("nothing executed") != std::string::npos,
              one["name"] != "dispatch/round_trip")
        << one;
  }
  const json chosen = bench_json({"--engine", "interpreter", "--repetitions", "5", "dispatch/host"});
  EXPECT_EQ(chosen["context"]["engine_of_host_costs"], "interpreter");
}

TEST(Bench, CountsWhatAPatchedParameterCosts) {
  const json one = bench_json({"--repetitions", "50", "graph_replay_patched/100"})["benchmarks"][0];
  EXPECT_TRUE(one.contains("p50_per_parameter"));
  EXPECT_GT(one["unpatched_p50"], 0);
}

// Sizes that no list has; what comes out is verified, and copies go there and back.
TEST(Bench, TakesOtherSizesByName) {
  const json document = bench_json({"--repetitions", "1", "gemm/f32/33x65x17", "gemm/i8/16x32x64", "gemv/q8_0/3x64",
                                    "copy/h2d/5", "copy/d2h/100001", "copy/both_ways/70000", "copy/h2d_pinned/3",
                                    "copy/d2h_pinned/70000", "graph_replay/3"});
  EXPECT_THAT(names_in(document), UnorderedElementsAre("gemm/f32/33x65x17", "gemm/i8/16x32x64", "gemv/q8_0/3x64",
                                                       "copy/h2d/5", "copy/d2h/100001", "copy/both_ways/70000",
                                                       "copy/h2d_pinned/3", "copy/d2h_pinned/70000", "graph_replay/3"));
  for (const json& one : document["benchmarks"]) {
    EXPECT_EQ(one.contains("memcpy_p50"), one["name"].get<std::string>().starts_with("copy/")) << one;
  }
  for (const char* name : {"gemm/f32/0x1x1", "gemm/f32/1x1", "gemm/f32/1x1x", "gemm/f33/1x1x1", "gemv/q8_0/3x33",
                           "copy/h2d/0", "copy/h2d/-1", "copy/both_ways/0", "graph_replay/99999999999"}) {
    expect_refused({name}, name);
  }
}

TEST(Bench, FindsCasesByTheirCountersNames) {
  EXPECT_THAT(names_in(bench_json({"--repetitions", "1", "matmul_f32_256", "gemm/f32/256x256x256"})),
              ElementsAre("gemm/f32/256x256x256"));
  EXPECT_EQ(bench_json({"--counters", "gemm/f32/256x256x256"})["cases"][0]["name"], "matmul_f32_256");
  expect_refused({"["}, "no case has '['");
}

// Nothing is computed, so nothing is compared; and the result says so.
TEST(Bench, ExecutesNothingWithEngineNone) {
  const json document = bench_json({"--engine", "none", "--repetitions", "2", "sum_rows"});
  EXPECT_EQ(document["context"]["engine"], "none");
  EXPECT_THAT(document["benchmarks"][0]["label"].get<std::string>(), HasSubstr("no result to verify"));
}

TEST(Bench, IsAloneInExecutingNothing) {
  const CommandResult result = run_barewave({"--engine", "none", "info"});
  EXPECT_EQ(result.exit_status, 2);
  EXPECT_THAT(result.err, HasSubstr("--engine none is for bench"));
}

// Missing waits, hazards and undefined values fault there.
TEST(Bench, KernelsAreCleanInStrictMode) {
  const CommandResult result = run_barewave({"--device",
                                             "emulated",
                                             "--strict",
                                             "bench",
                                             "--counters",
                                             "elementwise_1m",
                                             "transpose_1024",
                                             "sum_1m",
                                             "sum_rows",
                                             "softmax",
                                             "layer_norm",
                                             "rms_norm",
                                             "matmul_f32_256",
                                             "matmul_f16_nn_256",
                                             "matmul_f16_nt_256",
                                             "matvec_kjv",
                                             "conv2d",
                                             "attention_decode",
                                             "decode_step",
                                             "--model",
                                             kModel});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, Not(HasSubstr("FAILED")));
}

TEST(Bench, TimesWholeTextsDecodedByHostAndDevice) {
  const CommandResult result = bench({"--model", kModel, "--repetitions", "1", "_loop/kjv"});
  EXPECT_EQ(result.exit_status, 0) << result.err << result.out;
  EXPECT_THAT(result.out, AllOf(HasSubstr("decode_host_loop/"), HasSubstr("decode_device_loop/"), HasSubstr("tokens/s"),
                                Not(HasSubstr("FAILED"))));
}

TEST(Bench, ShowsCountersAsText) {
  const CommandResult result = bench({"--counters", "matmul_f32_256"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  for (const char* label : {"instructions", "valu", "FMA", "WMMA", "requested", "touched", "VGPRs", "waves a SIMD"}) {
    EXPECT_THAT(result.out, HasSubstr(label));
  }
}

TEST(Bench, RefusesWhatItCannotDo) {
  expect_refused({"no_such_case"}, "no_such_case");
  expect_refused({"decode_step"}, "--model");
  expect_refused({"--model", "/nonexistent.gguf", "--list", "nothing"}, "nothing");
  expect_refused({"--counters", "--engine", "jit", "copy_1m"}, "counters are the interpreter's");
  expect_refused({"--counters", "--repetitions", "3", "copy_1m"}, "--repetitions");
  expect_refused({"--repetitions", "-1", "copy_1m"}, "--repetitions");
  const CommandResult missing = bench({"--model", "/nonexistent.gguf", "decode_step"});
  EXPECT_EQ(missing.exit_status, 1);
  EXPECT_THAT(missing.out, HasSubstr("/nonexistent.gguf"));
  EXPECT_THAT(missing.err, HasSubstr("1 of 1 cases failed: decode/nonexistent"));
}

}  // namespace
}  // namespace bw
