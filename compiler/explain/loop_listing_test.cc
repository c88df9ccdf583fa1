#include "compiler/explain/loop_listing.h"

#include <gtest/gtest.h>

#include "compiler/testing/sample_kernels.h"

namespace bw::compiler::explain {
namespace {

std::string listing(const ir::Kernel& kernel, size_t max_lines = 100) {
  Result<std::string> text = print_loops(kernel, LaneForm{}, max_lines);
  EXPECT_TRUE(text.is_ok()) << text.status().message();
  return text.is_ok() ? text.value() : "";
}

TEST(LoopListing, ElementwiseKernelIsOneLoopOfLanes) {
  EXPECT_EQ(listing(compiler::testing::scale_kernel(1000, 64)),
            R"(for global_x1 in 0..1000                  # grid x, a lane each, 64 to a workgroup
  out[global_x1] = x[global_x1] * 2 + 1
)");
}

TEST(LoopListing, MatrixProduct) {
  EXPECT_EQ(listing(compiler::testing::matmul_kernel(64)),
            R"(for global_y2 in 0..64                    # grid y, a workgroup each
  for global_x1 in 0..64                  # grid x, a lane each, 64 to a workgroup
    t1 = global_y2 * 64
    sum2 = 0
    for loop3 in 0..64
      sum2 += a[t1 + loop3] * b[loop3 * 64 + global_x1]
    out[t1 + global_x1] = sum2
)");
}

TEST(LoopListing, SoftmaxHasALoopForEachReductionAndNamesWhatIsShared) {
  EXPECT_EQ(listing(compiler::testing::softmax_kernel(8, 128)),
            R"(for global_x1 in 0..8                     # grid x, a lane each, 32 to a workgroup
  t1 = global_x1 * 128
  largest2 = -inf
  for loop3 in 0..128
    largest2 = max(largest2, x[t1 + loop3])
  t3 = largest2 * -1
  sum4 = 0
  for loop4 in 0..128
    sum4 += exp2(t3 + x[t1 + loop4])
  for loop2 in 0..128
    t5 = t1 + loop2
    out[t5] = exp2(t3 + x[t5]) * recip(sum4)
)");
}

TEST(LoopListing, LanesOfAGroupShareAReduction) {
  EXPECT_EQ(listing(compiler::testing::reduce_kernel(ir::Op::kReduceMax, ir::DType::kF32, 8, 4096, 256)),
            R"(for global_x1 in 0..8                     # grid x, a group of 256 lanes each, 1 to a workgroup
  for group2 in 0..256                    # the lanes of a group, side by side
    largest1 = -inf
    for loop3 in 0..16
      largest1 = max(largest1, x[global_x1 * 4096 + loop3 * 256 + group2])
    largest1 = largest of largest1 over group2
    out[global_x1] = largest1
)");
}

// Only the extent of the loop names n.
TEST(LoopListing, ExtentsMayBeVariables) {
  EXPECT_EQ(listing(compiler::testing::symbolic_sum_kernel(512)), R"(sum1 = 0
for loop1 in 0..n
  sum1 += x[loop1]
out[0] = sum1
)");
}

TEST(LoopListing, LongListingsAreCut) {
  EXPECT_EQ(listing(compiler::testing::softmax_kernel(8, 128), 1),
            R"(for global_x1 in 0..8                     # grid x, a lane each, 32 to a workgroup
... 11 more lines
)");
}

}  // namespace
}  // namespace bw::compiler::explain
