// Device::write and Device::read of 256 MiB against memcpy between the same two places, in turns, all warm. The buffer
// is not mapped for the host, so that all goes by the copy engine: through staging memory (`staged`), from and to
// pinned memory (`pinned`), and both ways at once. `ratio` is the bandwidth of the transfer by that of memcpy, of the
// medians.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "amdgpu/device.h"
#include "base/check.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kSizeBytes = uint64_t{256} << 20;
constexpr int kRounds = 7;

struct Card {
  std::unique_ptr<emulator::EmulatedDriver> driver = emulator::EmulatedDriver::create().value();
  std::unique_ptr<amdgpu::Device> device = amdgpu::Device::open(*driver).value();
  amdgpu::Buffer buffer = device->allocate(amdgpu::MemoryKind::kVram, kSizeBytes).value();
  amdgpu::Buffer other = device->allocate(amdgpu::MemoryKind::kVram, kSizeBytes).value();
  amdgpu::Buffer pinned = device->allocate_host(kSizeBytes).value();
  amdgpu::Buffer pinned_too = device->allocate_host(kSizeBytes).value();
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// `bytes` are what `transfer` and `copy` each move.
template <class Transfer, class Copy>
void against(benchmark::State& state, uint64_t bytes, const Copy& copy, const Transfer& transfer) {
  copy();
  transfer();
  std::vector<double> of_transfer, of_copy;
  const auto time = [](const auto& work) {
    const auto begin = steady_clock::now();
    work();
    return std::chrono::duration<double>(steady_clock::now() - begin).count();
  };
  for (auto _ : state) {
    of_copy.push_back(time(copy));
    of_transfer.push_back(time(transfer));
    state.SetIterationTime(of_transfer.back());
  }
  const double gigabytes = static_cast<double>(bytes) * 1e-9;
  state.counters["memcpy_GB/s"] = gigabytes / median(of_copy);
  state.counters["transfer_GB/s"] = gigabytes / median(of_transfer);
  state.counters["ratio"] = median(of_copy) / median(of_transfer);
}

void check(const Status& status) {
  BW_CHECK(status.is_ok());
}

void BM_Staged(benchmark::State& state, bool is_upload) {
  Card card;
  std::vector<std::byte> host(kSizeBytes, std::byte{1}), place(kSizeBytes, std::byte{2});
  against(
      state, kSizeBytes, [&] { std::memcpy(place.data(), host.data(), kSizeBytes); },
      [&] { check(is_upload ? card.device->write(card.buffer, 0, host) : card.device->read(card.buffer, 0, host)); });
}

void BM_Pinned(benchmark::State& state, bool is_upload) {
  Card card;
  const auto host = card.pinned.host();
  against(
      state, kSizeBytes, [&] { std::memcpy(card.pinned_too.host().data(), host.data(), kSizeBytes); },
      [&] { check(is_upload ? card.device->write(card.buffer, 0, host) : card.device->read(card.buffer, 0, host)); });
}

// One memcpy after the other against both directions at once.
void BM_BothWays(benchmark::State& state) {
  Card card;
  against(
      state, 2 * kSizeBytes,
      [&] {
        std::memcpy(card.pinned_too.host().data(), card.pinned.host().data(), kSizeBytes);
        std::memcpy(card.pinned.host().data(), card.pinned_too.host().data(), kSizeBytes);
      },
      [&] {
        const auto up = card.device->copy(card.buffer, 0, card.pinned, 0, kSizeBytes).value();
        const auto down = card.device->copy(card.pinned_too, 0, card.other, 0, kSizeBytes).value();
        check(card.device->wait(up));
        check(card.device->wait(down));
      });
}

BENCHMARK_CAPTURE(BM_Staged, h2d, true)->UseManualTime()->Iterations(kRounds)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Staged, d2h, false)->UseManualTime()->Iterations(kRounds)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Pinned, h2d, true)->UseManualTime()->Iterations(kRounds)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Pinned, d2h, false)->UseManualTime()->Iterations(kRounds)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BothWays)->UseManualTime()->Iterations(kRounds)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bw

BENCHMARK_MAIN();
