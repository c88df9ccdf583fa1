#include "ir/rewrite/simplify_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "ir/builder.h"
#include "ir/testing/random_graph.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace bw::ir::rewrite {
namespace {

class SimplifyGraphTest : public ::testing::Test {
 protected:
  NodePtr simplified(const NodePtr& node) {
    const std::vector<NodePtr> outputs = {node};
    Result<std::vector<NodePtr>> result = simplify_graph(outputs);
    EXPECT_TRUE(result.is_ok());
    EXPECT_TRUE(verify_graph(result.value()).is_ok());
    return result.value()[0];
  }
  // The op of an output and how many nodes it takes.
  std::string outline(const NodePtr& node) {
    const NodePtr result = simplified(node);
    return fmt::format("{} of {}", name(result->op), topological_order(std::vector<NodePtr>{result}).size());
  }
  NodePtr number(double value) { return builder_.constant(DType::kF32, value).value(); }
  // A value that is not memory.
  NodePtr value(std::vector<int64_t> shape) {
    return builder_.unary(Op::kSqrt, builder_.param(0, "x", DType::kF32, std::move(shape)).value()).value();
  }

  Builder builder_;
};

TEST_F(SimplifyGraphTest, ChainsOfMovementAreOne) {
  NodePtr x = value({2, 3, 4});
  NodePtr turned = builder_.permute(builder_.permute(x, {1, 2, 0}).value(), {1, 2, 0}).value();
  EXPECT_EQ(simplified(turned)->attr<AxesAttr>().axes, (std::vector<int>{2, 0, 1}));
  EXPECT_EQ(outline(builder_.permute(turned, {1, 2, 0}).value()), "sqrt of 2");
  NodePtr shaped = builder_.reshape(builder_.reshape(x, {6, 4}).value(), {24}).value();
  EXPECT_EQ(outline(shaped), "reshape of 3");
  EXPECT_EQ(outline(builder_.reshape(shaped, {2, 3, 4}).value()), "sqrt of 2");
  NodePtr flipped = builder_.flip(builder_.flip(x, {0, 1}).value(), {1}).value();
  EXPECT_EQ(simplified(flipped)->attr<AxesAttr>().axes, std::vector<int>{0});
  NodePtr part = builder_.shrink(builder_.shrink(x, {0, 1, 1}, {2, 3, 4}).value(), {1, 0, 1}, {2, 1, 3}).value();
  EXPECT_EQ(simplified(part)->attr<ShrinkAttr>().begin, (std::vector<Dim>{1, 1, 2}));
  EXPECT_EQ(simplified(part)->attr<ShrinkAttr>().end, (std::vector<Dim>{2, 2, 4}));
  NodePtr padded = builder_.pad(builder_.pad(x, {1, 0, 0}, {0, 0, 2}).value(), {1, 1, 0}, {0, 0, 1}).value();
  EXPECT_EQ(simplified(padded)->attr<PadAttr>().before, (std::vector<int64_t>{2, 1, 0}));
}

TEST_F(SimplifyGraphTest, WhatChangesNothingGoes) {
  NodePtr x = value({4, 5});
  EXPECT_EQ(outline(builder_.binary(Op::kMul, number(1), x).value()), "sqrt of 2");
  EXPECT_EQ(outline(builder_.binary(Op::kAdd, x, number(-0.0)).value()), "sqrt of 2");
  NodePtr yes = builder_.constant(DType::kBool, int64_t{1}).value();
  EXPECT_EQ(outline(builder_.where(yes, x, number(3)).value()), "sqrt of 2");
  NodePtr there = builder_.cast(builder_.cast(x, DType::kF64).value(), DType::kF32).value();
  EXPECT_EQ(outline(there), "sqrt of 2");
  NodePtr ones = builder_.reshape(x, {4, 1, 5}).value();
  EXPECT_EQ(outline(builder_.reduce(Op::kReduceMul, ones, {1}).value()), "reshape of 3");
}

TEST_F(SimplifyGraphTest, ZeroIsAddedToWhatMayBeNegativeZero) {
  EXPECT_EQ(simplified(builder_.binary(Op::kAdd, value({4}), number(0)).value())->op, Op::kAdd);
  NodePtr half = builder_.cast(value({4}), DType::kF16).value();
  EXPECT_EQ(outline(builder_.cast(half, DType::kF32).value()), "cast of 4");
}

// Sums start from +0.0, and the largest of a NaN is what it starts from.
TEST_F(SimplifyGraphTest, AReductionOfOneElementMayChangeIt) {
  NodePtr ones = builder_.reshape(value({4}), {4, 1}).value();
  EXPECT_EQ(simplified(builder_.reduce(Op::kReduceAdd, ones, {1}).value())->op, Op::kReduceAdd);
  EXPECT_EQ(simplified(builder_.reduce(Op::kReduceMax, ones, {1}).value())->op, Op::kReduceMax);
  NodePtr integers = builder_.cast(ones, DType::kI32).value();
  EXPECT_EQ(simplified(builder_.reduce(Op::kReduceAdd, integers, {1}).value())->op, Op::kCast);
}

TEST_F(SimplifyGraphTest, AValueThatIsMemoryStaysAValue) {
  NodePtr x = builder_.param(0, "x", DType::kF32, {4}).value();
  EXPECT_EQ(simplified(builder_.binary(Op::kMul, x, number(1)).value())->op, Op::kContiguous);
  NodePtr stored = builder_.store(x, builder_.unary(Op::kSqrt, x).value()).value();
  EXPECT_EQ(simplified(stored)->op, Op::kStore);
  EXPECT_EQ(simplified(builder_.binary(Op::kMul, stored, number(1)).value())->op, Op::kContiguous);
}

TEST_F(SimplifyGraphTest, ALongChainIsNoProblem) {
  NodePtr x = value({2, 3});
  for (int i = 0; i < 100000; ++i) {
    x = builder_.permute(x, {1, 0}).value();
    if (i % 3 == 0) x = builder_.binary(Op::kMul, x, number(1)).value();
  }
  EXPECT_EQ(outline(x), "sqrt of 2");
}

bool same_values(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool is_same = std::isnan(a[i]) ? std::isnan(b[i]) : a[i] == b[i] && std::signbit(a[i]) == std::signbit(b[i]);
    if (!is_same) return false;
  }
  return true;
}

TEST(SimplifyGraphProperty, RandomGraphsKeepTheirValues) {
  size_t before = 0;
  size_t after = 0;
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    Builder builder;
    testing::RandomGraphOptions options;
    options.steps = 4 + static_cast<int>(seed % 20);
    if (seed % 4 == 0) options.dtypes = {DType::kF64, DType::kI64, DType::kU32, DType::kU64, DType::kI8, DType::kBF16};
    const testing::RandomGraph graph = testing::random_graph(builder, seed, options);
    const Result<std::vector<NodePtr>> simpler = simplify_graph(graph.outputs);
    ASSERT_TRUE(simpler.is_ok()) << "seed " << seed << " " << simpler.status().message();
    ASSERT_TRUE(verify_graph(simpler.value()).is_ok()) << "seed " << seed;
    before += topological_order(graph.outputs).size();
    after += topological_order(simpler.value()).size();
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      testing::RandomInputs a(graph.params, graph.variables, seed);
      testing::RandomInputs b(graph.params, graph.variables, seed);
      const auto of_graph = evaluate_graph(graph.outputs[i], a.inputs(), Rounding::kToDType);
      const auto of_simpler = evaluate_graph(simpler.value()[i], b.inputs(), Rounding::kToDType);
      ASSERT_TRUE(of_graph.is_ok() && of_simpler.is_ok()) << "seed " << seed;
      ASSERT_TRUE(same_values(of_graph.value(), of_simpler.value()))
          << "seed " << seed << "\n"
          << print_graph(graph.outputs) << print_graph(simpler.value());
    }
  }
  EXPECT_LT(after, before);
}

}  // namespace
}  // namespace bw::ir::rewrite
