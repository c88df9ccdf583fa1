// Handing work to the GPU: what it costs the host, and how long until the host knows of its end.
//
// Host costs are the calls alone: submit(), and wait() for a submission that has ended. What the GPU does in between is
// waited for by spinning, outside of the time, after each kDepth submissions in a row.
#include <fmt/format.h>
#include <immintrin.h>

#include <array>
#include <memory>
#include <span>
#include <utility>

#include "amdgpu/gfx11/abi.h"
#include "tools/barewave/bench/bench_machine.h"
#include "tools/barewave/bench/submission_cases.h"
#include "tools/barewave/bench/timed_case.h"

namespace bw::tools {
namespace {

using amdgpu::Buffer;
using amdgpu::CommandGraph;
using amdgpu::Device;
using amdgpu::ParameterId;
using amdgpu::Submission;

// Submissions that follow each other closely, without filling the ring.
constexpr size_t kDepth = 16;
constexpr int64_t kPatchedKernels = 100;
constexpr uint32_t kArgumentBytes = 64;

// A kernel that ends at once, and graphs of it.
class EmptyKernel {
 public:
  static Result<std::shared_ptr<EmptyKernel>> create(std::shared_ptr<Device> device) {
    auto self = std::make_shared<EmptyKernel>();
    self->device = std::move(device);
    const uint32_t code = kEndProgram;
    amdgpu::RawProgram program;
    program.name = "empty";
    program.code = std::as_bytes(std::span(&code, 1));
    program.pgm_rsrc2 = amdgpu::gfx11::compute_pgm_rsrc2::user_sgpr_count.set(0, 2);
    program.argument_size_bytes = kArgumentBytes;
    BW_ASSIGN(self->kernel, self->device->load_program(program));
    for (Buffer& buffer : self->buffers) {
      BW_ASSIGN(buffer, self->device->allocate(amdgpu::MemoryKind::kVram, 4096));
    }
    return self;
  }

  // `count` kernels, each of which reads what the one before has written. Each parameter is a dword of the arguments of
  // one of them.
  Result<CommandGraph> chain(int64_t count, int64_t parameter_count) {
    amdgpu::GraphRecorder recorder = device->record_graph();
    for (int64_t i = 0; i < parameter_count; ++i) parameters.push_back(recorder.parameter(4, 0));
    const std::vector<std::byte> arguments(kArgumentBytes);
    for (int64_t i = 0; i < count; ++i) {
      const amdgpu::BufferUse uses[] = {{&buffers[static_cast<size_t>(i % 2)], amdgpu::Access::kRead},
                                        {&buffers[static_cast<size_t>((i + 1) % 2)], amdgpu::Access::kWrite}};
      std::vector<amdgpu::ParameterUse> places;
      for (int64_t p = i; p < parameter_count; p += count) {
        places.push_back({parameters[static_cast<size_t>(p)], amdgpu::ParameterUse::Place::kArgument,
                          static_cast<uint32_t>(p / count % (kArgumentBytes / 4) * 4)});
      }
      recorder.launch({.kernel = kernel.get(), .arguments = arguments, .uses = uses, .parameters = places});
    }
    return recorder.finish();
  }

  std::shared_ptr<Device> device;
  std::unique_ptr<const amdgpu::Kernel> kernel;
  std::array<Buffer, 2> buffers;
  std::vector<ParameterId> parameters;
};

// Host costs of submissions, in groups that follow each other closely.
class HostCosts {
 public:
  explicit HostCosts(Device& device) : device_(device) {}

  // submit() of one more. Its time with that of its wait() goes to `times`, when the group is complete; null: nowhere.
  template <typename Submit>
  Status measure(const Submit& submit, IterationTimes* times) {
    Result<Submission> made = Submission{};
    const double time_ns = IterationTimes::measure([&] { made = submit(); });
    BW_RETURN_IF_ERROR(made.status());
    group_[count_++] = {made.value(), time_ns, times};
    return count_ == kDepth ? finish() : Status::ok();
  }

  // Ends the group: spins until the card has done its part, then waits for each.
  Status finish() {
    if (count_ == 0) return Status::ok();
    BW_RETURN_IF_ERROR(spin_until_done(group_[count_ - 1].submission));
    for (size_t i = 0; i < count_; ++i) {
      Status ended = Status::ok();
      const double wait_ns = IterationTimes::measure([&] { ended = device_.wait(group_[i].submission); });
      BW_RETURN_IF_ERROR(ended);
      if (group_[i].times != nullptr) group_[i].times->add(group_[i].time_ns + wait_ns);
    }
    count_ = 0;
    return Status::ok();
  }

 private:
  struct Submitted {
    Submission submission;
    double time_ns = 0;
    IterationTimes* times = nullptr;
  };

  // Looks at the timeline, but in the end asks the device, which knows of faults and of hangs.
  Status spin_until_done(Submission submission) {
    constexpr int kLooks = 100'000;
    for (int i = 0; i < kLooks; ++i) {
      if (device_.is_done(submission)) return Status::ok();
      _mm_pause();
    }
    return device_.wait(submission);
  }

  Device& device_;
  std::array<Submitted, kDepth> group_;
  size_t count_ = 0;
};

template <typename Submit>
Status time_host_costs(benchmark::State& state, Device& device, uint64_t kernel_count, const Submit& submit) {
  HostCosts costs(device);
  for (size_t i = 0; i < 2 * kDepth; ++i) BW_RETURN_IF_ERROR(costs.measure(submit, nullptr));
  IterationTimes times(state);
  while (state.KeepRunning()) BW_RETURN_IF_ERROR(costs.measure(submit, &times));
  BW_RETURN_IF_ERROR(costs.finish());
  times.report(kernel_count);
  return Status::ok();
}

std::string host_cost_label(const BenchMachine& machine) {
  return machine.host_cost_engine() == "none" ? "host time; nothing executed, no result to verify" : "host time";
}

Result<TimedRun> make_dispatch_host(BenchMachine& machine) {
  BW_ASSIGN(std::shared_ptr<Device> device, machine.host_cost_device());
  BW_ASSIGN(std::shared_ptr<EmptyKernel> empty, EmptyKernel::create(std::move(device)));
  BW_ASSIGN(const amdgpu::DirectDispatch dispatch,
            empty->device->prepare_dispatch(*empty->kernel, {1, 1, 1}, {64, 1, 1}));
  return TimedRun([empty, dispatch, label = host_cost_label(machine)](benchmark::State& state) {
    const std::vector<std::byte> arguments(dispatch.argument_bytes());
    state.SetLabel(label);
    return time_host_costs(state, *empty->device, 1, [&] { return empty->device->submit(dispatch, arguments); });
  });
}

Result<TimedRun> make_round_trip(BenchMachine& machine) {
  BW_ASSIGN(std::shared_ptr<Device> device, machine.device());
  BW_ASSIGN(std::shared_ptr<EmptyKernel> empty, EmptyKernel::create(std::move(device)));
  BW_ASSIGN(const amdgpu::DirectDispatch dispatch,
            empty->device->prepare_dispatch(*empty->kernel, {1, 1, 1}, {64, 1, 1}));
  return TimedRun([empty, dispatch](benchmark::State& state) {
    const std::vector<std::byte> arguments(dispatch.argument_bytes());
    IterationTimes times(state);
    while (state.KeepRunning()) {
      Status status = Status::ok();
      times.add(IterationTimes::measure([&] {
        const auto submitted = empty->device->submit(dispatch, arguments);
        status = submitted.is_ok() ? empty->device->wait(submitted.value()) : submitted.status();
      }));
      BW_RETURN_IF_ERROR(status);
    }
    times.report();
    state.SetLabel("from the submission of an empty kernel until the host, spinning, knows of its end");
    return Status::ok();
  });
}

struct Replayed {
  std::shared_ptr<EmptyKernel> kernel;
  CommandGraph graph;
};

Result<std::shared_ptr<Replayed>> make_replayed(BenchMachine& machine, int64_t kernels, int64_t parameters) {
  auto replayed = std::make_shared<Replayed>();
  BW_ASSIGN(std::shared_ptr<Device> device, machine.host_cost_device());
  BW_ASSIGN(replayed->kernel, EmptyKernel::create(std::move(device)));
  BW_ASSIGN(replayed->graph, replayed->kernel->chain(kernels, parameters));
  return replayed;
}

Result<TimedRun> make_replay(BenchMachine& machine, int64_t kernels) {
  BW_ASSIGN(const std::shared_ptr<Replayed> replayed, make_replayed(machine, kernels, 0));
  return TimedRun([replayed, kernels, label = host_cost_label(machine)](benchmark::State& state) {
    Device& device = *replayed->kernel->device;
    state.SetLabel(label);
    return time_host_costs(state, device, static_cast<uint64_t>(kernels),
                           [&] { return device.submit(replayed->graph); });
  });
}

// Replays with all parameters changed take turns with replays of the same graph as it is; the difference of their
// medians is what the parameters cost.
Status time_patches(benchmark::State& state, Replayed& replayed) {
  Device& device = *replayed.kernel->device;
  HostCosts costs(device);
  IterationTimes patched(state), unpatched(state, IterationTimes::Of::kBeside);
  uint32_t value = 0;
  const auto change_and_submit = [&]() -> Result<Submission> {
    ++value;
    for (const ParameterId parameter : replayed.kernel->parameters) {
      BW_RETURN_IF_ERROR(replayed.graph.set(parameter, value));
    }
    return device.submit(replayed.graph);
  };
  while (state.KeepRunning()) {
    BW_RETURN_IF_ERROR(costs.measure([&] { return device.submit(replayed.graph); }, &unpatched));
    BW_RETURN_IF_ERROR(costs.measure(change_and_submit, &patched));
  }
  BW_RETURN_IF_ERROR(costs.finish());
  patched.report();
  state.counters["unpatched_p50"] = unpatched.median_ns();
  state.counters["p50_per_parameter"] =
      (patched.median_ns() - unpatched.median_ns()) / static_cast<double>(replayed.kernel->parameters.size());
  return Status::ok();
}

Result<TimedRun> make_patched_replay(BenchMachine& machine, int64_t parameters) {
  BW_ASSIGN(const std::shared_ptr<Replayed> replayed, make_replayed(machine, kPatchedKernels, parameters));
  return TimedRun([replayed, label = host_cost_label(machine)](benchmark::State& state) {
    state.SetLabel(label);
    return time_patches(state, *replayed);
  });
}

}  // namespace

int64_t host_cost_iterations(int64_t kernels) {
  return kernels <= 100 ? 20'000 : 2'000;
}

TimedCase replay_case(int64_t kernels) {
  return {.name = fmt::format("graph_replay/{}", kernels),
          .alias = "",
          .summary =
              fmt::format("host time of a replay of a graph: a chain of {} kernel{}", kernels, kernels == 1 ? "" : "s"),
          .iterations = host_cost_iterations(kernels),
          .make = [kernels](BenchMachine& machine) { return make_replay(machine, kernels); }};
}

void add_submission_cases(std::vector<TimedCase>* cases) {
  cases->push_back({.name = "dispatch/host",
                    .alias = "",
                    .summary = "host time of one kernel: submit(), and wait() when it has ended",
                    .iterations = host_cost_iterations(1),
                    .make = make_dispatch_host});
  cases->push_back({.name = "dispatch/round_trip",
                    .alias = "",
                    .summary = "from the submission of an empty kernel until the host knows of its end",
                    .iterations = 0,
                    .make = make_round_trip});
  for (const int64_t kernels : {1, 10, 100, 1000}) cases->push_back(replay_case(kernels));
  for (const int64_t parameters : {10, 100, 1000}) {
    cases->push_back(
        {.name = fmt::format("graph_replay_patched/{}", parameters),
         .alias = "",
         .summary =
             fmt::format("host time of a replay of {} kernels with {} parameters changed", kPatchedKernels, parameters),
         .iterations = 5'000,
         .make = [parameters](BenchMachine& machine) { return make_patched_replay(machine, parameters); }});
  }
}

}  // namespace bw::tools
