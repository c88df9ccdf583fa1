// Speed of the interpreter in wave instructions per second, on kernels as compilers make them.
#include <benchmark/benchmark.h>

#include <fstream>
#include <sstream>

#include "base/bits.h"
#include "base/check.h"
#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

std::vector<uint32_t> assemble_file(const char* name) {
  std::ifstream file(std::string(BAREWAVE_ISA_KERNELS "/") + name);
  std::stringstream text;
  text << file.rdbuf();
  std::string error;
  auto code = LlvmMc().assemble(text.str(), &error);
  if (!code || code->empty()) {
    std::fprintf(stderr, "assembling %s: %s\n", name, error.c_str());
    std::abort();
  }
  return *code;
}

constexpr uint32_t kSize = 256;

// FLOAT_MODE 0xf0 (all denormals), as compiled kernels have it; 14 user SGPRs, workgroup ids x and y.
emulator::Dispatch matmul_dispatch(uint64_t program, uint64_t kernarg) {
  emulator::Dispatch d;
  d.program_address = program;
  d.pgm_rsrc1 = 0x60af0006;
  d.pgm_rsrc2 = 14u << 1 | 1u << 7 | 1u << 8;
  d.user_data[0] = lo32(kernarg);
  d.user_data[1] = hi32(kernarg);
  d.workgroup_size = {64, 1, 1};
  d.workgroup_count = {4, 16, 1};
  return d;
}

void report_rate(benchmark::State& state, const Gpu& gpu, uint64_t before) {
  const double executed = static_cast<double>(gpu.cores().instruction_count() - before);
  state.counters["wave_instructions"] = benchmark::Counter(executed, benchmark::Counter::kAvgIterations);
  state.counters["wave_instructions/s"] = benchmark::Counter(executed, benchmark::Counter::kIsRate);
  state.counters["lane_ops/s"] = benchmark::Counter(executed * 32, benchmark::Counter::kIsRate);
}

// Argument: host threads. Rates are per second of processor time, of all threads together.
void matmul_f32_256(benchmark::State& state) {
  Gpu gpu(static_cast<size_t>(state.range(0)));
  const uint64_t program = gpu.load(assemble_file("matmul_f32_256.s"));
  constexpr size_t kBytes = kSize * kSize * 4;
  const uint64_t c = gpu.allocate(kBytes), a = gpu.allocate(kBytes), b = gpu.allocate(kBytes);
  for (uint32_t i = 0; i < kSize * kSize; ++i) {
    gpu.at<float>(a)[i] = static_cast<float>(i % 7);
    gpu.at<float>(b)[i] = static_cast<float>(i % 5);
  }
  const uint64_t kernarg = gpu.allocate(24);
  const uint64_t arguments[] = {c, a, b};
  std::memcpy(gpu.host(kernarg), arguments, sizeof arguments);
  const emulator::Dispatch dispatch = matmul_dispatch(program, kernarg);
  const uint64_t before = gpu.cores().instruction_count();
  for (auto _ : state) {
    const auto fault = gpu.run(dispatch);
    if (fault) {
      state.SkipWithError(fault->message.c_str());
      return;
    }
  }
  float want = 0;
  for (uint32_t k = 0; k < kSize; ++k)
    want += static_cast<float>((3 * kSize + k) % 7) * static_cast<float>((k * kSize + 9) % 5);
  if (gpu.at<float>(c)[3 * kSize + 9] != want) state.SkipWithError("wrong result");
  report_rate(state, gpu, before);
}
BENCHMARK(matmul_f32_256)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bw::test

BENCHMARK_MAIN();
