#include "compiler/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "ir/builder.h"

namespace bw::compiler {
namespace {

namespace fs = std::filesystem;
using ir::Builder;
using ir::DType;
using ir::NodePtr;
using ir::Op;

class CompilerTest : public ::testing::Test {
 protected:
  CompilerTest() {
    std::string name = (fs::temp_directory_path() / "barewave-compiler-test-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~CompilerTest() override { fs::remove_all(dir_); }

  std::unique_ptr<Compiler> make(size_t threads = 1) const {
    return Compiler::create({.cache_dir = dir_.string(), .threads = threads}).value();
  }
  NodePtr scaled(uint64_t id, int64_t count, double factor) {
    const NodePtr x = b_.param(id, fmt::format("x{}", id), DType::kF32, {count}).value();
    return b_.binary(Op::kMul, x, b_.constant(DType::kF32, factor).value()).value();
  }

  NodePtr doubled(const NodePtr& x) { return b_.binary(Op::kMul, x, b_.constant(DType::kF32, 2.0).value()).value(); }

  fs::path dir_;
  Builder b_;
};

Program must(Result<Program> program) {
  EXPECT_TRUE(program.is_ok()) << program.status().message();
  return program.is_ok() ? std::move(program).value() : Program{};
}

TEST_F(CompilerTest, GraphBecomesLaunchesOfKernelsWithCode) {
  const NodePtr y = scaled(7, 1000, 3.0);
  const Program program = must(make()->compile(std::span(&y, 1)));
  ASSERT_EQ(program.launches.size(), 1u);
  ASSERT_EQ(program.kernels.size(), 1u);
  const CompiledKernel& kernel = program.kernels[0];
  EXPECT_FALSE(kernel.name.empty());
  EXPECT_EQ(kernel.symbol, "bw_kernel");
  ASSERT_NE(kernel.code_object, nullptr);
  EXPECT_GT(kernel.code_object->size(), 1000u);
  EXPECT_EQ(kernel.kernarg_size_bytes, 16u);
  EXPECT_EQ(kernel.flops, 1000u);
  EXPECT_EQ(kernel.bytes, 8000u);
  EXPECT_GT(kernel.resources.vgprs, 0u);
  EXPECT_GT(kernel.resources.code_bytes, 0u);
  EXPECT_EQ(kernel.diagnostic, "");
  ASSERT_EQ(program.outputs.size(), 1u);
  EXPECT_EQ(program.buffers[program.outputs[0]].size_bytes, 4000u);
}

TEST_F(CompilerTest, EqualKernelsOnDifferentBuffersAreOneKernel) {
  NodePtr x = scaled(1, 256, 2.0);
  // The one between them works in place.
  for (int i = 0; i < 2; ++i) x = doubled(b_.contiguous(x).value());
  const Program program = must(make(2)->compile(std::span(&x, 1)));
  ASSERT_EQ(program.launches.size(), 3u);
  EXPECT_EQ(program.kernels.size(), 2u);
  EXPECT_EQ(program.launches[0].kernel, program.launches[2].kernel);
}

TEST_F(CompilerTest, IndependentKernelsAreOneLaunchWithTheCostsOfAll) {
  const std::vector<NodePtr> outputs = {scaled(1, 256, 2.0), scaled(2, 256, 2.0), scaled(3, 512, 2.0)};
  const Program program = must(make(2)->compile(outputs));
  ASSERT_EQ(program.launches.size(), 1u);
  const CompiledKernel& kernel = program.kernels[0];
  EXPECT_EQ(kernel.flops, 1024u);
  EXPECT_EQ(kernel.bytes, 8192u);
  EXPECT_EQ(kernel.kernarg_size_bytes, 6 * 8u);
  EXPECT_EQ(program.launches[0].written_buffers, 3u);
}

TEST_F(CompilerTest, SecondCompilationTakesTheCodeFromMemoryAndAnotherCompilerFromDisk) {
  const NodePtr y = scaled(7, 1000, 3.0);
  const auto first = make();
  const Program a = must(first->compile(std::span(&y, 1)));
  const Program again = must(first->compile(std::span(&y, 1)));
  EXPECT_EQ(a.kernels[0].code_object, again.kernels[0].code_object);
  ASSERT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 1);
  const fs::path file = fs::directory_iterator(dir_)->path();
  const auto written = fs::last_write_time(file);
  const Program b = must(make()->compile(std::span(&y, 1)));
  EXPECT_EQ(*a.kernels[0].code_object, *b.kernels[0].code_object);
  EXPECT_EQ(fs::last_write_time(file), written);
}

TEST_F(CompilerTest, ManyKernelsCompileSideBySide) {
  std::vector<NodePtr> outputs;
  NodePtr x = scaled(1, 100, 2.0);
  for (int64_t i = 1; i < 12; ++i) {
    x = doubled(b_.pad(b_.contiguous(x).value(), {0}, {i}).value());
    outputs.push_back(x);
  }
  const Program program = must(make(4)->compile(outputs));
  EXPECT_EQ(program.kernels.size(), 12u);
  for (const CompiledKernel& kernel : program.kernels) EXPECT_NE(kernel.code_object, nullptr);
}

TEST_F(CompilerTest, WhatCannotBeLoweredIsUnsupportedAndLeavesNothingInTheCache) {
  const NodePtr x = b_.param(1, "x", DType::kF64, {8}).value();
  const NodePtr y = b_.unary(Op::kSin, x).value();
  const Result<Program> program = make()->compile(std::span(&y, 1));
  ASSERT_FALSE(program.is_ok());
  EXPECT_EQ(program.status().code(), StatusCode::kUnsupported);
  EXPECT_THAT(program.status().message(), ::testing::HasSubstr("sin f64"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 0);
}

TEST_F(CompilerTest, CacheThatCannotBeWrittenIsToldAndDoesNotStopCompilation) {
  std::ofstream(dir_ / "file") << "in the way";
  const auto compiler = Compiler::create({.cache_dir = (dir_ / "file").string(), .threads = 1}).value();
  EXPECT_EQ(compiler->cache_problem(), "");
  const NodePtr y = scaled(7, 1000, 3.0);
  EXPECT_EQ(must(compiler->compile(std::span(&y, 1))).kernels.size(), 1u);
  EXPECT_THAT(compiler->cache_problem(), ::testing::HasSubstr((dir_ / "file").string()));
}

}  // namespace
}  // namespace bw::compiler
