// How many kernels common programs become, each also checked for its results.
#include "compiler/fusion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compiler/schedule_testing.h"

namespace bw::compiler::testing {
namespace {

using ir::Dim;
using ir::DType;
using ir::Op;

Value rms_norm(const Value& x, const Value& weight) {
  const int last = static_cast<int>(x.node->shape.size()) - 1;
  const auto width = static_cast<double>(x.node->shape.back().offset);
  const Value mean = (x * x).sum({last}) * x.number(1 / width);
  return x * (mean + x.number(1e-5)).unary(Op::kSqrt).unary(Op::kRecip) * weight;
}

// 34 bytes a block: an f16 scale and 32 quants. The scales are made small, so that results stay in range.
Value quantised(Inputs& inputs, int64_t rows, int64_t columns) {
  const Value memory = inputs.param(DType::kU8, {rows, columns / 32, 34});
  std::vector<std::byte>& bytes = inputs.params().rbegin()->second;
  for (size_t block = 0; block < bytes.size(); block += 34) {
    bytes[block] = std::byte{0};
    bytes[block + 1] = std::byte{0x20};  // 2^-7
  }
  return memory;
}

Value dequantise(const Value& memory) {
  const int64_t rows = memory.node->shape[0].offset;
  const int64_t blocks = memory.node->shape[1].offset;
  const Value scale = memory.bitcast(DType::kF16).shrink({0, 0, 0}, {rows, blocks, 1}).cast(DType::kF32);
  const Value quants = memory.bitcast(DType::kI8).shrink({0, 0, 2}, {rows, blocks, 34}).cast(DType::kF32);
  return (quants * scale).reshape({rows, blocks * 32});
}

TEST(Fusion, ElementwiseChainIsOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {5, 7});
  const Value y = inputs.param(DType::kF32, {1, 7});
  EXPECT_EQ(check_schedule(inputs, {(x + y).silu() * x - y}), 1u);
}

TEST(Fusion, MovementIsFree) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {4, 6, 8});
  const Value moved = x.permute({2, 0, 1}).reshape({8, 24}).flip({1}).shrink({1, 2}, {7, 22}).pad({1, 0}, {0, 3});
  EXPECT_EQ(check_schedule(inputs, {moved + moved.number(1)}), 1u);
}

TEST(Fusion, RmsNormIsOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 256});
  EXPECT_EQ(check_schedule(inputs, {rms_norm(x, inputs.param(DType::kF32, {256}))}), 1u);
}

TEST(Fusion, RmsNormOfAVectorIsPartOfItsMatrixProducts) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 256});
  const Value h = rms_norm(x, inputs.param(DType::kF32, {256}));
  const Value y = h.linear(inputs.param(DType::kF32, {64, 256}));
  const Value z = h.linear(inputs.param(DType::kF32, {32, 256}));
  EXPECT_EQ(check_schedule(inputs, {y, z}), 1u);
}

TEST(Fusion, RmsNormOfManyRowsIsNotRepeatedInAMatrixProduct) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {64, 128});
  const Value h = rms_norm(x, inputs.param(DType::kF32, {128}));
  EXPECT_EQ(check_schedule(inputs, {h.linear(inputs.param(DType::kF32, {256, 128}))}), 2u);
}

TEST(Fusion, LayerNormIsOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {24, 160});
  const Value centred = x - x.sum({1}) * x.number(1.0 / 160);
  const Value variance = (centred * centred).sum({1}) * x.number(1.0 / 160);
  const Value scale = (variance + x.number(1e-5)).unary(Op::kSqrt).unary(Op::kRecip);
  const Value y = centred * scale * inputs.param(DType::kF32, {160}) + inputs.param(DType::kF32, {160});
  EXPECT_EQ(check_schedule(inputs, {y}), 1u);
}

TEST(Fusion, ReductionsOverOtherAxesThanTheirUseAreKernels) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1024, 512});
  // Each row less the largest values of the columns.
  EXPECT_EQ(check_schedule(inputs, {(x - x.max({0})).unary(Op::kExp2)}), 2u);
}

TEST(Fusion, ArithmeticOnIndicesIsNoKernel) {
  Inputs inputs;
  const Value scale = inputs.range(2) * inputs.constant(DType::kI32, 4) + inputs.constant(DType::kI32, 3);
  const Value x = inputs.param(DType::kI32, {1 << 16, 2});
  EXPECT_EQ(check_schedule(inputs, {(x * (scale * scale)).sum({1})}), 1u);
}

// What a row shares is in no run of neighbours any more once the axes are exchanged.
TEST(Fusion, ExchangedRowsMayBeRepeated) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {6, 64});
  const Value power = (x - x.max({1})).unary(Op::kExp2);
  const Value columns = power.permute({1, 0}).reshape({64, 1, 6}).expand({64, 5, 6});
  check_schedule(inputs, {columns.sum({2}), columns.sum({0})});
}

TEST(Fusion, SmallVectorThatManyRowsNeedIsComputedOnce) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {256}).silu().silu();
  EXPECT_EQ(check_schedule(inputs, {x.reshape({1, 256}).linear(inputs.param(DType::kF32, {1024, 256}))}), 2u);
}

TEST(Fusion, MatrixProductTakesBiasAndActivation) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {8, 24});
  const Value y = x.linear(inputs.param(DType::kF32, {40, 24})) + inputs.param(DType::kF32, {40});
  EXPECT_EQ(check_schedule(inputs, {binary(Op::kMax, y, y.number(0))}), 1u);
}

TEST(Fusion, GateAndUpAreOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 64});
  const Value gate = x.linear(inputs.param(DType::kF32, {96, 64}));
  const Value up = x.linear(inputs.param(DType::kF32, {96, 64}));
  EXPECT_EQ(check_schedule(inputs, {gate.silu() * up}), 1u);
}

TEST(Fusion, QuantisedMatrixVectorProductIsOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 256});
  EXPECT_EQ(check_schedule(inputs, {x.linear(dequantise(quantised(inputs, 48, 256)))}), 1u);
}

TEST(Fusion, QuantisedEmbeddingReadsOnlyTheRowsItNeeds) {
  Inputs inputs;
  const Value ids = inputs.param(DType::kI32, {3});
  const Value table = dequantise(quantised(inputs, 1001, 64));
  const Value rows = table.gather(ids);
  EXPECT_EQ(check_schedule(inputs, {rows}), 1u);
}

TEST(Fusion, SoftmaxIsOneKernelHoweverLongAndMany) {
  for (const auto& [rows, columns] : {std::pair(2, 40000), std::pair(3, 1025), std::pair(40, 7)}) {
    Inputs inputs;
    const Value x = inputs.param(DType::kF32, {rows, columns});
    const Value power = (x - x.max({1})).unary(Op::kExp2);
    EXPECT_EQ(check_schedule(inputs, {power * power.sum({1}).unary(Op::kRecip)}), 1u) << rows << " x " << columns;
  }
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {4096, 4096});
  const Value power = (x - x.max({1})).unary(Op::kExp2);
  const auto result = schedule(std::vector<ir::NodePtr>{(power * power.sum({1}).unary(Op::kRecip)).node});
  ASSERT_TRUE(result.is_ok());
  EXPECT_EQ(result->kernels.size(), 1u);
}

// By bits: the largest multiple of 2^-bits that at least `count` elements of each row are larger than.
Value search_in_rows(const Value& x, int bits, double count) {
  Value found = (x.sum({1}) * x.number(0)) - x.number(1);
  for (int bit = -1; bit < bits; ++bit) {
    const Value candidate = found + x.number(std::ldexp(1, -bit - 1));
    const Value is_above = binary(Op::kCmpLt, candidate, x);
    const Value above = is_above.cast(DType::kF32).sum({1});
    found = select(binary(Op::kCmpLt, above, x.number(count)), found, candidate);
  }
  return found;
}

TEST(Fusion, SearchOverARowIsOneKernel) {
  for (const auto& [rows, columns] : {std::pair(1, 1000), std::pair(3, 2048), std::pair(40, 7), std::pair(5, 33)}) {
    Inputs inputs;
    const Value x = inputs.param(DType::kF32, {rows, columns});
    EXPECT_EQ(check_schedule(inputs, {search_in_rows(x, 12, columns / 3)}), 1u) << rows << " x " << columns;
  }
  // A hundred reductions, each of which waits for the one before.
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 64});
  EXPECT_EQ(check_schedule(inputs, {search_in_rows(search_in_rows(x, 50, 8) + x, 50, 20)}), 1u);
}

TEST(Fusion, LogarithmOfASumOfPowersIsOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {6, 300});
  const Value largest = x.max({1});
  const Value power = (x - largest).unary(Op::kExp2);
  EXPECT_EQ(check_schedule(inputs, {power.sum({1}).unary(Op::kLog2) + largest}), 1u);
}

// What is used besides, by columns, is not at hand where it is needed.
TEST(Fusion, SumsOfRowsThatColumnsUseAreAKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {512, 512});
  const Value sum = x.sum({1});
  const Value scaled = x * sum.reshape({1, 512});
  EXPECT_GE(check_schedule(inputs, {(x - sum).max({1}) + scaled.max({1})}), 2u);
}

TEST(Fusion, ArgmaxOverAVocabularyIsOneKernel) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 1024});
  const Value is_largest = binary(Op::kCmpNe, x, x.max({1})).cast(DType::kI32);
  const Value down = inputs.range(1024) * inputs.constant(DType::kI32, -1) + inputs.constant(DType::kI32, 1024);
  const Value best = (down * (inputs.constant(DType::kI32, 1) - is_largest)).max({1});
  EXPECT_EQ(check_schedule(inputs, {inputs.constant(DType::kI32, 1024) - best}), 1u);
}

TEST(Fusion, ProductOfFewTilesAndLongDepthIsCutAlongTheDepth) {
  Inputs inputs;
  const Value a = inputs.param(DType::kF32, {32, 2048});
  const Value b = inputs.param(DType::kF32, {40, 2048});
  EXPECT_EQ(check_schedule(inputs, {a.linear(b)}), 2u);
  const Result<Schedule> plan = schedule(std::vector<ir::NodePtr>{a.linear(b).node});
  ASSERT_TRUE(plan.is_ok()) << plan.status().message();
  const KernelPart& first = plan->kernels[0].parts[0];
  EXPECT_TRUE(std::holds_alternative<ContractionForm>(first.form)) << print_form(first.form);
  EXPECT_EQ(first.grid[2], ir::Dim(2));
}

TEST(Fusion, LongSumIsTwoKernels) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1 << 17});
  EXPECT_EQ(check_schedule(inputs, {x.sum({0})}, {}, 1e-2), 2u);
}

// Rounded to f16 or bf16, each of the partial sums would add its own error to the total.
TEST(Fusion, PartialSumsOfShortFloatsAreKeptInF32) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    Inputs inputs;
    const Value x = inputs.param(dtype, {1 << 17});
    EXPECT_EQ(check_schedule(inputs, {x.sum({0})}, {}, 0), 2u);
    // The graph's products are rounded, each by 2^-11 or 2^-8 of itself at most; so are both totals.
    EXPECT_EQ(check_schedule(inputs, {(x * x).sum({0})}, {}, dtype == DType::kF16 ? 0x3p-11 : 0x3p-8), 2u);
    const auto split = schedule(std::vector<ir::NodePtr>{x.sum({0}).node});
    ASSERT_TRUE(split.is_ok());
    ASSERT_EQ(split->kernels.size(), 2u);
    EXPECT_EQ(split->kernels[0].parts[0].kernel.params[0]->dtype, DType::kF32);
    EXPECT_EQ(split->kernels[1].parts[0].kernel.params[0]->dtype, dtype);
  }
  Inputs inputs;
  // The graph rounds 4096 products below 1, by up to 2^-12 either way: six standard deviations of their sum.
  const Value a = inputs.param(DType::kF16, {32, 4096});
  EXPECT_EQ(
      check_schedule(inputs, {a.linear(inputs.param(DType::kF16, {32, 4096}))}, {}, 6 * 64 * 0x1p-12 / std::sqrt(3)),
      2u);
}

TEST(Fusion, RotatedPairsShareTheirProducts) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 256});
  const Value q = x.linear(dequantise(quantised(inputs, 256, 256))).reshape({8, 16, 2});
  const Value cosine = inputs.param(DType::kF32, {16, 1});
  const Value sine = inputs.param(DType::kF32, {16, 1});
  const Value a = q.shrink({0, 0, 0}, {8, 16, 1});
  const Value b = q.shrink({0, 0, 1}, {8, 16, 2});
  const Value rotated_a = (a * cosine - b * sine).pad({0, 0, 0}, {0, 0, 1});
  const Value rotated_b = (a * sine + b * cosine).pad({0, 0, 1}, {0, 0, 0});
  const Value rotated = rotated_a + rotated_b;
  EXPECT_EQ(check_schedule(inputs, {rotated}), 1u);
  // A lane computes a pair, of two products.
  const auto result = schedule(std::vector<ir::NodePtr>{rotated.node});
  ASSERT_TRUE(result.is_ok());
  EXPECT_EQ(result->kernels[0].parts[0].kernel.stores.size(), 2u);
  EXPECT_EQ(result->kernels[0].parts[0].grid[0].offset * result->kernels[0].parts[0].grid[1].offset, 128);
}

TEST(Fusion, ValuesOfOneElementAreNotComputedTwiceInVain) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {64, 64});
  const Value y = x.linear(inputs.param(DType::kF32, {64, 64}));
  // Both sums need the product.
  EXPECT_EQ(check_schedule(inputs, {(y * y).sum({0}), y.sum({1})}), 2u);
}

TEST(Fusion, ContiguousAndOutputsAreBuffers) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {16});
  const Value y = (x + x).contiguous();
  EXPECT_EQ(check_schedule(inputs, {y * x}), 2u);
  EXPECT_EQ(check_schedule(inputs, {y * x, y}), 1u);
  EXPECT_EQ(check_schedule(inputs, {x}), 1u);
}

// One decoder layer as the LLaMA architecture has it: 8 heads of 32 over 4 heads of keys and values, one new token.
struct DecoderLayer {
  Value output;
  Value keys;
  Value values;
};

DecoderLayer decoder_layer(Inputs& inputs, const Value& pos, int64_t context) {
  const Value x = inputs.param(DType::kF32, {1, 256});
  const Dim begin(pos.node, 0);
  const Dim end(pos.node, 1);
  const auto matrix = [&](int64_t rows, int64_t columns) { return dequantise(quantised(inputs, rows, columns)); };
  const Value h = rms_norm(x, inputs.param(DType::kF32, {256}));
  const Value cosine = inputs.param(DType::kF32, {context, 16}).shrink({begin, 0}, {end, 16}).reshape({16, 1});
  const Value sine = inputs.param(DType::kF32, {context, 16}).shrink({begin, 0}, {end, 16}).reshape({16, 1});
  const auto rotate = [&](const Value& flat, int64_t heads) {
    const Value pairs = flat.reshape({heads, 16, 2});
    const Value a = pairs.shrink({0, 0, 0}, {heads, 16, 1});
    const Value b = pairs.shrink({0, 0, 1}, {heads, 16, 2});
    return ((a * cosine - b * sine).pad({0, 0, 0}, {0, 0, 1}) + (a * sine + b * cosine).pad({0, 0, 1}, {0, 0, 0}))
        .reshape({1, heads, 32});
  };
  const Value q = rotate(h.linear(matrix(256, 256)), 8).reshape({4, 2, 1, 32});
  const Value k = rotate(h.linear(matrix(128, 256)), 4);
  const Value v = h.linear(matrix(128, 256)).reshape({1, 4, 32});
  const Value keys = inputs.param(DType::kF32, {context, 4, 32}).shrink({begin, 0, 0}, {end, 4, 32}).store(k);
  const Value values = inputs.param(DType::kF32, {context, 4, 32}).shrink({begin, 0, 0}, {end, 4, 32}).store(v);
  const Value all_keys = keys.shrink({0, 0, 0}, {end, 4, 32}).permute({1, 0, 2}).reshape({4, 1, end, 32});
  const Value all_values = values.shrink({0, 0, 0}, {end, 4, 32}).permute({1, 2, 0}).reshape({4, 1, 32, end});
  const Value scores = (q * all_keys).sum({3}) * q.number(0.17677669);  // [4, 2, end, 1]
  const Value power = ((scores - scores.max({2})) * q.number(1.4426950408889634)).unary(Op::kExp2);
  const Value weighted = (power.reshape({4, 2, 1, end}) * all_values).sum({3});
  const Value mixed = weighted * power.sum({2}).unary(Op::kRecip);
  const Value attended = x + mixed.reshape({1, 256}).linear(matrix(256, 256));
  const Value g = rms_norm(attended, inputs.param(DType::kF32, {256}));
  const Value inner = g.linear(matrix(768, 256)).silu() * g.linear(matrix(768, 256));
  return {attended + inner.linear(matrix(256, 768)), keys, values};
}

TEST(Fusion, DecoderLayerIsAtMostSixKernelsAtEachPosition) {
  for (int64_t position : {0, 31}) {
    Inputs inputs;
    const Value pos = inputs.variable("pos", 0, 31);
    const DecoderLayer layer = decoder_layer(inputs, pos, 32);
    EXPECT_LE(check_schedule(inputs, {layer.output, layer.keys, layer.values}, {{"pos", position}}, 1e-3), 6u);
  }
}

TEST(Fusion, DecoderLayerWithALongContextIsFiveKernels) {
  Inputs inputs;
  const Value pos = inputs.variable("pos", 0, 511);
  const DecoderLayer layer = decoder_layer(inputs, pos, 512);
  EXPECT_EQ(check_schedule(inputs, {layer.output}, {{"pos", 300}}, 1e-3), 5u);
}

}  // namespace
}  // namespace bw::compiler::testing
