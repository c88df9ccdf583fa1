#include "ir/analysis/costs.h"

#include <gtest/gtest.h>

#include "ir/evaluator.h"
#include "ir/testing/counting_observer.h"
#include "ir/testing/nodes.h"
#include "ir/testing/random_kernel.h"
#include "ir/text.h"

namespace bw::ir::analysis {
namespace {

using testing::check_costs;
using testing::CountingObserver;
using Tally = testing::CostTally;

TEST(KernelCostsProperty, AgreeWithCountingExecutionOfRandomKernels) {
  Tally symbolic;
  Tally exact;
  for (uint64_t seed = 0; seed < 1200; ++seed) {
    const Kernel kernel = testing::random_kernel(seed, {});
    testing::RandomInputs inputs(kernel.params, kernel.variables, seed);
    CountingObserver counted(kernel);
    ASSERT_TRUE(evaluate_kernel(kernel, inputs.inputs(), Rounding::kToDType, &counted).is_ok());
    const VariableValues& values = inputs.inputs().variables;
    const KernelCosts in_variables = count_costs(kernel, {}).value();
    const KernelCosts at_values = count_costs(kernel, {CountEffort::kExact, values}).value();
    const std::string wrong =
        check_costs(in_variables, values, counted, symbolic) + check_costs(at_values, values, counted, exact);
    ASSERT_EQ(wrong, "") << "seed " << seed << "\n" << print_kernel(kernel);
  }
  EXPECT_EQ(exact.bounded, 0);  // no index of these kernels depends on data
  EXPECT_GT(symbolic.exact, 4 * symbolic.bounded);
}

class KernelCostsTest : public ::testing::Test {
 protected:
  NodePtr range(Dim extent, RangeKind kind) { return builder_.range(extent, kind); }
  NodePtr variable(const std::string& name, int64_t min, int64_t max) {
    return builder_.variable(testing::variable_node(name, min, max));
  }
  NodePtr flat(const NodePtr& row, int64_t width, const NodePtr& column) {
    return builder_.add(builder_.mul(row, width), column);
  }
  KernelCosts costs(CountEffort effort = CountEffort::kFast) { return count_costs(kernel_, {effort, {}}).value(); }

  KernelBuilder builder_;
  Kernel kernel_{.name = "k", .params = {}, .variables = {}, .stores = {}, .workgroup_size = 1};
};

TEST_F(KernelCostsTest, OfAMatrixProduct) {
  constexpr int64_t m = 64;
  constexpr int64_t n = 32;
  constexpr int64_t k = 16;
  NodePtr out = builder_.param(0, "out", DType::kF32, {m, n});
  NodePtr a = builder_.param(1, "a", DType::kF32, {m, k});
  NodePtr b = builder_.param(2, "b", DType::kF16, {k, n});
  NodePtr y = range(m, RangeKind::kGlobalY);
  NodePtr x = range(n, RangeKind::kGlobalX);
  NodePtr i = range(k, RangeKind::kLoop);
  NodePtr of_b = builder_.op(Op::kCast, DType::kF32, {builder_.load(b, flat(i, n, x))});
  NodePtr product = builder_.op(Op::kMul, DType::kF32, {builder_.load(a, flat(y, k, i)), of_b});
  kernel_.params = {out, a, b};
  kernel_.stores = {builder_.store(out, flat(y, n, x), builder_.op(Op::kReduceAdd, DType::kF32, {product, i}))};
  const KernelCosts counted = costs();
  EXPECT_EQ(counted.flops().max(), 2u * m * n * k);
  EXPECT_EQ(counted.flops(DType::kF32).max(), 2u * m * n * k);
  EXPECT_EQ(counted.read_bytes().value.max(), m * k * 4u + k * n * 2u);
  EXPECT_EQ(counted.written_bytes().value.max(), m * n * 4u);
  EXPECT_TRUE(counted.bytes().is_exact);
  EXPECT_EQ(counted.params[1].reuse(), n);
  EXPECT_EQ(counted.params[2].reuse(), m);
  EXPECT_NEAR(counted.intensity(), 65536.0 / (4096 + 1024 + 8192), 1e-9);
}

TEST_F(KernelCostsTest, ArePolynomialsInTheVariables) {
  NodePtr n = variable("n", 1, 100);
  NodePtr out = builder_.param(0, "out", DType::kF32, {100});
  NodePtr in = builder_.param(1, "in", DType::kF32, {100, 8});
  NodePtr x = range(Dim(n, 0), RangeKind::kGlobalX);
  NodePtr i = range(8, RangeKind::kLoop);
  NodePtr sum = builder_.op(Op::kReduceAdd, DType::kF32, {builder_.load(in, flat(x, 8, i)), i});
  kernel_.params = {out, in};
  kernel_.variables = {n};
  kernel_.stores = {builder_.store(out, x, sum)};
  const KernelCosts counted = costs();
  EXPECT_EQ(counted.flops().print(), "8*n");
  EXPECT_EQ(counted.bytes().value.print(), "36*n");
  EXPECT_TRUE(counted.bytes().is_exact);
  EXPECT_EQ(counted.flops().evaluate({{"n", 7}}), 56u);
  EXPECT_EQ(counted.flops().max(), 800u);
}

TEST_F(KernelCostsTest, ALoopWithoutIterationsTouchesNothing) {
  NodePtr n = variable("n", 0, 50);
  NodePtr out = builder_.param(0, "out", DType::kF32, {1});
  NodePtr in = builder_.param(1, "in", DType::kF32, {60});
  NodePtr i = range(Dim(n, 0), RangeKind::kLoop);
  NodePtr j = range(4, RangeKind::kLoop);
  NodePtr at = builder_.add(i, j);
  NodePtr zero = builder_.constant(DType::kI32, int64_t{0});
  NodePtr product = builder_.op(Op::kMul, DType::kF32, {builder_.load(in, at), builder_.load(in, zero)});
  kernel_.params = {out, in};
  kernel_.variables = {n};
  kernel_.stores = {builder_.store(out, zero, builder_.op(Op::kReduceAdd, DType::kF32, {product, i, j}))};
  // The windows overlap: n + 3 elements, but none for n = 0, so that the polynomial is an upper bound.
  EXPECT_FALSE(costs().params[1].read.is_exact);
  for (const int64_t value : {0, 1, 7, 50}) {
    testing::RandomInputs inputs(kernel_.params, kernel_.variables, 1);
    EvaluatorInputs at_value = inputs.inputs();
    at_value.variables["n"] = value;
    CountingObserver counted(kernel_);
    ASSERT_TRUE(evaluate_kernel(kernel_, at_value, Rounding::kToDType, &counted).is_ok());
    Tally tally;
    const VariableValues values = {{"n", value}};
    EXPECT_EQ(check_costs(count_costs(kernel_, {}).value(), values, counted, tally), "");
    EXPECT_EQ(check_costs(count_costs(kernel_, {CountEffort::kExact, values}).value(), values, counted, tally), "");
  }
}

TEST_F(KernelCostsTest, OverlappingWindowsAreReadOnce) {
  NodePtr out = builder_.param(0, "out", DType::kF32, {30});
  NodePtr in = builder_.param(1, "in", DType::kF32, {32, 64});
  NodePtr y = range(30, RangeKind::kGlobalX);
  NodePtr dy = range(3, RangeKind::kLoop);
  NodePtr dx = range(5, RangeKind::kLoop);
  NodePtr at = flat(builder_.add(y, dy), 64, builder_.mul(dx, 2));
  kernel_.params = {out, in};
  kernel_.stores = {builder_.store(out, y, builder_.op(Op::kReduceAdd, DType::kF32, {builder_.load(in, at), dy, dx}))};
  const KernelCosts counted = costs();
  EXPECT_EQ(counted.params[1].read.value.max(), 32u * 5);
  EXPECT_TRUE(counted.params[1].read.is_exact);
  EXPECT_EQ(counted.params[1].loads.max(), 30u * 15);
}

TEST_F(KernelCostsTest, TilesOfALaneAreCountedTogether) {
  NodePtr out = builder_.param(0, "out", DType::kF32, {64, 64});
  NodePtr y = range(32, RangeKind::kGlobalY);
  NodePtr x = range(16, RangeKind::kGlobalX);
  kernel_.params = {out};
  for (int64_t i = 0; i < 8; ++i) {
    NodePtr row = builder_.add(builder_.mul(y, 2), i / 4);
    NodePtr column = builder_.add(builder_.mul(x, 4), i % 4);
    kernel_.stores.push_back(builder_.store(out, flat(row, 64, column), builder_.constant(DType::kF32, 1.0)));
  }
  const KernelCosts counted = costs();
  EXPECT_EQ(counted.params[0].written.value.max(), 64u * 64);
  EXPECT_TRUE(counted.params[0].written.is_exact);
}

TEST_F(KernelCostsTest, DigitsOfADividedRangeAreIndependent) {
  NodePtr out = builder_.param(0, "out", DType::kF32, {1 << 20});
  NodePtr in = builder_.param(1, "in", DType::kF32, {1 << 25});
  NodePtr x = range(1 << 20, RangeKind::kGlobalX);
  // A transposed read: (x % 1024) * 2048 + x / 1024, of which only some columns are there.
  NodePtr at = flat(builder_.mod(x, 1024), 2048, builder_.idiv(x, 2048));
  kernel_.params = {out, in};
  kernel_.stores = {builder_.store(out, x, builder_.load(in, at))};
  const KernelCosts counted = costs();
  EXPECT_EQ(counted.params[1].read.value.max(), 1024u * 512);
  EXPECT_TRUE(counted.params[1].read.is_exact);
}

TEST_F(KernelCostsTest, WhatDependsOnDataIsAnUpperBound) {
  NodePtr out = builder_.param(0, "out", DType::kF32, {4, 8});
  NodePtr table = builder_.param(1, "table", DType::kF32, {1000, 8});
  NodePtr ids = builder_.param(2, "ids", DType::kI32, {4});
  NodePtr y = range(4, RangeKind::kGlobalY);
  NodePtr x = range(8, RangeKind::kGlobalX);
  NodePtr id = builder_.clamp(builder_.load(ids, y), 0, 999);
  kernel_.params = {out, table, ids};
  kernel_.stores = {builder_.store(out, flat(y, 8, x), builder_.load(table, flat(id, 8, x)))};
  const KernelCosts counted = costs();
  EXPECT_EQ(counted.params[1].read.value.max(), 32u);
  EXPECT_FALSE(counted.params[1].read.is_exact);
  EXPECT_TRUE(counted.params[2].read.is_exact);
  EXPECT_EQ(counted.flops().max(), 0u);
}

TEST_F(KernelCostsTest, EachLaneComputesWhatItNeedsByItself) {
  NodePtr out = builder_.param(0, "out", DType::kF32, {16});
  NodePtr in = builder_.param(1, "in", DType::kF32, {8});
  NodePtr x = range(16, RangeKind::kGlobalX);
  NodePtr i = range(8, RangeKind::kLoop);
  NodePtr sum = builder_.op(Op::kReduceAdd, DType::kF32, {builder_.load(in, i), i});
  kernel_.params = {out, in};
  kernel_.stores = {builder_.store(out, x, sum)};
  const KernelCosts counted = costs();
  EXPECT_EQ(counted.distinct_flops().max(), 8u);
  EXPECT_EQ(counted.flops().max(), 8u * 16);
  EXPECT_EQ(counted.params[1].reuse(), 16);
}

TEST(Polynomial, CountsStayAtTheLargestNumber) {
  Polynomial huge(int64_t{1} << 62);
  EXPECT_EQ((huge * huge).max(), UINT64_MAX);
  EXPECT_EQ((huge * huge * huge).max(), UINT64_MAX);
  EXPECT_EQ(Polynomial(-3).max(), 0u);
  EXPECT_EQ(Polynomial().print(), "0");
}

}  // namespace
}  // namespace bw::ir::analysis
