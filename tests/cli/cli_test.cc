// Owns: the `barewave` command seen from outside: what it prints, where, and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/command.h"

namespace bw {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using tests::CommandResult;
using tests::run_barewave;
using tests::run_barewave_to;

const std::string kModel = BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf";

// It ended with an error, and said so in one line.
void expect_one_error_line(const CommandResult& result, const std::string& what) {
  EXPECT_NE(result.exit_status, 0);
  EXPECT_LT(result.exit_status, 128) << "ended by a signal";
  EXPECT_THAT(result.err, StartsWith("barewave: "));
  EXPECT_THAT(result.err, HasSubstr(what));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_EQ(result.out, "");
}

std::vector<char> model_bytes() {
  std::ifstream in(kModel, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Generates from a file with these bytes, which is no good model.
CommandResult generate_from(const std::vector<char>& bytes) {
  const std::string path = testing::TempDir() + "/cli_test_" + std::to_string(getpid()) + ".gguf";
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CommandResult result = run_barewave({"--device", "emulated", "generate", "--model", path, "--prompt", "x"});
  EXPECT_THAT(result.err, HasSubstr(path));
  std::filesystem::remove(path);
  return result;
}

void replace_all(std::vector<char>* bytes, const std::string& from, const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  auto it = std::search(bytes->begin(), bytes->end(), from.begin(), from.end());
  ASSERT_NE(it, bytes->end());
  std::copy(to.begin(), to.end(), it);
}

TEST(Command, ShowsHelpForItselfAndEachSubcommand) {
  EXPECT_THAT(run_barewave({"--help"}).out, HasSubstr("--device"));
  EXPECT_THAT(run_barewave({"--help"}).out, HasSubstr("BAREWAVE_STRICT"));
  EXPECT_THAT(run_barewave({"--help"}).out, HasSubstr("BAREWAVE_ENGINE"));
  EXPECT_THAT(run_barewave({"generate", "--help"}).out, HasSubstr("--temperature"));
  EXPECT_EQ(run_barewave({"info", "--help"}).exit_status, 0);
  EXPECT_EQ(run_barewave({"--version"}).exit_status, 0);
}

TEST(Command, InfoShowsEachCardOfTheMachine) {
  const std::string out = run_barewave({"--device", "emulated", "info", "--gpus", "3"}).out;
  for (const char* node : {"node 1 ", "node 2 ", "node 3 "}) EXPECT_THAT(out, HasSubstr(node));
  size_t devices = 0;
  for (size_t at = out.find("gpu id"); at != std::string::npos; at = out.find("gpu id", at + 1)) ++devices;
  EXPECT_EQ(devices, 3u);
  expect_one_error_line(run_barewave({"--device", "emulated", "info", "--gpus", "0"}), "--gpus");
}

TEST(Generate, GivesTheSameIdsOnTwoCards) {
  std::vector<std::string> arguments = {"--device", "emulated", "generate", "--model", kModel,   "--prompt",
                                        "And God",  "--tokens", "12",       "--ids",   "--gpus", "1"};
  const CommandResult one = run_barewave(arguments);
  arguments.back() = "2";
  const CommandResult two = run_barewave(arguments);
  EXPECT_EQ(two.exit_status, 0) << two.err;
  EXPECT_EQ(one.out, two.out);
  arguments.back() = "3";
  expect_one_error_line(run_barewave(arguments), "over 3 cards");
}

TEST(Command, RefusesWordsItDoesNotKnow) {
  expect_one_error_line(run_barewave({}), "subcommand");
  expect_one_error_line(run_barewave({"fly"}), "--help");
  expect_one_error_line(run_barewave({"--device", "cuda", "info"}), "cuda");
  expect_one_error_line(run_barewave({"--engine", "steam", "info"}), "steam");
  expect_one_error_line(run_barewave({"generate", "--prompt", "x"}), "--model");
  expect_one_error_line(run_barewave({"generate", "--model", kModel}), "--prompt");
  for (const char* tokens : {"0", "-1", "many", "99999999999999999999"}) {
    expect_one_error_line(run_barewave({"generate", "--model", kModel, "--prompt", "x", "--tokens", tokens}),
                          "--tokens");
  }
  for (const char* seed : {"-1", "1.5", "99999999999999999999", ""}) {
    expect_one_error_line(run_barewave({"generate", "--model", kModel, "--prompt", "x", "--seed", seed}), "--seed");
  }
  for (const char* timeout : {"0", "-1", "soon"}) {
    expect_one_error_line(run_barewave({"generate", "--model", kModel, "--prompt", "x", "--timeout", timeout}),
                          "--timeout");
  }
  expect_one_error_line(run_barewave({"generate", "--model", kModel, "--prompt", "x", "--temperature", "nan"}),
                        "temperature");
}

TEST(Isa, CoverageCountsEachEncodingAndMissesNothing) {
  const CommandResult result = run_barewave({"isa", "--coverage"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("MUBUF      79 / 79\n"));
  EXPECT_THAT(result.out, HasSubstr("unsupported, images belong to graphics: image_load "));
  EXPECT_THAT(result.out, HasSubstr(", 0 missing\n"));
  EXPECT_THAT(run_barewave({"isa", "--list"}).out, HasSubstr("v_add_f32_e32"));
  expect_one_error_line(run_barewave({"isa"}), "--coverage");
}

TEST(Info, DescribesTheEmulatedCard) {
  const CommandResult result = run_barewave({"info", "--device", "emulated"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  for (const char* fact : {"gfx1100", "emulated", "96", "24.0 GiB", "kfd driver", "firmware"}) {
    EXPECT_THAT(result.out, HasSubstr(fact));
  }
}

TEST(Info, VerboseWritesEverySystemCall) {
  const CommandResult result = run_barewave({"info", "--device", "emulated", "--verbose"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.err, HasSubstr("CREATE_QUEUE"));
  EXPECT_THAT(result.err, HasSubstr("ACQUIRE_VM"));
}

TEST(Info, SaysWhatToDoWithoutACard) {
  if (access("/dev/kfd", F_OK) == 0) GTEST_SKIP() << "this machine has a KFD driver";
  expect_one_error_line(run_barewave({"info", "--device", "kfd"}), "--device emulated");
}

TEST(Generate, StreamsTheReferenceTextAndSumsUpOnStderr) {
  std::ifstream stream(BAREWAVE_TEST_DATA_DIR "/kjv-3m/reference.json");
  const nlohmann::json reference = nlohmann::json::parse(stream);
  const auto run = std::find_if(reference["runs"].begin(), reference["runs"].end(),
                                [](const nlohmann::json& candidate) { return candidate["weights"] == "Q8_0"; });
  const std::string prompt = (*run)["prompt"];
  const CommandResult text =
      run_barewave({"--device", "emulated", "generate", "--model", kModel, "--prompt", prompt, "--tokens", "96"});
  EXPECT_EQ(text.exit_status, 0) << text.err;
  EXPECT_EQ(text.out, (*run)["text"].get<std::string>() + "\n");
  EXPECT_THAT(text.err, HasSubstr("tokens/s"));
  EXPECT_THAT(text.err, HasSubstr("kernels per token"));

  const CommandResult ids = run_barewave(
      {"--device", "emulated", "generate", "--model", kModel, "--prompt", prompt, "--tokens", "8", "--ids"});
  std::string expected;
  for (int i = 0; i < 8; ++i) {
    expected += (i == 0 ? "" : " ") + std::to_string((*run)["greedy_ids"][static_cast<size_t>(i)].get<int>());
  }
  EXPECT_EQ(ids.out, expected + "\n");
}

TEST(Generate, RepeatsASampleOfTheSameSeed) {
  const std::vector<std::string> arguments = {"--device",      "emulated", "generate", "--model", kModel,
                                              "--prompt",      "In the",   "--tokens", "16",      "--ids",
                                              "--temperature", "0.9",      "--top-p",  "0.95",    "--seed"};
  auto with_seed = [&](const char* seed) {
    std::vector<std::string> all = arguments;
    all.emplace_back(seed);
    return run_barewave(all).out;
  };
  const std::string first = with_seed("7");
  EXPECT_EQ(std::count(first.begin(), first.end(), ' '), 15);
  EXPECT_EQ(first, with_seed("7"));
  EXPECT_NE(first, with_seed("8"));
}

TEST(Generate, RefusesFilesThatAreNoGoodModel) {
  expect_one_error_line(run_barewave({"generate", "--model", "/nonexistent.gguf", "--prompt", "x"}),
                        "/nonexistent.gguf");
  expect_one_error_line(run_barewave({"generate", "--model", "/tmp", "--prompt", "x"}), "/tmp");

  const std::vector<char> good = model_bytes();
  for (size_t size : {size_t{0}, size_t{3}, size_t{4}, size_t{23}, size_t{24}, size_t{1000}, size_t{60000},
                      good.size() / 2, good.size() - 1}) {
    SCOPED_TRACE(size);
    expect_one_error_line(generate_from({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}), "");
  }
  std::vector<char> bad = good;
  bad[0] = 'X';
  expect_one_error_line(generate_from(bad), "not a GGUF file");
  bad = good;
  std::fill(bad.begin() + 8, bad.begin() + 24, '\xff');  // counts of tensors and of metadata entries
  expect_one_error_line(generate_from(bad), "");
  bad = good;
  replace_all(&bad, "llama", "llamb");
  expect_one_error_line(generate_from(bad), "architecture");
}

TEST(Generate, RefusesAPromptLongerThanTheContext) {
  std::string prompt;
  for (int i = 0; i < 600; ++i) prompt += " and";
  expect_one_error_line(run_barewave({"--device", "emulated", "generate", "--model", kModel, "--prompt", prompt}),
                        "context");
}

TEST(Generate, FailsWhenItsOutputCannotBeWritten) {
  const CommandResult result = run_barewave_to(
      "/dev/full", {"--device", "emulated", "generate", "--model", kModel, "--prompt", "x", "--tokens", "4"});
  expect_one_error_line(result, "stdout");
}

TEST(Generate, MeasuresPerplexityOfIdsInAFile) {
  const std::string path = testing::TempDir() + "/cli_test_ids_" + std::to_string(getpid());
  std::ofstream(path) << "0 296 259 412 388 320 332 12\n";
  const CommandResult good =
      run_barewave({"--device", "emulated", "generate", "--model", kModel, "--perplexity", path});
  EXPECT_EQ(good.exit_status, 0) << good.err;
  EXPECT_THAT(good.out, StartsWith("perplexity "));
  std::ofstream(path) << "0 5000\n";
  expect_one_error_line(run_barewave({"--device", "emulated", "generate", "--model", kModel, "--perplexity", path}),
                        "5000");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace bw
