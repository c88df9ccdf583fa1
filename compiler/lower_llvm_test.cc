#include "compiler/lower_llvm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/codegen.h"
#include "compiler/testing/sample_kernels.h"

namespace bw::compiler {
namespace {

using ir::DType;
using ir::Op;
using ::testing::HasSubstr;
using ::testing::Not;

// Before LLVM optimises.
std::string lowered(const ir::Kernel& kernel) {
  Result<CodeObject> code = generate_code(kernel, LaneForm{}, Keep::kListings);
  EXPECT_TRUE(code.is_ok()) << code.status().message();
  return code.is_ok() ? code->llvm_ir : "";
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(LowerLlvm, ParamsSayHowTheyAreUsed) {
  const std::string text = lowered(testing::scale_kernel(1024, 64));
  EXPECT_THAT(text, HasSubstr("ptr addrspace(1) noalias noundef nonnull writeonly align 4 dereferenceable(4096) %0"));
  EXPECT_THAT(text, HasSubstr("ptr addrspace(1) noalias noundef nonnull readonly align 4 dereferenceable(4096) %1"));
}

TEST(LowerLlvm, SurplusWorkItemsAreGuardedOnlyWhereThereAreAny) {
  EXPECT_THAT(lowered(testing::scale_kernel(1000, 64)), HasSubstr("surplus"));
  EXPECT_THAT(lowered(testing::scale_kernel(1024, 64)), Not(HasSubstr("surplus")));
  EXPECT_THAT(lowered(testing::scale_kernel(7, 1)), Not(HasSubstr("surplus")));
}

TEST(LowerLlvm, InnermostLoopIsWrittenOutWhereItsTripCountDivides) {
  EXPECT_EQ(count(lowered(testing::reduce_kernel(Op::kReduceAdd, DType::kF32, 4, 64, 1)), "= load float"), 16u);
  EXPECT_EQ(count(lowered(testing::reduce_kernel(Op::kReduceAdd, DType::kF32, 4, 12, 1)), "= load float"), 4u);
  EXPECT_EQ(count(lowered(testing::reduce_kernel(Op::kReduceAdd, DType::kF32, 4, 97, 1)), "= load float"), 1u);
}

TEST(LowerLlvm, SymbolicLoopsMayBeEmptyAndHaveARest) {
  const std::string text = lowered(testing::symbolic_sum_kernel(512));
  EXPECT_EQ(count(text, "br i1"), 4u);  // two loops, each with a test before it
}

TEST(LowerLlvm, NodesAreComputedInTheInnermostLoopTheyDependOn) {
  const std::string text = lowered(testing::softmax_kernel(32, 97));
  EXPECT_EQ(count(text, "\nloop"), 3u);
  // The reciprocal of the sum stands before the loop of the stores.
  EXPECT_LT(text.rfind("fdiv"), text.rfind("\nloop"));
  EXPECT_GT(text.rfind("fdiv"), text.find("\nafter"));
}

TEST(LowerLlvm, ReductionsOverTheSameRangesShareALoop) {
  ir::KernelBuilder b;
  const auto out = b.param(0, "out", DType::kF32, {2});
  const auto x = b.param(1, "x", DType::kF32, {97});
  const auto i = b.range(97, ir::RangeKind::kLoop);
  const auto value = b.load(x, i);
  const auto sum = b.op(Op::kReduceAdd, DType::kF32, {value, i});
  const auto largest = b.op(Op::kReduceMax, DType::kF32, {value, i});
  const auto at = [&](int64_t index) { return b.constant(DType::kI32, index); };
  const ir::Kernel kernel{.name = "two",
                          .params = {out, x},
                          .variables = {},
                          .stores = {b.store(out, at(0), sum), b.store(out, at(1), largest)},
                          .workgroup_size = 1};
  const std::string text = lowered(kernel);
  EXPECT_EQ(count(text, "= load float"), 1u);
  EXPECT_EQ(count(text, "\nloop"), 1u);
}

TEST(LowerLlvm, LoopsOf32BitsAndMoreCountIn64) {
  for (const int64_t extent : {int64_t{1} << 30, (int64_t{1} << 32) + 15}) {
    ir::KernelBuilder b;
    const auto out = b.param(0, "out", DType::kU8, {1});
    const auto x = b.param(1, "x", DType::kU8, {extent});
    const auto i = b.range(extent, ir::RangeKind::kLoop);
    const auto sum = b.op(Op::kReduceAdd, DType::kU8, {b.load(x, i), i});
    const ir::Kernel kernel{.name = "long",
                            .params = {out, x},
                            .variables = {},
                            .stores = {b.store(out, b.constant(DType::kI32, int64_t{0}), sum)},
                            .workgroup_size = 1};
    const bool is_wide = extent > std::numeric_limits<int32_t>::max();
    EXPECT_EQ(count(lowered(kernel), "phi i64"), is_wide ? 1u : 0u);
    EXPECT_EQ(count(lowered(kernel), "phi i32"), is_wide ? 0u : 1u);
  }
}

TEST(LowerLlvm, UnrollRangesAreWrittenOut) {
  ir::KernelBuilder b;
  const auto out = b.param(0, "out", DType::kF32, {8});
  const auto x = b.param(1, "x", DType::kF32, {8, 5});
  const auto row = b.range(8, ir::RangeKind::kGlobalX);
  const auto i = b.range(5, ir::RangeKind::kUnroll);
  const auto sum = b.op(Op::kReduceAdd, DType::kF32, {b.load(x, b.add(b.mul(row, 5), i)), i});
  const ir::Kernel kernel{
      .name = "unroll", .params = {out, x}, .variables = {}, .stores = {b.store(out, row, sum)}, .workgroup_size = 1};
  const std::string text = lowered(kernel);
  EXPECT_EQ(count(text, "= load float"), 5u);
  EXPECT_EQ(count(text, "\nloop"), 0u);
}

TEST(LowerLlvm, ExtentOfAVariableThatIsNoArgumentIsRefused) {
  ir::Kernel kernel = testing::symbolic_sum_kernel(512);
  kernel.variables.clear();
  const auto code = generate_code(kernel, LaneForm{}, Keep::kObjectOnly);
  ASSERT_FALSE(code.is_ok());
  EXPECT_THAT(code.status().message(), HasSubstr("variable 'n'"));
}

}  // namespace
}  // namespace bw::compiler
