#include "tools/barewave/bench/rocr_compare.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "tools/barewave/bench/rocr_cases.h"

namespace bw::tools {
namespace {

using nlohmann::json;

constexpr const char* kPrefix = "rocr/";

// Runs a program to its end; what it writes to stdout. stderr is this process's.
Result<std::string> output_of(std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Status::from_errno(errno, "making a pipe");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int failure = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t count = 1; failure == 0 && count != 0;) {
    count = ::read(ends[0], part.data(), part.size());
    if (count < 0 && errno != EINTR) break;
    if (count > 0) text.append(part.data(), static_cast<size_t>(count));
  }
  ::close(ends[0]);
  if (failure != 0) return Status::from_errno(failure, fmt::format("starting {}", words[0]));
  int ended = 0;
  while (::waitpid(child, &ended, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return text;
  if (WIFSIGNALED(ended)) return error(StatusCode::kDeviceFault, "ROCr's side was ended by signal {}", WTERMSIG(ended));
  return error(StatusCode::kDeviceFault, "ROCr's side ended with status {} (its message stands above)",
               WEXITSTATUS(ended));
}

TimedResult result_from(const json& one) {
  TimedResult result;
  result.run_name.function_name = one.at("name").get<std::string>();
  result.run_type = TimedResult::RT_Iteration;
  result.report_label = one.value("label", "");
  result.error_occurred = one.value("error_occurred", false);
  result.error_message = one.value("error_message", "");
  result.iterations = one.value("iterations", int64_t{0});
  result.real_accumulated_time = one.value("real_time", 0.0) * 1e-9 * static_cast<double>(result.iterations);
  result.cpu_accumulated_time = one.value("cpu_time", 0.0) * 1e-9 * static_cast<double>(result.iterations);
  result.time_unit = benchmark::kNanosecond;
  for (const char* name : {"p50", "p99", "p50_per_kernel", "bytes_per_second", "flops", "launches"}) {
    if (one.contains(name)) result.counters[name] = one.at(name).get<double>();
  }
  return result;
}

Result<std::vector<TimedResult>> read_results(const std::string& text) {
  const json document = json::parse(text, nullptr, false);
  const bool has_results = document.is_object() && document.contains("benchmarks");
  if (!has_results) return error(StatusCode::kDataLoss, "ROCr's side wrote {} bytes that are no result", text.size());
  std::vector<TimedResult> results;
  for (const json& one : document["benchmarks"]) {
    if (one.is_object() && one.contains("name")) results.push_back(result_from(one));
  }
  return results;
}

// The cases of one kind, in one process.
Result<std::vector<TimedResult>> time_kind(const std::vector<TimedCase>& cases, RocrCase kind,
                                           const BenchMachine& machine, const RocrOptions& options) {
  std::error_code failure;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", failure).string();
  if (failure) return Status::from_errno(failure.value(), "looking for this program");
  std::vector<std::string> words = {self};
  if (machine.is_emulated()) {
    const std::string engine = kind == RocrCase::kHostCost ? machine.host_cost_engine() : machine.engine();
    words.insert(words.end(), {"--engine", engine, "shim", "--", self, "--device", "kfd", "--engine", engine});
  }
  words.insert(words.end(), {"bench", "--rocr-only", "--json", "--hsa-library", options.library_path, "--repetitions",
                             std::to_string(options.repetitions)});
  const size_t without_cases = words.size();
  for (const TimedCase& one : cases) {
    if (rocr_case_of(one.name) == kind) words.push_back(one.name);
  }
  if (words.size() == without_cases) return std::vector<TimedResult>();
  BW_ASSIGN(const std::string text, output_of(std::move(words)));
  return read_results(text);
}

const TimedResult* find(const std::vector<TimedResult>& results, const std::string& name) {
  const auto found = std::find_if(results.begin(), results.end(),
                                  [&](const TimedResult& one) { return one.benchmark_name() == name; });
  return found == results.end() || found->error_occurred ? nullptr : &*found;
}

// ROCr's other way to do the same, if any.
std::string one_doorbell_name(const std::string& name) {
  constexpr std::string_view kFamily = "graph_replay/";
  return name.starts_with(kFamily) ? fmt::format("graph_replay_one_doorbell/{}", name.substr(kFamily.size())) : "";
}

}  // namespace

Result<std::vector<TimedResult>> time_rocr(const std::vector<TimedCase>& cases, const BenchMachine& machine,
                                           const RocrOptions& options) {
  std::vector<TimedResult> all;
  for (const RocrCase kind : {RocrCase::kHostCost, RocrCase::kExecuted}) {
    BW_ASSIGN(const std::vector<TimedResult> results, time_kind(cases, kind, machine, options));
    all.insert(all.end(), results.begin(), results.end());
  }
  return all;
}

std::string comparison_text(const std::vector<TimedResult>& results, const BenchMachine& machine) {
  std::string rows;
  for (const TimedResult& own : results) {
    const std::string name = own.benchmark_name();
    if (own.error_occurred || name.starts_with(kPrefix)) continue;
    for (const std::string& other_name : {name, one_doorbell_name(name)}) {
      const TimedResult* other = find(results, kPrefix + other_name);
      if (other == nullptr) continue;
      const double own_ns = own.counters.at("p50").value, other_ns = other->counters.at("p50").value;
      rows += fmt::format("{:<32}{:>14}{:>14}{:>10.2f}x\n", other_name, duration_text(own_ns), duration_text(other_ns),
                          own_ns == 0 ? 0 : other_ns / own_ns);
    }
  }
  if (rows.empty()) return "no case that both sides have\n";
  return fmt::format(
      "\nMedians, on the same kind of card ({}); the labels above say what each side "
      "did.\n{:<32}{:>14}{:>14}{:>11}\n{}",
      machine.device_kind(), "case", "barewave", "ROCr", "ROCr is", rows);
}

}  // namespace bw::tools
