// Owns: `barewave bench`: which cases run, how, and where the results go.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/file_cache.h"
#include "tensor/runtime.h"
#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/bench_report.h"
#include "tools/barewave/bench/bench_run.h"
#include "tools/barewave/commands.h"

namespace bw::tools {
namespace {

// Of the JSON document; raised when a key changes its meaning or goes.
constexpr int kDocumentVersion = 1;

enum class Output : uint8_t { kText, kJson };

struct BenchArguments {
  std::vector<std::string> filters;
  std::string model_path;
  bool counts = false;
  bool lists = false;
  size_t tuning_candidates = 0;
  Output output = Output::kText;
  BenchOptions options;
};

Status write_out(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return Status::from_errno(errno, "writing the results to stdout");
  }
  return Status::ok();
}

// Whether a filter asks for the case: by its whole name if there is one of that name, otherwise by a part of it.
bool matches(const std::vector<BenchCase>& cases, const BenchCase& one, const std::string& filter) {
  const auto is_named = [&](const BenchCase& other) { return other.name == filter; };
  if (std::any_of(cases.begin(), cases.end(), is_named)) return one.name == filter;
  return one.name.find(filter) != std::string::npos;
}

Result<std::vector<BenchCase>> choose_cases(const BenchArguments& arguments) {
  const std::vector<BenchCase> all = bench_cases(arguments.model_path);
  if (arguments.filters.empty()) return all;
  for (const std::string& filter : arguments.filters) {
    const auto is_meant = [&](const BenchCase& one) { return matches(all, one, filter); };
    if (std::any_of(all.begin(), all.end(), is_meant)) continue;
    return error(StatusCode::kNotFound, "bench: no case has '{}' in its name (--list shows them{})", filter,
                 arguments.model_path.empty() ? "; decode_step needs --model" : "");
  }
  std::vector<BenchCase> chosen;
  for (const BenchCase& one : all) {
    const auto is_meant = [&](const std::string& filter) { return matches(all, one, filter); };
    if (std::any_of(arguments.filters.begin(), arguments.filters.end(), is_meant)) chosen.push_back(one);
  }
  return chosen;
}

Status list_cases(const std::vector<BenchCase>& cases) {
  std::string text;
  for (const BenchCase& one : cases) text += fmt::format("{:<22}{}\n", one.name, one.summary);
  return write_out(text);
}

Result<std::shared_ptr<tensor::Runtime>> make_runtime(kfd::KernelDriver& driver, size_t tuning_candidates) {
  tensor::RuntimeOptions options;
  options.cache_dir = default_cache_dir();
  options.compiler_threads = std::max(1u, std::thread::hardware_concurrency());
  options.tuning_candidates = tuning_candidates;
  return tensor::Runtime::create(driver, options);
}

Status run_cases(const BenchArguments& arguments, const std::vector<BenchCase>& cases, const ChosenDriver& chosen) {
  BW_ASSIGN(const std::shared_ptr<tensor::Runtime> runtime, make_runtime(chosen.driver(), arguments.tuning_candidates));
  nlohmann::ordered_json document;
  document["version"] = kDocumentVersion;
  document["device"] = chosen.is_emulated() ? "emulated" : "kfd";
  document["mode"] = arguments.counts ? "counters" : "time";
  document["cases"] = nlohmann::ordered_json::array();
  std::vector<std::string> failed;
  for (const BenchCase& one : cases) {
    const BenchResult result =
        arguments.counts ? count_case(one, runtime, *chosen.emulated) : time_case(one, runtime, arguments.options);
    if (!result.status.is_ok()) failed.push_back(result.name);
    if (arguments.output == Output::kJson) {
      document["cases"].push_back(to_json(result));
    } else {
      BW_RETURN_IF_ERROR(write_out(to_text(result)));
    }
  }
  if (arguments.output == Output::kJson) BW_RETURN_IF_ERROR(write_out(document.dump(1) + "\n"));
  if (failed.empty()) return Status::ok();
  return error(StatusCode::kDataLoss, "bench: {} of {} cases failed: {}", failed.size(), cases.size(),
               fmt::join(failed, ", "));
}

Status run_bench(const BenchArguments& arguments, const GlobalOptions& options) {
  BW_ASSIGN(const std::vector<BenchCase> cases, choose_cases(arguments));
  if (arguments.lists) return list_cases(cases);
  GlobalOptions global = options;
  if (arguments.counts) global.counting = emulator::Counting::kOn;
  BW_ASSIGN(ChosenDriver chosen, choose_driver(global));
  if (arguments.counts && !chosen.is_emulated()) {
    return error(StatusCode::kUnsupported,
                 "bench: a real card does not count (use --device emulated, or leave --counters out)");
  }
  return with_fault_reports(chosen, run_cases(arguments, cases, chosen));
}

}  // namespace

Command add_bench_command(CLI::App& app) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = app.add_subcommand(
      "bench", "Time tensor programs, or count what they execute and move on the emulated card; results are verified");
  command
      ->add_option("filter", arguments->filters,
                   "Cases to run: whole names, or parts of names; all of them without any")
      ->type_name("FILTER");
  command->add_flag("--list", arguments->lists, "Show the cases instead of running them");
  auto* counters = command->add_flag(
      "--counters", arguments->counts,
      "Count instead of timing, exactly and the same each time: instructions by class, bytes by level, conflicts in "
      "LDS, registers. The emulated card's interpreter does it");
  command->add_flag_callback(
      "--json", [arguments] { arguments->output = Output::kJson; }, "Print one JSON document (docs/bench.md)");
  command
      ->add_option("--repetitions", arguments->options.repetitions,
                   "Times that each program runs and is timed, after one run that is verified; 0: for a fifth of a "
                   "second, at least 3")
      ->check(CLI::Range(0u, 1'000'000u))
      ->type_name("N")
      ->capture_default_str()
      ->excludes(counters);
  command->add_option("--model", arguments->model_path, "GGUF file for the case decode_step: one token through it")
      ->type_name("FILE");
  add_tune_option(*command, arguments->tuning_candidates);
  return [arguments](const GlobalOptions& options) { return run_bench(*arguments, options); };
}

}  // namespace bw::tools
