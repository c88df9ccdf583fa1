// Owns: what holds for programs under the shim whatever they do with paths, descriptors and processes. Each case is a
// mode of a probe (file_probe.cc, process_probe.cc), a program of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/shim/run_shim.h"

namespace bw {
namespace {

using ::testing::HasSubstr;
using tests::CommandResult;
using tests::run_shim;

std::string name_of(const testing::TestParamInfo<const char*>& test) {
  std::string name;
  bool is_start = true;
  for (const char* c = test.param; *c != '\0'; ++c) {
    if (*c != '-') name.push_back(is_start ? static_cast<char>(*c - 'a' + 'A') : *c);
    is_start = *c == '-';
  }
  return name;
}

class ShimFiles : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Calls, ShimFiles,
                         testing::Values("stat", "old-stat", "open", "folders", "names", "relative", "streams",
                                         "duplicates", "bare-close", "many", "threads", "bare-mmap"),
                         name_of);

TEST_P(ShimFiles, AreAsLinuxHasThem) {
  const CommandResult result = run_shim({}, {FILE_PROBE, GetParam()});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
}

class ShimProcesses : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Modes, ShimProcesses,
                         testing::Values("use", "fork-opens", "fork-busy", "fork-inherits", "vfork", "bare-fork",
                                         "starts-others", "forks-at-once"),
                         name_of);

TEST_P(ShimProcesses, HaveACardEach) {
  const CommandResult result = run_shim({}, {PROCESS_PROBE, GetParam()});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
}

TEST(ShimProcess, EndsAtOnceWhileTheCardIsBusy) {
  EXPECT_EQ(run_shim({}, {"timeout", "20", PROCESS_PROBE, "exit-busy"}).exit_status, 0);
  EXPECT_EQ(run_shim({}, {"timeout", "20", PROCESS_PROBE, "exit-from-thread"}).exit_status, 3);
  EXPECT_EQ(run_shim({}, {PROCESS_PROBE, "killed-busy"}).exit_status, 128 + 9);
}

TEST(ShimProcess, UsesTheCardInTheDestructorsOfStaticObjects) {
  const CommandResult result = run_shim({}, {PROCESS_PROBE, "destructor"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, "used at the end\n");
}

// A translation in progress at the end once found LLVM's static objects gone.
TEST(ShimProcess, EndsWhileProgramsAreTranslated) {
  const std::string cache = testing::TempDir() + "/barewave_shim_cold_cache";
  for (int round = 0; round < 5; ++round) {
    std::filesystem::remove_all(cache);
    const CommandResult result =
        run_shim({}, {"env", "XDG_CACHE_HOME=" + cache, BAREWAVE_COMMAND, "--device", "kfd", "generate", "--model",
                      BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf", "--prompt", "In the", "--tokens", "12"});
    EXPECT_EQ(result.exit_status, 0) << result.err;
  }
  std::filesystem::remove_all(cache);
}

TEST(ShimProcess, ReportsFaultsInOneLineOnStderr) {
  const CommandResult result = run_shim({"--watchdog", "100000"}, {PROCESS_PROBE, "spins"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.err, testing::StartsWith("barewave: emulated card: "));
  EXPECT_THAT(result.err, HasSubstr("s_branch"));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

}  // namespace
}  // namespace bw
