#include "compiler/explain/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/builder.h"

namespace bw::compiler::explain {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// y = sum(x * 2), in as many kernels as it takes.
Explanation small() {
  ir::Builder b;
  const ir::NodePtr x = b.param(3, "x<\"&\\", ir::DType::kF32, {8}).value();
  const ir::NodePtr doubled = b.binary(ir::Op::kMul, x, b.constant(ir::DType::kF32, 2.0).value()).value();
  const ir::NodePtr sum = b.reduce(ir::Op::kReduceAdd, b.contiguous(doubled).value(), {0}).value();
  const std::vector<ir::NodePtr> outputs = {sum};
  Result<Explanation> explanation = explain(outputs, {});
  EXPECT_TRUE(explanation.is_ok()) << explanation.status().message();
  return explanation.is_ok() ? std::move(explanation).value() : Explanation{};
}

TEST(Dot, EachKernelIsAClusterAndBuffersLieBetween) {
  const Explanation explanation = small();
  const std::string text = print_dot(explanation);
  EXPECT_THAT(text, ::testing::StartsWith("digraph program {\n"));
  EXPECT_THAT(text, ::testing::EndsWith("}\n"));
  size_t clusters = 0;
  for (size_t at = text.find("subgraph cluster_"); at != text.npos; at = text.find("subgraph cluster_", at + 1)) {
    ++clusters;
  }
  EXPECT_EQ(clusters, explanation.kernels.size());
  EXPECT_THAT(text, HasSubstr("[shape=cylinder, label=\"x<\\\"&\\\\\\n32 B\"]"));
  EXPECT_THAT(text, HasSubstr("reduce_add f32\\nover 8"));
  EXPECT_THAT(text, HasSubstr("[label=\"2\"]"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '{'), std::count(text.begin(), text.end(), '}'));
}

TEST(Page, EscapesNamesAndHasEveryKernel) {
  const Explanation explanation = small();
  const Result<std::string> page = print_html(explanation, "a<b> & \"c\"");
  ASSERT_TRUE(page.is_ok()) << page.status().message();
  EXPECT_THAT(page.value(), HasSubstr("<h1>a&lt;b&gt; &amp; &quot;c&quot;</h1>"));
  EXPECT_THAT(page.value(), HasSubstr("x&lt;&quot;&amp;\\"));
  for (size_t i = 0; i < explanation.kernels.size(); ++i) {
    EXPECT_THAT(page.value(), HasSubstr(fmt::format("<details id=\"k{}\">", i)));
    EXPECT_THAT(page.value(), HasSubstr(fmt::format("<a href=\"#k{}\">", i)));
  }
  EXPECT_THAT(page.value(), Not(HasSubstr("src=")));
  EXPECT_THAT(page.value(), ::testing::EndsWith("</body></html>\n"));
}

TEST(Page, WithoutKernels) {
  EXPECT_THAT(print_html({}, "nothing").value(), HasSubstr("0 kernels"));
  EXPECT_THAT(print_dot({}), HasSubstr("digraph"));
}

}  // namespace
}  // namespace bw::compiler::explain
