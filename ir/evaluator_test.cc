#include "ir/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "ir/builder.h"
#include "ir/scalar_ops.h"

namespace bw::ir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::numeric_limits<double>::quiet_NaN();

// A graph and the memory of its params.
class GraphEvaluatorTest : public ::testing::Test {
 protected:
  NodePtr param(DType dtype, std::vector<int64_t> shape, std::vector<double> values) {
    const uint64_t id = memory_.size();
    const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    std::vector<std::byte>& raw = memory_[id];
    raw.resize(static_cast<size_t>(count) * size_bytes(dtype));
    encode_elements(dtype, values, raw);
    inputs_.params[id] = raw;
    return builder_.param(id, "p", dtype, std::move(shape)).value();
  }

  std::vector<double> run(const Result<NodePtr>& node, Rounding rounding = Rounding::kToDType) {
    EXPECT_TRUE(node.is_ok()) << node.status().message();
    Result<std::vector<double>> values = evaluate_graph(node.value(), inputs_, rounding);
    EXPECT_TRUE(values.is_ok()) << values.status().message();
    return values.is_ok() ? values.value() : std::vector<double>{};
  }

  Builder builder_;
  std::map<uint64_t, std::vector<std::byte>> memory_;
  EvaluatorInputs inputs_;
};

TEST_F(GraphEvaluatorTest, MovesElements) {
  NodePtr x = param(DType::kF32, {2, 3}, {0, 1, 2, 3, 4, 5});
  EXPECT_THAT(run(builder_.permute(x, {1, 0})), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(run(builder_.reshape(x, {3, 2})), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(run(builder_.flip(x, {0})), ElementsAre(3, 4, 5, 0, 1, 2));
  EXPECT_THAT(run(builder_.shrink(x, {0, 1}, {2, 3})), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(run(builder_.pad(x, {0, 1}, {1, 0})), ElementsAre(0, 0, 1, 2, 0, 3, 4, 5, 0, 0, 0, 0));
  NodePtr column = builder_.shrink(x, {0, 0}, {2, 1}).value();
  EXPECT_THAT(run(builder_.expand(column, {2, 3})), ElementsAre(0, 0, 0, 3, 3, 3));
}

TEST_F(GraphEvaluatorTest, Reduces) {
  NodePtr x = param(DType::kF32, {2, 3}, {0, 1, 2, 3, 4, 5});
  EXPECT_THAT(run(builder_.reduce(Op::kReduceAdd, x, {0})), ElementsAre(3, 5, 7));
  EXPECT_THAT(run(builder_.reduce(Op::kReduceMul, x, {1})), ElementsAre(0, 60));
  EXPECT_THAT(run(builder_.reduce(Op::kReduceMax, x, {0, 1})), ElementsAre(5));
  NodePtr empty = builder_.shrink(x, {0, 0}, {2, 0}).value();
  EXPECT_THAT(run(builder_.reduce(Op::kReduceMax, empty, {1})), ElementsAre(-kInf, -kInf));
}

TEST_F(GraphEvaluatorTest, GatherClampsItsIndex) {
  NodePtr table = param(DType::kF16, {3, 2}, {0, 1, 10, 11, 20, 21});
  NodePtr ids = param(DType::kI32, {3}, {2, -7, 9});
  EXPECT_THAT(run(builder_.gather(table, ids)), ElementsAre(20, 21, 0, 1, 20, 21));
}

TEST_F(GraphEvaluatorTest, SymbolicExtentsTakeTheValueOfTheirVariable) {
  NodePtr x = param(DType::kI32, {6}, {1, 2, 3, 4, 5, 6});
  NodePtr pos = builder_.variable("pos", 0, 4).value();
  NodePtr head = builder_.shrink(x, {0}, {Dim(pos, 1)}).value();
  inputs_.variables["pos"] = 2;
  EXPECT_THAT(run(head), ElementsAre(1, 2, 3));
  EXPECT_THAT(run(builder_.shrink(x, {Dim(pos, 0)}, {Dim(pos, 2)})), ElementsAre(3, 4));
  EXPECT_THAT(run(builder_.range(Dim(pos, 0))), ElementsAre(0, 1));
  EXPECT_THAT(run(builder_.reduce(Op::kReduceAdd, head, {0})), ElementsAre(6));
  inputs_.variables["pos"] = 5;
  EXPECT_EQ(evaluate_graph(head, inputs_, Rounding::kDouble).status().message(),
            "variable i32 min=0 max=4 \"pos\": evaluating: 5 is not a value of the variable 'pos' (0..4)");
  inputs_.variables.clear();
  EXPECT_THAT(evaluate_graph(head, inputs_, Rounding::kDouble).status().message(), HasSubstr("'pos' has no value"));
}

TEST_F(GraphEvaluatorTest, StoreWritesTheViewAndYieldsTheWholeParam) {
  NodePtr cache = param(DType::kF32, {4, 2}, {0, 0, 1, 1, 2, 2, 3, 3});
  NodePtr row = param(DType::kF32, {1, 2}, {8, 9});
  NodePtr pos = builder_.variable("pos", 0, 3).value();
  NodePtr view = builder_.shrink(cache, {Dim(pos, 0), 0}, {Dim(pos, 1), 2}).value();
  inputs_.variables["pos"] = 2;
  NodePtr stored = builder_.store(view, row).value();
  NodePtr again =
      builder_.store(builder_.flip(builder_.shrink(stored, {0, 0}, {1, 2}).value(), {1}).value(), row).value();
  // Who reads the param itself sees what was there before.
  NodePtr both = builder_.binary(Op::kAdd, again, cache).value();
  EXPECT_THAT(run(both), ElementsAre(9, 8, 2, 2, 10, 11, 6, 6));
  EXPECT_THAT(decode_elements(DType::kF32, memory_[0]), ElementsAre(9, 8, 1, 1, 8, 9, 3, 3));
}

TEST_F(GraphEvaluatorTest, BlocksOfAQuantisedParamAreReadThroughBitcasts) {
  NodePtr blocks = param(DType::kU8, {1, 2, 4}, {0, 0x40, 3, 255, 0, 0x3c, 7, 8});
  NodePtr halves = builder_.bitcast(blocks, DType::kF16).value();
  NodePtr scale = builder_.cast(builder_.shrink(halves, {0, 0, 0}, {1, 2, 1}).value(), DType::kF32).value();
  NodePtr quants = builder_.shrink(builder_.bitcast(blocks, DType::kI8).value(), {0, 0, 2}, {1, 2, 4}).value();
  NodePtr values =
      builder_.binary(Op::kMul, builder_.expand(scale, {1, 2, 2}).value(), builder_.cast(quants, DType::kF32).value())
          .value();
  EXPECT_THAT(run(values), ElementsAre(6, -2, 7, 8));
}

TEST_F(GraphEvaluatorTest, RoundsToTheDtypeOnlyWhenTold) {
  NodePtr x = param(DType::kF16, {1}, {1});
  NodePtr tiny = builder_.constant(DType::kF16, 0x1p-12).value();
  NodePtr sum = builder_.binary(Op::kAdd, x, tiny).value();
  EXPECT_THAT(run(sum, Rounding::kDouble), ElementsAre(1 + 0x1p-12));
  EXPECT_THAT(run(sum, Rounding::kToDType), ElementsAre(1));
}

TEST_F(GraphEvaluatorTest, ReductionsRoundOnceWhateverTheirOrder) {
  // 2^-11 is half of the last place of 1 in f16: added one at a time to 1 they would be lost.
  NodePtr f16 = param(DType::kF16, {3, 1}, {1, 0x1p-11, 0x1p-11});
  EXPECT_THAT(run(builder_.reduce(Op::kReduceAdd, f16, {0})), ElementsAre(1 + 0x1p-10));
  EXPECT_THAT(run(builder_.reduce(Op::kReduceAdd, builder_.flip(f16, {0}).value(), {0})), ElementsAre(1 + 0x1p-10));
  NodePtr large = param(DType::kF16, {3}, {65504, 65504, -65504});
  EXPECT_THAT(run(builder_.reduce(Op::kReduceAdd, large, {0})), ElementsAre(65504));
  NodePtr bf16 = param(DType::kBF16, {2, 3}, {256, 1, 1, 1, 1, 256});
  EXPECT_THAT(run(builder_.reduce(Op::kReduceAdd, bf16, {1})), ElementsAre(258, 258));
  EXPECT_THAT(run(builder_.reduce(Op::kReduceMul, param(DType::kF16, {3}, {256, 512, 0x1p-8}), {0})), ElementsAre(512));
}

TEST_F(GraphEvaluatorTest, MissingOrSmallMemoryIsAnError) {
  NodePtr x = builder_.param(7, "x", DType::kF32, {4}).value();
  EXPECT_EQ(evaluate_graph(x, inputs_, Rounding::kDouble).status().message(),
            "evaluating: param f32 [4] id=7 \"x\" has no memory");
  std::vector<std::byte> raw(15);
  inputs_.params[7] = raw;
  EXPECT_EQ(evaluate_graph(x, inputs_, Rounding::kDouble).status().message(),
            "evaluating: param f32 [4] id=7 \"x\" has 15 bytes of memory, but needs 16");
}

TEST_F(GraphEvaluatorTest, AValueTooLargeForTheHostIsAnError) {
  NodePtr x = param(DType::kF32, {1, 1}, {1});
  NodePtr huge = builder_.expand(x, {1 << 20, 1 << 20}).value();
  EXPECT_EQ(evaluate_graph(huge, inputs_, Rounding::kDouble).status().code(), StatusCode::kOutOfMemory);
}

// Elementwise ops, one element at a time.
double real_op(Op op, DType dtype, std::vector<double> inputs, Rounding rounding = Rounding::kToDType) {
  std::vector<Value> values;
  for (double input : inputs) values.push_back({0, input});
  return apply_elementwise(op, dtype, dtype, values, rounding).real;
}

int64_t integer_op(Op op, DType dtype, int64_t x, int64_t y) {
  const std::array<Value, 2> values = {Value{x, 0}, Value{y, 0}};
  return apply_elementwise(op, dtype, dtype, values, Rounding::kToDType).integer;
}

int64_t to_integer(DType to, double x) {
  const std::array<Value, 1> values = {Value{0, x}};
  return apply_elementwise(Op::kCast, DType::kF32, to, values, Rounding::kToDType).integer;
}

TEST(ScalarOps, MaxDropsNaN) {
  EXPECT_EQ(real_op(Op::kMax, DType::kF32, {kNaN, 2}), 2);
  EXPECT_EQ(real_op(Op::kMax, DType::kF32, {2, kNaN}), 2);
  EXPECT_TRUE(std::isnan(real_op(Op::kMax, DType::kF32, {kNaN, kNaN})));
}

TEST(ScalarOps, UnaryOpsRoundToTheDtype) {
  EXPECT_EQ(real_op(Op::kRecip, DType::kF32, {3}), static_cast<double>(1.0f / 3.0f));
  EXPECT_EQ(real_op(Op::kRecip, DType::kF32, {-0.0}), -kInf);
  EXPECT_EQ(real_op(Op::kTrunc, DType::kF32, {-2.7}), -2);
  EXPECT_EQ(real_op(Op::kExp2, DType::kF16, {16}), kInf);
  EXPECT_EQ(real_op(Op::kExp2, DType::kF16, {16}, Rounding::kDouble), 65536);
  EXPECT_EQ(real_op(Op::kLog2, DType::kF32, {8}), 3);
  EXPECT_TRUE(std::isnan(real_op(Op::kSqrt, DType::kF32, {-1})));
}

TEST(ScalarOps, MulAccRoundsOnce) {
  const double a = 1 + 0x1p-10;  // in f16, a * a is 1 + 2^-9 + 2^-20
  EXPECT_EQ(real_op(Op::kMulAcc, DType::kF16, {a, a, -(1 + 0x1p-9)}), 0x1p-20);
  const double b = 1 + 0x1p-23;
  EXPECT_EQ(real_op(Op::kMulAcc, DType::kF32, {b, b, -(1 + 0x1p-22)}), 0x1p-46);
  // A tie in f16 but for a bit far below what a double holds beside it.
  EXPECT_EQ(real_op(Op::kMulAcc, DType::kF16, {0x1p-24, 0x1p-24, 2049}), 2050);
  EXPECT_EQ(real_op(Op::kMulAcc, DType::kF16, {0x1p-24, 0x1p-24, 1 + 0x1p-11}), 1 + 0x1p-10);
  EXPECT_EQ(real_op(Op::kMulAcc, DType::kF16, {0x1p-24, -0x1p-24, 1 + 3 * 0x1p-11}), 1 + 0x1p-10);
}

TEST(ScalarOps, IntegersWrap) {
  EXPECT_EQ(integer_op(Op::kAdd, DType::kI8, 127, 1), -128);
  EXPECT_EQ(integer_op(Op::kMul, DType::kU8, 16, 17), 16);
  EXPECT_EQ(integer_op(Op::kIDiv, DType::kI32, INT32_MIN, -1), INT32_MIN);
  EXPECT_EQ(integer_op(Op::kIDiv, DType::kI64, INT64_MIN, -1), INT64_MIN);
  EXPECT_EQ(integer_op(Op::kAdd, DType::kI64, INT64_MAX, 1), INT64_MIN);
}

TEST(ScalarOps, DivisionTruncatesAndByZeroGivesZero) {
  EXPECT_EQ(integer_op(Op::kIDiv, DType::kI32, -7, 2), -3);
  EXPECT_EQ(integer_op(Op::kMod, DType::kI32, -7, 2), -1);
  EXPECT_EQ(integer_op(Op::kIDiv, DType::kI32, 7, 0), 0);
  EXPECT_EQ(integer_op(Op::kMod, DType::kU32, 7, 0), 0);
  EXPECT_EQ(integer_op(Op::kIDiv, DType::kU64, -1, 2), INT64_MAX);
}

TEST(ScalarOps, ShiftCountsAreTakenModuloTheWidth) {
  EXPECT_EQ(integer_op(Op::kShl, DType::kI32, 1, 33), 2);
  EXPECT_EQ(integer_op(Op::kShr, DType::kI8, -128, 7), -1);
  EXPECT_EQ(integer_op(Op::kShr, DType::kU8, 128, 7), 1);
  EXPECT_EQ(integer_op(Op::kShr, DType::kU64, -1, 63), 1);
  EXPECT_EQ(integer_op(Op::kShl, DType::kI16, 1, -1), INT16_MIN);
}

TEST(ScalarOps, FloatToIntegerSaturates) {
  EXPECT_EQ(to_integer(DType::kI8, 300), 127);
  EXPECT_EQ(to_integer(DType::kI8, -300), -128);
  EXPECT_EQ(to_integer(DType::kU8, -1), 0);
  EXPECT_EQ(to_integer(DType::kI32, kNaN), 0);
  EXPECT_EQ(to_integer(DType::kI64, 1e30), INT64_MAX);
  EXPECT_EQ(to_integer(DType::kU64, kInf), -1);
  EXPECT_EQ(to_integer(DType::kI32, -2.9), -2);
  EXPECT_EQ(to_integer(DType::kBool, kNaN), 1);
  EXPECT_EQ(to_integer(DType::kBool, -0.0), 0);
}

TEST(ScalarOps, SixtyFourBitIntegersRoundOnce) {
  const int64_t value = (int64_t{1} << 54) + (int64_t{1} << 30) + 1;  // a tie in f32 but for the last bit
  const std::array<Value, 1> input = {Value{value, 0}};
  EXPECT_EQ(apply_elementwise(Op::kCast, DType::kI64, DType::kF32, input, Rounding::kToDType).real,
            static_cast<double>(static_cast<float>(value)));
}

TEST(Elements, RoundTripThroughMemory) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType dtype = static_cast<DType>(i);
    std::vector<std::byte> raw(2 * size_bytes(dtype));
    encode_elements(dtype, std::vector<double>{1, 0}, raw);
    EXPECT_THAT(decode_elements(dtype, raw), ElementsAre(1, 0)) << name(dtype);
  }
  std::vector<std::byte> raw(8);
  encode_elements(DType::kU64, std::vector<double>{0x1p63}, raw);
  EXPECT_THAT(decode_elements(DType::kU64, raw), ElementsAre(0x1p63));
}

}  // namespace
}  // namespace bw::ir
