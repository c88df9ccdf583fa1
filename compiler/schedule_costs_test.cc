// What is counted for the kernels that random graphs become, held against an evaluation that counts: kernels with
// padding, tiles, lanes that share reductions, and symbolic extents.
#include <gtest/gtest.h>

#include "compiler/schedule.h"
#include "ir/analysis/costs.h"
#include "ir/testing/counting_observer.h"
#include "ir/testing/random_graph.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

using ir::analysis::CountEffort;
using ir::testing::CostTally;

void check_kernel(const ir::Kernel& kernel, uint64_t seed, CostTally& symbolic, CostTally& exact) {
  ir::testing::RandomInputs inputs(kernel.params, kernel.variables, seed);
  ir::testing::CountingObserver counted(kernel);
  const Status status = ir::evaluate_kernel(kernel, inputs.inputs(), ir::Rounding::kToDType, &counted);
  ASSERT_TRUE(status.is_ok()) << status.message();
  const ir::analysis::VariableValues& values = inputs.inputs().variables;
  const auto in_variables = ir::analysis::count_costs(kernel, {});
  const auto at_values = ir::analysis::count_costs(kernel, {CountEffort::kExact, values});
  ASSERT_TRUE(in_variables.is_ok() && at_values.is_ok());
  const std::string wrong = check_costs(in_variables.value(), values, counted, symbolic) +
                            check_costs(at_values.value(), values, counted, exact);
  ASSERT_EQ(wrong, "") << "seed " << seed << "\n" << ir::print_kernel(kernel);
}

TEST(ScheduleCosts, AgreeWithCountingExecution) {
  CostTally symbolic;
  CostTally exact;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    ir::testing::RandomGraphOptions options;
    options.steps = 4 + static_cast<int>(seed % 16);
    ir::Builder builder;
    ir::testing::RandomGraph graph = ir::testing::random_graph(builder, seed, options);
    const Result<Schedule> scheduled = schedule(graph.outputs);
    if (!scheduled.is_ok()) continue;  // stores that have no order
    for (const ScheduledKernel& launch : scheduled->kernels) {
      for (const KernelPart& part : launch.parts) check_kernel(part.kernel, seed, symbolic, exact);
    }
    if (HasFatalFailure()) return;
  }
  // Upper bounds are left for indices that depend on data, and for variables that have no value yet.
  EXPECT_GT(exact.exact, 20 * exact.bounded);
  EXPECT_GT(symbolic.exact, 4 * symbolic.bounded);
}

}  // namespace
}  // namespace bw::compiler
