#include "compiler/roofline.h"

#include <gtest/gtest.h>

#include "compiler/compiler.h"
#include "compiler/schedule.h"
#include "compiler/testing/sample_kernels.h"
#include "ir/builder.h"

namespace bw::compiler {
namespace {

KernelWork work_of(const ir::Kernel& kernel) {
  Result<KernelWork> work = count_work(kernel, LaneForm{});
  EXPECT_TRUE(work.is_ok()) << work.status().message();
  return work.is_ok() ? work.value() : KernelWork{};
}

TEST(Roofline, ElementsAreReadAndWrittenOnce) {
  const KernelCosts scale = work_of(testing::scale_kernel(1000, 64)).costs();
  EXPECT_EQ(scale.flops, 2000u);
  EXPECT_EQ(scale.bytes, 8000u);
  const KernelCosts product = work_of(testing::matmul_kernel(64)).costs();
  EXPECT_EQ(product.flops, 2u * 64 * 64 * 64);
  EXPECT_EQ(product.bytes, 3u * 64 * 64 * 4);
}

TEST(Roofline, SharedReductionCountsEachLane) {
  const KernelCosts costs = work_of(testing::reduce_kernel(ir::Op::kReduceAdd, ir::DType::kF32, 8, 4096, 256)).costs();
  EXPECT_EQ(costs.flops, 8u * 4096);
  EXPECT_EQ(costs.bytes, 8u * 4096 * 4 + 8 * 4);
}

TEST(Roofline, SymbolicExtentsCountAtTheirMaximum) {
  EXPECT_EQ(work_of(testing::symbolic_sum_kernel(512)).flops, 512u);
}

TEST(Roofline, IntegerArithmeticIsNoFlop) {
  const auto i32 = ir::DType::kI32;
  EXPECT_EQ(work_of(testing::elementwise_kernel(ir::Op::kMulAcc, {i32, i32, i32}, i32, 100)).flops, 0u);
}

uint64_t get(const KernelWork& work, CardUnit unit) {
  return work.of(unit);
}

TEST(Roofline, SumsOfProductsAreMultiplyAdds) {
  const KernelWork work = work_of(testing::matmul_kernel(64));
  EXPECT_EQ(get(work, CardUnit::kValu), 64u * 64 * 64);
  EXPECT_EQ(get(work, CardUnit::kMemory), 3u * 64 * 64 * 4);
  EXPECT_EQ(get(work, CardUnit::kLatency), 1u);
  EXPECT_EQ(get(work, CardUnit::kTranscendental), 0u);
}

TEST(Roofline, EachOpIsCountedForTheUnitThatCarriesItOut) {
  // For each element: exp2 in the sum and in the result; reciprocals once a row.
  const KernelWork softmax = work_of(testing::softmax_kernel(8, 128));
  EXPECT_GE(get(softmax, CardUnit::kTranscendental), 2u * 8 * 128);
  const auto elementwise = [](ir::Op op, ir::DType dtype) {
    return work_of(testing::elementwise_kernel(op, {dtype, dtype}, dtype, 1000));
  };
  EXPECT_EQ(get(elementwise(ir::Op::kMul, ir::DType::kI32), CardUnit::kIntegerProduct), 1000u);
  EXPECT_EQ(get(elementwise(ir::Op::kAdd, ir::DType::kI32), CardUnit::kValu), 1000u);
  EXPECT_EQ(get(elementwise(ir::Op::kMul, ir::DType::kF64), CardUnit::kF64), 1000u);
}

// softmax(q k) v, 16 queries and 32 positions of 8 elements: what the kernel says three times is carried out once.
TEST(Roofline, AttentionGoesOverThePositionsOnce) {
  ir::Builder b;
  const auto param = [&](uint64_t id, std::vector<int64_t> shape) {
    return b.param(id, "x", ir::DType::kF32, std::move(shape)).value();
  };
  const auto expanded = [&](const ir::NodePtr& x, ir::Shape shape) { return b.expand(x, std::move(shape)).value(); };
  const ir::NodePtr q = expanded(param(1, {16, 1, 8}), {16, 32, 8});
  const ir::NodePtr k = expanded(param(2, {1, 32, 8}), {16, 32, 8});
  const ir::NodePtr scores = b.reduce(ir::Op::kReduceAdd, b.binary(ir::Op::kMul, q, k).value(), {2}).value();
  const ir::NodePtr largest = b.reduce(ir::Op::kReduceMax, scores, {1}).value();
  const ir::NodePtr minus = b.binary(ir::Op::kMul, largest, b.constant(ir::DType::kF32, -1.0).value()).value();
  const ir::NodePtr difference = b.binary(ir::Op::kAdd, scores, expanded(minus, {16, 32, 1})).value();
  const ir::NodePtr powers = b.unary(ir::Op::kExp2, difference).value();
  const ir::NodePtr sum = b.reduce(ir::Op::kReduceAdd, powers, {1}).value();
  const ir::NodePtr weights =
      b.binary(ir::Op::kMul, powers, expanded(b.unary(ir::Op::kRecip, sum).value(), {16, 32, 1})).value();
  const ir::NodePtr v = expanded(param(3, {1, 32, 8}), {16, 32, 8});
  const ir::NodePtr mixed =
      b.reduce(ir::Op::kReduceAdd, b.binary(ir::Op::kMul, expanded(weights, {16, 32, 8}), v).value(), {1}).value();
  const Result<Schedule> plan = schedule(std::span(&mixed, 1));
  ASSERT_TRUE(plan.is_ok()) << plan.status().message();
  ASSERT_EQ(plan->kernels.size(), 1u);
  const KernelPart& part = plan->kernels[0].parts[0];
  ASSERT_TRUE(std::holds_alternative<AttentionForm>(part.form)) << print_form(part.form);
  const Result<KernelWork> work = count_work(part.kernel, part.form);
  ASSERT_TRUE(work.is_ok()) << work.status().message();
  // Two products of 16 x 32 x 8 multiply-adds, and a few operations for each score and row besides.
  EXPECT_GE(work->flops, 4u * 16 * 32 * 8);
  EXPECT_LE(work->flops, 4u * 16 * 32 * 8 + 8u * 16 * 32);
  // What a compiled program tells of itself.
  const std::unique_ptr<Compiler> compiler = Compiler::create({}).value();
  const Result<Program> program = compiler->compile(std::span(&mixed, 1));
  ASSERT_TRUE(program.is_ok()) << program.status().message();
  EXPECT_EQ(program->kernels[0].flops, work->flops);
  EXPECT_EQ(program->kernels[0].bytes, 4u * 2 * (16 * 8 + 32 * 8));
  EXPECT_GE(work->of(CardUnit::kTranscendental), 16u * 32);
  EXPECT_LE(work->of(CardUnit::kTranscendental), 2u * 16 * 32);
}

TEST(Roofline, TilesOfWmmaMultiplyThereAndReadLds) {
  ir::Builder b;
  const auto operand = [&](uint64_t id, std::vector<int64_t> shape) {
    const ir::NodePtr x = b.param(id, "x", ir::DType::kF16, std::move(shape)).value();
    return b.expand(b.cast(x, ir::DType::kF32).value(), {256, 256, 128}).value();
  };
  const ir::NodePtr product = b.binary(ir::Op::kMul, operand(1, {256, 1, 128}), operand(2, {1, 256, 128})).value();
  const ir::NodePtr sum = b.reduce(ir::Op::kReduceAdd, product, {2}).value();
  const Result<Schedule> plan = schedule(std::span(&sum, 1));
  ASSERT_TRUE(plan.is_ok()) << plan.status().message();
  ASSERT_EQ(plan->kernels.size(), 1u);
  const ir::Kernel& kernel = plan->kernels[0].parts[0].kernel;
  const ContractionForm form{ProductUnit::kWmmaF16, 128, 128, 32, 64, 32, 2};
  const Result<KernelWork> work = count_work(kernel, form);
  ASSERT_TRUE(work.is_ok()) << work.status().message();
  EXPECT_EQ(work->flops, 2u * 256 * 256 * 128);
  EXPECT_EQ(work->of(CardUnit::kWmma), 2u * 256 * 256 * 128);
  EXPECT_EQ(work->of(CardUnit::kValu), 0u);
  // 4 workgroups of 8 waves; each reads 64 + 32 f16 twice for each of 128 steps.
  EXPECT_EQ(work->of(CardUnit::kLds), 4u * 8 * 128 * (64 + 32) * 2 * 2);
  EXPECT_TRUE(model_seconds(kernel, form).has_value());
  EXPECT_FALSE(model_seconds(kernel, LaneForm{}).has_value());
}

TEST(Roofline, TheBusiestPartBoundsTheTime) {
  const Occupancy full = occupancy({.vgprs = 32}, 256);
  KernelWork work;
  work.of(CardUnit::kMemory) = 960'000'000;  // a millisecond
  work.of(CardUnit::kValu) = 1'000'000;
  const Roofline memory = roofline(work, full, 100000);
  EXPECT_EQ(memory.bound, CardUnit::kMemory);
  EXPECT_NEAR(memory.total_seconds(), 1e-3, 1e-9);
  EXPECT_EQ(memory.filled, 1);
  // 4096^3 multiply-adds at 61.44 TFLOPS.
  work.of(CardUnit::kValu) = uint64_t{4096} * 4096 * 4096;
  const Roofline valu = roofline(work, full, 100000);
  EXPECT_EQ(valu.bound, CardUnit::kValu);
  EXPECT_NEAR(valu.total_seconds(), 2 * 4096.0 * 4096 * 4096 / 61.44e12, 1e-6);
}

TEST(Roofline, ASmallGridHasTheArithmeticOfItsSimdsOnly) {
  KernelWork work;
  work.of(CardUnit::kValu) = 1'000'000'000;
  const Occupancy one_wave = occupancy({.vgprs = 32}, 32);
  const Roofline full = roofline(work, one_wave, 192);
  const Roofline half = roofline(work, one_wave, 96);
  EXPECT_EQ(full.filled, 1);
  EXPECT_EQ(half.filled, 0.5);
  EXPECT_NEAR(half.total_seconds(), 2 * full.total_seconds(), 1e-12);
  EXPECT_GT(roofline(work, one_wave, 0).total_seconds(), 0);
}

}  // namespace
}  // namespace bw::compiler
