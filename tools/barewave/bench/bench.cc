// Owns: `barewave bench`: which cases run, how, and where the results go.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "tensor/runtime.h"
#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/bench_machine.h"
#include "tools/barewave/bench/bench_report.h"
#include "tools/barewave/bench/bench_run.h"
#include "tools/barewave/bench/case_choice.h"
#include "tools/barewave/bench/hsa_library.h"
#include "tools/barewave/bench/rocr_cases.h"
#include "tools/barewave/bench/rocr_compare.h"
#include "tools/barewave/bench/timed_run.h"
#include "tools/barewave/commands.h"

namespace bw::tools {
namespace {

// Of the JSON document; raised when a key changes its meaning or goes.
constexpr int kDocumentVersion = 1;

struct BenchArguments {
  CaseFilters filters;
  bool counts = false;
  bool lists = false;
  size_t tuning_candidates = 0;
  int64_t repetitions = 0;    // 0: as the case says
  std::string compared_with;  // "rocr" or ""
  bool is_rocr_side = false;
  std::string hsa_library = hsa::kLibraryName;
  BenchOutput output = BenchOutput::kText;
};

template <typename Case>
Status list_cases(const std::vector<Case>& cases) {
  std::string text;
  for (const Case& one : cases) text += fmt::format("{:<28}{}\n", one.name, one.summary);
  return write_out(text);
}

Status failures(const std::vector<std::string>& failed, size_t case_count) {
  if (failed.empty()) return Status::ok();
  return error(StatusCode::kDataLoss, "bench: {} of {} cases failed: {}", failed.size(), case_count,
               fmt::join(failed, ", "));
}

Status count_cases(const BenchArguments& arguments, const std::vector<BenchCase>& cases, const ChosenDriver& chosen) {
  BW_ASSIGN(const std::shared_ptr<tensor::Runtime> runtime,
            tensor::Runtime::create(chosen.driver(), bench_runtime_options(arguments.tuning_candidates)));
  nlohmann::ordered_json document;
  document["version"] = kDocumentVersion;
  document["device"] = "emulated";
  document["mode"] = "counters";
  document["cases"] = nlohmann::ordered_json::array();
  std::vector<std::string> failed;
  for (const BenchCase& one : cases) {
    const BenchResult result = count_case(one, runtime, *chosen.emulated);
    if (!result.status.is_ok()) failed.push_back(result.name);
    if (arguments.output == BenchOutput::kJson) {
      document["cases"].push_back(to_json(result));
    } else {
      BW_RETURN_IF_ERROR(write_out(to_text(result)));
    }
  }
  if (arguments.output == BenchOutput::kJson) BW_RETURN_IF_ERROR(write_out(document.dump(1) + "\n"));
  return failures(failed, cases.size());
}

Status run_counted(const BenchArguments& arguments, const GlobalOptions& options) {
  BW_ASSIGN(const std::vector<BenchCase> cases, choose_counted(arguments.filters));
  if (arguments.lists) return list_cases(cases);
  GlobalOptions global = options;
  global.counting = emulator::Counting::kOn;
  BW_ASSIGN(ChosenDriver chosen, choose_driver(global));
  if (!chosen.is_emulated()) {
    return error(StatusCode::kUnsupported,
                 "bench: a real card does not count (use --device emulated, or leave --counters out)");
  }
  return with_fault_reports(chosen, count_cases(arguments, cases, chosen));
}

// What the JSON says of the device, and in text a line on stderr.
void describe_machine(const BenchMachine& machine) {
  benchmark::AddCustomContext("device", machine.device_kind());
  benchmark::AddCustomContext("engine", machine.engine());
  benchmark::AddCustomContext("engine_of_host_costs", machine.host_cost_engine());
  benchmark::AddCustomContext("barewave_version", BAREWAVE_VERSION);
}

// In a process where this runtime opens nothing.
Status run_rocr_side(const BenchArguments& arguments, const GlobalOptions& options,
                     const std::vector<TimedCase>& cases) {
  TimedReport report(arguments.output);
  const RocrResults results =
      options.engine == emulator::ShaderEngine::kNone ? RocrResults::kNotExecuted : RocrResults::kVerified;
  BW_RETURN_IF_ERROR(
      run_rocr_cases(cases, arguments.hsa_library, arguments.repetitions, results, report).with_context("bench"));
  return report.finish();
}

Status run_timed(const BenchArguments& arguments, const GlobalOptions& options) {
  BW_ASSIGN(const std::vector<TimedCase> cases, choose_timed(arguments.filters));
  if (arguments.lists) return list_cases(cases);
  if (arguments.is_rocr_side) return run_rocr_side(arguments, options, cases);
  BW_ASSIGN(const std::unique_ptr<BenchMachine> machine, BenchMachine::create(options, arguments.tuning_candidates));
  describe_machine(*machine);
  std::vector<TimedResult> others;
  if (!arguments.compared_with.empty()) {
    const RocrOptions rocr{.library_path = arguments.hsa_library, .repetitions = arguments.repetitions};
    BW_ASSIGN(others, time_rocr(cases, *machine, rocr));
    benchmark::AddCustomContext("rocr_device", machine->is_emulated() ? "emulated (shim)" : machine->device_kind());
  }
  TimedReport report(arguments.output);
  if (arguments.output == BenchOutput::kText) {
    BW_RETURN_IF_ERROR(write_out(fmt::format("device: {}; engine: {}, for host costs: {}\n", machine->device_kind(),
                                             machine->engine(), machine->host_cost_engine())));
  }
  for (const TimedCase& one : cases) {
    run_timed_case(one, *machine, arguments.repetitions, report);
    BW_RETURN_IF_ERROR(report.written());
  }
  if (!arguments.compared_with.empty()) {
    report.add(others);
    if (arguments.output == BenchOutput::kText) {
      BW_RETURN_IF_ERROR(write_out(comparison_text(report.results(), *machine)));
    }
  }
  BW_RETURN_IF_ERROR(report.finish());
  return failures(report.failed(), cases.size());
}

}  // namespace

Command add_bench_command(CLI::App& app) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = app.add_subcommand(
      "bench",
      "Time submissions, copies and tensor programs, or count what programs execute and move on the emulated card; "
      "results are verified");
  command
      ->add_option("filter", arguments->filters.filters,
                   "Cases to run: whole names, parts of names, or regular expressions; all of them without any")
      ->type_name("FILTER");
  command->add_flag("--list", arguments->lists, "Show the cases instead of running them");
  auto* counters = command->add_flag(
      "--counters", arguments->counts,
      "Count instead of timing, exactly and the same each time: instructions by class, bytes by level, conflicts in "
      "LDS, registers. The emulated card's interpreter does it");
  command->add_flag_callback(
      "--json", [arguments] { arguments->output = BenchOutput::kJson; },
      "Print one JSON document: Google Benchmark's, or with --counters that of docs/bench.md");
  command
      ->add_option("--repetitions", arguments->repetitions,
                   "Times that each case runs and is timed, after one run that is verified; 0: for a fifth of a "
                   "second, or as often as the case says")
      ->check(CLI::Range(0, 1'000'000))
      ->type_name("N")
      ->capture_default_str()
      ->excludes(counters);
  command
      ->add_option("--model", arguments->filters.model_path,
                   "GGUF file for the case decode/MODEL (decode_step): one token through it")
      ->type_name("FILE");
  command
      ->add_option("--compare", arguments->compared_with,
                   "Time the same cases through ROCr's libhsa-runtime64.so.1 as well (dispatch, graph_replay, copy, "
                   "gemm, gemv), on "
                   "the same card or, emulated, under the shim; both sides beside each other")
      ->check(CLI::IsMember({"rocr"}))
      ->type_name("rocr")
      ->excludes(counters);
  command->add_flag("--rocr-only", arguments->is_rocr_side, "Time ROCr's side alone, in this process")
      ->excludes(counters);
  command->add_option("--hsa-library", arguments->hsa_library, "The HSA runtime for --compare and --rocr-only")
      ->type_name("FILE")
      ->capture_default_str();
  add_tune_option(*command, arguments->tuning_candidates);
  return [arguments](const GlobalOptions& options) {
    return arguments->counts ? run_counted(*arguments, options) : run_timed(*arguments, options);
  };
}

}  // namespace bw::tools
