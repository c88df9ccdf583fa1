#include "compiler/codegen_costs.h"

#include <gtest/gtest.h>

#include "compiler/testing/sample_kernels.h"

namespace bw::compiler {
namespace {

KernelCosts costs_of(const ir::Kernel& kernel) {
  const Result<KernelCosts> costs = count_costs(kernel);
  EXPECT_TRUE(costs.is_ok()) << costs.status().message();
  return costs.is_ok() ? costs.value() : KernelCosts{};
}

TEST(CodegenCosts, ElementwiseKernelReadsAndWritesEachElementOnce) {
  const KernelCosts costs = costs_of(testing::scale_kernel(1000, 64));
  EXPECT_EQ(costs.flops, 2000u);
  EXPECT_EQ(costs.bytes, 8000u);
}

TEST(CodegenCosts, MatmulIsTwoFlopsAnIterationAndEachMatrixOnce) {
  const KernelCosts costs = costs_of(testing::matmul_kernel(64));
  EXPECT_EQ(costs.flops, 2u * 64 * 64 * 64);
  EXPECT_EQ(costs.bytes, 3u * 64 * 64 * 4);
}

TEST(CodegenCosts, SharedReductionCountsEachLane) {
  const KernelCosts costs = costs_of(testing::reduce_kernel(ir::Op::kReduceAdd, ir::DType::kF32, 8, 4096, 256));
  EXPECT_EQ(costs.flops, 8u * 4096);
  EXPECT_EQ(costs.bytes, 8u * 4096 * 4 + 8 * 4);
}

TEST(CodegenCosts, SymbolicExtentsCountAtTheirMaximum) {
  EXPECT_EQ(costs_of(testing::symbolic_sum_kernel(512)).flops, 512u);
}

TEST(CodegenCosts, IntegerArithmeticIsNoFlop) {
  const auto i32 = ir::DType::kI32;
  EXPECT_EQ(costs_of(testing::elementwise_kernel(ir::Op::kMulAcc, {i32, i32, i32}, i32, 100)).flops, 0u);
}

}  // namespace
}  // namespace bw::compiler
