// Owns: what a timed benchmark is, to Google Benchmark and to those who write cases; the times of its iterations. Not
// here: choosing and running them (timed_run.h), programs that can be counted as well (bench_case.h).
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace bw::tools {

class BenchMachine;
struct BenchCase;

// Of one run of a case. Each iteration gives its own time, so that what is not measured (waiting, say) may happen in
// between, and the median and 99th percentile are known.
class IterationTimes {
 public:
  using Clock = std::chrono::steady_clock;

  // kBeside: times that are not those of the state's iterations.
  enum class Of : uint8_t { kIterations, kBeside };

  explicit IterationTimes(benchmark::State& state, Of of = Of::kIterations) : state_(state), of_(of) {}

  // Nanoseconds that `action` takes, with one reading of the clock (some 20 ns).
  template <typename Action>
  static double measure(const Action& action) {
    const auto begin = Clock::now();
    action();
    return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
  }

  // The iteration that is on its way took so long; or so many of them, on average.
  void add(double time_ns, size_t iterations = 1) {
    times_ns_.push_back(time_ns);
    if (of_ == Of::kIterations) state_.SetIterationTime(time_ns * static_cast<double>(iterations) * 1e-9);
  }
  // Counters p50 and p99, in nanoseconds, and for `parts` above 1 their p50 for each (kernel, parameter), too.
  void report(uint64_t parts = 1);
  double median_ns();

 private:
  double quantile(double part);

  benchmark::State& state_;
  Of of_;
  std::vector<double> times_ns_;
};

// A case, prepared. Runs one Google Benchmark run: all of the state's iterations, manual time.
using TimedRun = std::function<Status(benchmark::State&)>;

struct TimedCase {
  std::string name;
  std::string alias;    // another name by which it is found; "": none
  std::string summary;  // what is measured
  // Of cases that wait, outside of the time, for much longer than what they time. 0: for a fifth of a second.
  int64_t iterations = 0;
  std::function<Result<TimedRun>(BenchMachine&)> make;
};

// Google Benchmark's console and JSON reporters call a case by what it was registered as, with its settings behind it;
// here names are those of the list.
inline void use_plain_name(benchmark::BenchmarkReporter::Run& run) {
  const std::string name = run.run_name.function_name;
  run.run_name = {};
  run.run_name.function_name = name;
}

// A program that is timed, in timed_run.cc.
TimedCase timed_case_of(const BenchCase& one);

void add_submission_cases(std::vector<TimedCase>* cases);
void add_copy_cases(std::vector<TimedCase>* cases);
// graph_replay/N and copy/WAY/BYTES for other numbers than those of the list; nothing for other names.
std::vector<TimedCase> sized_case(const std::string& name);

}  // namespace bw::tools
