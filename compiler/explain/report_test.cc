#include "compiler/explain/report.h"

#include <gtest/gtest.h>

#include "compiler/testing/sample_kernels.h"

namespace bw::compiler::explain {
namespace {

// out[y, x] = sum of a[y, k] * b[k, x] over k, 64 x 64, with a register count of its own.
Explanation matmul_explanation() {
  Explanation explanation;
  ScheduledKernel scheduled;
  KernelPart part;
  part.kernel = compiler::testing::matmul_kernel(64);
  part.grid = {64, 64, 1};
  part.group_extent = {64, 1, 1};
  part.arguments = {0, 1, 2};
  KernelFacts facts;
  facts.name = "matmul";
  facts.workgroup_size = part.kernel.workgroup_size;
  facts.workgroups = 64;
  facts.costs = {.flops = 2 * 64 * 64 * 64, .bytes = 3 * 64 * 64 * 4};
  facts.proofs = {{{ir::Op::kLoad, "a", 0, 4095, 4096, 1}, {ir::Op::kStore, "out", 0, 4095, 4096, 4}}};
  facts.resources = {.vgprs = 200, .sgprs = 16, .lds_bytes = 512, .scratch_bytes = 8, .vgpr_spills = 2};
  facts.occupancy = occupancy(facts.resources, 64);
  facts.roofline = roofline(count_work(part.kernel, LaneForm{}).value(), facts.occupancy, facts.workgroups);
  facts.diagnostic = spill_diagnostic(facts.resources);
  explanation.total_seconds = facts.roofline.total_seconds();
  explanation.kernels.push_back(facts);
  scheduled.parts.push_back(std::move(part));
  scheduled.launch.buffers = {2, 0, 1};
  explanation.schedule.kernels.push_back(std::move(scheduled));
  explanation.schedule.buffers = {
      {BufferKind::kParam, 7, 16384}, {BufferKind::kParam, 9, 16384}, {BufferKind::kTemporary, 0, 16384}};
  explanation.param_names = {{7, "weights"}};
  return explanation;
}

TEST(Report, SummaryHasALineForEachKernelTheSumsAndTheWarnings) {
  EXPECT_EQ(print_summary(matmul_explanation()),
            R"(#  kernel  groups  lanes   FLOP   bytes  FLOP/B  VGPRs  LDS  waves    time  bound
0  matmul      64     64  524 k  49.2 k   10.67   200!  512      7  235 ns  latency
1 kernels, 524 kFLOP, 49.2 kB, at least 235 ns one after the other
warning: kernel 0: 2 vector and 0 scalar registers are spilled (8 bytes of scratch per lane)
)");
  EXPECT_EQ(print_summary({}), "no kernels: nothing is to be computed\n");
}

TEST(Report, KernelReportTellsAllThatIsKnown) {
  const Explanation explanation = matmul_explanation();
  const Result<std::string> report = print_kernel_report(explanation, 0, {});
  ASSERT_TRUE(report.is_ok()) << report.status().message();
  const size_t ir = report->find("\nir\n");
  const size_t costs = report->find("\ncosts\n");
  ASSERT_LT(ir, costs);
  EXPECT_EQ(report->substr(0, ir), R"(kernel 0: matmul

form
  lanes
  grid 64 x 64 x 1, 64 x 1 x 1 of it a workgroup: 64 workgroups of 64 lanes

buffers
  writes out f32 [64, 64] = temporary 2, 16.4 kB
  reads  a f32 [64, 64] = weights, 16.4 kB
  reads  b f32 [64, 64] = param 9, 16.4 kB

loops
  for global_y2 in 0..64                    # grid y, a workgroup each
    for global_x1 in 0..64                  # grid x, a lane each, 64 to a workgroup
      t1 = global_y2 * 64
      sum2 = 0
      for loop3 in 0..64
        sum2 += a[t1 + loop3] * b[loop3 * 64 + global_x1]
      out[t1 + global_x1] = sum2

nest, as executed
  for workgroup_y in 0..64                  # 1 of global_y2 each
    for workgroup_x in 0..1                 # 64 of global_x1 each
      for wave in 0..2                      # side by side
        for lane in 0..32                   # side by side, a place each
          for loop3 in 0..64
            accumulate reduce_add
          store

bounds, proven
  load  a: 0..4095 of 4096 elements, by intervals
  store out: 0..4095 of 4096 elements, by intervals (4 accesses)
)");
  EXPECT_EQ(report->substr(costs), R"(
costs
  524 kFLOP, 49.2 kB of memory, 10.67 FLOP/B

resources
  200 vector registers, 16 scalar registers, 512 bytes of LDS, 8 bytes of scratch per lane, 0 bytes of code
  occupancy: 7 of 16 waves per SIMD (14 workgroups of 2 waves on a WGP), limited by vector registers
  warning: 2 vector and 0 scalar registers are spilled (8 bytes of scratch per lane)

least time on an RX 7900 XTX (66.7 % of its SIMDs have a wave)
  memory              51.2 ns
  latency              235 ns  bound
  VALU                12.8 ns
)");
  EXPECT_EQ(report->substr(ir, 35), "\nir\n  kernel matmul workgroup=64 {\n");
}

TEST(Report, ListingsAreShownWhenAskedFor) {
  Explanation explanation = matmul_explanation();
  explanation.kernels[0].code.assembly = "s_endpgm\n";
  explanation.kernels[0].code.llvm_ir = "ret void\n";
  const std::string without = print_kernel_report(explanation, 0, {}).value();
  EXPECT_EQ(print_kernel_report(explanation, 0, {Listing::kShown, Listing::kNone}).value(),
            without + "\nassembly\n  s_endpgm\n");
  EXPECT_EQ(print_kernel_report(explanation, 0, {Listing::kShown, Listing::kShown}).value(),
            without + "\nLLVM IR\n  ret void\n\nassembly\n  s_endpgm\n");
}

TEST(Report, QuantitiesHaveThreeDigits) {
  EXPECT_EQ(print_quantity(0), "0 ");
  EXPECT_EQ(print_quantity(999), "999 ");
  EXPECT_EQ(print_quantity(999.6), "1 k");
  EXPECT_EQ(print_quantity(1234567), "1.23 M");
  EXPECT_EQ(print_quantity(5e18), "5e+03 P");
  EXPECT_EQ(print_seconds(0), "0 ns");
  EXPECT_EQ(print_seconds(1.5e-9), "1.5 ns");
  EXPECT_EQ(print_seconds(0.9999e-6), "1 us");
  EXPECT_EQ(print_seconds(0.0125), "12.5 ms");
  EXPECT_EQ(print_seconds(12.5), "12.5 s");
}

}  // namespace
}  // namespace bw::compiler::explain
