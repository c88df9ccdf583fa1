// Measures compilation, from graph to code object: cold, from the disk cache, from memory.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "compiler/compiler.h"
#include "compiler/schedule.h"
#include "ir/builder.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/llama.h"
#include "tensor/planning_executor.h"
#include "tensor/runtime.h"

namespace bw::compiler {
namespace {

namespace fs = std::filesystem;

// x * 2 + 1
ir::NodePtr elementwise(ir::Builder& b, int64_t count) {
  const ir::NodePtr x = b.param(1, "x", ir::DType::kF32, {count}).value();
  const ir::NodePtr two = b.constant(ir::DType::kF32, 2.0).value();
  const ir::NodePtr one = b.constant(ir::DType::kF32, 1.0).value();
  return b.binary(ir::Op::kAdd, b.binary(ir::Op::kMul, x, two).value(), one).value();
}

ir::NodePtr sum(ir::Builder& b, int64_t count) {
  return b.reduce(ir::Op::kReduceAdd, b.param(1, "x", ir::DType::kF32, {count}).value(), {0}).value();
}

// [n, n] of `in` each to f32.
ir::NodePtr matmul(ir::Builder& b, ir::DType in, int64_t n) {
  const auto operand = [&](uint64_t id, std::vector<int64_t> shape) {
    const ir::NodePtr x = b.param(id, "x", in, {n, n}).value();
    const ir::NodePtr wide = in == ir::DType::kF32 ? x : b.cast(x, ir::DType::kF32).value();
    const ir::NodePtr view = b.reshape(wide, ir::Shape(shape.begin(), shape.end())).value();
    return b.expand(view, {n, n, n}).value();
  };
  const ir::NodePtr rows = operand(1, {n, n, 1});
  const ir::NodePtr columns = operand(2, {1, n, n});
  return b.reduce(ir::Op::kReduceAdd, b.binary(ir::Op::kMul, rows, columns).value(), {1}).value();
}

void compile_or_exit(Compiler& compiler, const ir::NodePtr& output) {
  const Result<Program> program = compiler.compile(std::span(&output, 1));
  if (!program.is_ok()) {
    std::fprintf(stderr, "%s\n", program.status().message().c_str());
    std::exit(1);
  }
}

std::string temporary_dir() {
  std::string name = (fs::temp_directory_path() / "barewave-bench-XXXXXX").string();
  return ::mkdtemp(name.data());
}

// The first compilation of a process pays for LLVM's initialisation: it is run once, before all others.
void BM_FirstInProcess(benchmark::State& state) {
  for (auto _ : state) {
    ir::Builder b;
    const auto compiler = Compiler::create({}).value();
    compile_or_exit(*compiler, elementwise(b, 1 << 20));
  }
}
BENCHMARK(BM_FirstInProcess)->Iterations(1)->Unit(benchmark::kMillisecond);

// From the graph to the code object, without any cache; another compiler each time, on one thread.
template <class MakeGraph>
void compile_cold(benchmark::State& state, MakeGraph make_graph) {
  for (auto _ : state) {
    ir::Builder b;
    const auto compiler = Compiler::create({}).value();
    compile_or_exit(*compiler, make_graph(b));
  }
}

void BM_ElementwiseCold(benchmark::State& state) {
  compile_cold(state, [](ir::Builder& b) { return elementwise(b, 1 << 20); });
}
BENCHMARK(BM_ElementwiseCold)->Unit(benchmark::kMillisecond);

void BM_SumCold(benchmark::State& state) {
  compile_cold(state, [](ir::Builder& b) { return sum(b, 1 << 20); });
}
BENCHMARK(BM_SumCold)->Unit(benchmark::kMillisecond);

void BM_MatmulF32Cold(benchmark::State& state) {
  compile_cold(state, [&](ir::Builder& b) { return matmul(b, ir::DType::kF32, state.range(0)); });
}
BENCHMARK(BM_MatmulF32Cold)->Arg(256)->Arg(1024)->Unit(benchmark::kMillisecond);

void BM_MatmulF16Cold(benchmark::State& state) {
  compile_cold(state, [&](ir::Builder& b) { return matmul(b, ir::DType::kF16, state.range(0)); });
}
BENCHMARK(BM_MatmulF16Cold)->Arg(1024)->Unit(benchmark::kMillisecond);

void BM_ElementwiseFromDisk(benchmark::State& state) {
  const std::string dir = temporary_dir();
  {
    ir::Builder b;
    compile_or_exit(*Compiler::create({.cache_dir = dir, .threads = 1}).value(), elementwise(b, 1 << 20));
  }
  for (auto _ : state) {
    ir::Builder b;
    const auto compiler = Compiler::create({.cache_dir = dir, .threads = 1}).value();
    compile_or_exit(*compiler, elementwise(b, 1 << 20));
  }
  fs::remove_all(dir);
}
BENCHMARK(BM_ElementwiseFromDisk)->Unit(benchmark::kMillisecond);

void BM_ElementwiseFromMemory(benchmark::State& state) {
  const auto compiler = Compiler::create({}).value();
  for (auto _ : state) {
    ir::Builder b;
    compile_or_exit(*compiler, elementwise(b, 1 << 20));
  }
}
BENCHMARK(BM_ElementwiseFromMemory)->Unit(benchmark::kMillisecond);

// The graph of a step of kjv-3m over so many positions.
std::vector<ir::NodePtr> step_graph(int64_t tokens) {
  const auto file = tensor::gguf::File::open(BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf").value();
  const auto runtime = tensor::Runtime::create(std::make_unique<tensor::PlanningExecutor>());
  return tensor::Llama::load(file, runtime).value()->step_graph(tokens).value();
}

// From graph to kernels, without code.
void BM_ScheduleStep(benchmark::State& state) {
  const std::vector<ir::NodePtr> outputs = step_graph(state.range(0));
  size_t launches = 0;
  for (auto _ : state) {
    const Result<Schedule> result = schedule(outputs);
    if (!result.is_ok()) return state.SkipWithError(result.status().message().c_str());
    launches = result->kernels.size();
  }
  state.counters["launches"] = static_cast<double>(launches);
}
BENCHMARK(BM_ScheduleStep)->Arg(1)->Arg(128)->Unit(benchmark::kMillisecond);

// From graph to code objects, cold, with so many threads.
void BM_CompileDecodeStepCold(benchmark::State& state) {
  const std::vector<ir::NodePtr> outputs = step_graph(1);
  for (auto _ : state) {
    const auto compiler = Compiler::create({.cache_dir = "", .threads = static_cast<size_t>(state.range(0))}).value();
    const Result<Program> program = compiler->compile(outputs);
    if (!program.is_ok()) return state.SkipWithError(program.status().message().c_str());
  }
}
BENCHMARK(BM_CompileDecodeStepCold)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace bw::compiler

BENCHMARK_MAIN();
