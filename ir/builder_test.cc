#include "ir/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"

namespace bw::ir {
namespace {

using testing::HasSubstr;

class BuilderTest : public testing::Test {
 protected:
  NodePtr param(DType dtype, std::vector<int64_t> shape, uint64_t id = 0) {
    return builder_.param(id, "p", dtype, std::move(shape)).value();
  }
  NodePtr variable(int64_t min, int64_t max) { return builder_.variable("pos", min, max).value(); }

  static std::string shape_of(const Result<NodePtr>& node) { return print_shape(node.value()->shape); }
  static std::string message_of(const Result<NodePtr>& node) {
    EXPECT_FALSE(node.is_ok());
    EXPECT_EQ(node.status().code(), StatusCode::kInvalidArgument);
    return node.status().message();
  }

  Builder builder_;
};

TEST_F(BuilderTest, EqualNodesAreTheSameNodeWhileTheyLive) {
  NodePtr x = param(DType::kF32, {4});
  NodePtr sum = builder_.binary(Op::kAdd, x, x).value();
  EXPECT_EQ(builder_.binary(Op::kAdd, x, x).value(), sum);
  EXPECT_NE(builder_.binary(Op::kMul, x, x).value(), sum);
  EXPECT_NE(builder_.constant(DType::kF32, 0.0).value(), builder_.constant(DType::kF32, -0.0).value());
  EXPECT_EQ(builder_.constant(DType::kF32, std::nan("1")).value(),
            builder_.constant(DType::kF32, -std::nan("2")).value());
}

TEST_F(BuilderTest, NodesOutliveTheBuilder) {
  NodePtr sum;
  {
    Builder builder;
    NodePtr x = builder.param(0, "x", DType::kI32, {2}).value();
    sum = builder.binary(Op::kAdd, x, x).value();
  }
  EXPECT_EQ(sum->inputs[0]->attr<ParamAttr>().name, "x");
}

TEST_F(BuilderTest, ADeepGraphIsReleasedWithoutRecursion) {
  NodePtr x = param(DType::kI32, {2});
  for (int i = 0; i < 300000; ++i) x = builder_.binary(Op::kAdd, x, x).value();
  std::vector<NodePtr> outputs = {x};
  EXPECT_EQ(topological_order(outputs).size(), 300001u);
}

TEST_F(BuilderTest, ConstantsMustFitTheirDtype) {
  EXPECT_EQ(std::get<double>(builder_.constant(DType::kF16, int64_t{3}).value()->attr<ConstAttr>().value), 3.0);
  EXPECT_TRUE(builder_.constant(DType::kU64, int64_t{-1}).is_ok());
  EXPECT_EQ(message_of(builder_.constant(DType::kI8, int64_t{128})), "const: 128 does not fit i8 (-128..127)");
  EXPECT_EQ(message_of(builder_.constant(DType::kBool, int64_t{2})), "const: 2 does not fit bool (0..1)");
  EXPECT_EQ(message_of(builder_.constant(DType::kI32, 1.5)),
            "const: the value of a constant of i32 must be an integer");
}

TEST_F(BuilderTest, LeavesCheckTheirBounds) {
  EXPECT_EQ(message_of(builder_.variable("n", 3, 2)),
            "variable: the bounds 3..2 of 'n' must be 0 <= min <= max < 2^31");
  EXPECT_EQ(message_of(builder_.variable("", 0, 2)), "variable: needs a name");
  EXPECT_EQ(message_of(builder_.param(0, "p", DType::kF32, {2, -1})),
            "param: the extent -1 of [2, -1] can be negative");
  EXPECT_THAT(message_of(builder_.param(0, "p", DType::kF32, {int64_t{1} << 40, 1 << 20})),
              HasSubstr("has too many elements"));
  EXPECT_THAT(message_of(builder_.param(0, "p", DType::kF32, std::vector<int64_t>(33, 1))), HasSubstr("33 axes"));
  EXPECT_EQ(shape_of(builder_.range(Dim(variable(0, 7), 1))), "[pos+1]");
  EXPECT_EQ(builder_.range((int64_t{1} << 31) - 1).value()->dtype, DType::kI32);
  EXPECT_EQ(builder_.range(int64_t{1} << 31).value()->dtype, DType::kI64);
  EXPECT_THAT(message_of(builder_.range((int64_t{1} << 48) + 1)), HasSubstr("too large for an extent"));
  EXPECT_THAT(message_of(builder_.range(Dim(variable(0, 7), -1))), HasSubstr("can be negative"));
}

TEST_F(BuilderTest, EachElementwiseOpTakesItsDtypesOnly) {
  NodePtr f = param(DType::kF32, {4});
  NodePtr i = param(DType::kI32, {4}, 1);
  NodePtr b = param(DType::kBool, {4}, 2);
  for (Op op : {Op::kExp2, Op::kLog2, Op::kSin, Op::kSqrt, Op::kRecip, Op::kTrunc}) {
    EXPECT_EQ(builder_.unary(op, f).value()->dtype, DType::kF32) << name(op);
    EXPECT_THAT(message_of(builder_.unary(op, i)), HasSubstr("needs floating point, not i32")) << name(op);
  }
  for (Op op : {Op::kAdd, Op::kMul, Op::kMax}) {
    for (const NodePtr& x : {f, i, b}) EXPECT_EQ(builder_.binary(op, x, x).value()->dtype, x->dtype) << name(op);
  }
  for (Op op : {Op::kCmpLt, Op::kCmpNe}) {
    for (const NodePtr& x : {f, i, b}) EXPECT_EQ(builder_.binary(op, x, x).value()->dtype, DType::kBool) << name(op);
  }
  for (Op op : {Op::kIDiv, Op::kMod, Op::kShl, Op::kShr}) {
    EXPECT_EQ(builder_.binary(op, i, i).value()->dtype, DType::kI32) << name(op);
    EXPECT_THAT(message_of(builder_.binary(op, f, f)), HasSubstr("needs integers, not f32")) << name(op);
    EXPECT_THAT(message_of(builder_.binary(op, b, b)), HasSubstr("needs integers, not bool")) << name(op);
  }
  for (Op op : {Op::kAnd, Op::kOr, Op::kXor}) {
    EXPECT_EQ(builder_.binary(op, b, b).value()->dtype, DType::kBool) << name(op);
    EXPECT_THAT(message_of(builder_.binary(op, f, f)), HasSubstr("needs integers or bool, not f32")) << name(op);
  }
  EXPECT_EQ(builder_.where(b, f, f).value()->dtype, DType::kF32);
  EXPECT_EQ(message_of(builder_.where(i, f, f)), "where: the condition must be bool, not i32");
  EXPECT_EQ(message_of(builder_.where(b, f, i)),
            "where: the two values differ in dtype: bool [4], f32 [4], i32 [4] (cast one of them)");
  EXPECT_EQ(builder_.mul_acc(i, i, i).value()->dtype, DType::kI32);
  EXPECT_EQ(message_of(builder_.mul_acc(b, b, b)), "mulacc: needs numbers, not bool");
  EXPECT_THAT(message_of(builder_.mul_acc(f, f, i)), HasSubstr("the inputs differ in dtype"));
  EXPECT_EQ(message_of(builder_.unary(Op::kAdd, f)), "add is not a unary operation");
  EXPECT_EQ(message_of(builder_.binary(Op::kExp2, f, f)), "exp2 is not a binary operation");
  EXPECT_EQ(message_of(builder_.binary(Op::kAdd, f, i)),
            "add: the inputs differ in dtype: f32 [4], i32 [4] (cast one of them)");
  EXPECT_EQ(message_of(builder_.binary(Op::kAdd, f, nullptr)), "add: an input is missing");
}

TEST_F(BuilderTest, ElementwiseShapesMustBeEqualButScalarsAreExpanded) {
  NodePtr x = param(DType::kF32, {4, 8});
  NodePtr two = builder_.constant(DType::kF32, 2.0).value();
  EXPECT_EQ(shape_of(builder_.binary(Op::kMul, two, x)), "[4, 8]");
  EXPECT_EQ(builder_.binary(Op::kMul, two, x).value()->inputs[0]->op, Op::kExpand);
  EXPECT_EQ(shape_of(builder_.binary(Op::kMul, two, two)), "[]");
  EXPECT_EQ(message_of(builder_.binary(Op::kAdd, x, param(DType::kF32, {4, 1}, 1))),
            "add: the inputs differ in shape: f32 [4, 8], f32 [4, 1] (expand them first)");
}

TEST_F(BuilderTest, CastsKeepTheShapeAndBitcastsTheSize) {
  NodePtr x = param(DType::kF32, {4});
  NodePtr sum = builder_.binary(Op::kAdd, x, x).value();
  EXPECT_EQ(builder_.cast(x, DType::kF32).value(), x);
  EXPECT_EQ(builder_.cast(x, DType::kBool).value()->dtype, DType::kBool);
  EXPECT_EQ(builder_.bitcast(sum, DType::kU32).value()->dtype, DType::kU32);
  EXPECT_EQ(message_of(builder_.bitcast(sum, DType::kF16)),
            "bitcast: f32 [4] to f16 changes the element size, which only a param allows");
  EXPECT_THAT(message_of(builder_.bitcast(param(DType::kU8, {4}, 1), DType::kBool)), HasSubstr("bool has no bits"));
}

TEST_F(BuilderTest, ABitcastOfAParamScalesTheLastAxis) {
  NodePtr blocks = param(DType::kU8, {3, 5, 34});
  EXPECT_EQ(shape_of(builder_.bitcast(blocks, DType::kF16)), "[3, 5, 17]");
  EXPECT_EQ(shape_of(builder_.bitcast(blocks, DType::kI8)), "[3, 5, 34]");
  EXPECT_EQ(message_of(builder_.bitcast(blocks, DType::kF32)),
            "bitcast: a row of u8 [3, 5, 34] has 34 bytes, not a multiple of f32's 4");
}

TEST_F(BuilderTest, ReshapeKeepsTheCountAndSymbolicAxes) {
  NodePtr x = param(DType::kF32, {4, 6});
  EXPECT_EQ(shape_of(builder_.reshape(x, {2, 12})), "[2, 12]");
  EXPECT_EQ(builder_.reshape(x, {4, 6}).value(), x);
  EXPECT_EQ(message_of(builder_.reshape(x, {5, 5})), "reshape: f32 [4, 6] to [5, 5]: the element counts differ");
  Dim length(variable(0, 3), 1);
  NodePtr rows = builder_.shrink(x, {0, 0}, {length, 6}).value();
  EXPECT_EQ(print_shape(rows->shape), "[pos+1, 6]");
  EXPECT_EQ(shape_of(builder_.reshape(rows, {1, length, 2, 3})), "[1, pos+1, 2, 3]");
  EXPECT_THAT(message_of(builder_.reshape(rows, {6, length})), HasSubstr("the element counts differ"));
  EXPECT_THAT(message_of(builder_.reshape(rows, {24})), HasSubstr("each symbolic extent must stay an axis"));
}

TEST_F(BuilderTest, MovementOpsCheckTheirAxes) {
  NodePtr x = param(DType::kF32, {4, 1, 6});
  EXPECT_EQ(shape_of(builder_.permute(x, {2, 0, 1})), "[6, 4, 1]");
  EXPECT_EQ(message_of(builder_.permute(x, {0, 0, 1})),
            "permute: [0, 0, 1] is not an order of the axes of f32 [4, 1, 6]");
  EXPECT_EQ(shape_of(builder_.expand(x, {4, 5, 6})), "[4, 5, 6]");
  EXPECT_THAT(message_of(builder_.expand(x, {8, 1, 6})), HasSubstr("axis 0 has extent 4, and only 1 can be expanded"));
  EXPECT_THAT(message_of(builder_.expand(x, {4, 1})), HasSubstr("the ranks differ"));
  EXPECT_EQ(shape_of(builder_.flip(x, {2, 0})), "[4, 1, 6]");
  EXPECT_EQ(message_of(builder_.flip(x, {3})), "flip: f32 [4, 1, 6] has no axis 3");
  EXPECT_EQ(message_of(builder_.flip(x, {1, 1})), "flip: the axes must ascend, but 1 follows 1");
}

TEST_F(BuilderTest, PadAddsAndRefusesNegativeAmounts) {
  NodePtr x = param(DType::kF32, {4});
  EXPECT_EQ(shape_of(builder_.pad(x, {1}, {2})), "[7]");
  EXPECT_EQ(builder_.pad(x, {0}, {0}).value(), x);
  EXPECT_THAT(message_of(builder_.pad(x, {-1}, {0})), HasSubstr("shrink instead of a negative amount"));
  EXPECT_THAT(message_of(builder_.pad(x, {1, 1}, {0})), HasSubstr("2 and 1 amounts do not match the axes of f32 [4]"));
}

TEST_F(BuilderTest, ShrinkIsProvenForAllValuesOfTheVariables) {
  NodePtr cache = param(DType::kF16, {512, 8});
  NodePtr pos = variable(0, 508);
  EXPECT_EQ(shape_of(builder_.shrink(cache, {Dim(pos, 0), 0}, {Dim(pos, 4), 8})), "[4, 8]");
  EXPECT_EQ(shape_of(builder_.shrink(cache, {0, 2}, {Dim(pos, 4), 8})), "[pos+4, 6]");
  EXPECT_EQ(message_of(builder_.shrink(cache, {Dim(pos, 0), 0}, {Dim(pos, 5), 8})),
            "shrink: pos..pos+5 is not proven to lie within axis 0 of f16 [512, 8]");
  EXPECT_THAT(message_of(builder_.shrink(cache, {3, 0}, {2, 8})), HasSubstr("3..2 is not proven"));
  EXPECT_THAT(message_of(builder_.shrink(cache, {Dim(pos, 0), 0}, {512, 8})), HasSubstr("has no extent"));
  EXPECT_THAT(message_of(builder_.shrink(cache, {0}, {1})), HasSubstr("do not match the axes"));
}

TEST_F(BuilderTest, ReductionsKeepTheirAxesWithExtentOne) {
  NodePtr x = param(DType::kF32, {4, 5, 6});
  for (Op op : {Op::kReduceAdd, Op::kReduceMul, Op::kReduceMax}) {
    EXPECT_EQ(shape_of(builder_.reduce(op, x, {2, 0})), "[1, 5, 1]");
  }
  EXPECT_EQ(builder_.reduce(Op::kReduceAdd, x, {}).value(), x);
  EXPECT_EQ(message_of(builder_.reduce(Op::kReduceAdd, x, {3})), "reduce_add: f32 [4, 5, 6] has no axis 3");
  EXPECT_EQ(message_of(builder_.reduce(Op::kAdd, x, {0})), "add is not a reduce operation");
  EXPECT_EQ(message_of(builder_.reduce(Op::kReduceAdd, param(DType::kBool, {4}), {0})),
            "reduce_add: needs numbers, not bool (cast it)");
}

TEST_F(BuilderTest, GatherReplacesTheFirstAxisByTheIndexShape) {
  NodePtr table = param(DType::kF16, {1000, 64});
  NodePtr ids = param(DType::kI32, {2, 7}, 1);
  EXPECT_EQ(shape_of(builder_.gather(table, ids)), "[2, 7, 64]");
  EXPECT_EQ(message_of(builder_.gather(table, table)), "gather: the index must be an integer, not f16 [1000, 64]");
  EXPECT_THAT(message_of(builder_.gather(builder_.constant(DType::kF32, 1.0).value(), ids)),
              HasSubstr("has no axis to gather from"));
  EXPECT_THAT(message_of(builder_.gather(param(DType::kF32, {0, 3}, 2), ids)), HasSubstr("can be empty"));
}

TEST_F(BuilderTest, StoreYieldsTheWholeParamAndTakesViewsOnly) {
  NodePtr cache = param(DType::kF16, {512, 8});
  NodePtr pos = variable(0, 508);
  NodePtr view = builder_.shrink(cache, {Dim(pos, 0), 0}, {Dim(pos, 4), 8}).value();
  NodePtr keys = param(DType::kF16, {4, 8}, 1);
  NodePtr stored = builder_.store(view, keys).value();
  EXPECT_EQ(print_shape(stored->shape), "[512, 8]");
  EXPECT_TRUE(builder_.store(builder_.shrink(stored, {0, 0}, {4, 8}).value(), keys).is_ok());
  EXPECT_EQ(message_of(builder_.store(cache, keys)), "store: the value f16 [4, 8] does not fit the view f16 [512, 8]");
  EXPECT_THAT(message_of(builder_.store(builder_.binary(Op::kAdd, keys, keys).value(), keys)),
              HasSubstr("store: the target must be a param or a view of one"));
  EXPECT_EQ(shape_of(builder_.contiguous(keys)), "[4, 8]");
}

TEST(Op, ThereAreAtMostFortyAndTheirNamesRoundTrip) {
  EXPECT_LE(kOpCount, 40);
  for (int i = 0; i < kOpCount; ++i) EXPECT_EQ(op_from_name(name(static_cast<Op>(i))), static_cast<Op>(i));
  EXPECT_EQ(op_from_name("softmax"), std::nullopt);
}

TEST(Op, EachBelongsToOneClassAtMost) {
  for (int i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    EXPECT_LE(is_elementwise(op) + is_movement(op) + is_reduce(op), 1) << name(op);
    EXPECT_LE(is_unary(op) + is_binary(op), is_elementwise(op)) << name(op);
  }
}

TEST(DType, SizesRangesAndNames) {
  for (int i = 0; i < kDTypeCount; ++i) EXPECT_EQ(dtype_from_name(name(static_cast<DType>(i))), static_cast<DType>(i));
  EXPECT_EQ(min_integer(DType::kI8), -128);
  EXPECT_EQ(max_integer(DType::kU16), 65535);
  EXPECT_EQ(min_integer(DType::kI64), INT64_MIN);
  EXPECT_EQ(max_integer(DType::kU64), INT64_MAX);
  EXPECT_EQ(max_integer(DType::kI32), INT32_MAX);
  EXPECT_EQ(size_bytes(DType::kBF16), 2u);
  EXPECT_FALSE(is_integer(DType::kBool));
  EXPECT_TRUE(is_signed(DType::kF32));
}

}  // namespace
}  // namespace bw::ir
