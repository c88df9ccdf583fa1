// Measures compilation, from graph to code object: cold, from the disk cache, from memory.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "compiler/compiler.h"
#include "ir/builder.h"

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

ir::NodePtr matmul(ir::Builder& b, int64_t n) {
  const auto operand = [&](uint64_t id, std::vector<int64_t> shape, std::vector<int64_t> wide) {
    const ir::NodePtr x = b.param(id, "x", ir::DType::kF32, {n, n}).value();
    const ir::NodePtr view = b.reshape(x, ir::Shape(shape.begin(), shape.end())).value();
    return b.expand(view, ir::Shape(wide.begin(), wide.end())).value();
  };
  const ir::NodePtr rows = operand(1, {n, n, 1}, {n, n, n});
  const ir::NodePtr columns = operand(2, {1, n, n}, {n, n, n});
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

void BM_ElementwiseCold(benchmark::State& state) {
  int64_t count = 1 << 20;
  for (auto _ : state) {
    ir::Builder b;
    const auto compiler = Compiler::create({}).value();
    compile_or_exit(*compiler, elementwise(b, ++count));
  }
}
BENCHMARK(BM_ElementwiseCold)->Unit(benchmark::kMillisecond);

void BM_MatmulCold(benchmark::State& state) {
  for (auto _ : state) {
    ir::Builder b;
    const auto compiler = Compiler::create({}).value();
    compile_or_exit(*compiler, matmul(b, 256));
  }
}
BENCHMARK(BM_MatmulCold)->Unit(benchmark::kMillisecond);

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

}  // namespace
}  // namespace bw::compiler

BENCHMARK_MAIN();
