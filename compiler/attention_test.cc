// Which graphs become one kernel of attention, and that this kernel says what the graph does.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/attention_pattern.h"
#include "compiler/schedule_testing.h"

namespace bw::compiler::testing {
namespace {

using ir::Dim;
using ir::DType;
using ir::Op;

// Of scores [rows, positions] and values [positions, columns].
struct Parts {
  Value scores;
  Value maximum;
  Value powers;
  Value sum;
  Value output;
};

Parts attend(const Value& scores, const Value& values) {
  const ir::Shape& shape = scores.node->shape;
  const Dim rows = shape[0], positions = shape[1], columns = values.node->shape[1];
  Parts parts;
  parts.scores = scores;
  parts.maximum = scores.max({1});
  const Value difference = scores - parts.maximum;
  parts.powers = (difference * difference.number(1.4426950408889634)).unary(Op::kExp2);
  parts.sum = parts.powers.sum({1});
  const Value weighted =
      parts.powers.reshape({rows, 1, positions}) * values.permute({1, 0}).reshape({1, columns, positions});
  parts.output = weighted.sum({2}).reshape({rows, columns}) * parts.sum.unary(Op::kRecip);
  return parts;
}

// The number of launches with a kernel in the form of attention.
size_t count_attention(const std::vector<Value>& outputs) {
  std::vector<ir::NodePtr> nodes;
  for (const Value& output : outputs) nodes.push_back(output.node);
  const auto result = schedule(nodes);
  EXPECT_TRUE(result.is_ok()) << result.status().message();
  if (!result.is_ok()) return 0;
  size_t count = 0;
  for (const ScheduledKernel& scheduled : result->kernels) {
    for (const KernelPart& part : scheduled.parts) count += std::holds_alternative<AttentionForm>(part.form) ? 1 : 0;
  }
  return count;
}

class Attention : public ::testing::Test {
 protected:
  Inputs& inputs() { return inputs_; }

 private:
  Inputs inputs_;

 protected:
  Value q = inputs_.param(DType::kF32, {24, 16});
  Value k = inputs_.param(DType::kF32, {40, 16});
  Value v = inputs_.param(DType::kF32, {40, 12});
  Value scores = q.linear(k);
};

TEST_F(Attention, IsOneKernelThatSaysWhatTheGraphDoes) {
  const Value output = attend(scores, v).output;
  EXPECT_EQ(count_attention({output}), 1u);
  EXPECT_EQ(check_schedule(inputs(), {output}), 1u);
}

TEST_F(Attention, ScoresOfAnyKindAreComputedInside) {
  const Value bias = inputs().param(DType::kF32, {24, 1});
  const Value slope = inputs().param(DType::kF32, {40});
  const Value window = binary(Op::kCmpLt, inputs().range(40).reshape({1, 40}), inputs().range(24).reshape({24, 1}));
  const Value odd = select(window, scores * bias, scores + slope);
  const Value output = attend(odd, v).output;
  EXPECT_EQ(count_attention({output}), 1u);
  EXPECT_EQ(check_schedule(inputs(), {output}), 1u);
}

TEST_F(Attention, WhatIsMadeOfEachElementAfterwardsIsPartOfIt) {
  const Value output = attend(scores, v).output;
  const Value negative = (output * output.number(-2)).unary(Op::kExp2);
  EXPECT_EQ(check_schedule(inputs(), {negative}), 1u);
}

TEST_F(Attention, QueriesThatAreProductsBecomeABufferFirst) {
  const Value x = inputs().param(DType::kF32, {24, 64});
  const Value weight = inputs().param(DType::kF32, {16, 64});
  const Value output = attend(x.linear(weight).linear(k), v).output;
  EXPECT_EQ(count_attention({output}), 1u);
  EXPECT_EQ(check_schedule(inputs(), {output}), 2u);
}

TEST_F(Attention, IsNotWhereItsInsidesAreWantedElsewhere) {
  const Parts parts = attend(scores, v);
  for (const Value& other : {parts.scores, parts.maximum, parts.powers, parts.sum}) {
    EXPECT_EQ(count_attention({parts.output, other}), 0u);
    check_schedule(inputs(), {parts.output, other});
  }
}

TEST_F(Attention, IsNotWhereContiguousAsksForScores) {
  const Value output = attend(scores.contiguous(), v).output;
  EXPECT_EQ(count_attention({output}), 0u);
  check_schedule(inputs(), {output});
}

// Weights of other scores than those whose maximum is subtracted, and sums that grow with the scores.
TEST_F(Attention, IsNotWhatOnlyLooksLikeIt) {
  const auto unlike = [&](const Value& subtracted, double scale) {
    const Value difference = scores - subtracted;
    const Value powers = (difference * difference.number(scale)).unary(Op::kExp2);
    const Value weighted = powers.reshape({24, 1, 40}) * v.permute({1, 0}).reshape({1, 12, 40});
    return weighted.sum({2}).reshape({24, 12}) * powers.sum({1}).unary(Op::kRecip);
  };
  EXPECT_EQ(count_attention({unlike((scores + scores.number(1)).max({1}), 1)}), 0u);
  EXPECT_EQ(count_attention({unlike(scores.max({1}), -1)}), 0u);
  EXPECT_EQ(count_attention({unlike(scores.max({0}), 1)}), 0u);
  EXPECT_EQ(count_attention({unlike(scores.max({1}), 1)}), 1u);
}

TEST_F(Attention, IsNotWhereValuesAreTooWideOrOneElement) {
  for (const int64_t columns : {1, 600}) {
    const Value output = attend(scores, inputs().param(DType::kF32, {40, columns})).output;
    EXPECT_EQ(count_attention({output}), 0u);
    check_schedule(inputs(), {output});
  }
}

// Batches of a symbolic number are more than the form has ranges for: the scores become a buffer.
TEST_F(Attention, SymbolicBatchesHaveTheirScoresInMemory) {
  const Value heads = inputs().variable("heads", 1, 3);
  const Value keys = inputs().param(DType::kF32, {3, 40, 16}).shrink({0, 0, 0}, {Dim(heads.node, 0), 40, 16});
  const Value many = (q.reshape({1, 24, 1, 16}) * keys.reshape({Dim(heads.node, 0), 1, 40, 16})).sum({3});
  const Value difference =
      many.reshape({Dim(heads.node, 0), 24, 40}) - many.max({2}).reshape({Dim(heads.node, 0), 24, 1});
  const Value powers = difference.unary(Op::kExp2);
  const Value weighted = powers.reshape({Dim(heads.node, 0), 24, 1, 40}) * v.permute({1, 0}).reshape({1, 1, 12, 40});
  const Value sums = powers.sum({2}).reshape({Dim(heads.node, 0), 24, 1, 1});
  const Value output = weighted.sum({3}) * sums.unary(Op::kRecip);
  EXPECT_EQ(count_attention({output}), 0u);
  for (const int64_t count : {1, 3}) check_schedule(inputs(), {output}, {{"heads", count}});
}

TEST_F(Attention, SymbolicRowsAndPositions) {
  const Value rows = inputs().variable("rows", 1, 24);
  const Value positions = inputs().variable("positions", 1, 40);
  const Dim m(rows.node, 0), n(positions.node, 0);
  const Value some = q.shrink({0, 0}, {m, 16}).linear(k.shrink({0, 0}, {n, 16}));
  const Value output = attend(some, v.shrink({0, 0}, {n, 12})).output;
  EXPECT_EQ(count_attention({output}), 1u);
  for (const int64_t count : {1, 7, 24}) {
    EXPECT_EQ(check_schedule(inputs(), {output}, {{"rows", count}, {"positions", 40 - count}}), 1u);
  }
}

}  // namespace
}  // namespace bw::compiler::testing
