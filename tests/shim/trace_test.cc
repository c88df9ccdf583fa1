// Owns: `barewave trace` and `--trace` from outside: files that readers of their formats take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/cli/command.h"

namespace bw {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::StartsWith;
using tests::CommandResult;

const std::string kModel = BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf";
const std::vector<std::string> kEnvironment = {"PATH=/usr/local/bin:/usr/bin:/bin"};

class TraceCommand : public ::testing::Test {
 protected:
  TraceCommand() : folder_(std::filesystem::temp_directory_path() / ("barewave-trace." + std::to_string(::getpid()))) {
    std::filesystem::create_directory(folder_);
  }
  ~TraceCommand() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string content(const std::string& name) const {
    std::ifstream in(path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  CommandResult trace(std::vector<std::string> options, const std::vector<std::string>& program) const {
    options.insert(options.begin(), "trace");
    options.push_back("--");
    options.insert(options.end(), program.begin(), program.end());
    return tests::run_barewave(options, kEnvironment);
  }

  const std::filesystem::path folder_;
};

TEST_F(TraceCommand, WritesTheCallsOfAForeignProgramAsText) {
  const CommandResult result = trace({"--output", path("calls.txt")}, {LIBDRM_PROBE});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("driver amdgpu 3\n"));
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(
      content("calls.txt"),
      AllOf(StartsWith("#           us          took  where"), ContainsRegex("open\\(/dev/dri/renderD128, .* = [0-9]"),
            ContainsRegex("shim_libdrm_pro/[0-9]+ +ioctl\\([0-9]+, AMDGPU_INFO, query=DEV_INFO room=[0-9]+\\) = 0")));
}

TEST_F(TraceCommand, WritesChromesFormatForAllProcessesWithTheQueuesAsTracks) {
  const CommandResult result = trace({"--output", path("run.json")},
                                     {"sh", "-c",
                                      LIBDRM_PROBE " >/dev/null; " BAREWAVE_COMMAND " --device kfd generate --model " +
                                          kModel + " --prompt 'In the beginning' --tokens 2"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  const json events = json::parse(content("run.json"));
  std::set<std::string> names, tracks;
  std::set<int> processes;
  for (const json& event : events) {
    names.insert(event["name"]);
    processes.insert(event["pid"].get<int>());
    if (event["name"] == "thread_name") tracks.insert(event["args"]["name"]);
  }
  EXPECT_THAT(names, IsSupersetOf({"AMDGPU_INFO", "CREATE_QUEUE", "mmap", "WAIT_EVENTS", "doorbell", "INDIRECT_BUFFER",
                                   "SET_SH_REG", "RELEASE_MEM", "COPY_LINEAR"}));
  EXPECT_THAT(tracks, IsSupersetOf({"shim_libdrm_pro", "barewave", "compute queue 0", "sdma queue 1"}));
  EXPECT_EQ(processes.size(), 4u);  // two programs, the card of one, and the end of the file
}

TEST_F(TraceCommand, GivesTheProgramsExitStatus) {
  EXPECT_EQ(trace({"--output", path("x.txt")}, {"sh", "-c", "exit 7"}).exit_status, 7);
  EXPECT_EQ(trace({"--output", path("x.txt")}, {"sh", "-c", "kill -9 $$"}).exit_status, 128 + 9);
  const CommandResult none = trace({"--output", path("x.txt")}, {"/nonexistent/program"});
  EXPECT_EQ(none.exit_status, 1);
  EXPECT_EQ(none.err, "barewave: trace: starting /nonexistent/program: no such file or directory\n");
}

TEST_F(TraceCommand, RefusesWhatItCannotDo) {
  EXPECT_THAT(trace({}, {}).err, HasSubstr("trace: no program to start"));
  EXPECT_THAT(trace({"--output", "/nonexistent/x.json"}, {"true"}).err,
              StartsWith("barewave: opening the trace file /nonexistent/x.json: "));
  EXPECT_EQ(trace({"--format", "xml"}, {"true"}).exit_status, 2);
}

TEST_F(TraceCommand, ShimLeavesAnOpenArrayBehind) {
  const CommandResult result =
      tests::run_barewave({"shim", "--trace", path("shim.json"), "--", LIBDRM_PROBE}, kEnvironment);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  std::string text = content("shim.json");
  ASSERT_TRUE(text.ends_with("},\n"));
  text.resize(text.size() - 2);
  EXPECT_GT(json::parse(text + "]").size(), 5u);
}

TEST_F(TraceCommand, OptionTracesOwnRunsInTheProcess) {
  const CommandResult result = tests::run_barewave({"--device", "emulated", "--trace", path("own.txt"), "generate",
                                                    "--model", kModel, "--prompt", "In the beginning", "--tokens", "2"},
                                                   kEnvironment);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(content("own.txt"), AllOf(ContainsRegex("compute 0 +DISPATCH_DIRECT|  DISPATCH_DIRECT 0x[0-9a-f]+ "),
                                        ContainsRegex("end of DISPATCH_DIRECT 0x[0-9a-f]+ instructions=[1-9]"),
                                        ContainsRegex("sdma 1 +COPY_LINEAR bytes=[0-9]+ src_addr=0x")));
}

TEST_F(TraceCommand, OptionHasAllMachinesOfACommandInOneFile) {
  const CommandResult result = tests::run_barewave({"--device", "emulated", "--trace", path("two.json"), "isa-test",
                                                    BAREWAVE_TEST_DATA_DIR "/isa-vectors/dpp.jsonl"},
                                                   kEnvironment);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  size_t opened = 0;
  for (const json& event : json::parse(content("two.json"))) opened += event["name"] == "ACQUIRE_VM";
  EXPECT_EQ(opened, 2u);  // one for each engine
}

}  // namespace
}  // namespace bw
