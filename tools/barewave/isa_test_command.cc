// Owns: `barewave isa-test`: its options, its counts and its exit.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "tools/barewave/commands.h"
#include "tools/barewave/isa_test.h"

namespace bw::tools {
namespace {

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

void report(const IsaVector& vector, const IsaOutcome& outcome, const IsaTestOptions& options, Counts* counts) {
  counts->passed += outcome.passed();
  counts->failed += !outcome.passed();
  counts->soft += !outcome.verdict.soft.empty();
  if (!outcome.passed()) {
    fmt::print("FAILED {}\n", describe_failure(vector, outcome, options.run.wave_size));
  } else if (outcome.verdict.soft.empty()) {
    return;
  } else if (options.soft_reports == SoftReports::kWhole) {
    fmt::print("soft {}\n", describe_failure(vector, outcome, options.run.wave_size));
  } else {
    const auto& soft = outcome.verdict.soft;
    fmt::print("soft {}: {}{}\n", vector.id, soft[0].text,
               soft.size() == 1 ? "" : fmt::format(", and {} more", soft.size() - 1));
  }
}

Status run_vectors(const std::vector<IsaVector>& vectors, const IsaTestOptions& options, IsaRunner& runner,
                   Counts* counts) {
  for (const IsaVector& vector : vectors) {
    if (options.run.wave_size == 64 && wave64_obstacle(vector).has_value()) {
      ++counts->left_out;
      continue;
    }
    BW_ASSIGN(const IsaOutcome outcome, runner.run(vector));
    report(vector, outcome, options, counts);
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
  BW_ASSIGN(const ChosenDriver chosen, choose_driver(global.device, global.verbosity, global.strictness));
  IsaRunOptions run = options.run;
  run.timeout_ns = options.timeout_ms * 1'000'000;
  BW_ASSIGN(IsaRunner runner, IsaRunner::open(chosen, run));
  Counts counts;
  for (const std::vector<IsaVector>& vectors : files) {
    BW_RETURN_IF_ERROR(run_vectors(vectors, options, runner, &counts));
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
