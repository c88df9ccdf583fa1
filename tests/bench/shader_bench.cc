// Speed of the shader cores, interpreted and translated, on kernels as compilers make them, and what the first
// execution of a kernel costs. Rates are per second of wall time; on a machine with other work to do, the column CPU
// tells more.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>

#include "base/bits.h"
#include "base/check.h"
#include "emulator/jit/jit.h"
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

// False: it faulted, and the benchmark is over.
bool run(benchmark::State& state, Gpu& gpu, const emulator::Dispatch& dispatch) {
  const auto fault = gpu.run(dispatch);
  if (fault) state.SkipWithError(fault->message.c_str());
  return !fault.has_value();
}

uint64_t load_arguments(Gpu& gpu, std::span<const uint64_t> arguments) {
  const uint64_t kernarg = gpu.allocate(arguments.size_bytes());
  std::memcpy(gpu.host(kernarg), arguments.data(), arguments.size_bytes());
  return kernarg;
}

// Arguments of the next three: host threads, and whether the JIT runs it.
void engines(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"threads", "jit"})->Args({1, 0})->Args({2, 0})->Args({1, 1})->Args({2, 1});
  benchmark->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);
}

void matmul_f32_256(benchmark::State& state) {
  Gpu gpu(static_cast<size_t>(state.range(0)), static_cast<Engine>(state.range(1)));
  const uint64_t program = gpu.load(assemble_file("matmul_f32_256.s"));
  constexpr size_t kBytes = kSize * kSize * 4;
  const uint64_t arguments[] = {gpu.allocate(kBytes), gpu.allocate(kBytes), gpu.allocate(kBytes)};
  const auto [c, a, b] = arguments;
  for (uint32_t i = 0; i < kSize * kSize; ++i) {
    gpu.at<float>(a)[i] = static_cast<float>(i % 7);
    gpu.at<float>(b)[i] = static_cast<float>(i % 5);
  }
  const emulator::Dispatch dispatch = matmul_dispatch(program, load_arguments(gpu, arguments));
  if (!run(state, gpu, dispatch)) return;
  const uint64_t before = gpu.cores().instruction_count();
  for (auto _ : state) {
    if (!run(state, gpu, dispatch)) return;
  }
  float want = 0;
  for (uint32_t k = 0; k < kSize; ++k)
    want += static_cast<float>((3 * kSize + k) % 7) * static_cast<float>((k * kSize + 9) % 5);
  if (gpu.at<float>(c)[3 * kSize + 9] != want) state.SkipWithError("wrong result");
  report_rate(state, gpu, before);
}
BENCHMARK(matmul_f32_256)->Apply(engines);

emulator::Dispatch wmma_dispatch(uint64_t program, uint64_t kernarg) {
  emulator::Dispatch d = Gpu::dispatch(program, 32, kernarg);
  d.pgm_rsrc2 = 2u << 1 | 1u << 7 | 1u << 8;
  d.workgroup_count = {8, 8, 1};
  return d;
}

void wmma_f16_256(benchmark::State& state) {
  Gpu gpu(static_cast<size_t>(state.range(0)), static_cast<Engine>(state.range(1)));
  const uint64_t program = gpu.load(assemble_file("wmma_f16_256.s"));
  const uint64_t arguments[] = {gpu.allocate(kSize * kSize * 4), gpu.allocate(kSize * kSize * 2),
                                gpu.allocate(kSize * kSize * 2)};
  const auto [c, a, b] = arguments;
  constexpr uint16_t kHalves[] = {0x0000, 0x3c00, 0x4000, 0x4200, 0x4400};  // 0 to 4
  for (uint32_t i = 0; i < kSize * kSize; ++i) {
    gpu.at<uint16_t>(a)[i] = kHalves[i % 5];
    gpu.at<uint16_t>(b)[i] = kHalves[i % 3];
  }
  const emulator::Dispatch dispatch = wmma_dispatch(program, load_arguments(gpu, arguments));
  if (!run(state, gpu, dispatch)) return;
  for (auto _ : state) {
    if (!run(state, gpu, dispatch)) return;
  }
  for (const auto& [row, column] : {std::pair{3u, 9u}, std::pair{250u, 77u}}) {
    float want = 0;
    for (uint32_t k = 0; k < kSize; ++k)
      want += static_cast<float>((row * kSize + k) % 5) * static_cast<float>((column * kSize + k) % 3);
    if (gpu.at<float>(c)[row * kSize + column] != want) state.SkipWithError("wrong result");
  }
  const double macs = static_cast<double>(kSize) * kSize * kSize;
  state.counters["MAC/s"] = benchmark::Counter(macs, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(wmma_f16_256)->Apply(engines);

// x * 2 + 1 for 2^20 elements.
void scale_f32_1m(benchmark::State& state) {
  constexpr uint32_t kCount = 1 << 20;
  Gpu gpu(static_cast<size_t>(state.range(0)), static_cast<Engine>(state.range(1)));
  const uint64_t arguments[] = {gpu.allocate(kCount * 4), gpu.allocate(kCount * 4)};
  const auto [y, x] = arguments;
  for (uint32_t i = 0; i < kCount; ++i) gpu.at<float>(x)[i] = static_cast<float>(i);
  emulator::Dispatch dispatch =
      Gpu::dispatch(gpu.load(assemble_file("scale_f32.s")), 256, load_arguments(gpu, arguments));
  dispatch.pgm_rsrc1 = 0x60af0000;
  dispatch.pgm_rsrc2 = 2u << 1 | 1u << 7;
  dispatch.workgroup_count = {kCount / 256, 1, 1};
  if (!run(state, gpu, dispatch)) return;
  const uint64_t before = gpu.cores().instruction_count();
  for (auto _ : state) {
    if (!run(state, gpu, dispatch)) return;
  }
  if (gpu.at<float>(y)[777777] != 777777.0f * 2 + 1) state.SkipWithError("wrong result");
  report_rate(state, gpu, before);
}
BENCHMARK(scale_f32_1m)->Apply(engines);

// What a kernel costs that these shader cores have not seen, decoding, translation and execution of the whole grid
// included: as a new kernel, or as one that another process has left on disk.
enum class Kernel : uint8_t { kMatmul, kWmma };
enum class Before : uint8_t { kNothing, kOnDisk };

void first_execution(benchmark::State& state, Kernel kernel, Before before) {
  namespace fs = std::filesystem;
  std::string dir = (fs::temp_directory_path() / "barewave-bench-XXXXXX").string();
  BW_CHECK(::mkdtemp(dir.data()) != nullptr);
  const std::vector<uint32_t> code = assemble_file(kernel == Kernel::kMatmul ? "matmul_f32_256.s" : "wmma_f16_256.s");
  uint64_t found = 0;
  const auto run_first = [&](std::string cache_dir) {
    emulator::JitOptions options;
    options.cache_dir = std::move(cache_dir);
    Gpu gpu(emulator::make_jit(2, options));
    const uint64_t arguments[] = {gpu.allocate(kSize * kSize * 4), gpu.allocate(kSize * kSize * 4),
                                  gpu.allocate(kSize * kSize * 4)};
    const uint64_t kernarg = load_arguments(gpu, arguments);
    const uint64_t program = gpu.load(code);
    const auto begin = std::chrono::steady_clock::now();
    run(state, gpu, kernel == Kernel::kMatmul ? matmul_dispatch(program, kernarg) : wmma_dispatch(program, kernarg));
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    found = gpu.cores().translation_counts().found;
    return time.count();
  };
  const bool is_known = before == Before::kOnDisk;
  if (is_known) run_first(dir);
  for (auto _ : state) state.SetIterationTime(run_first(is_known ? dir : ""));
  if (found != (is_known ? 1 : 0)) state.SkipWithError("what was found on disk is not what was to be there");
  fs::remove_all(dir);
}
BENCHMARK_CAPTURE(first_execution, matmul_f32_256_new, Kernel::kMatmul, Before::kNothing)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(first_execution, matmul_f32_256_on_disk, Kernel::kMatmul, Before::kOnDisk)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(first_execution, wmma_f16_256_new, Kernel::kWmma, Before::kNothing)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(first_execution, wmma_f16_256_on_disk, Kernel::kWmma, Before::kOnDisk)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// One instruction 64 times in a loop of 200 turns, on one wave. Argument: the engine.
void single(benchmark::State& state, const char* instruction) {
  Gpu gpu(1, static_cast<Engine>(state.range(0)));
  std::string text = "s_mov_b32 s20, 0\n v_lshlrev_b32 v8, 2, v0\n v_mov_b32 v9, 0\n again:\n";
  for (int i = 0; i < 64; ++i) text += std::string(instruction) + "\n";
  text += "s_add_u32 s20, s20, 1\n s_cmp_lg_u32 s20, 200\n s_cbranch_scc1 again\n s_endpgm\n";
  std::string error;
  auto code = LlvmMc().assemble(text, &error);
  if (!code) return state.SkipWithError(error.c_str());
  emulator::Dispatch dispatch = Gpu::dispatch(gpu.load(*code), 32, gpu.allocate(4096));
  dispatch.pgm_rsrc1 |= 0x30u << 12;  // FLOAT_MODE 0xf0
  const uint64_t before = gpu.cores().instruction_count();
  for (auto _ : state) {
    const auto fault = gpu.run(dispatch);
    if (fault) return state.SkipWithError(fault->message.c_str());
  }
  report_rate(state, gpu, before);
}
#define BW_SINGLE(name, text) BENCHMARK_CAPTURE(single, name, text)->ArgName("jit")->Arg(0)->Arg(1)
BW_SINGLE(v_add_f32, "v_add_f32 v1, v2, v3");
BW_SINGLE(v_max_f32, "v_max_f32 v1, v2, v3");
BW_SINGLE(v_exp_f32, "v_exp_f32 v1, v2");
BW_SINGLE(v_log_f32, "v_log_f32 v1, v2");
BW_SINGLE(v_rcp_f32, "v_rcp_f32 v1, v2");
BW_SINGLE(v_sqrt_f32, "v_sqrt_f32 v1, v2");
BW_SINGLE(v_ldexp_f32, "v_ldexp_f32 v1, v2, v3");
BW_SINGLE(v_cvt_f32_f16, "v_cvt_f32_f16 v1, v2");
BW_SINGLE(v_cvt_f16_f32, "v_cvt_f16_f32 v1, v2");
BW_SINGLE(v_cvt_f32_i32, "v_cvt_f32_i32 v1, v2");
BW_SINGLE(v_cvt_i32_f32, "v_cvt_i32_f32 v1, v2");
BW_SINGLE(v_fma_mix_f32, "v_fma_mix_f32 v1, v2, v3, v4 op_sel_hi:[1,0,0]");
BW_SINGLE(v_bfe_i32, "v_bfe_i32 v1, v2, 8, 8");
BW_SINGLE(v_pk_fma_f16, "v_pk_fma_f16 v1, v2, v3, v4");
BW_SINGLE(v_mul_lo_u32, "v_mul_lo_u32 v1, v2, v3");
BW_SINGLE(v_mad_u64_u32, "v_mad_u64_u32 v[2:3], null, v4, v5, v[6:7]");
BW_SINGLE(v_fma_f64, "v_fma_f64 v[2:3], v[4:5], v[6:7], v[10:11]");
BW_SINGLE(v_div_scale_f32, "v_div_scale_f32 v1, vcc_lo, v2, v3, v4");
BW_SINGLE(v_cndmask_b32, "v_cndmask_b32 v1, v2, v3, vcc_lo");
BW_SINGLE(v_cmp_lt_f32, "v_cmp_lt_f32 vcc_lo, v1, v2");
BW_SINGLE(v_add_f32_dpp, "v_add_f32_dpp v1, v2, v3 row_shr:1 row_mask:0xf bank_mask:0xf");
BW_SINGLE(v_wmma_f32_16x16x16_f16, "v_wmma_f32_16x16x16_f16 v[16:23], v[24:31], v[32:39], v[16:23]");
BW_SINGLE(s_add_u32, "s_add_u32 s4, s5, s6");
BW_SINGLE(s_load_b64, "s_load_b64 s[4:5], s[0:1], null");
BW_SINGLE(global_load_b32, "global_load_b32 v1, v8, s[0:1]");
BW_SINGLE(global_load_u16, "global_load_u16 v1, v8, s[0:1]");
BW_SINGLE(global_load_i8, "global_load_i8 v1, v0, s[0:1]");
BW_SINGLE(global_load_b32_uniform, "global_load_b32 v1, v9, s[0:1]");
BW_SINGLE(global_store_b32, "global_store_b32 v8, v1, s[0:1]");
BW_SINGLE(ds_load_b32, "ds_load_b32 v1, v8");
BW_SINGLE(ds_store_b32, "ds_store_b32 v8, v1");
BW_SINGLE(ds_bpermute_b32, "ds_bpermute_b32 v1, v8, v2");

}  // namespace
}  // namespace bw::test

BENCHMARK_MAIN();
