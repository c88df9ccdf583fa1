#include "ir/analysis/index_analysis.h"

#include <gtest/gtest.h>

#include "ir/kernel.h"
#include "ir/testing/nodes.h"
#include "ir/testing/random_expression.h"
#include "ir/text.h"

namespace bw::ir::analysis {
namespace {

class IndexAnalysisTest : public ::testing::Test {
 protected:
  NodePtr range(Dim extent) { return builder_.range(extent, RangeKind::kLoop); }
  NodePtr number(int64_t value) { return builder_.constant(DType::kI32, value); }
  NodePtr sum(const NodePtr& a, const NodePtr& b) { return builder_.add(a, b); }
  NodePtr mul(const NodePtr& a, int64_t b) { return builder_.mul(a, b); }
  NodePtr variable(const std::string& name, int64_t min, int64_t max) {
    return builder_.variable(testing::variable_node(name, min, max));
  }
  std::string bounds(const NodePtr& node) {
    const Interval interval = analysis_.bounds(node);
    return fmt::format("{}..{}", interval.low, interval.high);
  }
  std::string symbolic(const NodePtr& node) {
    const auto interval = analysis_.symbolic_bounds(node);
    return interval->low.print() + " .. " + interval->high.print();
  }

  KernelBuilder builder_;
  IndexAnalysis analysis_;
};

TEST_F(IndexAnalysisTest, FormsOfSumsLookThroughWidening) {
  NodePtr a = range(1 << 20);
  NodePtr b = range(1 << 12);
  NodePtr large = sum(mul(a, 1 << 12), builder_.add(b, 5));
  ASSERT_EQ(large->dtype, DType::kI64);
  const IndexForm& form = analysis_.form(large);
  EXPECT_TRUE(form.is_affine());
  EXPECT_EQ(form.coefficient_of(a.get()), 1 << 12);
  EXPECT_EQ(form.coefficient_of(b.get()), 1);
  EXPECT_EQ(form.constant, 5);
  EXPECT_EQ(analysis_.stride(large, a), 1 << 12);
  EXPECT_EQ(analysis_.stride(large, b), 1);
  EXPECT_EQ(analysis_.stride(large, range(4)), 0);
}

TEST_F(IndexAnalysisTest, BoundsKnowThatALoopEndsBeforeItsExtent) {
  NodePtr n = variable("n", 1, 100);
  NodePtr i = range(Dim(n, 0));
  // n - 1 - i, as a flip has it: intervals say -98..99.
  NodePtr flipped = sum(builder_.add(n, -1), mul(i, -1));
  EXPECT_LT(builder_.bounds(flipped).low, 0);
  EXPECT_EQ(bounds(flipped), "0..99");
  EXPECT_EQ(symbolic(flipped), "0 .. n - 1");
  EXPECT_EQ(symbolic(sum(mul(i, 3), range(4))), "0 .. 3*n");
}

TEST_F(IndexAnalysisTest, BoundsLeaveOutVariablesForWhichALoopIsEmpty) {
  NodePtr n = variable("n", 3, 100);
  NodePtr i = range(Dim(n, -3));
  NodePtr x = sum(builder_.add(n, -4), i);
  EXPECT_EQ(bounds(x), "0..192");
}

TEST_F(IndexAnalysisTest, DivisibilityOfFlatIndices) {
  NodePtr row = range(100);
  NodePtr quad = range(8);
  NodePtr flat = sum(mul(row, 32), mul(quad, 4));
  EXPECT_EQ(analysis_.common_factor(flat), 4);
  EXPECT_EQ(analysis_.congruence(builder_.add(flat, 6)), (Congruence{4, 2}));
  EXPECT_EQ(analysis_.common_factor(builder_.add(flat, 6)), 2);
  EXPECT_EQ(analysis_.common_factor(number(0)), 0);
  NodePtr x = range(1000);
  NodePtr rounded = mul(builder_.idiv(x, 8), 8);
  EXPECT_EQ(analysis_.common_factor(rounded), 8);
  NodePtr byte = builder_.load(builder_.param(0, "p", DType::kI32, {1000}), x);
  NodePtr masked = builder_.op(Op::kAnd, DType::kI32, {byte, number(~15)});
  EXPECT_EQ(analysis_.common_factor(masked), 16);
}

TEST_F(IndexAnalysisTest, WhatWrapsKeepsOnlyPowersOfTwo) {
  NodePtr byte = builder_.load(builder_.param(0, "p", DType::kI32, {1}), number(0));
  NodePtr scaled = builder_.op(Op::kMul, DType::kI32, {byte, number(24)});
  EXPECT_EQ(analysis_.common_factor(scaled), 8);
  EXPECT_FALSE(analysis_.form(scaled).is_affine());
}

TEST_F(IndexAnalysisTest, RunsWithinBlocksOfADivision) {
  NodePtr r = range(1024);
  NodePtr column = range(64);
  // Blocks of 32 lie 34 apart, as quantised blocks do.
  NodePtr blocked = sum(mul(builder_.idiv(r, 32), 34), builder_.mod(r, 32));
  EXPECT_EQ(analysis_.run(blocked, r), (RangeRun{1, 32}));
  EXPECT_EQ(analysis_.run(builder_.idiv(r, 32), r), (RangeRun{0, 32}));
  EXPECT_EQ(analysis_.stride(blocked, r), std::nullopt);
  EXPECT_EQ(analysis_.run(mul(r, 12), r), (RangeRun{12, 0}));
  // Where the blocks start off by something, only shorter ones stay within one.
  EXPECT_EQ(analysis_.run(builder_.mod(builder_.add(r, 4), 32), r), (RangeRun{1, 4}));
  EXPECT_EQ(analysis_.run(builder_.mod(sum(r, mul(column, 8)), 32), r), (RangeRun{1, 8}));
  EXPECT_EQ(analysis_.run(builder_.mod(sum(r, column), 32), r).length, 1);
  NodePtr bytes = builder_.param(0, "p", DType::kI32, {1024});
  EXPECT_EQ(analysis_.run(builder_.load(bytes, r), r), (RangeRun{0, 1}));
  EXPECT_EQ(analysis_.run(builder_.load(bytes, column), r), (RangeRun{0, 0}));
}

TEST_F(IndexAnalysisTest, ShiftsAndMasksAreDivisions) {
  NodePtr r = range(64);
  NodePtr low = builder_.op(Op::kAnd, DType::kI32, {r, number(7)});
  NodePtr high = builder_.op(Op::kShr, DType::kI32, {r, number(3)});
  EXPECT_EQ(bounds(high), "0..7");
  EXPECT_EQ(analysis_.run(sum(mul(high, 20), low), r), (RangeRun{1, 8}));
  EXPECT_TRUE(analysis_.is_quasi_affine(sum(high, low)));
}

TEST_F(IndexAnalysisTest, NeighboursDifferByAConstant) {
  NodePtr r = range(64);
  NodePtr at = mul(r, 4);
  EXPECT_EQ(analysis_.difference(builder_.add(at, 3), at), 3);
  EXPECT_EQ(analysis_.difference(at, r), std::nullopt);
}

int64_t value_of(const IndexForm& form, const testing::LeafValues& leaves) {
  int64_t value = form.constant;
  for (const IndexForm::Term& term : form.terms) {
    value += term.coefficient * testing::evaluate_expression(term.atom, leaves).integer;
  }
  return value;
}

// The leaves with a range at another iteration.
testing::LeafValues moved(testing::LeafValues leaves, const NodePtr& range, int64_t to) {
  leaves[range] = to;
  return leaves;
}

void check_run(IndexAnalysis& analysis, const NodePtr& node, const NodePtr& range, testing::LeafValues leaves) {
  const Dim& extent = range->attr<RangeAttr>().extent;
  const int64_t end = extent.is_static() ? extent.offset : leaves.at(extent.variable) + extent.offset;
  const RangeRun run = analysis.run(node, range);
  const int64_t at = leaves.at(range);
  const bool is_in_block = run.length == 0 || (at + 1) % run.length != 0;
  if (!is_in_block || at + 1 >= end) return;
  const int64_t here = testing::evaluate_expression(node, leaves).integer;
  const int64_t next = testing::evaluate_expression(node, moved(leaves, range, at + 1)).integer;
  ASSERT_EQ(next - here, run.stride) << "run of " << run.length << " at " << at;
  if (const auto stride = analysis.stride(node, range)) {
    ASSERT_EQ(next - here, *stride);
  }
}

void check_all(const testing::Expression& expression, testing::RandomExpressions& random) {
  IndexAnalysis analysis;
  const DType dtype = expression.plain->dtype;
  if (dtype == DType::kBool || dtype == DType::kU64) return;
  for (const NodePtr& node : {expression.folded, expression.plain}) {
    const Interval bounds = analysis.bounds(node);
    const auto symbolic = analysis.symbolic_bounds(node);
    const Congruence congruence = analysis.congruence(node);
    for (int i = 0; i < 12; ++i) {
      const testing::LeafValues leaves = random.sample();
      const int64_t value = testing::evaluate_expression(node, leaves).integer;
      ASSERT_EQ(value_of(analysis.form(node), leaves), value);
      ASSERT_LE(bounds.low, value);
      ASSERT_GE(bounds.high, value);
      if (symbolic.has_value()) {
        ASSERT_LE(value_of(symbolic->low, leaves), value);
        ASSERT_GE(value_of(symbolic->high, leaves), value);
      }
      if (congruence.modulus == 0) {
        ASSERT_EQ(value, congruence.remainder);
      } else {
        ASSERT_EQ((value - congruence.remainder) % congruence.modulus, 0);
      }
      for (const NodePtr& leaf : random.leaves()) {
        if (leaf->op == Op::kRange) check_run(analysis, node, leaf, leaves);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
  if (const auto difference = analysis.difference(expression.folded, expression.plain)) {
    ASSERT_EQ(*difference, 0);
  }
}

TEST(IndexAnalysisProperty, EveryAnswerHoldsForRandomIndices) {
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    KernelBuilder builder;
    testing::RandomExpressions random(builder, seed);
    const testing::Expression expression = random.index(static_cast<int>(2 + seed % 10));
    check_all(expression, random);
    if (::testing::Test::HasFatalFailure()) {
      FAIL() << "seed " << seed << "\n"
             << print_expression(*expression.folded) << "\n"
             << print_expression(*expression.plain);
    }
  }
}

TEST(IndexAnalysisProperty, EveryAnswerHoldsForRandomIntegers) {
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    KernelBuilder builder;
    testing::RandomExpressions random(builder, seed);
    const testing::Expression expression = random.integer(static_cast<int>(1 + seed % 8));
    check_all(expression, random);
    if (::testing::Test::HasFatalFailure()) {
      FAIL() << "seed " << seed << "\n"
             << print_expression(*expression.folded) << "\n"
             << print_expression(*expression.plain);
    }
  }
}

}  // namespace
}  // namespace bw::ir::analysis
