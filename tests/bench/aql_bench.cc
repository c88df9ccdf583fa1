// Round trips through an AQL queue: from the packet to its signal, the client waiting actively. The median is what
// counts: on a machine with other work to do the mean tells of that work.
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "emulator/testing/aql_client.h"

namespace bw::emulator {
namespace {

using std::chrono::steady_clock;
using testing::AqlClient;
using testing::AqlPacket;
using testing::AqlSignal;
using testing::Cores;
using testing::Machine;

// One after the other; calls `submit` and waits for the signal to come down to 0.
template <class Submit>
void round_trips(benchmark::State& state, const AqlSignal& signal, const Submit& submit) {
  std::vector<double> times;
  for (auto _ : state) {
    const auto begin = steady_clock::now();
    signal.value().store(1, std::memory_order_relaxed);
    submit();
    while (signal.value().load(std::memory_order_acquire) != 0) _mm_pause();
    times.push_back(std::chrono::duration<double, std::micro>(steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  state.counters["median_us"] = times[times.size() / 2];
  state.counters["p90_us"] = times[times.size() * 9 / 10];
}

// A kernel that ends at once, on `state.range(0)` workgroups of 64 work-items.
void BM_NullDispatch(benchmark::State& state) {
  Machine machine({}, Cores::kReal);
  AqlClient client(machine);
  const uint64_t kernel = client.load(0x60af0000, 0x84, 0x408, {0xbfb00000});
  const AqlSignal signal = client.signal();
  const auto groups = static_cast<uint32_t>(state.range(0));
  const AqlPacket packet = testing::dispatch_packet({{groups * 64, 1, 1}, {64, 1, 1}, 1}, kernel, 0, signal);
  round_trips(state, signal, [&] { client.submit(packet); });
}
BENCHMARK(BM_NullDispatch)->Arg(1)->Arg(2)->Arg(96)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BM_Barrier(benchmark::State& state) {
  Machine machine({}, Cores::kReal);
  AqlClient client(machine);
  const AqlSignal signal = client.signal();
  const AqlPacket packet = testing::barrier_packet(testing::kAqlBarrierAnd, {}, signal);
  round_trips(state, signal, [&] { client.submit(packet); });
}
BENCHMARK(BM_Barrier)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace bw::emulator

BENCHMARK_MAIN();
