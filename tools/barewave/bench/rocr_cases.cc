#include "tools/barewave/bench/rocr_cases.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/bench_machine.h"
#include "tools/barewave/bench/rocr_executor.h"
#include "tools/barewave/bench/rocr_machine.h"
#include "tools/barewave/bench/submission_cases.h"

namespace bw::tools {
namespace {

using MachinePtr = std::shared_ptr<RocrMachine>;

enum class CopyDirection : uint8_t { kHostToDevice, kDeviceToHost };

constexpr size_t kDepth = 16;  // dispatches in a row, as on this runtime's side

std::optional<uint64_t> size_behind(const std::string& name, std::string_view family) {
  if (!name.starts_with(family)) return std::nullopt;
  uint64_t size = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, problem] = std::from_chars(name.data() + family.size(), end, size);
  if (problem != std::errc() || stop != end || size == 0) return std::nullopt;
  return size;
}

Result<TimedRun> make_dispatch_host(const MachinePtr& machine) {
  BW_ASSIGN(const std::vector<hsa::Signal> signals, machine->make_signals(kDepth));
  return TimedRun([machine, signals](benchmark::State& state) {
    IterationTimes times(state);
    while (state.KeepRunningBatch(kDepth)) {
      machine->wait_for_room(kDepth);
      double time_ns = IterationTimes::measure([&] {
        for (const hsa::Signal signal : signals) machine->dispatch(signal);
      });
      BW_RETURN_IF_ERROR(machine->spin_until_done(signals.back()));
      time_ns += IterationTimes::measure([&] {
        for (const hsa::Signal signal : signals) machine->wait(signal);
      });
      times.add(time_ns / kDepth, kDepth);
    }
    times.report();
    state.SetLabel("host time; signal, arguments, packet, header, doorbell, active wait for one that has ended");
    return Status::ok();
  });
}

Result<TimedRun> make_round_trip(const MachinePtr& machine) {
  BW_ASSIGN(const std::vector<hsa::Signal> signals, machine->make_signals(1));
  return TimedRun([machine, signal = signals.front()](benchmark::State& state) {
    IterationTimes times(state);
    while (state.KeepRunning()) {
      times.add(IterationTimes::measure([&] {
        machine->dispatch(signal);
        machine->wait(signal);
      }));
    }
    times.report();
    state.SetLabel("from the packet of an empty kernel until hsa_signal_wait, active, returns");
    return Status::ok();
  });
}

// kEach: as launches through ROCr are, each with signal and doorbell. kOnce: the least that AQL asks for, one doorbell
// for all and a signal for the last.
enum class Doorbells : uint8_t { kEach, kOnce };

void dispatch_all(RocrMachine& machine, std::span<const hsa::Signal> signals, Doorbells doorbells) {
  if (doorbells == Doorbells::kEach) {
    for (const hsa::Signal signal : signals) machine.dispatch(signal);
    return;
  }
  for (size_t i = 0; i + 1 < signals.size(); ++i) machine.write({});
  machine.ring(machine.write(signals.back()));
}

// Short chains several times in a row, so that kDepth kernels share the cost of reading the clock.
Result<TimedRun> make_chain(const MachinePtr& machine, uint64_t kernels, Doorbells doorbells) {
  const uint64_t chains = (kDepth + kernels - 1) / kernels;
  BW_ASSIGN(const std::vector<hsa::Signal> signals, machine->make_signals(kernels * chains));
  return TimedRun([machine, signals, kernels, chains, doorbells](benchmark::State& state) {
    IterationTimes times(state);
    while (state.KeepRunningBatch(static_cast<int64_t>(chains))) {
      machine->wait_for_room(signals.size());
      double time_ns = IterationTimes::measure([&] {
        std::span<const hsa::Signal> rest = signals;
        for (; !rest.empty(); rest = rest.subspan(kernels)) dispatch_all(*machine, rest.first(kernels), doorbells);
      });
      BW_RETURN_IF_ERROR(machine->spin_until_done(signals.back()));
      time_ns += IterationTimes::measure([&] {
        for (size_t last = kernels - 1; last < signals.size(); last += kernels) machine->wait(signals[last]);
      });
      times.add(time_ns / static_cast<double>(chains), chains);
    }
    times.report(kernels);
    state.SetLabel(doorbells == Doorbells::kEach
                       ? "host time; one packet a kernel, each with signal and doorbell, one wait for the last"
                       : "host time; one packet a kernel, one doorbell and one signal for all");
    return Status::ok();
  });
}

Result<TimedRun> make_copy(const MachinePtr& machine, CopyDirection direction, uint64_t size_bytes) {
  BW_ASSIGN(void* const device, machine->allocate_device(size_bytes));
  auto host = std::make_shared<std::vector<std::byte>>(size_bytes, std::byte{0x5a});
  const hsa::Functions& f = machine->functions();
  BW_RETURN_IF_ERROR(hsa::check(f, f.memory_copy(device, host->data(), size_bytes), "hsa_memory_copy"));
  return TimedRun([machine, device, host, direction](benchmark::State& state) {
    const hsa::Functions& functions = machine->functions();
    const bool is_up = direction == CopyDirection::kHostToDevice;
    void* const to = is_up ? device : host->data();
    const void* const from = is_up ? host->data() : device;
    IterationTimes times(state);
    while (state.KeepRunning()) {
      hsa::Code code = 0;
      times.add(IterationTimes::measure([&] { code = functions.memory_copy(to, from, host->size()); }));
      BW_RETURN_IF_ERROR(hsa::check(functions, code, "hsa_memory_copy"));
    }
    times.report();
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(host->size()));
    state.SetLabel("hsa_memory_copy");
    return Status::ok();
  });
}

// This runtime's program, by ROCr.
Result<TimedRun> make_product(const MachinePtr& machine, const BenchCase& one, RocrResults results) {
  BW_ASSIGN(auto executor, RocrExecutor::create(machine, bench_runtime_options(0)));
  BW_ASSIGN(BenchProgram made, one.make(tensor::Runtime::create(std::move(executor))));
  auto program = std::make_shared<const BenchProgram>(std::move(made));
  BW_RETURN_IF_ERROR(program->run());
  if (results == RocrResults::kVerified) BW_RETURN_IF_ERROR(program->verify());
  return TimedRun([program](benchmark::State& state) {
    state.SetLabel("the same code objects, loaded by ROCr; packet, doorbell and hsa_signal_wait");
    return time_program(state, *program);
  });
}

void run_one(const std::string& name, int64_t iterations, std::function<Result<TimedRun>()> make, TimedReport& report) {
  run_bound_case({.name = "rocr/" + name,
                  .iterations = iterations,
                  .make = std::move(make),
                  .explain = [](Status status) { return status; }},
                 report);
}

void run_chains(const MachinePtr& machine, uint64_t kernels, int64_t iterations, TimedReport& report) {
  run_one(
      fmt::format("graph_replay/{}", kernels), iterations,
      [=] { return make_chain(machine, kernels, Doorbells::kEach); }, report);
  run_one(
      fmt::format("graph_replay_one_doorbell/{}", kernels), iterations,
      [=] { return make_chain(machine, kernels, Doorbells::kOnce); }, report);
}

}  // namespace

RocrCase rocr_case_of(const std::string& name) {
  const auto kernels = size_behind(name, "graph_replay/");
  if (name == "dispatch/host" || (kernels && *kernels < RocrMachine::kQueuePackets)) return RocrCase::kHostCost;
  const bool is_copy = size_behind(name, "copy/h2d/") || size_behind(name, "copy/d2h/");
  const bool is_executed = name == "dispatch/round_trip" || is_copy || !shaped_case(name).empty();
  return is_executed ? RocrCase::kExecuted : RocrCase::kNone;
}

Status run_rocr_cases(const std::vector<TimedCase>& cases, const std::string& library_path, int64_t iterations,
                      RocrResults results, TimedReport& report) {
  BW_ASSIGN(std::unique_ptr<RocrMachine> opened, RocrMachine::create(library_path));
  const MachinePtr machine = std::move(opened);
  benchmark::AddCustomContext("rocr_hsa_version", machine->version());
  for (const TimedCase& one : cases) {
    if (rocr_case_of(one.name) == RocrCase::kNone) continue;
    const int64_t times = iterations != 0 ? iterations : one.iterations;
    const std::vector<BenchCase> product = shaped_case(one.name);
    if (!product.empty()) {
      run_one(
          one.name, times, [=] { return make_product(machine, product.front(), results); }, report);
    } else if (const auto kernels = size_behind(one.name, "graph_replay/")) {
      run_chains(machine, *kernels, times, report);
    } else if (const auto up = size_behind(one.name, "copy/h2d/")) {
      run_one(
          one.name, times, [=] { return make_copy(machine, CopyDirection::kHostToDevice, *up); }, report);
    } else if (const auto down = size_behind(one.name, "copy/d2h/")) {
      run_one(
          one.name, times, [=] { return make_copy(machine, CopyDirection::kDeviceToHost, *down); }, report);
    } else if (one.name == "dispatch/host") {
      run_one(
          one.name, times, [=] { return make_dispatch_host(machine); }, report);
    } else {
      run_one(
          one.name, times, [=] { return make_round_trip(machine); }, report);
    }
  }
  return Status::ok();
}

}  // namespace bw::tools
