#include "ir/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/builder.h"

namespace bw::ir {
namespace {

using ::testing::HasSubstr;

NodePtr node(Op op, DType dtype, std::vector<NodePtr> inputs, Shape shape = {}, Attribute attribute = {}) {
  Node made;
  made.op = op;
  made.dtype = dtype;
  made.shape = std::move(shape);
  made.inputs = std::move(inputs);
  made.attribute = std::move(attribute);
  return make_node(std::move(made));
}

std::string graph_message(const NodePtr& output) {
  const Status status = verify_graph(std::span(&output, 1));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  return status.message();
}

class VerifyGraphTest : public ::testing::Test {
 protected:
  Builder builder_;
  NodePtr x_ = builder_.param(0, "x", DType::kF32, {4}).value();
};

TEST_F(VerifyGraphTest, AcceptsWhatTheBuilderMakes) {
  NodePtr sum = builder_.binary(Op::kAdd, x_, x_).value();
  EXPECT_TRUE(verify_graph(std::vector<NodePtr>{sum, x_}).is_ok());
  EXPECT_TRUE(verify_graph(std::vector<NodePtr>{}).is_ok());
}

TEST_F(VerifyGraphTest, PrintsTheOffendingNode) {
  EXPECT_EQ(graph_message(node(Op::kAdd, DType::kF32, {x_}, {4})),
            "add f32 [4] (param f32 [4] id=0 \"x\"): add: has 1 inputs instead of 2");
  EXPECT_EQ(graph_message(node(Op::kAdd, DType::kF32, {x_, x_}, {5})),
            "add f32 [5] (param f32 [4] id=0 \"x\", param f32 [4] id=0 \"x\"): the result must be f32 [4]");
  EXPECT_EQ(graph_message(node(Op::kAdd, DType::kF32, {x_, nullptr}, {4})),
            "add f32 [4] (param f32 [4] id=0 \"x\", nothing): an input is missing");
  EXPECT_EQ(graph_message(nullptr), "an output of the graph is missing");
  EXPECT_EQ(graph_message(node(Op::kReshape, DType::kF32, {x_}, {4})),
            "reshape f32 [4] (param f32 [4] id=0 \"x\"): reshape: does not have the attribute that it needs");
  EXPECT_EQ(
      graph_message(node(Op::kLoad, DType::kF32, {x_, x_})),
      "load f32 (param f32 [4] id=0 \"x\", param f32 [4] id=0 \"x\"): load: has no place in a graph, only in a kernel");
  EXPECT_EQ(graph_message(node(Op::kParam, DType::kF32, {}, {4})), "param f32 [4]: param: has no id");
  EXPECT_EQ(graph_message(node(Op::kReduceAdd, DType::kF32, {x_}, {1}, AxesAttr{{}})),
            "reduce_add f32 [1] (param f32 [4] id=0 \"x\") axes=[]: reduce_add: has no axes");
}

TEST_F(VerifyGraphTest, FindsNodesDeepInside) {
  NodePtr bad = node(Op::kExp2, DType::kI32, {builder_.range(4).value()}, {4});
  NodePtr above = node(Op::kAdd, DType::kI32, {bad, bad}, {4});
  EXPECT_THAT(graph_message(above),
              HasSubstr("exp2 i32 [4] (range i32 [4] extent=4 id=0 loop): exp2: needs floating point, not i32"));
}

TEST_F(VerifyGraphTest, NamesAndIdsMeanOneThing) {
  NodePtr a = builder_.variable("n", 0, 3).value();
  NodePtr b = builder_.variable("n", 0, 4).value();
  EXPECT_EQ(verify_graph(std::vector<NodePtr>{a, b}).message(),
            "variable i32 min=0 max=4 \"n\": another variable has the same name: variable i32 min=0 max=3 \"n\"");
  NodePtr other = builder_.param(0, "x", DType::kF16, {8}).value();
  EXPECT_THAT(verify_graph(std::vector<NodePtr>{x_, other}).message(),
              HasSubstr("the same param has another dtype or shape elsewhere"));
}

TEST_F(VerifyGraphTest, AnExtentRefersToAVariable) {
  EXPECT_THAT(graph_message(node(Op::kRange, DType::kI32, {}, {Dim(x_, 1)}, RangeAttr{Dim(x_, 1)})),
              HasSubstr("the extent param+1 does not refer to a variable"));
}

// A kernel that sums rows of 8, to be broken in one place by each test.
class VerifyKernelTest : public ::testing::Test {
 protected:
  VerifyKernelTest() {
    kernel_.name = "rows";
    kernel_.params = {out_, in_};
    kernel_.stores = {builder_.store(out_, x_, row_sum(builder_.mul(x_, 8)))};
  }

  NodePtr row_sum(const NodePtr& base) {
    return builder_.op(Op::kReduceAdd, DType::kF32, {builder_.load(in_, builder_.add(base, loop_)), loop_});
  }

  std::string message() {
    const Status status = verify_kernel(kernel_);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  }

  KernelBuilder builder_;
  NodePtr out_ = builder_.param(0, "out", DType::kF32, {4});
  NodePtr in_ = builder_.param(1, "in", DType::kF32, {4, 8});
  NodePtr x_ = builder_.range(4, RangeKind::kGlobalX);
  NodePtr loop_ = builder_.range(8, RangeKind::kLoop);
  Kernel kernel_;
};

TEST_F(VerifyKernelTest, AcceptsASoundKernel) {
  EXPECT_TRUE(verify_kernel(kernel_).is_ok()) << message();
}

TEST_F(VerifyKernelTest, AnIndexOutOfBoundsIsShownWithItsIntervalAndTheSize) {
  kernel_.stores = {builder_.store(out_, x_, row_sum(builder_.add(builder_.mul(x_, 8), 1)))};
  EXPECT_EQ(
      message(),
      "verifying kernel rows: load f32 (param f32 [4, 8] id=1 \"in\", add i32): the index global_x1*8 + loop2 + 1 "
      "lies in 1..32, but f32 [4, 8] 'in' has 32 elements: with global_x1 = 3, loop2 = 7 it is 32");
  kernel_.stores = {builder_.store(out_, builder_.add(x_, -1), row_sum(builder_.mul(x_, 8)))};
  EXPECT_THAT(message(), HasSubstr("the index global_x1 + -1 lies in -1..2, but f32 [4] 'out' has 4 elements"));
}

TEST_F(VerifyKernelTest, WhatIsLoadedIsNoProofUnlessClamped) {
  NodePtr ids = builder_.param(2, "ids", DType::kI32, {4});
  kernel_.params.push_back(ids);
  NodePtr id = builder_.load(ids, x_);
  kernel_.stores = {builder_.store(out_, x_, builder_.load(in_, id))};
  EXPECT_THAT(message(), HasSubstr("the index ids[global_x1] lies in -2147483648..2147483647"));
  kernel_.stores = {builder_.store(out_, x_, builder_.load(in_, builder_.clamp(id, 0, 31)))};
  EXPECT_TRUE(verify_kernel(kernel_).is_ok());
}

TEST_F(VerifyKernelTest, AnIndexThatCanOverflowIsNoProof) {
  NodePtr big = builder_.range(1 << 20, RangeKind::kLoop);
  NodePtr factor = builder_.constant(DType::kI32, int64_t{1} << 12);
  NodePtr index = node(Op::kMul, DType::kI32, {big, factor});
  kernel_.stores = {builder_.store(out_, x_, builder_.load(in_, index))};
  EXPECT_THAT(message(), HasSubstr("(it can overflow)"));
}

TEST_F(VerifyKernelTest, TheHeaderMustBeRight) {
  kernel_.name = "2rows";
  EXPECT_THAT(message(), HasSubstr("the name is not a C identifier"));
  kernel_.name = "rows";
  kernel_.workgroup_size = 2000;
  EXPECT_THAT(message(), HasSubstr("a workgroup of 2000 lanes (1..1024 are possible)"));
  kernel_.workgroup_size = 1;
  std::swap(kernel_.params[0], kernel_.params[1]);
  EXPECT_THAT(message(), HasSubstr("the id must be its position, 0"));
  kernel_.params = {out_};
  EXPECT_THAT(message(), HasSubstr("param f32 [4, 8] id=1 \"in\": is not in the list of params"));
  kernel_.params = {out_, in_};
  kernel_.stores.clear();
  EXPECT_THAT(message(), HasSubstr("it stores nothing"));
}

TEST_F(VerifyKernelTest, VariablesAreListed) {
  NodePtr variable = node(Op::kVariable, DType::kI32, {}, {}, VariableAttr{"n", 0, 3});
  kernel_.stores = {builder_.store(out_, builder_.variable(variable), builder_.load(in_, x_))};
  EXPECT_THAT(message(), HasSubstr("variable i32 min=0 max=3 \"n\": is not in the list of variables"));
  kernel_.variables = {variable};
  EXPECT_TRUE(verify_kernel(kernel_).is_ok());
  kernel_.variables = {variable, variable};
  EXPECT_THAT(message(), HasSubstr("another variable has the same name"));
}

TEST_F(VerifyKernelTest, ARangeIsConsumedOrFreeButNotBoth) {
  NodePtr sum = row_sum(builder_.mul(x_, 8));
  NodePtr used_outside = builder_.op(Op::kAdd, DType::kF32, {sum, builder_.load(in_, loop_)});
  kernel_.stores = {builder_.store(out_, x_, used_outside)};
  EXPECT_THAT(message(), HasSubstr("range i32 extent=8 id=2 loop is consumed by a reduction and used outside it"));
  kernel_.stores = {builder_.store(out_, x_, builder_.op(Op::kReduceAdd, DType::kF32, {sum, loop_}))};
  EXPECT_THAT(message(), HasSubstr("a reduction inside consumes range i32 extent=8 id=2 loop already"));
}

TEST_F(VerifyKernelTest, TheGridIsNotReducedOver) {
  NodePtr sum = builder_.op(Op::kReduceAdd, DType::kF32, {builder_.load(in_, x_), x_});
  kernel_.stores = {builder_.store(out_, builder_.constant(DType::kI32, int64_t{0}), sum)};
  EXPECT_THAT(message(), HasSubstr("a range of the grid cannot be reduced over"));
}

TEST_F(VerifyKernelTest, AllStoresHaveTheSameGrid) {
  kernel_.stores.push_back(
      builder_.store(out_, builder_.constant(DType::kI32, int64_t{0}), builder_.constant(DType::kF32, 1.0)));
  EXPECT_THAT(message(), HasSubstr("it depends on other ranges of the grid than the first store"));
}

TEST_F(VerifyKernelTest, RangesHaveKindsThatFit) {
  const auto store_with = [&](const NodePtr& range) {
    NodePtr value = builder_.load(in_, range);
    kernel_.stores = {builder_.store(out_, x_, builder_.op(Op::kReduceAdd, DType::kF32, {value, range}))};
  };
  store_with(builder_.range(16, RangeKind::kGroup));
  EXPECT_THAT(message(), HasSubstr("the extent must be a power of two that divides the workgroup of 1 lanes"));
  kernel_.workgroup_size = 16;
  EXPECT_TRUE(verify_kernel(kernel_).is_ok());
  store_with(builder_.range(2000, RangeKind::kUnroll));
  EXPECT_THAT(message(), HasSubstr("only a static extent of at most 1024 can be unrolled"));
  kernel_.stores = {builder_.store(out_, x_, builder_.load(in_, builder_.range(4, RangeKind::kGlobalX)))};
  EXPECT_THAT(message(), HasSubstr("another range has this kind"));
  NodePtr group = builder_.range(16, RangeKind::kGroup);
  kernel_.stores = {builder_.store(out_, x_, builder_.load(in_, group))};
  EXPECT_THAT(message(), HasSubstr("all lanes of range i32 extent=16 id=6 group would store at the same index"));
}

TEST_F(VerifyKernelTest, LanesOfAGroupAndUnrolledElementsMayBeReducedOverAndStored) {
  kernel_.workgroup_size = 16;
  NodePtr lane = builder_.range(4, RangeKind::kGroup);
  NodePtr part = builder_.range(2, RangeKind::kUnroll);
  NodePtr index = builder_.add(builder_.add(builder_.mul(x_, 8), builder_.mul(lane, 2)), part);
  kernel_.params[0] = builder_.param(0, "out", DType::kF32, {4, 8});
  NodePtr value = builder_.load(in_, index);
  NodePtr max = builder_.op(Op::kReduceMax, DType::kF32, {value, lane, part});
  NodePtr less = builder_.op(Op::kAdd, DType::kF32, {value, max});
  NodePtr sum = builder_.op(Op::kReduceAdd, DType::kF32, {less, lane, part});
  NodePtr result = builder_.op(Op::kMul, DType::kF32, {less, sum});
  kernel_.stores = {builder_.store(kernel_.params[0], index, result)};
  EXPECT_TRUE(verify_kernel(kernel_).is_ok());
  EXPECT_EQ(group_size(kernel_), 4u);
  kernel_.workgroup_size = 6;
  EXPECT_THAT(message(), HasSubstr("must be a power of two that divides the workgroup of 6 lanes"));
}

TEST_F(VerifyKernelTest, NodesFollowTheRulesOfTheirOp) {
  const auto store_value = [&](NodePtr value) { kernel_.stores = {node(Op::kStore, DType::kF32, {out_, x_, value})}; };
  NodePtr load = builder_.load(in_, x_);
  store_value(node(Op::kAdd, DType::kF32, {load, x_}));
  EXPECT_THAT(message(), HasSubstr("add: the inputs differ in dtype"));
  store_value(node(Op::kAdd, DType::kF32, {load, in_}));
  EXPECT_THAT(message(), HasSubstr("a param must be loaded before it is used"));
  store_value(node(Op::kLoad, DType::kF32, {load, x_}));
  EXPECT_THAT(message(), HasSubstr("the first input must be a param"));
  store_value(node(Op::kLoad, DType::kF32, {in_, load}));
  EXPECT_THAT(message(), HasSubstr("the index must be i32 or i64"));
  store_value(node(Op::kReshape, DType::kF32, {load}));
  EXPECT_THAT(message(), HasSubstr("has no place in a kernel, only in a graph"));
  store_value(node(Op::kReduceAdd, DType::kF32, {load}));
  EXPECT_THAT(message(), HasSubstr("a reduction needs a value and at least one range"));
  store_value(node(Op::kReduceAdd, DType::kF32, {load, load}));
  EXPECT_THAT(message(), HasSubstr("input 1 is not a range"));
  store_value(node(Op::kExp2, DType::kF32, {load}, {4}));
  EXPECT_THAT(message(), HasSubstr("only params have a shape in a kernel"));
  store_value(node(Op::kCast, DType::kI32, {load}));
  EXPECT_THAT(message(), HasSubstr("the value must have the dtype of the param, f32"));
  store_value(kernel_.stores[0]);
  EXPECT_FALSE(verify_kernel(kernel_).is_ok());
}

}  // namespace
}  // namespace bw::ir
