#include "ir/bounds.h"

#include <gtest/gtest.h>

#include "ir/interval.h"
#include "ir/kernel.h"
#include "ir/scalar_ops.h"
#include "ir/testing/nodes.h"

namespace bw::ir {
namespace {

std::string text(const Interval& interval) {
  return fmt::format("{}..{}{}", interval.low, interval.high, interval.overflow ? " overflow" : "");
}

class BoundsTest : public ::testing::Test {
 protected:
  std::string of(const NodePtr& node) {
    Bounds bounds;
    return text(bounds.of(node));
  }
  NodePtr raw(Op op, DType dtype, std::vector<NodePtr> inputs) {
    Node made;
    made.op = op;
    made.dtype = dtype;
    made.inputs = std::move(inputs);
    return make_node(std::move(made));
  }
  NodePtr number(int64_t value) { return builder_.constant(DType::kI32, value); }

  KernelBuilder builder_;
  NodePtr r_ = builder_.range(10, RangeKind::kLoop);
};

TEST_F(BoundsTest, OfLeaves) {
  EXPECT_EQ(of(r_), "0..9");
  EXPECT_EQ(of(number(-3)), "-3..-3");
  EXPECT_EQ(of(builder_.load(builder_.param(0, "p", DType::kU8, {10}), r_)), "0..255");
  EXPECT_EQ(of(builder_.constant(DType::kU64, int64_t{-1})), "0..9223372036854775807");
  NodePtr pos = testing::variable_node("pos", 2, 7);
  EXPECT_EQ(of(pos), "2..7");
  EXPECT_EQ(of(builder_.range(Dim(pos, 1), RangeKind::kLoop)), "0..7");
}

TEST_F(BoundsTest, AMinimumIsRecognisedInItsForms) {
  NodePtr four = number(4);
  EXPECT_EQ(of(raw(Op::kWhere, DType::kI32, {raw(Op::kCmpLt, DType::kBool, {r_, four}), r_, four})), "0..4");
  EXPECT_EQ(of(raw(Op::kWhere, DType::kI32, {raw(Op::kCmpLt, DType::kBool, {four, r_}), four, r_})), "0..4");
  NodePtr minus_one = number(-1);
  NodePtr negated = raw(Op::kMul, DType::kI32, {r_, minus_one});
  EXPECT_EQ(of(raw(Op::kMul, DType::kI32, {raw(Op::kMax, DType::kI32, {negated, number(-4)}), minus_one})), "0..4");
}

TEST_F(BoundsTest, AConditionHoldsForWhatIsComputedFromItsSides) {
  NodePtr less = raw(Op::kCmpLt, DType::kBool, {r_, number(3)});
  NodePtr scaled = raw(Op::kAdd, DType::kI32, {raw(Op::kMul, DType::kI32, {r_, number(8)}), number(1)});
  EXPECT_EQ(of(raw(Op::kWhere, DType::kI32, {less, scaled, number(0)})), "0..17");
  NodePtr product_less = raw(Op::kCmpLt, DType::kBool, {raw(Op::kMul, DType::kI32, {r_, number(4)}), number(10)});
  EXPECT_EQ(of(raw(Op::kWhere, DType::kI32, {product_less, r_, number(0)})), "0..2");
  NodePtr yes = builder_.constant(DType::kBool, int64_t{1});
  NodePtr not_less = raw(Op::kCmpNe, DType::kBool, {less, yes});
  EXPECT_EQ(of(raw(Op::kWhere, DType::kI32, {not_less, r_, number(5)})), "3..9");
  NodePtr both = raw(Op::kAnd, DType::kBool, {not_less, raw(Op::kCmpLt, DType::kBool, {r_, number(6)})});
  EXPECT_EQ(of(raw(Op::kWhere, DType::kI32, {both, r_, number(4)})), "3..5");
}

TEST_F(BoundsTest, ReductionsOfIntegersCountTheirIterations) {
  NodePtr loop = builder_.range(8, RangeKind::kLoop);
  EXPECT_EQ(of(builder_.op(Op::kReduceAdd, DType::kI32, {r_, loop})), "0..72");
  EXPECT_EQ(of(builder_.op(Op::kReduceMax, DType::kI32, {r_, loop})), "0..9");
  EXPECT_EQ(of(builder_.op(Op::kReduceMul, DType::kI32, {r_, loop})), "-2147483648..2147483647 overflow");
}

TEST_F(BoundsTest, ADeepExpressionIsNoProblem) {
  NodePtr x = r_;
  for (int i = 0; i < 200000; ++i) x = raw(Op::kMax, DType::kI32, {x, r_});
  EXPECT_EQ(of(x), "0..9");
}

// All inputs of a small type are tried: the interval holds every result, is exact at its ends where the op is
// monotonic, and `overflow` is set where a result wraps.
TEST(Interval, HoldsEveryResultOfEightBitOps) {
  constexpr Op kOps[] = {Op::kAdd,   Op::kMul, Op::kIDiv, Op::kMod, Op::kMax, Op::kCmpLt,
                         Op::kCmpNe, Op::kAnd, Op::kOr,   Op::kXor, Op::kShl, Op::kShr};
  constexpr int64_t kEnds[] = {-128, -100, -17, -8, -3, -1, 0, 1, 2, 5, 7, 8, 31, 100, 127, 128, 200, 255};
  for (DType dtype : {DType::kI8, DType::kU8}) {
    std::vector<Interval> intervals;
    for (int64_t low : kEnds) {
      for (int64_t high : kEnds) {
        if (low <= high && low >= min_integer(dtype) && high <= max_integer(dtype) && high - low <= 40) {
          intervals.push_back({low, high, false});
        }
      }
    }
    for (Op op : kOps) {
      const bool is_compare = op == Op::kCmpLt || op == Op::kCmpNe;
      for (const Interval& a : intervals) {
        for (const Interval& b : intervals) {
          const Interval result = binary_interval(op, dtype, a, b);
          int64_t low = INT64_MAX;
          int64_t high = INT64_MIN;
          for (int64_t x = a.low; x <= a.high; ++x) {
            for (int64_t y = b.low; y <= b.high; y += y + 7 < b.high ? 3 : 1) {
              const Value values[] = {{x, 0}, {y, 0}};
              const DType to = is_compare ? DType::kBool : dtype;
              const int64_t value = apply_elementwise(op, dtype, to, values, Rounding::kToDType).integer;
              low = std::min(low, value);
              high = std::max(high, value);
            }
          }
          ASSERT_TRUE(result.low <= low && high <= result.high)
              << name(op) << " " << name(dtype) << " " << text(a) << ", " << text(b) << ": " << text(result)
              << " does not hold " << low << ".." << high;
        }
      }
    }
  }
}

}  // namespace
}  // namespace bw::ir
