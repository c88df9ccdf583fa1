// Owns: `barewave explain` seen from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/command.h"

namespace bw {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using tests::CommandResult;
using tests::run_barewave;

const std::string kModel = BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf";

CommandResult explain(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "explain");
  return run_barewave(arguments);
}

std::string explained(std::vector<std::string> arguments) {
  const CommandResult result = explain(std::move(arguments));
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return result.out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void expect_one_error_line(const CommandResult& result, const std::string& line) {
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(result.err, "barewave: " + line + "\n");
  EXPECT_EQ(result.out, "");
}

// A file in the test's temporary folder that goes with it.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& content)
      : path_(testing::TempDir() + "/explain_test_" + std::to_string(getpid()) + name) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// "12  name  4  32  66.6 k  3.07 k  21.67  7  0  16  235 ns  latency"
constexpr const char* kRow =
    " *[0-9]+  [a-z0-9_ +]+ +[0-9]+ +[0-9]+ +[0-9.]+ [kMG]? +[0-9.]+ [kMG]? +[0-9.]+ +[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+ "
    "[num]s  (memory|latency|VALU|transcendental|integer products|f64|WMMA|LDS)";

void expect_summary(const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  ASSERT_GE(lines.size(), 3u);
  if (lines.back().starts_with("temporary memory: ")) {  // of programs of several kernels
    EXPECT_THAT(lines.back(),
                MatchesRegex("temporary memory: [0-9.e+]+ [kMG]?B, [0-9.e+]+ [kMG]?B if values did not share it"));
    lines.pop_back();
  }
  EXPECT_THAT(lines[0],
              MatchesRegex(" *#  kernel +groups  lanes +FLOP +bytes +FLOP/B +VGPRs +LDS +waves +time  bound"));
  for (size_t i = 1; i + 1 < lines.size(); ++i) {
    EXPECT_THAT(lines[i], MatchesRegex(kRow));
    EXPECT_EQ(std::stoul(lines[i]), i - 1);
  }
  EXPECT_THAT(lines.back(), MatchesRegex(std::to_string(lines.size() - 2) + " kernels, [0-9.]+ [kMG]?FLOP, [0-9.]+ "
                                                                            "[kMG]?B, at least [0-9.]+ [num]s one "
                                                                            "after the other"));
}

TEST(Explain, ListsTheKernelsOfAnExpression) {
  expect_summary(explained({"--expr", "softmax(x[64, 512] * 0.125)"}));
  expect_summary(explained({"--expr", "y = x[32, 64]:f16 @ w[64, 32]:f16; y; y.sum()"}));
  EXPECT_EQ(explained({"--expr", "x[4].shrink([0], [0])"}), "no kernels: nothing is to be computed\n");
}

TEST(Explain, TellsAllAboutAKernel) {
  const std::string text = explained({"--expr", "signal[100] * 2 + 1", "--kernel", "0", "--asm", "--ir"});
  std::vector<std::string> headings;
  for (const std::string& line : lines_of(text)) {
    if (!line.empty() && line[0] != ' ') headings.push_back(line.substr(0, line.find(" (")));
  }
  EXPECT_THAT(headings, ::testing::ElementsAre(StartsWith("kernel 0: "), "form", "buffers", "loops",
                                               "nest, as executed", "bounds, proven", "ir", "costs", "resources",
                                               "least time on an RX 7900 XTX", "LLVM IR", "assembly"));
  EXPECT_THAT(text, HasSubstr("  writes b0 f32 [100] = temporary 1, 400 B\n  reads  b1 f32 [100] = signal, 400 B\n"));
  EXPECT_THAT(text, HasSubstr("0..99 of 100 elements, by intervals"));
  EXPECT_THAT(text, HasSubstr("  200 FLOP, 800 B of memory, 0.25 FLOP/B\n"));
  EXPECT_THAT(text, HasSubstr(", 0 bytes of scratch per lane, "));
  EXPECT_THAT(text, HasSubstr("define protected amdgpu_kernel void @bw_kernel("));
  EXPECT_TRUE(text.ends_with("\ts_endpgm\n")) << text.substr(text.size() - 100);
}

TEST(Explain, AllShowsTheListAndEveryKernel) {
  const std::string text = explained({"--expr", "x[64].contiguous() * 2; x.sum()", "--all"});
  EXPECT_THAT(text, HasSubstr("\nkernel 0: "));
  EXPECT_THAT(text, HasSubstr("\nkernel 1: "));
  EXPECT_THAT(text, HasSubstr(" kernels, "));
}

TEST(Explain, ShowsTheDecodeStepOfAModelWithoutACard) {
  const std::string step = explained({kModel});
  expect_summary(step);
  // The output matrix alone: 1024 rows of 256 weights, a block of 32 in 34 bytes.
  EXPECT_GT(lines_of(step).size(), 8u);
  const std::string prompt = explained({kModel, "--prefill", "16"});
  expect_summary(prompt);
  EXPECT_NE(step, prompt);
  expect_one_error_line(explain({kModel, "--prefill", "513"}), "a step over 513 positions: the context has 512");
}

TEST(Explain, ReadsProgramsInTextForm) {
  const TemporaryFile file(".ir", R"(graph {
    %0 = param f32 [4, 8] id=7 "x"
    %1 = reduce_add f32 [4, 1] (%0) axes=[1]
    return %1
  })");
  expect_summary(explained({file.path()}));
  EXPECT_THAT(explained({file.path(), "--kernel", "0"}), HasSubstr(" = x, 128 B\n"));
  expect_one_error_line(explain({file.path(), "--prefill", "4"}),
                        "explain: --prefill is for GGUF models, which " + file.path() + " is not");
  const TemporaryFile broken(".broken", "graph {\n  %0 = sqrt f32 [4] (%1)\n}");
  expect_one_error_line(explain({broken.path()}), broken.path() + ": line 2, column 22: %1 is not defined above");
}

TEST(Explain, BadInputIsOneLineWithItsPlace) {
  expect_one_error_line(explain({"--expr", "softmax(x)"}),
                        "--expr: line 1, column 9: unknown name 'x' (a parameter is declared where it first stands: "
                        "x[2, 3]:f32)");
  expect_one_error_line(explain({"--expr", "x[4] + y[5]"}),
                        "--expr: line 1, column 6: '+': add: shapes [4] and [5] do not broadcast: axis 0 differs");
  expect_one_error_line(explain({"--expr", "x[4]", "--kernel", "1"}), "there is no kernel 1 (the program has 1)");
  expect_one_error_line(explain({}), "explain: give a FILE or --expr EXPRESSION");
  expect_one_error_line(explain({"/nonexistent"}), "opening /nonexistent: no such file or directory");
  EXPECT_NE(explain({"/tmp"}).exit_status, 0);
  EXPECT_EQ(explain({"--expr", "x[4]", "--kernel", "-1"}).exit_status, 2);
  EXPECT_EQ(explain({kModel, "--expr", "x[4]"}).exit_status, 2);
}

TEST(Explain, WhatCannotBeLoweredIsRefusedWithTheReason) {
  expect_one_error_line(
      explain({"--expr", "sin(x[4]:f64)"}),
      "compiling kernel sin_4: lowering sin f64 (load f64): gfx1100 has no f64 sin (cast to f32 first)");
}

TEST(Explain, DrawsPictures) {
  EXPECT_THAT(explained({"--expr", "x[64] * 2", "--dot"}), StartsWith("digraph program {\n"));
  const std::string page = explained({kModel, "--html"});
  EXPECT_THAT(page, StartsWith("<!DOCTYPE html>\n"));
  EXPECT_THAT(page, HasSubstr("<details id=\"k0\">"));
  EXPECT_THAT(page, ::testing::Not(HasSubstr("s_endpgm")));
  EXPECT_THAT(explained({"--expr", "x[64] * 2", "--html", "--asm"}), HasSubstr("s_endpgm"));
}

TEST(Explain, ListsTheFunctionsOfExpressions) {
  const std::vector<std::string> functions = lines_of(explained({"--functions"}));
  EXPECT_THAT(functions, ::testing::Contains("sum(x, axis=[], keep=0)"));
  EXPECT_THAT(functions, ::testing::Contains("cat(x, .., axis=0)"));
  EXPECT_TRUE(std::is_sorted(functions.begin(), functions.end()));
}

TEST(Explain, HelpNamesEveryOption) {
  const std::string help = explain({"--help"}).out;
  for (const char* option :
       {"FILE", "--expr", "--kernel", "--all", "--asm", "--ir", "--prefill", "--dot", "--html", "--functions"}) {
    EXPECT_THAT(help, HasSubstr(option));
  }
}

}  // namespace
}  // namespace bw
