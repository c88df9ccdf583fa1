#include "tools/barewave/bench/timed_run.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

namespace bw::tools {
namespace {

// Where a case does not say how often it runs.
constexpr double kSeconds = 0.2;

double counter(const TimedResult& result, const char* name) {
  const auto found = result.counters.find(name);
  return found == result.counters.end() ? 0 : found->second.value;
}

std::string rate_text(const TimedResult& result, const char* name, const char* unit) {
  double value = counter(result, name);
  if (value == 0) return "";
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  for (; value >= 1000 && prefix + 1 < std::size(kPrefixes); ++prefix) value /= 1000;
  return fmt::format("  {:.4g} {}{}", value, kPrefixes[prefix], unit);
}

std::string part_text(const TimedResult& result, const char* name, const char* part) {
  const double value = counter(result, name);
  return value == 0 ? "" : fmt::format("  {:.1f} ns a {}", value, part);
}

std::string text_of(const TimedResult& result) {
  const std::string name = result.benchmark_name();
  if (result.error_occurred) return fmt::format("{:<28} FAILED: {}\n", name, result.error_message);
  std::string text = fmt::format("{:<28} p50 {:>9}  p99 {:>9}  mean {:>9}  of {}", name,
                                 duration_text(counter(result, "p50")), duration_text(counter(result, "p99")),
                                 duration_text(result.GetAdjustedRealTime()), result.iterations);
  text += rate_text(result, "bytes_per_second", "B/s") + rate_text(result, "flops", "FLOP/s");
  text += rate_text(result, "tokens", "tokens/s");
  text += part_text(result, "p50_per_kernel", "kernel") + part_text(result, "p50_per_parameter", "parameter");
  if (!result.report_label.empty()) text += fmt::format("  ({})", result.report_label);
  return text + "\n";
}

// Keeps what the case has prepared for all runs that Google Benchmark makes while it looks for a number of iterations.
class Runner {
 public:
  explicit Runner(const BoundCase& one) : case_(one) {}

  void operator()(benchmark::State& state) {
    Status status = prepare();
    if (status.is_ok()) status = (*run_)(state);
    if (!status.is_ok()) state.SkipWithError(case_.explain(std::move(status)).message().c_str());
  }

 private:
  Status prepare() {
    if (run_) return Status::ok();
    BW_ASSIGN(run_, case_.make());
    return Status::ok();
  }

  const BoundCase& case_;
  std::optional<TimedRun> run_;
};

// What came out, where the card has executed the program.
Status verified_once(const BenchProgram& program, const BenchMachine& machine) {
  BW_RETURN_IF_ERROR(program.run());
  return machine.executes() ? program.verify() : Status::ok();
}

}  // namespace

Status time_program(benchmark::State& state, const BenchProgram& program) {
  IterationTimes times(state);
  while (state.KeepRunning()) {
    Status status = Status::ok();
    times.add(IterationTimes::measure([&] { status = program.run(); }));
    BW_RETURN_IF_ERROR(status);
  }
  times.report();
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(program.minimum_bytes));
  if (program.flops != 0) {
    state.counters["flops"] = benchmark::Counter(program.flops, benchmark::Counter::kIsIterationInvariantRate);
  }
  if (program.tokens != 0) {
    state.counters["tokens"] = benchmark::Counter(program.tokens, benchmark::Counter::kIsIterationInvariantRate);
  }
  state.counters["launches"] = static_cast<double>(program.launches().size());
  return Status::ok();
}

std::string duration_text(double time_ns) {
  if (time_ns < 1e3) return fmt::format("{:.1f} ns", time_ns);
  if (time_ns < 1e6) return fmt::format("{:.2f} us", time_ns / 1e3);
  if (time_ns < 1e9) return fmt::format("{:.2f} ms", time_ns / 1e6);
  return fmt::format("{:.2f} s", time_ns / 1e9);
}

Status write_out(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return Status::from_errno(errno, "writing the results to stdout");
  }
  return Status::ok();
}

TimedReport::TimedReport(BenchOutput output) : output_(output) {
  if (output_ == BenchOutput::kText) return;
  json_ = std::make_unique<benchmark::JSONReporter>();
  json_->SetOutputStream(&document_);
  json_->SetErrorStream(&document_);
}

bool TimedReport::ReportContext(const Context& context) {
  if (json_ != nullptr && !has_context_) json_->ReportContext(context);
  has_context_ = true;
  return true;
}

void TimedReport::ReportRuns(const std::vector<Run>& runs) {
  std::vector<Run> renamed = runs;
  for (Run& run : renamed) use_plain_name(run);
  add(renamed);
}

void TimedReport::add(const std::vector<TimedResult>& results) {
  results_.insert(results_.end(), results.begin(), results.end());
  show(results);
}

void TimedReport::show(const std::vector<TimedResult>& results) {
  if (json_ != nullptr) {
    json_->ReportRuns(results);
    return;
  }
  for (const TimedResult& result : results) {
    if (written_.is_ok()) written_ = write_out(text_of(result));
  }
}

std::vector<std::string> TimedReport::failed() const {
  std::vector<std::string> names;
  for (const TimedResult& result : results_) {
    if (result.error_occurred) names.push_back(result.benchmark_name());
  }
  return names;
}

Status TimedReport::finish() {
  if (json_ != nullptr) {
    json_->Finalize();
    if (written_.is_ok()) written_ = write_out(document_.str());
  }
  return written_;
}

void run_bound_case(const BoundCase& one, TimedReport& report) {
  auto* registered = benchmark::RegisterBenchmark(one.name.c_str(), Runner(one));
  registered->UseManualTime()->Unit(benchmark::kNanosecond);
  if (one.iterations != 0) {
    registered->Iterations(one.iterations);
  } else {
    registered->MinTime(kSeconds);
  }
  benchmark::RunSpecifiedBenchmarks(&report, ".");
  benchmark::ClearRegisteredBenchmarks();  // and what they keep
}

void run_timed_case(const TimedCase& one, BenchMachine& machine, int64_t iterations, TimedReport& report) {
  run_bound_case({.name = one.name,
                  .iterations = iterations != 0 ? iterations : one.iterations,
                  .make = [&] { return one.make(machine); },
                  .explain = [&](Status status) { return machine.with_fault_reports(std::move(status)); }},
                 report);
}

TimedCase timed_case_of(const BenchCase& one) {
  const auto make = [make_program = one.make](BenchMachine& machine) -> Result<TimedRun> {
    BW_ASSIGN(const auto runtime, machine.runtime());
    BW_ASSIGN(BenchProgram made, make_program(runtime));
    auto program = std::make_shared<const BenchProgram>(std::move(made));
    BW_RETURN_IF_ERROR(verified_once(*program, machine));
    return TimedRun([program, executes = machine.executes()](benchmark::State& state) {
      if (!executes) state.SetLabel("host time; nothing executed, no result to verify");
      return time_program(state, *program);
    });
  };
  const bool has_two_names = !one.timed_name.empty();
  return {.name = has_two_names ? one.timed_name : one.name,
          .alias = has_two_names ? one.name : "",
          .summary = one.summary,
          .iterations = 0,
          .make = make};
}

}  // namespace bw::tools
