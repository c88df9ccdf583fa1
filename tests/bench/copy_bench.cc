// Copies of 256 MiB in device memory against memcpy between the same buffers, all warm and in turns: by the SDMA engine
// and by kernels that load and store 16 bytes a lane in wave64, as ROCr's blit kernels do. `ratio` is the bandwidth of
// the copy by that of memcpy, of the medians; the aim is 0.5.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "base/bits.h"
#include "base/check.h"
#include "emulator/testing/aql_client.h"
#include "tests/isa/llvm_mc.h"

namespace bw::emulator {
namespace {

using std::chrono::steady_clock;
using testing::AqlClient;
using testing::AqlSignal;
using testing::Cores;
using testing::Machine;
using testing::TestBuffer;
using testing::TestQueue;

constexpr uint64_t kSizeBytes = uint64_t{256} << 20;
constexpr uint32_t kLaneBytes = 16;

// Work-item i copies 16 bytes at 16 i, and again at each stride from there, up to the end of the source.
// Arguments: source, destination, end of the source, stride.
constexpr const char* kCopyKernel = R"(
  s_load_b128 s[4:7], s[0:1], 0x0
  s_load_b128 s[8:11], s[0:1], 0x10
  s_waitcnt lgkmcnt(0)
  s_lshl_b32 s2, s2, 6
  v_add_nc_u32 v0, s2, v0
  v_lshlrev_b32 v1, 4, v0
  v_mov_b32 v3, s5
  v_add_co_u32 v2, vcc, v1, s4
  v_add_co_ci_u32_e64 v3, vcc, v3, 0, vcc
  v_mov_b32 v5, s7
  v_add_co_u32 v4, vcc, v1, s6
  v_add_co_ci_u32_e64 v5, vcc, v5, 0, vcc
again:
  v_cmp_lt_u64_e64 vcc, v[2:3], s[8:9]
  s_cbranch_vccz done
  flat_load_b128 v[8:11], v[2:3]
  v_add_co_u32 v2, vcc, v2, s10
  v_add_co_ci_u32_e64 v3, vcc, v3, 0, vcc
  s_waitcnt vmcnt(0) lgkmcnt(0)
  flat_store_b128 v[4:5], v[8:11]
  v_add_co_u32 v4, vcc, v4, s10
  v_add_co_ci_u32_e64 v5, vcc, v5, 0, vcc
  s_branch again
done:
  s_endpgm
)";

std::vector<uint32_t> assemble(const char* text) {
  std::string error;
  const auto code = test::LlvmMc("+wavefrontsize64,-wavefrontsize32").assemble(text, &error);
  if (!code) std::fprintf(stderr, "assembling: %s\n", error.c_str());
  BW_CHECK(code.has_value());
  return *code;
}

double seconds(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void* host(const TestBuffer& buffer) {
  return buffer.dwords();
}

// `copy` returns when the destination is written.
template <class Copy>
void against_memcpy(benchmark::State& state, const TestBuffer& source, const TestBuffer& destination,
                    const Copy& copy) {
  for (size_t i = 0; i < kSizeBytes / 4; ++i) source.dwords()[i] = static_cast<uint32_t>(i * 2654435761u);
  std::memset(host(destination), 0, kSizeBytes);
  for (int i = 0; i < 2; ++i) {  // a kernel is translated meanwhile
    copy();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  if (std::memcmp(host(source), host(destination), kSizeBytes) != 0) state.SkipWithError("the copy is wrong");
  std::vector<double> of_copy, of_memcpy;
  for (auto _ : state) {
    auto begin = steady_clock::now();
    std::memcpy(host(destination), host(source), kSizeBytes);
    of_memcpy.push_back(seconds(begin));
    begin = steady_clock::now();
    copy();
    of_copy.push_back(seconds(begin));
    state.SetIterationTime(of_copy.back());
  }
  constexpr double kGigabytes = static_cast<double>(kSizeBytes) * 1e-9;
  state.counters["memcpy_GB/s"] = kGigabytes / median(of_memcpy);
  state.counters["copy_GB/s"] = kGigabytes / median(of_copy);
  state.counters["ratio"] = median(of_memcpy) / median(of_copy);
}

void BM_SdmaCopy(benchmark::State& state) {
  Machine machine;
  TestQueue queue = machine.sdma_queue();
  const TestBuffer source = machine.vram(kSizeBytes), destination = machine.vram(kSizeBytes), fence = machine.gtt();
  uint32_t value = 0;
  against_memcpy(state, source, destination, [&] {
    machine.submit(queue,
                   {1, static_cast<uint32_t>(kSizeBytes) - 1, 0, lo32(source.va), hi32(source.va), lo32(destination.va),
                    hi32(destination.va), 0x00030005, lo32(fence.va), hi32(fence.va), ++value});
    while (fence.dword(0).load(std::memory_order_acquire) != value) std::this_thread::yield();
  });
}
BENCHMARK(BM_SdmaCopy)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(15);

// `state.range(0)` work-items; ROCr takes 256 for each compute unit.
void BM_BlitCopy(benchmark::State& state) {
  Machine machine({}, Cores::kReal);
  AqlClient client(machine);
  const TestBuffer source = machine.vram(kSizeBytes), destination = machine.vram(kSizeBytes);
  const TestBuffer arguments = machine.gtt();
  const auto items = static_cast<uint32_t>(state.range(0));
  arguments.qword(0) = source.va;
  arguments.qword(1) = destination.va;
  arguments.qword(2) = source.va + kSizeBytes;
  arguments.qword(3) = uint64_t{items} * kLaneBytes;
  // 12 VGPRs in wave64; the kernarg address in 2 user SGPRs, and the workgroup's number.
  const uint64_t kernel = client.load(0x60af0002, 0x84, 0x008, assemble(kCopyKernel));
  const AqlSignal signal = client.signal();
  const auto packet = testing::dispatch_packet({{items, 1, 1}, {64, 1, 1}, 1}, kernel, arguments.va, signal);
  against_memcpy(state, source, destination, [&] {
    signal.value().store(1, std::memory_order_relaxed);
    client.submit(packet);
    while (signal.value().load(std::memory_order_acquire) != 0) std::this_thread::yield();
  });
}
BENCHMARK(BM_BlitCopy)
    ->ArgName("work_items")
    ->Arg(256 * 96)
    ->Arg(kSizeBytes / kLaneBytes)
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime()
    ->Iterations(15);

}  // namespace
}  // namespace bw::emulator

BENCHMARK_MAIN();
