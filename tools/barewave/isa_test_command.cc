// Owns: `barewave isa-test`: its options, its counts and its exit.
#include <fmt/format.h>

#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/barewave/commands.h"
#include "tools/barewave/isa_test.h"

namespace bw::tools {
namespace {

// Vectors have some hundred instructions; so many take the interpreter a second or two.
constexpr uint64_t kDefaultWatchdog = 10'000'000;

enum class SoftReports : uint8_t { kOneLine, kWhole };

struct IsaTestOptions {
  std::vector<std::string> files;
  IsaRunOptions run;
  uint64_t timeout_ms = 10'000;
  SoftReports soft_reports = SoftReports::kOneLine;
};

struct Counts {
  size_t passed = 0, failed = 0, soft = 0, left_out = 0;
};

// Something that the vectors run on.
struct Target {
  ChosenDriver chosen;
  std::string place;  // " on the interpreter"; "" for a real card
  std::optional<IsaRunner> runner;
};

void report(const IsaVector& vector, const IsaOutcome& outcome, const Target& target, const IsaTestOptions& options) {
  if (!outcome.passed()) {
    fmt::print("FAILED {}\n", describe_failure(vector, outcome, options.run.wave_size, target.place));
  } else if (outcome.verdict.soft.empty()) {
    return;
  } else if (options.soft_reports == SoftReports::kWhole) {
    fmt::print("soft {}\n", describe_failure(vector, outcome, options.run.wave_size, target.place));
  } else {
    const auto& soft = outcome.verdict.soft;
    fmt::print("soft {}{}: {}{}\n", vector.id, target.place, soft[0].text,
               soft.size() == 1 ? "" : fmt::format(", and {} more", soft.size() - 1));
  }
}

Status run_vectors(const std::vector<IsaVector>& vectors, const IsaTestOptions& options, std::deque<Target>& targets,
                   Counts* counts) {
  for (const IsaVector& vector : vectors) {
    if (options.run.wave_size == 64 && wave64_obstacle(vector).has_value()) {
      ++counts->left_out;
      continue;
    }
    bool passed = true, has_soft = false;
    for (Target& target : targets) {
      BW_ASSIGN(const IsaOutcome outcome, target.runner->run(vector));
      report(vector, outcome, target, options);
      passed &= outcome.passed();
      has_soft |= !outcome.verdict.soft.empty();
    }
    counts->passed += passed;
    counts->failed += !passed;
    counts->soft += has_soft;
  }
  return Status::ok();
}

// A real card is one target, the emulated one has its two engines, unless the user wants only one of them.
Status open_targets(const GlobalOptions& global, const IsaRunOptions& run, std::deque<Target>* targets) {
  using emulator::ShaderEngine;
  std::vector<ShaderEngine> engines = {ShaderEngine::kInterpreter, ShaderEngine::kJit};
  if (global.strictness != emulator::Strictness::kOff) engines = {ShaderEngine::kInterpreter};
  if (global.engine) engines = {*global.engine};
  for (const ShaderEngine engine : engines) {
    GlobalOptions options = global;
    options.watchdog_instructions = global.watchdog_instructions.value_or(kDefaultWatchdog);
    // Each vector runs once: it is never hot.
    options.engine = engine == ShaderEngine::kJit ? ShaderEngine::kJitAtOnce : engine;
    BW_ASSIGN(ChosenDriver chosen, choose_driver(options));
    Target& target = targets->emplace_back();
    target.chosen = std::move(chosen);
    if (target.chosen.is_emulated())
      target.place = engine == ShaderEngine::kInterpreter ? " on the interpreter" : " on the JIT";
    BW_ASSIGN(IsaRunner runner, IsaRunner::open(target.chosen, run));
    target.runner = std::move(runner);
    if (!target.chosen.is_emulated()) break;
  }
  return Status::ok();
}

Status run_isa_test(const IsaTestOptions& options, const GlobalOptions& global) {
  // All files first: a bad one is known before anything runs.
  std::vector<std::vector<IsaVector>> files;
  for (const std::string& path : options.files) {
    BW_ASSIGN(std::vector<IsaVector> vectors, read_isa_vectors(path));
    files.push_back(std::move(vectors));
  }
  IsaRunOptions run = options.run;
  run.timeout_ns = options.timeout_ms * 1'000'000;
  std::deque<Target> targets;
  BW_RETURN_IF_ERROR(open_targets(global, run, &targets));
  Counts counts;
  for (const std::vector<IsaVector>& vectors : files) {
    BW_RETURN_IF_ERROR(run_vectors(vectors, options, targets, &counts));
  }
  if (options.run.wave_size == 64) fmt::print("{} not run: they mean something else in wave64\n", counts.left_out);
  fmt::print("{} with soft differences\n", counts.soft);
  fmt::print("{} passed, {} failed\n", counts.passed, counts.failed);
  if (std::fflush(stdout) != 0) return Status::from_errno(errno, "writing to stdout");
  if (counts.failed == 0) return Status::ok();
  return error(StatusCode::kDataLoss, "{} of {} test vectors failed", counts.failed, counts.passed + counts.failed);
}

}  // namespace

Command add_isa_test_command(CLI::App& app) {
  auto options = std::make_shared<IsaTestOptions>();
  CLI::App* command = app.add_subcommand("isa-test", "Hold the card's shader cores against recorded test vectors");
  command->footer(
      "Each vector is a program that runs as one dispatch. It fails if an assertion of the original test is violated "
      "(hard), or by a fault or time-out; the recorded values that no assertion looks at are soft.\n"
      "On the emulated card each vector runs on both engines, the interpreter and the JIT (which translates it at "
      "once), "
      "unless --engine or --strict names one. It counts once, as passed if it passes on both; a failure is printed for "
      "each engine that failed.\n"
      "Before vectors of VOP2 carry instructions a real card does not clear the registers of inactive lanes.");
  command->add_option("files", options->files, "Files of test vectors (.jsonl; tests/data/isa-vectors has some)")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--wave-size", options->run.wave_size, "Lanes of a wave; in 64 those run that mean the same there")
      ->check(CLI::IsMember({32, 64}))
      ->type_name("32|64")
      ->capture_default_str();
  command->add_option("--timeout-ms", options->timeout_ms, "How long one vector may take")
      ->check(CLI::Range(uint64_t{1}, uint64_t{3'600'000}))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag_callback(
      "--soft", [options] { options->soft_reports = SoftReports::kWhole; }, "Print soft differences in full too");
  return [options](const GlobalOptions& global) { return run_isa_test(*options, global); };
}

}  // namespace bw::tools
