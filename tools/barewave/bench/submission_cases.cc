// Handing work to the GPU: what it costs the host, and how long until the host knows of its end.
//
// Host costs are the calls alone: kDepth times submit(), and wait() for each when all have ended. What the GPU does in
// between is waited for by spinning, outside of the time. The clock is read once for each kDepth: a reading takes about
// as long as half a call.
#include <fmt/format.h>
#include <immintrin.h>

#include <algorithm>
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
// Their packets fit the ring.
constexpr size_t kPatchesInARow = 2000;
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

// Looks at the timeline, but in the end asks the device, which knows of faults and of hangs.
Status spin_until_done(Device& device, Submission submission) {
  constexpr int kLooks = 100'000;
  for (int i = 0; i < kLooks; ++i) {
    if (device.is_done(submission)) return Status::ok();
    _mm_pause();
  }
  return device.wait(submission);
}

// What `depth` submissions in a row, at most kDepth, and later a wait for each, cost the host, divided by `depth`;
// nanoseconds.
template <typename Submit>
Result<double> host_cost_ns(Device& device, const Submit& submit, size_t depth = kDepth) {
  std::array<Submission, kDepth> submissions;
  const std::span<Submission> group = std::span(submissions).first(depth);
  Status status = Status::ok();
  double time_ns = IterationTimes::measure([&] {
    for (Submission& one : group) {
      Result<Submission> made = submit();
      if (!made.is_ok()) return void(status = std::move(made).status());
      one = made.value();
    }
  });
  BW_RETURN_IF_ERROR(status);
  BW_RETURN_IF_ERROR(spin_until_done(device, group.back()));
  time_ns += IterationTimes::measure([&] {
    for (const Submission& one : group) {
      if (Status ended = device.wait(one); !ended.is_ok()) status = std::move(ended);
    }
  });
  BW_RETURN_IF_ERROR(status);
  return time_ns / static_cast<double>(depth);
}

template <typename Submit>
Status time_host_costs(benchmark::State& state, Device& device, uint64_t kernel_count, const Submit& submit) {
  for (int i = 0; i < 2; ++i) BW_RETURN_IF_ERROR(host_cost_ns(device, submit).status());
  IterationTimes times(state);
  while (state.KeepRunningBatch(kDepth)) {
    BW_ASSIGN(const double time_ns, host_cost_ns(device, submit));
    times.add(time_ns, kDepth);
  }
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

// Groups of replays with all parameters changed take turns with groups of the same graph as it is; the difference of
// their medians is what the parameters cost.
Status time_patches(benchmark::State& state, Replayed& replayed) {
  Device& device = *replayed.kernel->device;
  const size_t depth = std::clamp<size_t>(kPatchesInARow / replayed.kernel->parameters.size(), 1, kDepth);
  IterationTimes patched(state), unpatched(state, IterationTimes::Of::kBeside);
  uint32_t value = 0;
  const auto change_and_submit = [&]() -> Result<Submission> {
    ++value;
    for (const ParameterId parameter : replayed.kernel->parameters) {
      BW_RETURN_IF_ERROR(replayed.graph.set(parameter, value));
    }
    return device.submit(replayed.graph);
  };
  while (state.KeepRunningBatch(static_cast<int64_t>(depth))) {
    BW_ASSIGN(const double unpatched_ns, host_cost_ns(
                                             device, [&] { return device.submit(replayed.graph); }, depth));
    unpatched.add(unpatched_ns, depth);
    BW_ASSIGN(const double patched_ns, host_cost_ns(device, change_and_submit, depth));
    patched.add(patched_ns, depth);
  }
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
  return kernels <= 100 ? 20'000 : 6'000;  // several times around the ring
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
