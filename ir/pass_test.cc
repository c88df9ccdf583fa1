#include "ir/pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/builder.h"

namespace bw::ir {
namespace {

using Outputs = Result<std::vector<NodePtr>>;

TEST(RunVerifiedPass, NamesThePassThatBreaksTheGraph) {
  Builder builder;
  NodePtr x = builder.param(0, "x", DType::kF32, {4}).value();
  const std::vector<NodePtr> outputs = {builder.unary(Op::kSqrt, x).value()};
  const Outputs same = run_verified_pass("nothing", outputs, [](std::span<const NodePtr> all) -> Outputs {
    return std::vector<NodePtr>(all.begin(), all.end());
  });
  EXPECT_EQ(same.value(), outputs);
  const Outputs other = run_verified_pass("shorten", outputs, [&](std::span<const NodePtr>) -> Outputs {
    return std::vector<NodePtr>{builder.shrink(x, {0}, {2}).value()};
  });
  EXPECT_THAT(other.status().message(), ::testing::HasSubstr("after the pass shorten: output 0 is"));
  const Outputs broken = run_verified_pass("break", outputs, [&](std::span<const NodePtr>) -> Outputs {
    Node node = *outputs[0];
    node.inputs.clear();
    return std::vector<NodePtr>{make_node(std::move(node))};
  });
  EXPECT_THAT(broken.status().message(), ::testing::HasSubstr("after the pass break: "));
}

}  // namespace
}  // namespace bw::ir
