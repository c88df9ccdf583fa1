// Figures of the emulated machine: opening it, round trips through a queue, and what being idle costs.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

#include "amdgpu/device.h"
#include "emulator/driver.h"
#include "emulator/testing/machine.h"
#include "emulator/trace/recorder.h"

namespace bw::emulator {
namespace {

using testing::Machine;
using testing::TestBuffer;
using testing::TestQueue;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<uint32_t> write_one(uint64_t address, uint32_t value) {
  return {0xc0033700, 0x00000500, static_cast<uint32_t>(address), static_cast<uint32_t>(address >> 32), value};
}

// The emulated machine and a device on it as a runtime opens it, with a compute and an SDMA queue; closing is not
// counted.
void BM_OpenDevice(benchmark::State& state) {
  for (auto _ : state) {
    auto driver = EmulatedDriver::create().value();
    auto device = amdgpu::Device::open(*driver).value();
    state.PauseTiming();
    device.reset();
    driver.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_OpenDevice)->Unit(benchmark::kMillisecond);

// From the doorbell to the value in memory, one after the other.
void BM_RoundTrip(benchmark::State& state) {
  Machine machine;
  TestQueue queue = machine.compute_queue();
  const TestBuffer data = machine.gtt();
  uint32_t value = 0;
  for (auto _ : state) {
    machine.submit(queue, write_one(data.va, ++value));
    while (data.dword(0).load(std::memory_order_acquire) != value) std::this_thread::yield();
  }
}
BENCHMARK(BM_RoundTrip)->Unit(benchmark::kMicrosecond)->UseRealTime();

// The same after the queue had nothing to do for 50 ms; the pause is not counted.
void BM_WakeUp(benchmark::State& state) {
  Machine machine;
  TestQueue queue = machine.compute_queue();
  const TestBuffer data = machine.gtt();
  uint32_t value = 0;
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto begin = std::chrono::steady_clock::now();
    machine.submit(queue, write_one(data.va, ++value));
    while (data.dword(0).load(std::memory_order_acquire) != value) std::this_thread::yield();
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
}
BENCHMARK(BM_WakeUp)->Unit(benchmark::kMicrosecond)->UseManualTime()->Iterations(40);

// One compute queue, one SDMA queue, and one that waits for memory that does not change: percent of a core.
void BM_Idle(benchmark::State& state) {
  Machine machine;
  machine.compute_queue();
  TestQueue waiting = machine.compute_queue();
  machine.sdma_queue();
  const TestBuffer data = machine.gtt();
  machine.submit(waiting, {0xc0053c00, 0x00000013, static_cast<uint32_t>(data.va), static_cast<uint32_t>(data.va >> 32),
                           1, 0xffffffff, 4});
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    const double before = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    state.counters["percent_of_a_core"] = (cpu_seconds() - before) / 2 * 100;
  }
}
BENCHMARK(BM_Idle)->Unit(benchmark::kSecond)->UseRealTime()->Iterations(1);

// Register writes of a command buffer of 64 Ki dwords, `packets` of them at a time.
void run_packets(benchmark::State& state, Machine& machine, uint32_t packets) {
  TestQueue queue = machine.compute_queue();
  const TestBuffer data = machine.gtt();
  const TestBuffer commands = machine.gtt(65536 * 4);
  for (size_t i = 0; i < 65536; i += 4) {
    const uint32_t packet[] = {0xc0027600, 0x240, 1, 2};
    std::copy(std::begin(packet), std::end(packet), commands.dwords() + i);
  }
  uint32_t value = 0;
  for (auto _ : state) {
    std::vector<uint32_t> submission = {0xc0023f00, static_cast<uint32_t>(commands.va),
                                        static_cast<uint32_t>(commands.va >> 32), 0x00800000 | packets * 4};
    for (uint32_t dword : write_one(data.va, ++value)) submission.push_back(dword);
    machine.submit(queue, submission);
    while (data.dword(0).load(std::memory_order_acquire) != value) std::this_thread::yield();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * packets);
}

void BM_Packets(benchmark::State& state) {
  Machine machine;
  run_packets(state, machine, 16384);
}
BENCHMARK(BM_Packets)->Unit(benchmark::kMillisecond)->UseRealTime();

// The same with a trace of them, in the format of the argument. The file is the temporary folder's, and deleted.
void BM_PacketsTraced(benchmark::State& state) {
  const std::string path = std::filesystem::temp_directory_path() / ("barewave-bench." + std::to_string(::getpid()));
  EmulatedOptions options;
  options.trace = TraceRecorder::create({.path = path, .format = static_cast<TraceFormat>(state.range(0))}).value();
  Machine machine(std::move(options));
  run_packets(state, machine, 1024);
  std::filesystem::remove(path);
}
BENCHMARK(BM_PacketsTraced)
    ->ArgName("format")
    ->Arg(static_cast<int>(TraceFormat::kText))
    ->Arg(static_cast<int>(TraceFormat::kChrome))
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace bw::emulator

BENCHMARK_MAIN();
