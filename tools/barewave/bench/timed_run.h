// Owns: running timed cases by Google Benchmark, and showing what came of them as text or as Google Benchmark's JSON.
// Not here: the cases.
#pragma once

#include <benchmark/benchmark.h>

#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/status.h"
#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/bench_machine.h"
#include "tools/barewave/bench/timed_case.h"

namespace bw::tools {

enum class BenchOutput : uint8_t { kText, kJson };

using TimedResult = benchmark::BenchmarkReporter::Run;

// Takes results as they come, and passes them on to the reporter that shows them.
class TimedReport : public benchmark::BenchmarkReporter {
 public:
  explicit TimedReport(BenchOutput output);

  // Called by Google Benchmark, once for each case.
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  // Shows results that were had elsewhere.
  void add(const std::vector<TimedResult>& results);
  const std::vector<TimedResult>& results() const { return results_; }
  // Names of the cases that failed.
  std::vector<std::string> failed() const;
  // Of the JSON document, its end; writes what has not been written.
  Status finish();
  // The first failure to write to stdout.
  const Status& written() const { return written_; }

 private:
  void show(const std::vector<TimedResult>& results);

  BenchOutput output_;
  bool has_context_ = false;
  std::ostringstream document_;
  std::unique_ptr<benchmark::BenchmarkReporter> json_;  // writes to document_
  std::vector<TimedResult> results_;
  Status written_;
};

// A case and what it runs on.
struct BoundCase {
  std::string name;
  int64_t iterations = 0;  // 0: for a fifth of a second
  std::function<Result<TimedRun>()> make;
  std::function<Status(Status)> explain;  // adds what the machine knows of a failure
};

// All of the state's iterations of a program.
Status time_program(benchmark::State& state, const BenchProgram& program);

// Makes the case and runs it. Failures are results, too.
void run_bound_case(const BoundCase& one, TimedReport& report);
// `iterations`: instead of the case's own number; 0: as the case says.
void run_timed_case(const TimedCase& one, BenchMachine& machine, int64_t iterations, TimedReport& report);

std::string duration_text(double time_ns);
// To stdout; an error if it cannot be written.
Status write_out(const std::string& text);

}  // namespace bw::tools
