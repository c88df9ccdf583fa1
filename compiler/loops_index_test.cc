#include "compiler/loops_index.h"

#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

using ir::Dim;

std::string text(const std::optional<std::vector<ReshapeGroup>>& groups) {
  if (!groups.has_value()) return "none";
  std::string result;
  for (const ReshapeGroup& group : *groups) {
    result += fmt::format("{}>{} ", fmt::join(group.from, ","), fmt::join(group.to, ","));
  }
  return result;
}

TEST(ReshapeGroups, AreTheSmallest) {
  EXPECT_EQ(text(reshape_groups({4, 6}, {4, 6})), "0>0 1>1 ");
  EXPECT_EQ(text(reshape_groups({4, 6}, {24})), "0,1>0 ");
  EXPECT_EQ(text(reshape_groups({4, 6, 5}, {2, 2, 3, 10})), "0>0,1 1,2>2,3 ");
  EXPECT_EQ(text(reshape_groups({6, 4}, {4, 6})), "0,1>0,1 ");
}

TEST(ReshapeGroups, LeaveOutAxesOfOne) {
  EXPECT_EQ(text(reshape_groups({1, 4, 1}, {4})), "1>0 ");
  EXPECT_EQ(text(reshape_groups({}, {1, 1})), "");
}

TEST(ReshapeGroups, KeepSymbolicAxesApart) {
  ir::Builder builder;
  const Dim n(builder.variable("n", 0, 9).value(), 1);
  EXPECT_EQ(text(reshape_groups({4, n, 6}, {2, 2, n, 6})), "0>0,1 1>2 2>3 ");
  EXPECT_EQ(text(reshape_groups({4, n}, {n, 4})), "none");
}

TEST(ReshapeGroups, RejectWhatDoesNotFit) {
  EXPECT_EQ(text(reshape_groups({4, 6}, {5, 5})), "none");
  EXPECT_EQ(text(reshape_groups({4}, {4, 2})), "none");
  EXPECT_EQ(text(reshape_groups({0, 4}, {4, 0})), "none");
}

TEST(IndexMath, SplitAndPositionAreInverse) {
  ir::KernelBuilder builder;
  IndexMath math(builder);
  const ir::NodePtr at = builder.range(5 * 7 * 3, ir::RangeKind::kGlobalX);
  const std::vector<int64_t> extents{5, 1, 7, 3};
  EXPECT_EQ(math.position(math.split(at, extents), extents), at);
}

TEST(IndexMath, ClampToSymbolicExtentStaysInside) {
  ir::KernelBuilder builder;
  ir::Builder graph;
  IndexMath math(builder);
  const Dim extent(graph.variable("n", 0, 9).value(), 0);
  const ir::NodePtr at = math.clamp(builder.range(100, ir::RangeKind::kLoop), extent);
  EXPECT_EQ(builder.bounds(at).low, 0);
  EXPECT_EQ(builder.bounds(at).high, 8);
}

TEST(IndexMath, AFlippedSymbolicAxisNeedsNoClamp) {
  ir::KernelBuilder builder;
  ir::Builder graph;
  IndexMath math(builder);
  const Dim extent(graph.variable("n", 0, 9).value(), 1);
  const ir::NodePtr x = graph.cast(graph.range(extent).value(), ir::DType::kF32).value();
  const ir::NodePtr flip = graph.flip(x, {0}).value();
  const Index source = math.source_index(*flip, {builder.range(extent, ir::RangeKind::kGlobalX)});
  for (const ir::NodePtr& node : ir::topological_order(source)) {
    EXPECT_NE(node->op, ir::Op::kMax) << ir::print_expression(*source[0]);
    EXPECT_NE(node->op, ir::Op::kWhere) << ir::print_expression(*source[0]);
  }
  EXPECT_TRUE(builder.is_within(source[0], extent));
}

}  // namespace
}  // namespace bw::compiler
