// Owns: `barewave isa-test` seen from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/command.h"

namespace bw {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using tests::CommandResult;
using tests::run_barewave;

// A sanitizer slows translation down.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const std::string kTimeoutMs = "5000";
#else
const std::string kTimeoutMs = "300";
#endif

const std::string kVectors = BAREWAVE_TEST_DATA_DIR "/isa-vectors/";

class IsaTest : public testing::Test {
 protected:
  ~IsaTest() override { std::filesystem::remove(path_); }

  CommandResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--device", "emulated", "isa-test"});
    return run_barewave(arguments);
  }
  CommandResult run_text(const std::string& text, const std::string& watchdog = "1000000") {
    std::ofstream(path_) << text;
    return run({path_, "--timeout-ms", kTimeoutMs, "--watchdog", watchdog});
  }

  const std::string path_ = testing::TempDir() + "/isa_test_" + std::to_string(getpid()) + ".jsonl";
};

// The first vector of a file, and the same with its body, all of one dword each, replaced.
json first_vector(const std::string& file) {
  std::ifstream in(kVectors + file);
  std::string line;
  std::getline(in, line);
  return json::parse(line);
}
json with_body(json vector, const std::string& id, const std::string& dword) {
  std::string code = vector["code"];
  for (size_t at = vector["body"][0]; at < vector["body"][1].get<size_t>(); at += 4) code.replace(at * 2, 8, dword);
  vector["code"] = code;
  vector["id"] = id;
  return vector;
}

TEST_F(IsaTest, CountsWhatPassed) {
  const CommandResult result = run({kVectors + "sop.jsonl", kVectors + "ds.jsonl"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, EndsWith("0 with soft differences\n52 passed, 0 failed\n"));
}

TEST_F(IsaTest, RunsInWave64WhatMeansTheSameThere) {
  const CommandResult result = run({kVectors + "dpp.jsonl", kVectors + "vopd.jsonl", "--wave-size", "64"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("8 not run"));
  EXPECT_THAT(result.out, EndsWith("3 passed, 0 failed\n"));
}

TEST_F(IsaTest, ExplainsAViolatedAssertion) {
  json vector = first_vector("sop.jsonl");
  ASSERT_FALSE(vector["checked"].empty());
  vector["checked"][0]["value"] = "0x00c0ffee";
  vector["checked"][0]["kind"] = "exact";
  vector["checked"][0]["bits"] = "0xffffffff";
  const CommandResult result = run_text(vector.dump() + "\n");
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr(vector["id"].get<std::string>()), HasSubstr("0x00c0ffee"), HasSubstr("! ")));
  EXPECT_THAT(result.out, HasSubstr(vector["asm"][0].get<std::string>()));
  for (const char* engine : {"interpreter", "JIT"})
    EXPECT_THAT(result.out, HasSubstr(std::string("(1 work-item, wave32) on the ") + engine));
  EXPECT_THAT(result.out, EndsWith("\n0 passed, 1 failed\n"));
  EXPECT_EQ(result.err, "barewave: 1 of 1 test vectors failed\n");
}

TEST_F(IsaTest, RunsOnTheEngineThatWasAskedForAlone) {
  const json vector = with_body(first_vector("sop.jsonl"), "no.instruction", "ffffffff");
  std::ofstream(path_) << vector.dump();
  const CommandResult jit = run({path_, "--engine", "jit"});
  EXPECT_THAT(jit.out, AllOf(HasSubstr("on the JIT"), ::testing::Not(HasSubstr("on the interpreter"))));
  for (const char* option : {"--engine=interpreter", "--strict"}) {
    const CommandResult interpreted = run({path_, option});
    EXPECT_THAT(interpreted.out, AllOf(HasSubstr("on the interpreter"), ::testing::Not(HasSubstr("on the JIT"))));
  }
  EXPECT_THAT(run({path_, "--engine", "jit", "--strict"}).err, HasSubstr("strict mode is the interpreter's"));
}

TEST_F(IsaTest, CountsSoftDifferencesApart) {
  json vector = first_vector("sop.jsonl");
  vector["expect"].push_back({vector["out_size"].get<int>() - 4, "01000000"});
  const CommandResult result = run_text(vector.dump());
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("soft " + vector["id"].get<std::string>()));
  EXPECT_THAT(result.out, EndsWith("1 with soft differences\n1 passed, 0 failed\n"));
}

TEST_F(IsaTest, GoesOnAfterFaultsAndEndlessPrograms) {
  const json good = first_vector("sop.jsonl");
  std::string text = with_body(good, "no.instruction", "ffffffff").dump() + "\n";  // in no encoding
  text += with_body(good, "endless.loop", "ffffa0bf").dump() + "\n";               // s_branch to itself
  text += good.dump() + "\n";
  text += with_body(good, "no.instruction.again", "ffffffff").dump() + "\n";
  text += good.dump() + "\n";
  const CommandResult result = run_text(text, "0");
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.out, HasSubstr("FAILED no.instruction (1 work-item, wave32)"));
  EXPECT_THAT(result.out, HasSubstr("the emulated card reports: "));
  EXPECT_THAT(result.out, HasSubstr("FAILED endless.loop"));
  EXPECT_THAT(result.out, HasSubstr("no progress for " + kTimeoutMs + " ms"));
  EXPECT_THAT(result.out, EndsWith("\n2 passed, 3 failed\n"));
}

// --strict before the subcommand, or BAREWAVE_STRICT in the environment; without either the program runs as it is.
TEST_F(IsaTest, StrictModeIsAskedForByOptionOrEnvironment) {
  json vector = first_vector("global.jsonl");
  std::string code = vector["code"];
  const std::string wait = "0000fcbd", nop = "000080bf";  // s_waitcnt_lgkmcnt null, 0; s_nop 0
  ASSERT_NE(code.find(wait), std::string::npos);
  vector["code"] = code.replace(code.find(wait), wait.size(), nop);
  EXPECT_THAT(run_text(vector.dump()).out, EndsWith("1 passed, 0 failed\n"));
  const auto report = AllOf(HasSubstr("missing wait for lgkmcnt: s2 is read while its load is outstanding, after pc"),
                            EndsWith("0 passed, 1 failed\n"));
  EXPECT_THAT(run_barewave({"--strict", "--device", "emulated", "isa-test", path_}).out, report);
  EXPECT_THAT(run_barewave({"--device", "emulated", "isa-test", path_}, {"BAREWAVE_STRICT=1"}).out, report);
}

TEST_F(IsaTest, TheWatchdogTellsWhereAnEndlessProgramIs) {
  const CommandResult result = run_text(with_body(first_vector("sop.jsonl"), "endless.loop", "ffffa0bf").dump());
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("the watchdog allows a wave 1000000 instructions"), HasSubstr("s_branch")));
  EXPECT_THAT(result.out, EndsWith("\n0 passed, 1 failed\n"));
}

TEST_F(IsaTest, RefusesWhatIsNoFileOfVectors) {
  const std::string good = first_vector("sop.jsonl").dump();
  for (const std::string& text : {std::string(), std::string("{"), good + "\n" + good.substr(0, good.size() / 2),
                                  std::string("\x00\xff\n", 3), std::string("{\"bytes\":\"00\",\"asm\":\"x\"}")}) {
    const CommandResult result = run_text(text);
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, AllOf(StartsWith("barewave: "), HasSubstr(path_ + ":")));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_THAT(run({"/nonexistent.jsonl"}).err, HasSubstr("/nonexistent.jsonl"));
  EXPECT_THAT(run({"/tmp"}).err, HasSubstr("/tmp"));
  EXPECT_THAT(run({}).err, HasSubstr("files is required"));
  EXPECT_THAT(run({path_, "--wave-size", "16"}).err, HasSubstr("--wave-size"));
  EXPECT_THAT(run({path_, "--timeout-ms", "0"}).err, HasSubstr("--timeout-ms"));
}

}  // namespace
}  // namespace bw
