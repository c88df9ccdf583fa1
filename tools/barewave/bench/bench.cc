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
  int64_t repetitions = 0;  // 0: as the case says
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
  benchmark::AddCustomContext("device", machine.is_emulated() ? "emulated" : "real");
  benchmark::AddCustomContext("engine", machine.engine());
  benchmark::AddCustomContext("engine_of_host_costs", machine.host_cost_engine());
  benchmark::AddCustomContext("barewave_version", BAREWAVE_VERSION);
}

Status run_timed(const BenchArguments& arguments, const GlobalOptions& options) {
  BW_ASSIGN(const std::vector<TimedCase> cases, choose_timed(arguments.filters));
  if (arguments.lists) return list_cases(cases);
  BW_ASSIGN(const std::unique_ptr<BenchMachine> machine, BenchMachine::create(options, arguments.tuning_candidates));
  describe_machine(*machine);
  TimedReport report(arguments.output);
  if (arguments.output == BenchOutput::kText) {
    BW_RETURN_IF_ERROR(write_out(fmt::format("device: {}; engine: {}, for host costs: {}\n",
                                             machine->is_emulated() ? "emulated" : "real", machine->engine(),
                                             machine->host_cost_engine())));
  }
  for (const TimedCase& one : cases) {
    run_timed_case(one, *machine, arguments.repetitions, report);
    BW_RETURN_IF_ERROR(report.written());
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
  add_tune_option(*command, arguments->tuning_candidates);
  return [arguments](const GlobalOptions& options) {
    return arguments->counts ? run_counted(*arguments, options) : run_timed(*arguments, options);
  };
}

}  // namespace bw::tools
