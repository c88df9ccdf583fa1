#include "ir/kernel.h"

#include <gtest/gtest.h>

#include "ir/testing/nodes.h"
#include "ir/testing/random_expression.h"
#include "ir/text.h"

namespace bw::ir {
namespace {

class KernelBuilderTest : public ::testing::Test {
 protected:
  NodePtr range(int64_t extent) { return builder_.range(extent, RangeKind::kLoop); }
  NodePtr index(int64_t value) { return builder_.constant(DType::kI32, value); }
  NodePtr sum(const NodePtr& a, const NodePtr& b) { return builder_.add(a, b); }
  NodePtr less(const NodePtr& a, int64_t b) {
    return builder_.op(Op::kCmpLt, DType::kBool, {a, builder_.constant(a->dtype, b)});
  }

  KernelBuilder builder_;
};

TEST_F(KernelBuilderTest, EqualNodesAreOneButEachRangeIsItsOwn) {
  NodePtr r = range(8);
  EXPECT_EQ(builder_.add(r, 3), builder_.add(r, 3));
  EXPECT_NE(r, range(8));
  EXPECT_EQ(index(4), index(4));
}

TEST_F(KernelBuilderTest, IdentitiesFold) {
  NodePtr r = range(8);
  EXPECT_EQ(builder_.add(r, 0), r);
  EXPECT_EQ(builder_.mul(r, 1), r);
  EXPECT_EQ(builder_.mul(r, 0), index(0));
  EXPECT_EQ(builder_.idiv(r, 1), r);
  EXPECT_EQ(builder_.mod(r, 1), index(0));
  EXPECT_EQ(builder_.add(index(2), index(3)), index(5));
  EXPECT_EQ(sum(builder_.mul(r, 3), builder_.mul(r, 2)), builder_.mul(r, 5));
  EXPECT_EQ(sum(builder_.mul(r, 3), builder_.mul(r, -3)), index(0));
  EXPECT_EQ(builder_.add(builder_.add(r, 5), -5), r);
  EXPECT_EQ(builder_.mul(builder_.mul(r, 3), 4), builder_.mul(r, 12));
  EXPECT_EQ(builder_.add(range(1), 7), index(7));
}

TEST_F(KernelBuilderTest, FloatIdentitiesKeepTheSignOfZero) {
  NodePtr x = builder_.load(builder_.param(0, "x", DType::kF32, {1}), index(0));
  const auto real = [&](double value) { return builder_.constant(DType::kF32, value); };
  EXPECT_EQ(builder_.op(Op::kAdd, DType::kF32, {x, real(-0.0)}), x);
  EXPECT_NE(builder_.op(Op::kAdd, DType::kF32, {x, real(0.0)}), x);
  EXPECT_EQ(builder_.op(Op::kMul, DType::kF32, {real(1), x}), x);
  EXPECT_EQ(builder_.op(Op::kMul, DType::kF32, {x, real(0)})->op, Op::kMul);
  EXPECT_EQ(builder_.op(Op::kAdd, DType::kF32, {real(1), real(2)}), real(3));
  EXPECT_EQ(builder_.op(Op::kCmpNe, DType::kBool, {x, x})->op, Op::kCmpNe);
}

TEST_F(KernelBuilderTest, DivisionTakesTheMultiplesOut) {
  NodePtr a = range(100);
  NodePtr b = range(8);
  NodePtr c = range(4);
  NodePtr flat = sum(sum(builder_.mul(a, 32), builder_.mul(b, 4)), c);
  EXPECT_EQ(builder_.idiv(flat, 32), a);
  EXPECT_EQ(builder_.mod(flat, 32), sum(builder_.mul(b, 4), c));
  EXPECT_EQ(builder_.mod(flat, 4), c);
  EXPECT_EQ(builder_.idiv(flat, 4), sum(builder_.mul(a, 8), b));
  EXPECT_EQ(builder_.mod(builder_.idiv(flat, 4), 8), b);
  EXPECT_EQ(builder_.idiv(builder_.mod(flat, 32), 4), b);
  EXPECT_EQ(builder_.idiv(flat, 64), builder_.idiv(a, 2));
  EXPECT_EQ(builder_.idiv(builder_.idiv(flat, 4), 8), a);
  EXPECT_EQ(builder_.mod(builder_.mod(flat, 32), 4), c);
  EXPECT_EQ(builder_.idiv(b, 8), index(0));
  EXPECT_EQ(builder_.mod(b, 8), b);
}

TEST_F(KernelBuilderTest, QuotientAndRemainderJoinAgain) {
  NodePtr x = range(4096);
  NodePtr back = sum(builder_.mul(builder_.idiv(x, 32), 32), builder_.mod(x, 32));
  EXPECT_EQ(back, x);
  NodePtr i = builder_.idiv(x, 64);
  NodePtr j = builder_.mod(builder_.idiv(x, 8), 8);
  NodePtr k = builder_.mod(x, 8);
  EXPECT_EQ(sum(sum(builder_.mul(i, 64), builder_.mul(j, 8)), k), x);
  EXPECT_EQ(sum(builder_.mul(j, 8), k), builder_.mod(x, 64));
  NodePtr swapped = sum(sum(builder_.mul(i, 8), j), builder_.mul(k, 512));
  EXPECT_EQ(builder_.idiv(swapped, 512), k);
}

TEST_F(KernelBuilderTest, WhatMayBeNegativeIsNotDividedApart) {
  NodePtr a = range(100);
  NodePtr x = builder_.add(sum(builder_.mul(a, 4), range(4)), -9);
  EXPECT_EQ(builder_.idiv(x, 4)->op, Op::kIDiv);
  EXPECT_EQ(builder_.mod(x, 4)->op, Op::kMod);
  // A multiple divides exactly, whatever its sign.
  NodePtr multiple = builder_.add(builder_.mul(a, 4), -8);
  EXPECT_EQ(builder_.idiv(multiple, 4), builder_.add(a, -2));
  EXPECT_EQ(builder_.mod(multiple, 4), index(0));
}

TEST_F(KernelBuilderTest, ComparisonsFoldByBoundsAndCommonFactors) {
  NodePtr a = range(100);
  NodePtr flat = sum(builder_.mul(a, 4), range(4));
  EXPECT_EQ(less(flat, 400), builder_.constant(DType::kBool, int64_t{1}));
  EXPECT_EQ(less(flat, 0), builder_.constant(DType::kBool, int64_t{0}));
  EXPECT_EQ(less(flat, 64), less(a, 16));
}

TEST_F(KernelBuilderTest, ClampFoldsWhereTheBoundsLieWithin) {
  NodePtr r = range(10);
  EXPECT_EQ(builder_.clamp(r, 0, 9), r);
  Interval inside = builder_.bounds(builder_.clamp(builder_.add(r, -3), 0, 4));
  EXPECT_EQ(inside.low, 0);
  EXPECT_EQ(inside.high, 4);
  NodePtr loaded = builder_.load(builder_.param(0, "ids", DType::kI32, {10}), r);
  inside = builder_.bounds(builder_.clamp(loaded, 0, 1023));
  EXPECT_EQ(inside.low, 0);
  EXPECT_EQ(inside.high, 1023);
}

// Gathered modulo 2^32, (a + 8) * 2^28 would be a * 2^28 - 2^31, which fits.
TEST_F(KernelBuilderTest, AnIndexThatI32CannotHoldIsNotWrappedIntoOneThatItCan) {
  NodePtr far = builder_.mul(builder_.add(range(4), 8), int64_t{1} << 28);
  EXPECT_EQ(far->dtype, DType::kI64);
  EXPECT_EQ(builder_.bounds(far).low, int64_t{1} << 31);
  EXPECT_EQ(builder_.bounds(builder_.add(range(8), (int64_t{1} << 31) - 4)).low, (int64_t{1} << 31) - 4);
}

TEST_F(KernelBuilderTest, RangesOf32BitsAndMoreAreI64) {
  const int64_t limit = int64_t{1} << 31;
  EXPECT_EQ(builder_.range(limit - 1, RangeKind::kLoop)->dtype, DType::kI32);
  NodePtr wide = builder_.range(limit, RangeKind::kLoop);
  EXPECT_EQ(wide->dtype, DType::kI64);
  EXPECT_EQ(builder_.bounds(wide).high, limit - 1);
  EXPECT_EQ(builder_.dim(limit)->dtype, DType::kI64);
}

TEST_F(KernelBuilderTest, AnIndexThatI32CannotHoldIsI64) {
  NodePtr a = range(1 << 20);
  NodePtr b = range(1 << 12);
  EXPECT_EQ(builder_.mul(a, 1 << 10)->dtype, DType::kI32);
  NodePtr large = sum(builder_.mul(a, 1 << 12), b);
  EXPECT_EQ(large->dtype, DType::kI64);
  EXPECT_FALSE(builder_.bounds(large).overflow);
  EXPECT_EQ(builder_.bounds(large).high, (int64_t{1} << 32) - 1);
  // The parts come back widened.
  NodePtr wide_a = builder_.op(Op::kCast, DType::kI64, {a});
  EXPECT_EQ(builder_.idiv(large, 1 << 12), wide_a);
  EXPECT_EQ(builder_.mod(large, 1 << 12), builder_.op(Op::kCast, DType::kI64, {b}));
}

TEST_F(KernelBuilderTest, DimsAreExpressionsOfTheirVariables) {
  NodePtr variable = testing::variable_node("pos", 0, 100);
  EXPECT_EQ(builder_.dim(Dim(7)), index(7));
  EXPECT_EQ(builder_.dim(Dim(variable, 0)), variable);
  EXPECT_EQ(builder_.dim(Dim(variable, 3)), builder_.add(variable, 3));
  EXPECT_EQ(builder_.bounds(builder_.range(Dim(variable, 3), RangeKind::kLoop)).high, 102);
}

TEST_F(KernelBuilderTest, LoopsThatAReductionDoesNotDependOnGo) {
  NodePtr p = builder_.param(0, "p", DType::kI32, {8});
  NodePtr r = range(8);
  NodePtr dead = range(5);
  NodePtr once = range(1);
  NodePtr x = builder_.load(p, r);
  const auto reduce = [&](Op op, DType dtype, std::vector<NodePtr> inputs) {
    return builder_.op(op, dtype, std::move(inputs));
  };
  NodePtr sum = reduce(Op::kReduceAdd, DType::kI32, {x, r});
  EXPECT_EQ(reduce(Op::kReduceAdd, DType::kI32, {x, r, once}), sum);
  EXPECT_EQ(reduce(Op::kReduceAdd, DType::kI32, {x, dead, r}), builder_.op(Op::kMul, DType::kI32, {sum, index(5)}));
  EXPECT_EQ(reduce(Op::kReduceMax, DType::kI32, {x, dead}), x);
  EXPECT_EQ(reduce(Op::kReduceMul, DType::kI32, {x, dead})->op, Op::kReduceMul);
  NodePtr real = builder_.load(builder_.param(1, "f", DType::kF32, {8}), r);
  EXPECT_EQ(reduce(Op::kReduceAdd, DType::kF32, {real, dead})->op, Op::kReduceAdd);
  EXPECT_EQ(reduce(Op::kReduceAdd, DType::kF32, {real, once})->op, Op::kReduceAdd);
  EXPECT_EQ(reduce(Op::kReduceMul, DType::kF32, {real, once}), real);
  NodePtr lanes = builder_.range(32, RangeKind::kGroup);
  EXPECT_EQ(reduce(Op::kReduceMax, DType::kI32, {x, lanes})->op, Op::kReduceMax);
}

TEST_F(KernelBuilderTest, ConditionsFold) {
  NodePtr r = range(8);
  NodePtr yes = builder_.constant(DType::kBool, int64_t{1});
  NodePtr condition = less(builder_.load(builder_.param(0, "p", DType::kI32, {8}), r), 3);
  EXPECT_EQ(builder_.op(Op::kWhere, DType::kI32, {yes, r, index(3)}), r);
  EXPECT_EQ(builder_.op(Op::kWhere, DType::kI32, {condition, r, r}), r);
  EXPECT_EQ(builder_.op(Op::kAnd, DType::kBool, {condition, yes}), condition);
  EXPECT_EQ(builder_.op(Op::kOr, DType::kBool, {condition, yes}), yes);
  NodePtr negated = builder_.op(Op::kCmpNe, DType::kBool, {condition, yes});
  EXPECT_EQ(builder_.op(Op::kCmpNe, DType::kBool, {negated, yes}), condition);
}

TEST(KernelBuilderDeathTest, MisuseAborts) {
  KernelBuilder builder;
  NodePtr x = builder.constant(DType::kF32, 1.0);
  EXPECT_DEATH(builder.op(Op::kAdd, DType::kI32, {x, x}), "kernel.cc");
  EXPECT_DEATH(builder.load(x, x), "kernel.cc");
}

// Both forms of an expression, evaluated for random values of its leaves, are equal and lie within their bounds.
void check_samples(KernelBuilder& builder, testing::RandomExpressions& random, const testing::Expression& expression,
                   uint64_t seed) {
  Bounds plain_bounds;
  const Interval of_folded = builder.bounds(expression.folded);
  const Interval of_plain = plain_bounds.of(expression.plain);
  for (int i = 0; i < 20; ++i) {
    const testing::LeafValues leaves = random.sample();
    const int64_t folded = testing::evaluate_expression(expression.folded, leaves).integer;
    const int64_t plain = testing::evaluate_expression(expression.plain, leaves).integer;
    ASSERT_EQ(folded, plain) << "seed " << seed << "\n"
                             << print_node(*expression.folded) << "\n"
                             << print_node(*expression.plain);
    if (expression.plain->dtype == DType::kU64 && plain < 0) {  // larger than INT64_MAX
      ASSERT_EQ(of_plain.high, INT64_MAX) << "seed " << seed;
      ASSERT_EQ(of_folded.high, INT64_MAX) << "seed " << seed;
      continue;
    }
    ASSERT_TRUE(of_plain.low <= plain && plain <= of_plain.high)
        << "seed " << seed << ": " << plain << " not in " << of_plain.low << ".." << of_plain.high << "\n"
        << print_node(*expression.plain);
    ASSERT_TRUE(of_folded.low <= plain && plain <= of_folded.high)
        << "seed " << seed << ": " << plain << " not in " << of_folded.low << ".." << of_folded.high << "\n"
        << print_node(*expression.folded);
  }
}

TEST(KernelBuilderProperty, FoldedIndexArithmeticHasTheSameValuesWithinItsBounds) {
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    KernelBuilder builder;
    testing::RandomExpressions random(builder, seed);
    check_samples(builder, random, random.index(static_cast<int>(2 + seed % 12)), seed);
    if (HasFatalFailure()) return;
  }
}

TEST(KernelBuilderProperty, FoldedIntegersHaveTheSameValuesWithinTheirBounds) {
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    KernelBuilder builder;
    testing::RandomExpressions random(builder, seed);
    check_samples(builder, random, random.integer(static_cast<int>(1 + seed % 9)), seed);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace bw::ir
