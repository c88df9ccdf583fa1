#include "compiler/roofline.h"

#include <gtest/gtest.h>

#include "compiler/testing/sample_kernels.h"

namespace bw::compiler {
namespace {

KernelWork work_of(const ir::Kernel& kernel) {
  Result<KernelWork> work = count_work(kernel, LaneForm{});
  EXPECT_TRUE(work.is_ok()) << work.status().message();
  return work.is_ok() ? work.value() : KernelWork{};
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
