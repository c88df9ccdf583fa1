#include "compiler/explain/nest_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/schedule.h"
#include "compiler/schedule_testing.h"
#include "compiler/testing/sample_kernels.h"

namespace bw::compiler::explain {
namespace {

using compiler::testing::Inputs;
using compiler::testing::Value;
using ir::DType;
using ir::Op;
using ::testing::HasSubstr;

std::string nest(const KernelPart& part) {
  Result<std::string> text = print_nest(part);
  EXPECT_TRUE(text.is_ok()) << text.status().message();
  return text.is_ok() ? text.value() : "";
}

// Of the only kernel that computes `output`.
KernelPart part_of(const Value& output) {
  const Result<Schedule> plan = schedule(std::span(&output.node, 1));
  EXPECT_TRUE(plan.is_ok()) << plan.status().message();
  if (!plan.is_ok()) return {};
  EXPECT_EQ(plan.value().kernels.size(), 1u);
  return plan.value().kernels[0].parts[0];
}

TEST(NestListing, GroupsOfSeveralWavesMeetInLds) {
  const KernelPart part{compiler::testing::reduce_kernel(Op::kReduceMax, DType::kF32, 8, 4096, 256),
                        LaneForm{},
                        {8, 1, 1},
                        {1, 1, 1},
                        {0, 1}};
  EXPECT_EQ(nest(part), R"(for workgroup_x in 0..8                   # 1 of global_x1 each
  for wave in 0..8                        # side by side
    for lane in 0..32                     # side by side, 256 lanes to a place
      for loop3 in 0..16
        accumulate reduce_max
      combine reduce_max among 32 lanes   # DPP, v_readlane
      fill LDS: 8 partial results         # one of each wave
      barrier
      combine reduce_max from LDS: 8 of each place
      store
)");
}

TEST(NestListing, ReductionsOfSoftmaxFollowEachOther) {
  const KernelPart part{compiler::testing::softmax_kernel(8, 128), LaneForm{}, {8, 1, 1}, {32, 1, 1}, {0, 1}};
  EXPECT_EQ(nest(part), R"(for workgroup_x in 0..1                   # 32 of global_x1 each
  for lane in 0..32                       # side by side, a place each
    for loop3 in 0..128
      accumulate reduce_max
    for loop4 in 0..128
      accumulate reduce_add
    for loop2 in 0..128
      store
)");
}

// The kernel of a product as the cost model would not choose it: the form alone decides.
TEST(NestListing, TilesOfAMatrixProduct) {
  Inputs inputs;
  const Value a = inputs.param(DType::kF16, {256, 512}).cast(DType::kF32);
  KernelPart part = part_of(a.linear(inputs.param(DType::kF16, {256, 512}).cast(DType::kF32)));
  part.form = ContractionForm{ProductUnit::kWmmaF16, 128, 64, 32, 64, 32, 2};
  part.group_extent = {64, 128, 1};
  const std::string text = nest(part);
  EXPECT_THAT(text, HasSubstr(R"(for workgroup_y in 0..2                   # 128 of global_y2 each
  for workgroup_x in 0..4                 # 64 of global_x1 each
    LDS: )"));
  EXPECT_THAT(text, HasSubstr(R"(# 2 buffers of 128 x 32 rows, 32 x 64 columns
    load step 0 into registers            # by 128 lanes
    for step in 0..16                     # 32 of the depth each, two in a turn of the loop
      fill LDS[step % 2] from registers   # by 128 lanes
      barrier
      load step + 1 into registers        # by 128 lanes, while this step is multiplied
      for wave_y in 0..2                  # 64 rows each, side by side
        for wave_x in 0..2                # 32 columns each, side by side
          for k in 0..2                   # 16 of the depth each, written out
            load fragments from LDS: 4 of rows, 2 of columns
            for tile_m in 0..4            # 16 rows each, written out
              for tile_n in 0..2          # 16 columns each, written out
                v_wmma 16x16x16
    for wave_y in 0..2                    # 64 rows each, side by side
      for wave_x in 0..2                  # 32 columns each, side by side
        for tile_m in 0..4                # 16 rows each, written out
          for tile_n in 0..2              # 16 columns each, written out
            store
)"));
  std::get<ContractionForm>(part.form).buffers = 1;
  EXPECT_THAT(nest(part), HasSubstr("      barrier                             # before LDS is filled again\n"));
}

TEST(NestListing, AttentionGoesThroughBlocksOfPositions) {
  Inputs inputs;
  const Value q = inputs.param(DType::kF32, {8, 64});
  const Value k = inputs.param(DType::kF32, {500, 64});
  const Value scores = q.linear(k);
  const Value powers = ((scores - scores.max({1})) * scores.number(1.4426950408889634)).unary(Op::kExp2);
  const Value weights = powers * powers.sum({1}).unary(Op::kRecip);
  const KernelPart part = part_of(weights.linear(inputs.param(DType::kF32, {500, 64}).permute({1, 0})));
  const auto* form = std::get_if<AttentionForm>(&part.form);
  ASSERT_NE(form, nullptr) << print_form(part.form);
  const std::string text = nest(part);
  EXPECT_THAT(text, HasSubstr(fmt::format("fill LDS: queries, {} x 64", form->queries)));
  const int64_t blocks = (500 + 32 * form->waves - 1) / (32 * form->waves);
  EXPECT_THAT(text, HasSubstr(fmt::format("for block in 0..{} ", blocks)));
  EXPECT_THAT(text, HasSubstr("32 positions each\n"));
}

TEST(NestListing, AFormThatDoesNotFitIsAnError) {
  KernelPart part{compiler::testing::softmax_kernel(8, 128), AttentionForm{}, {8, 1, 1}, {32, 1, 1}, {0, 1}};
  EXPECT_EQ(print_nest(part).status().code(), StatusCode::kInvalidArgument);
  part.form = ContractionForm{ProductUnit::kFma, 64, 64, 16, 32, 32, 1};
  EXPECT_EQ(print_nest(part).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bw::compiler::explain
