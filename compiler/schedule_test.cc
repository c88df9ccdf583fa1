// Memory order, symbolic extents, odd shapes, depth and size of schedules.
#include "compiler/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/schedule_testing.h"
#include "ir/verifier.h"

namespace bw::compiler::testing {
namespace {

using ir::Dim;
using ir::DType;
using ir::Op;
using ::testing::HasSubstr;

Result<Schedule> schedule_of(const std::vector<Value>& outputs) {
  std::vector<ir::NodePtr> nodes;
  for (const Value& output : outputs) nodes.push_back(output.node);
  return schedule(nodes);
}

TEST(Schedule, NothingIsNoKernel) {
  const auto result = schedule({});
  ASSERT_TRUE(result.is_ok());
  EXPECT_TRUE(result->kernels.empty());
}

TEST(Schedule, MissingOutputIsAnError) {
  const std::vector<ir::NodePtr> outputs{nullptr};
  EXPECT_EQ(schedule(outputs).status().code(), StatusCode::kInvalidArgument);
}

// Each is verified and evaluated.
TEST(Schedule, OtherWaysOfDoingAKernelComputeTheSame) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 96});
  const Value rows = inputs.param(DType::kF32, {6, 96});
  EXPECT_GE(check_others(inputs, {x.linear(inputs.param(DType::kF32, {40, 96}))}, 8), 6u);
  EXPECT_GE(check_others(inputs, {rows + rows.sum({1}) + rows.max({1})}, 8), 3u);
  EXPECT_GE(check_others(inputs, {inputs.param(DType::kF32, {300, 64}).sum({0})}, 4), 1u);
  // Several parts of a launch, a residual in whose place the result goes, a product through LDS.
  EXPECT_GE(check_others(inputs, {rows.sum({1}), rows.max({0})}, 3), 2u);
  const Value residual = (inputs.param(DType::kF32, {1, 40}) * x.number(2)).contiguous();
  EXPECT_GE(check_others(inputs, {(x.linear(inputs.param(DType::kF32, {40, 96})) + residual).contiguous()}, 3), 2u);
  const Value a = inputs.param(DType::kF32, {40, 96});
  EXPECT_GE(check_others(inputs, {a.linear(inputs.param(DType::kF32, {72, 96}))}, 6), 3u);
  EXPECT_EQ(check_others(inputs, {rows * rows}, 4), 0u);
}

// Lanes at the end of the axis do again what their neighbours do: not where they have overwritten what they read.
TEST(Schedule, VectorsOverlapWhereTheyDoNotDivide) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {100003});
  EXPECT_EQ(check_schedule(inputs, {x * x + x}), 1u);
  const Value doubled = (x * x.number(2)).contiguous();
  check_schedule(inputs, {(doubled + doubled * doubled).contiguous().max({0})});
  check_schedule(inputs, {x.store(x * x.number(3))});
  const Value rows = inputs.param(DType::kF32, {317, 331});
  check_schedule(inputs, {rows * inputs.param(DType::kF32, {1, 331}) + rows.flip({1})});
}

TEST(Schedule, DeadNodesAreNotComputed) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {8});
  (x * x).contiguous();
  EXPECT_EQ(check_schedule(inputs, {x + x}), 1u);
}

TEST(Schedule, ScalarsAndSingleElements) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {});
  const Value y = inputs.param(DType::kF32, {1, 1});
  EXPECT_EQ(check_schedule(inputs, {x * x, y + x, y.sum({0, 1}), inputs.constant(DType::kI64, -7)}), 1u);
}

TEST(Schedule, EmptyTensorsNeedNoKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {4, 0});
  EXPECT_EQ(check_schedule(inputs, {x + x}), 0u);
  EXPECT_EQ(check_schedule(inputs, {x.sum({1}), x.max({1}), x.reduce(Op::kReduceMul, {1})}), 1u);
  EXPECT_EQ(check_schedule(inputs, {x.pad({0, 1}, {1, 2})}), 1u);
}

TEST(Schedule, WritesOnlyItsOutput) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {8});
  const auto result = schedule_of({x + x});
  ASSERT_TRUE(result.is_ok());
  const ScheduledKernel& scheduled = result->kernels[0];
  EXPECT_EQ(scheduled.launch.written_buffers, 1u);
  EXPECT_EQ(scheduled.launch.buffers.size(), 2u);
  EXPECT_EQ(result->outputs[0], scheduled.launch.buffers[0]);
  EXPECT_EQ(result->buffers[scheduled.launch.buffers[1]].kind, BufferKind::kParam);
  EXPECT_EQ(result->buffers[result->outputs[0]].size_bytes, 32u);
}

TEST(Schedule, IndependentKernelsShareALaunch) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {40, 24});
  const Value y = inputs.param(DType::kF32, {3, 24});
  const std::vector<Value> outputs{x + x, y.linear(x), x.sum({1})};
  EXPECT_EQ(check_schedule(inputs, outputs), 1u);
  const auto result = schedule_of(outputs);
  ASSERT_TRUE(result.is_ok());
  const ScheduledKernel& scheduled = result->kernels[0];
  ASSERT_EQ(scheduled.parts.size(), 3u);
  EXPECT_EQ(scheduled.launch.written_buffers, 3u);
  EXPECT_EQ(scheduled.launch.buffers.size(), 5u);  // x is an argument once
  uint64_t workgroups = 0;
  for (const KernelPart& part : scheduled.parts) {
    EXPECT_EQ(part.kernel.workgroup_size, scheduled.parts[0].kernel.workgroup_size);
    workgroups += count_workgroups(part);
  }
  EXPECT_EQ(scheduled.grid()[0].offset, static_cast<int64_t>(workgroups));
}

TEST(Schedule, KernelsThatNeedEachOtherDoNotShareALaunch) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {64});
  const Value y = (x + x).contiguous();
  const Value z = (y * y).contiguous();
  EXPECT_EQ(check_schedule(inputs, {z + x}), 3u);
}

size_t written_by_first_kernel(const std::vector<Value>& outputs) {
  const auto result = schedule_of(outputs);
  EXPECT_TRUE(result.is_ok());
  if (!result.is_ok() || result->kernels.size() != 1 || result->kernels[0].parts.size() != 1) return 0;
  return result->kernels[0].launch.written_buffers;
}

TEST(Schedule, ValueThatIsAnOutputAndUsedIsOneOutputOfTheKernelThatUsesIt) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1000});
  const Value y = x.silu();
  const std::vector<Value> outputs{y, y * x, y + x};
  EXPECT_EQ(check_schedule(inputs, outputs), 1u);
  EXPECT_EQ(written_by_first_kernel(outputs), 3u);
  // Each is computed from what is loaded once.
  size_t loads = 0;
  const auto result = schedule_of(outputs);
  for (const ir::NodePtr& node : ir::topological_order(result->kernels[0].parts[0].kernel.stores)) {
    loads += node->op == Op::kLoad ? 1 : 0;
  }
  EXPECT_EQ(loads, 1u);
}

TEST(Schedule, MeanAndVarianceAreOutputsOfOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {512, 256});
  const Value mean = x.sum({1}) * x.number(1.0 / 256);
  const Value centred = x - mean;
  const Value variance = (centred * centred).sum({1}) * x.number(1.0 / 256);
  EXPECT_EQ(check_schedule(inputs, {mean, variance}), 1u);
  EXPECT_EQ(written_by_first_kernel({mean, variance}), 2u);
}

TEST(Schedule, ReductionsOfOneValueAreOutputsOfOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {512, 256});
  const std::vector<Value> outputs{x.sum({1}), x.max({1}), (x * x).sum({1})};
  EXPECT_EQ(check_schedule(inputs, outputs), 1u);
  EXPECT_EQ(written_by_first_kernel(outputs), 3u);
}

TEST(Schedule, ElementsOfOtherLanesAreNotTakenFromRegisters) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {64});
  const Value y = x.silu();
  EXPECT_EQ(check_schedule(inputs, {y, y + y.flip({0})}), 2u);
}

TEST(Schedule, ReadingWhatIsOverwrittenNextDoesNotShareItsLaunch) {
  Inputs inputs;
  const Value memory = inputs.param(DType::kF32, {64});
  const Value x = inputs.param(DType::kF32, {64});
  EXPECT_EQ(check_schedule(inputs, {(memory + x).contiguous(), memory.store(x * x)}), 2u);
}

TEST(Schedule, KernelsWithSymbolicGridsKeepTheirLaunches) {
  Inputs inputs;
  const Value n = inputs.variable("n", 0, 5);
  const Value x = inputs.param(DType::kF32, {7, 4});
  const Value some = x.shrink({0, 0}, {Dim(n.node, 1), 4});
  EXPECT_EQ(check_schedule(inputs, {some + some, x + x}, {{"n", 3}}), 2u);
}

TEST(Schedule, OutputThatReshapesAnotherIsTheSameBuffer) {
  Inputs inputs;
  const Value y = inputs.param(DType::kF32, {4, 6}).sum({1});
  const auto result = schedule_of({y, y.reshape({4})});
  ASSERT_TRUE(result.is_ok());
  EXPECT_EQ(result->kernels.size(), 1u);
  EXPECT_EQ(result->outputs[0], result->outputs[1]);
}

TEST(Schedule, TemporariesShareMemory) {
  Inputs inputs;
  Value x = inputs.param(DType::kF32, {64});
  for (int i = 0; i < 10; ++i) x = (x + x.flip({0})).contiguous();
  const auto result = schedule_of({x});
  ASSERT_TRUE(result.is_ok());
  EXPECT_EQ(result->kernels.size(), 10u);
  EXPECT_LE(result->buffers.size(), 4u);
  EXPECT_EQ(result->unshared_bytes, 10u * 64 * 4);
  EXPECT_EQ(result->planned_bytes(), 3u * 64 * 4);
  EXPECT_EQ(check_schedule(inputs, {x}, {}, 1e-3), 10u);
}

TEST(Schedule, ResultTakesThePlaceOfAnOperandThatIsNotNeededAnyMore) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {8, 64});
  const Value w = inputs.param(DType::kF32, {64, 64});
  const Value y = (x * x).contiguous();
  const Value z = (y + y.linear(w)).contiguous();  // y is loaded at other indices too
  const Value u = (z + x.linear(w)).contiguous();  // the last use of z
  const std::vector<Value> outputs{u.linear(w)};
  EXPECT_EQ(check_schedule(inputs, outputs), 4u);
  const auto result = schedule_of(outputs);
  ASSERT_TRUE(result.is_ok());
  // y and z, of which u is one, and the output.
  EXPECT_EQ(result->unshared_bytes, 4u * 8 * 64 * 4);
  EXPECT_EQ(result->planned_bytes(), 3u * 8 * 64 * 4);
  size_t in_place = 0;
  for (const ScheduledKernel& scheduled : result->kernels) {
    const ir::Kernel& kernel = scheduled.parts[0].kernel;
    for (const ir::NodePtr& node : ir::topological_order(kernel.stores)) {
      in_place += node->op == Op::kLoad && node->inputs[0] == kernel.params[0] ? 1 : 0;
    }
  }
  EXPECT_GT(in_place, 0u);
}

TEST(Schedule, ResultDoesNotTakeThePlaceOfWhatOtherLanesRead) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {64});
  const Value y = (x * x).contiguous();
  EXPECT_EQ(check_schedule(inputs, {(y + y.flip({0})).contiguous() * x}), 3u);
}

TEST(Store, ViewIsInverted) {
  Inputs inputs;
  const Value cache = inputs.param(DType::kF32, {6, 4, 5});
  const Value view = cache.permute({2, 0, 1}).flip({0}).shrink({1, 2, 0}, {4, 4, 4}).reshape({3, 8});
  EXPECT_EQ(check_schedule(inputs, {view.store(inputs.param(DType::kF32, {3, 8}))}), 1u);
}

TEST(Store, ReadersComeAfterAndOldReadersBefore) {
  Inputs inputs;
  const Value cache = inputs.param(DType::kF32, {8, 4});
  const Value row = inputs.param(DType::kF32, {1, 4});
  const Value before = cache.sum({0});
  const Value written = cache.shrink({3, 0}, {4, 4}).store(row);
  EXPECT_EQ(check_schedule(inputs, {written, written.sum({0}), before}), 3u);
  EXPECT_EQ(check_schedule(inputs, {before, written.sum({0}), written}), 3u);
}

TEST(Store, OldValueNeededLaterIsKept) {
  Inputs inputs;
  const Value cache = inputs.param(DType::kF32, {8, 4});
  const Value written = cache.shrink({3, 0}, {4, 4}).store(inputs.param(DType::kF32, {1, 4}));
  // The old and the new rows in one expression: the old ones are copied first.
  check_schedule(inputs, {written.shrink({2, 0}, {5, 4}) * cache.shrink({3, 0}, {6, 4})});
  check_schedule(inputs, {written.sum({0}) + (cache + cache).sum({0}), written});
  check_schedule(inputs, {written + cache});
}

TEST(Store, StatesThatOverwriteEachOtherAreCopied) {
  Inputs inputs;
  const Value a = inputs.param(DType::kF32, {4});
  const Value b = inputs.param(DType::kF32, {4});
  const Value one = inputs.param(DType::kF32, {1});
  const Value new_a = a.shrink({0}, {1}).store(one);
  const Value new_b = b.shrink({0}, {1}).store(one);
  check_schedule(inputs, {a * new_b, b * new_a, new_a, new_b});
}

TEST(Store, ElementwiseUpdateInPlaceIsOneKernel) {
  Inputs inputs;
  const Value weight = inputs.param(DType::kF32, {8, 4});
  const Value gradient = inputs.param(DType::kF32, {8, 4});
  EXPECT_EQ(check_schedule(inputs, {weight.store(weight - gradient * gradient.number(0.1))}), 1u);
}

TEST(Store, MovingWithinTheSameMemoryGoesThroughACopy) {
  Inputs inputs;
  const Value memory = inputs.param(DType::kF32, {8});
  EXPECT_EQ(check_schedule(inputs, {memory.shrink({1}, {8}).store(memory.shrink({0}, {7}))}), 2u);
  EXPECT_EQ(check_schedule(inputs, {memory.flip({0}).store(memory)}), 2u);
}

TEST(Store, ChainOfStores) {
  Inputs inputs;
  const Value memory = inputs.param(DType::kF32, {8});
  Value state = memory;
  std::vector<Value> outputs;
  for (int64_t i = 0; i < 6; ++i) {
    const Value next = state.sum({0});
    state = state.shrink({i}, {i + 1}).store(next);
    outputs.push_back(state.shrink({i}, {i + 2}).contiguous());
  }
  outputs.push_back(state);
  check_schedule(inputs, outputs);
}

TEST(Store, TwoStoresIntoTheSameStateAreRejected) {
  Inputs inputs;
  const Value memory = inputs.param(DType::kF32, {8});
  const Value value = inputs.param(DType::kF32, {1});
  const auto result = schedule_of({memory.shrink({0}, {1}).store(value), memory.shrink({1}, {2}).store(value)});
  EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status().message(), HasSubstr("same state of the param"));
}

TEST(Store, NothingToStoreIsNoKernel) {
  Inputs inputs;
  const Value memory = inputs.param(DType::kF32, {8});
  const Value written = memory.shrink({2}, {2}).store(inputs.param(DType::kF32, {0}));
  EXPECT_EQ(check_schedule(inputs, {written.sum({0}), written}), 1u);
}

class Symbolic : public ::testing::TestWithParam<int64_t> {};

TEST_P(Symbolic, ElementwiseReduceAndSoftmaxFollowTheExtent) {
  Inputs inputs;
  const Value n = inputs.variable("n", 0, 40);
  const Dim extent(n.node, 3);
  const Variables variables{{"n", GetParam()}};
  const Value x = inputs.param(DType::kF32, {4, 43, 6}).shrink({0, 0, 0}, {4, extent, 6});
  check_schedule(inputs, {(x * x).permute({1, 2, 0}) + x.number(1)}, variables);
  check_schedule(inputs, {x.sum({1}), x.max({0}), x.sum({0, 1, 2}), x.flip({1}).contiguous()}, variables);
  check_schedule(inputs, {x.reshape({2, 2, extent, 3, 2}).sum({1, 4}) * x.number(2)}, variables);
  check_schedule(inputs, {x.pad({1, 2, 0}, {0, 3, 1})}, variables);
  const Value positions = inputs.range(extent).cast(DType::kF32).reshape({1, extent, 1});
  check_schedule(inputs, {x * positions, x.reshape({4, extent, 6}).gather(inputs.param(DType::kI32, {3}))}, variables);
}

TEST_P(Symbolic, LongReductionOfAGroupStopsAtTheExtent) {
  Inputs inputs;
  const Value n = inputs.variable("n", 0, 40);
  const Variables variables{{"n", GetParam()}};
  const Value x = inputs.param(DType::kF32, {8, 1040}).shrink({0, 0}, {8, Dim(n.node, 1000)});
  check_schedule(inputs, {x.max({1}), x.sum({1})}, variables, 1e-3);
  const Value y = inputs.param(DType::kF32, {40, 300}).shrink({0, 0}, {Dim(n.node, 0), 300});
  check_schedule(inputs, {y.sum({1}), y.sum({0, 1}), y.max({0, 1})}, variables, 1e-3);
}

TEST_P(Symbolic, FourSymbolicAxesAreLaidOutOnThreeDimensions) {
  Inputs inputs;
  const Value n = inputs.variable("n", 0, 40);
  const Dim two(n.node, 1);
  const Variables variables{{"n", GetParam()}};
  const Value x = inputs.range(two).reshape({two, 1, 1});
  const Value y = inputs.range(two).reshape({1, two, 1}) * inputs.constant(DType::kI32, 100);
  const Value z = inputs.range(two).reshape({1, 1, two}) * inputs.constant(DType::kI32, 10000);
  check_schedule(inputs, {x + y + z}, variables);
}

INSTANTIATE_TEST_SUITE_P(AtBothEndsAndBetween, Symbolic, ::testing::Values(0, 17, 40));

TEST(Schedule, FiveSymbolicAxes) {
  Inputs inputs;
  const Value n = inputs.variable("n", 0, 3);
  const Dim extent(n.node, 1);
  ir::Shape shape(5, 1);
  Value sum = inputs.constant(DType::kI32, 0);
  for (size_t axis = 0; axis < 5; ++axis) {
    ir::Shape at = shape;
    at[axis] = extent;
    sum = sum * inputs.constant(DType::kI32, 10) + inputs.range(extent).reshape(at);
  }
  for (int64_t value : {0, 2, 3}) check_schedule(inputs, {sum}, {{"n", value}});
}

TEST(Schedule, SixStaticAxes) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {3, 2, 5, 2, 3, 7});
  check_schedule(inputs, {x.permute({5, 1, 3, 0, 2, 4}) + x.permute({5, 1, 3, 0, 2, 4}), x.sum({1, 3, 5})});
}

TEST(Schedule, LargeMatrixProductUsesRegisterTiles) {
  Inputs inputs;
  const Value a = inputs.param(DType::kF32, {256, 8});
  const Value b = inputs.param(DType::kF32, {8, 256});
  const Value product = (a.reshape({256, 8, 1}) * b.reshape({1, 8, 256})).sum({1});
  const auto result = schedule_of({product});
  ASSERT_TRUE(result.is_ok());
  EXPECT_EQ(result->kernels[0].parts[0].kernel.stores.size(), 16u);
  EXPECT_EQ(result->kernels[0].parts[0].grid[0].offset * result->kernels[0].parts[0].grid[1].offset, 4096);
  EXPECT_EQ(check_schedule(inputs, {product}), 1u);
}

TEST(Depth, ChainOfTenThousandIsCutIntoKernels) {
  Inputs inputs;
  Value x = inputs.param(DType::kF32, {4});
  for (int i = 0; i < 10000; ++i) x = i % 2 == 0 ? x + x.number(1) : x * x.number(0.5);
  const size_t kernels = check_schedule(inputs, {x});
  EXPECT_GT(kernels, 10u);
  EXPECT_LT(kernels, 200u);
}

TEST(Depth, ChainOfMovements) {
  Inputs inputs;
  Value x = inputs.param(DType::kF32, {4, 6});
  for (int i = 0; i < 3000; ++i) x = i % 2 == 0 ? x.permute({1, 0}) : x.reshape({4, 6}).flip({i / 2 % 2});
  check_schedule(inputs, {x});
}

TEST(Depth, SumOfManyParams) {
  Inputs inputs;
  Value x = inputs.param(DType::kF32, {4});
  for (int i = 0; i < 300; ++i) x = x + inputs.param(DType::kF32, {4});
  check_schedule(inputs, {x});
}

TEST(Depth, SharedSubexpressionsAreComputedOnce) {
  Inputs inputs;
  Value x = inputs.param(DType::kF32, {4});
  for (int i = 0; i < 1000; ++i) x = x * x;
  check_schedule(inputs, {x});
}

TEST(Depth, HalvesOfHalvesDoNotExplode) {
  Inputs inputs;
  const int64_t half = 32;
  Value x = inputs.param(DType::kF32, {2 * half});
  for (int i = 0; i < 40; ++i) {
    const Value low = x.shrink({0}, {half});
    const Value high = x.shrink({half}, {2 * half});
    x = (low + high).pad({0}, {half}) + (low * high.number(0.5)).pad({half}, {0});
  }
  check_schedule(inputs, {x}, {}, 1e-3);
}

TEST(Depth, ReductionsWithinReductions) {
  Inputs inputs;
  Value x = inputs.param(DType::kF32, {2, 3});
  for (int i = 0; i < 60; ++i) x = x * x.sum({i % 2}).unary(Op::kRecip) + x.number(0.25);
  check_schedule(inputs, {x}, {}, 1e-2);
}

TEST(Depth, GathersByLongIndexChains) {
  Inputs inputs;
  Value x = inputs.param(DType::kI32, {50});
  const Value start = x;
  for (int i = 0; i < 60; ++i) {
    Value index = start;
    for (int j = 0; j < 60; ++j) index = binary(Op::kXor, index, index.number(i + j)) * index.number(3);
    x = x.gather(binary(Op::kAnd, index, index.number(63)));
  }
  check_schedule(inputs, {x});
}

TEST(Depth, WideTree) {
  Inputs inputs;
  std::vector<Value> level;
  const Value x = inputs.param(DType::kF32, {8});
  for (int i = 0; i < 8192; ++i) level.push_back(x * x.number(i));
  while (level.size() > 1) {
    std::vector<Value> next;
    for (size_t i = 0; i < level.size(); i += 2) next.push_back(level[i] + level[i + 1].flip({0}));
    level = std::move(next);
  }
  check_schedule(inputs, {level[0]}, {}, 1e-3);
}

}  // namespace
}  // namespace bw::compiler::testing
