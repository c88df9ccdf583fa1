// Host time of handing work to the GPU, alone: the emulated card executes nothing (ShaderEngine::kNone), and each
// submission is timed by itself, with the queue empty. The median is what counts: on a machine with other work to do
// the mean tells of that work.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "amdgpu/device.h"
#include "amdgpu/gfx11/abi.h"
#include "amdgpu/raw_program.h"
#include "emulator/driver.h"

namespace bw::amdgpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kIterations = 5000;

template <typename T>
T must(Result<T> result) {
  if (!result.is_ok()) {
    fmt::print(stderr, "{}\n", result.status().message());
    std::abort();
  }
  return std::move(result).value();
}

struct Card {
  Card() {
    emulator::EmulatedOptions options;
    options.engine = emulator::ShaderEngine::kNone;
    driver = must(emulator::EmulatedDriver::create(options));
    device = must(Device::open(*driver));
    const uint32_t end_program = 0xbfb00000;
    RawProgram program;
    program.code = std::as_bytes(std::span(&end_program, 1));
    program.pgm_rsrc2 = gfx11::compute_pgm_rsrc2::user_sgpr_count.set(0, 2);
    program.argument_size_bytes = 64;
    kernel = must(device->load_program(program));
    for (Buffer& buffer : buffers) buffer = must(device->allocate(MemoryKind::kVram, 4096));
  }

  // `count` kernels, each of which reads what the one before has written.
  CommandGraph chain(int64_t count, int64_t parameter_count = 0) {
    GraphRecorder recorder = device->record_graph();
    for (int64_t i = 0; i < parameter_count; ++i) parameters.push_back(recorder.parameter(4, 0));
    const std::vector<std::byte> arguments(64);
    for (int64_t i = 0; i < count; ++i) {
      const BufferUse uses[] = {{&buffers[i % 2], Access::kRead}, {&buffers[(i + 1) % 2], Access::kWrite}};
      std::vector<ParameterUse> places;
      for (int64_t p = i; p < parameter_count; p += count) {
        places.push_back({parameters[static_cast<size_t>(p)], ParameterUse::Place::kArgument,
                          static_cast<uint32_t>(p / count % 16 * 4)});
      }
      recorder.launch({.kernel = kernel.get(), .arguments = arguments, .uses = uses, .parameters = places});
    }
    return must(recorder.finish());
  }

  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::unique_ptr<Device> device;
  std::unique_ptr<const Kernel> kernel;
  Buffer buffers[2];
  std::vector<ParameterId> parameters;
};

// Calls `submit`, times it, and waits for its end outside of the time.
template <typename Submit>
void time_submissions(benchmark::State& state, Device& device, const Submit& submit) {
  std::vector<double> times;
  for (auto _ : state) {
    const auto begin = Clock::now();
    const Submission submission = submit();
    times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
    if (!device.wait(submission).is_ok()) std::abort();
    state.SetIterationTime(times.back() * 1e-9);
  }
  std::sort(times.begin(), times.end());
  state.counters["median_ns"] = times[times.size() / 2];
  state.counters["p99_ns"] = times[times.size() * 99 / 100];
}

void BM_Replay(benchmark::State& state) {
  Card card;
  CommandGraph graph = card.chain(state.range(0));
  time_submissions(state, *card.device, [&] { return must(card.device->submit(graph)); });
}
BENCHMARK(BM_Replay)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->UseManualTime()->Iterations(kIterations);

// The same graph with so many parameters, all of which change.
void BM_ReplayPatched(benchmark::State& state) {
  Card card;
  CommandGraph graph = card.chain(100, state.range(0));
  uint64_t value = 0;
  time_submissions(state, *card.device, [&] {
    ++value;
    for (const ParameterId parameter : card.parameters) {
      if (!graph.set(parameter, value).is_ok()) std::abort();
    }
    return must(card.device->submit(graph));
  });
}
BENCHMARK(BM_ReplayPatched)->Arg(0)->Arg(10)->Arg(100)->Arg(1000)->UseManualTime()->Iterations(kIterations);

void BM_DirectDispatch(benchmark::State& state) {
  Card card;
  const DirectDispatch dispatch = must(card.device->prepare_dispatch(*card.kernel, {1, 1, 1}, {64, 1, 1}));
  const std::vector<std::byte> arguments(dispatch.argument_bytes());
  time_submissions(state, *card.device, [&] { return must(card.device->submit(dispatch, arguments)); });
}
BENCHMARK(BM_DirectDispatch)->UseManualTime()->Iterations(kIterations);

}  // namespace
}  // namespace bw::amdgpu

BENCHMARK_MAIN();
