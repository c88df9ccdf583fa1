// Owns: attention as one kernel, through the whole stack - scheduled, compiled, submitted, executed on the emulated
// card by both engines and in strict mode - held against the evaluator in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "compiler/schedule.h"
#include "compiler/schedule_testing.h"
#include "emulator/driver.h"
#include "ir/text.h"
#include "tensor/device_executor.h"

namespace bw {
namespace {

using compiler::testing::binary;
using compiler::testing::Inputs;
using compiler::testing::select;
using compiler::testing::Value;
using compiler::testing::Variables;
using ir::Dim;
using ir::DType;
using ir::Op;

constexpr double kLog2E = 1.4426950408889634;

class Card {
 public:
  explicit Card(emulator::ShaderEngine engine, emulator::Strictness strictness = emulator::Strictness::kOff) {
    emulator::EmulatedOptions options;
    options.engine = engine;
    options.strictness = strictness;
    options.vram_bytes = uint64_t{1} << 30;
    driver_ = std::move(emulator::EmulatedDriver::create(std::move(options))).value();
    executor_ = std::move(tensor::DeviceExecutor::create(*driver_, {})).value();
  }

  Result<std::vector<std::byte>> run(const ir::NodePtr& output, Inputs& inputs, const Variables& variables) {
    tensor::ParamBuffers params;
    for (const auto& [id, bytes] : inputs.params()) {
      BW_ASSIGN(params[id], executor_->allocate(bytes.size()));
      BW_RETURN_IF_ERROR(params[id]->write(0, bytes));
    }
    const std::vector<ir::NodePtr> outputs{output};
    BW_ASSIGN(std::unique_ptr<tensor::PreparedProgram> program, executor_->prepare(outputs, params));
    BW_RETURN_IF_ERROR(program->run(variables));
    std::vector<std::byte> result(static_cast<size_t>(ir::max_element_count(output->shape)) *
                                  ir::size_bytes(output->dtype));
    BW_RETURN_IF_ERROR(program->outputs()[0]->read(0, result));
    return result;
  }

 private:
  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::unique_ptr<tensor::Executor> executor_;
};

std::vector<Card>& cards() {
  static auto* cards = [] {
    auto* made = new std::vector<Card>;
    made->emplace_back(emulator::ShaderEngine::kInterpreter);
    made->emplace_back(emulator::ShaderEngine::kJitAtOnce);
    made->emplace_back(emulator::ShaderEngine::kInterpreter, emulator::Strictness::kOn);
    return made;
  }();
  return *cards;
}

// softmax(q k^T / sqrt(dim)) v. q [tokens, kv_heads, groups, dim], keys [positions, kv_heads, dim], values [positions,
// kv_heads, value_dim] -> [tokens, kv_heads, groups, value_dim].
struct Attention {
  int64_t tokens = 1;
  int64_t kv_heads = 2;
  int64_t groups = 1;
  int64_t dim = 32;
  int64_t value_dim = 32;
  DType dtype = DType::kF32;  // of keys and values
  bool causal = false;
  bool normalised_first = false;  // softmax, then the product with the values

  Value build(const Value& q, const Value& k, const Value& v, const Dim& positions, const Value* first_position) const {
    const Value queries = q.permute({1, 2, 0, 3}).reshape({kv_heads, groups, tokens, 1, dim});
    const Value keys = k.cast(DType::kF32).permute({1, 0, 2}).reshape({kv_heads, 1, 1, positions, dim});
    Value scores = (queries * keys).sum({4}).reshape({kv_heads, groups, tokens, positions});
    scores = scores * scores.number(1 / std::sqrt(static_cast<double>(dim)));
    if (causal) {
      const Value row = range(q, tokens).reshape({1, 1, tokens, 1}) + *first_position;
      const Value column = range(q, positions).reshape({1, 1, 1, positions});
      const Value nothing = scores.number(-std::numeric_limits<double>::infinity());
      scores = select(binary(Op::kCmpLt, row, column), nothing, scores);
    }
    const Value difference = scores - scores.max({3});
    const Value powers = (difference * difference.number(kLog2E)).unary(Op::kExp2);
    const Value inverse = powers.sum({3}).unary(Op::kRecip);
    const Value weights = normalised_first ? powers * inverse : powers;
    const Value columns = v.cast(DType::kF32).permute({1, 2, 0}).reshape({kv_heads, 1, 1, value_dim, positions});
    Value mixed = (weights.reshape({kv_heads, groups, tokens, 1, positions}) * columns).sum({4});
    mixed = mixed.reshape({kv_heads, groups, tokens, value_dim});
    return (normalised_first ? mixed : mixed * inverse).permute({2, 0, 1, 3});
  }

  static Value range(const Value& like, const Dim& extent) {
    return {like.builder, std::move(like.builder->range(extent)).value()};
  }

  Value queries(Inputs& inputs) const { return inputs.param(DType::kF32, {tokens, kv_heads, groups, dim}); }
  Value keys(Inputs& inputs, int64_t positions) const { return inputs.param(dtype, {positions, kv_heads, dim}); }
  Value values(Inputs& inputs, int64_t positions) const {
    return inputs.param(dtype, {positions, kv_heads, value_dim});
  }

  std::string name() const {
    return fmt::format("{} tokens, {} heads of {}, {}/{} wide, {}{}{}", tokens, kv_heads, groups, dim, value_dim,
                       ir::name(dtype), causal ? ", causal" : "", normalised_first ? ", normalised first" : "");
  }
};

// One launch in the form of attention; on every card the same bits, within `tolerance` of the evaluator.
void check(const Value& output, Inputs& inputs, const Variables& variables = {}, double tolerance = 1e-5) {
  const std::vector<ir::NodePtr> outputs{output.node};
  const auto schedule = compiler::schedule(outputs);
  ASSERT_TRUE(schedule.is_ok()) << schedule.status().message();
  ASSERT_EQ(schedule->kernels.size(), 1u) << compiler::print_schedule(schedule.value());
  ASSERT_TRUE(std::holds_alternative<compiler::AttentionForm>(schedule->kernels[0].parts[0].form));
  std::map<uint64_t, std::span<std::byte>> memory;
  for (auto& [id, bytes] : inputs.params()) memory[id] = bytes;
  const auto expected = ir::evaluate_graph(output.node, {memory, variables}, ir::Rounding::kDouble);
  ASSERT_TRUE(expected.is_ok()) << expected.status().message();
  std::vector<std::byte> first;
  for (size_t card = 0; card < cards().size(); ++card) {
    const auto raw = cards()[card].run(output.node, inputs, variables);
    ASSERT_TRUE(raw.is_ok()) << "card " << card << ": " << raw.status().message();
    if (card == 0) first = raw.value();
    const size_t size = expected->size() * ir::size_bytes(output.node->dtype);
    ASSERT_EQ(std::memcmp(first.data(), raw->data(), size), 0) << "card " << card << " has other bits than the first";
  }
  const std::vector<double> got = ir::decode_elements(output.node->dtype, first);
  ASSERT_GE(got.size(), expected->size());  // only the first axis is symbolic in these tests
  for (size_t i = 0; i < expected->size(); ++i) {
    const double want = expected.value()[i];
    if (got[i] == want || (std::isnan(got[i]) && std::isnan(want))) continue;
    ASSERT_NEAR(got[i], want, tolerance * (1 + std::abs(want))) << "element " << i;
  }
}

void check(const Attention& attention, int64_t positions, double tolerance = 1e-5) {
  SCOPED_TRACE(fmt::format("{}, {} positions", attention.name(), positions));
  Inputs inputs;
  const Value q = attention.queries(inputs);
  const Value k = attention.keys(inputs, positions);
  const Value v = attention.values(inputs, positions);
  const Value first = inputs.constant(DType::kI32, static_cast<double>(positions - attention.tokens));
  check(attention.build(q, k, v, positions, &first), inputs, {}, tolerance);
}

TEST(Attention, IsSoftmaxOfScoresTimesValues) {
  for (const int64_t positions : {2, 31, 32, 33, 257}) check({.kv_heads = 2, .groups = 2}, positions);
}

TEST(Attention, HeadsOfAnyWidth) {
  for (const int64_t dim : {8, 16, 20, 50, 63, 64, 80, 128}) {
    check({.kv_heads = 1, .groups = 2, .dim = dim, .value_dim = dim}, 70);
  }
  check({.kv_heads = 1, .dim = 24, .value_dim = 200}, 70);
  check({.kv_heads = 1, .dim = 300, .value_dim = 2}, 70);
}

TEST(Attention, HeadsShareKeysAndValues) {
  for (int64_t kv_heads = 1; kv_heads <= 3; ++kv_heads) {
    for (int64_t groups = 1; groups <= 4; ++groups) check({.kv_heads = kv_heads, .groups = groups}, 67);
  }
}

TEST(Attention, ManyQueriesWithACausalMask) {
  for (const int64_t tokens : {2, 5, 17, 40}) {
    check({.tokens = tokens, .kv_heads = 2, .groups = 3, .causal = true}, tokens);
    check({.tokens = tokens, .kv_heads = 1, .groups = 1, .causal = true}, tokens + 90);
  }
  check({.tokens = 9, .kv_heads = 2, .groups = 2}, 100);
}

TEST(Attention, NormalisedBeforeTheProduct) {
  check({.tokens = 3, .groups = 2, .normalised_first = true}, 45);
  check({.tokens = 33, .groups = 1, .causal = true, .normalised_first = true}, 40);
}

TEST(Attention, ShortKeysAndValues) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    check({.tokens = 4, .groups = 2, .dim = 64, .value_dim = 64, .dtype = dtype, .causal = true}, 99);
  }
}

// Scores and weights rounded to f16 as the graph says; sums over them are f32 all the same.
TEST(Attention, ScoresAndWeightsOfF16) {
  Inputs inputs;
  const Value q = inputs.param(DType::kF16, {20, 32});
  const Value k = inputs.param(DType::kF16, {70, 32});
  const Value v = inputs.param(DType::kF16, {70, 32});
  const Value wide = q.cast(DType::kF32).reshape({20, 1, 32}) * k.cast(DType::kF32).reshape({1, 70, 32});
  const Value scores = wide.sum({2}).reshape({20, 70}).cast(DType::kF16);
  const Value difference = scores - scores.max({1});
  const Value powers = (difference * difference.number(kLog2E)).unary(Op::kExp2);
  const Value sum = powers.cast(DType::kF32).sum({1}).cast(DType::kF16);
  const Value weights = (powers * sum.unary(Op::kRecip)).cast(DType::kF32);
  const Value columns = v.cast(DType::kF32).permute({1, 0}).reshape({1, 32, 70});
  const Value mixed = (weights.reshape({20, 1, 70}) * columns).sum({2}).reshape({20, 32});
  check(mixed.cast(DType::kF16), inputs, {}, 2e-3);
}

TEST(Attention, SymbolicNumberOfPositions) {
  for (const int64_t tokens : {1, 6}) {
    const Attention attention{.tokens = tokens, .groups = 2, .causal = tokens > 1};
    for (const int64_t pos : {0, 1, 25, 200}) {
      SCOPED_TRACE(pos);
      Inputs inputs;
      const Value q = attention.queries(inputs);
      const Value k = attention.keys(inputs, 300);
      const Value v = attention.values(inputs, 300);
      const Value first = inputs.variable("pos", 0, 300 - tokens);
      const Dim end(first.node, tokens);
      const auto seen = [&](const Value& cache) {
        return cache.shrink({0, 0, 0}, {end, attention.kv_heads, cache.node->shape[2]});
      };
      check(attention.build(q, seen(k), seen(v), end, &first), inputs, {{"pos", pos}});
    }
  }
}

TEST(Attention, SymbolicNumberOfQueries) {
  for (const int64_t rows : {1, 16, 24, 40}) {
    SCOPED_TRACE(rows);
    Inputs inputs;
    const Value count = inputs.variable("rows", 1, 40);
    const Dim some(count.node, 0);
    const Value q = inputs.param(DType::kF32, {40, 3, 32}).shrink({0, 0, 0}, {some, 3, 32});
    const Value k = inputs.param(DType::kF32, {50, 32});
    const Value v = inputs.param(DType::kF32, {50, 32});
    const Value scores = (q.reshape({some, 3, 1, 32}) * k.reshape({1, 1, 50, 32})).sum({3}).reshape({some, 3, 50});
    const Value powers = (scores - scores.max({2})).unary(Op::kExp2);
    const Value weighted = powers.reshape({some, 3, 1, 50}) * v.permute({1, 0}).reshape({1, 1, 32, 50});
    const Value inverse = powers.sum({2}).unary(Op::kRecip);
    check(weighted.sum({3}).reshape({some, 3, 32}) * inverse, inputs, {{"rows", rows}});
  }
}

// Always the same shapes, but others with --gtest_random_seed=N.
TEST(Attention, OfRandomShapes) {
  constexpr uint64_t kShapes = 8;
  const auto seed = static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  for (uint64_t i = 0; i < kShapes; ++i) {
    std::mt19937_64 random(seed * kShapes + i);
    const auto up_to = [&](uint64_t most) { return static_cast<int64_t>(1 + random() % most); };
    constexpr DType kDTypes[] = {DType::kF32, DType::kF32, DType::kF16, DType::kBF16};
    const Attention attention{.tokens = up_to(2) == 1 ? 1 : 1 + up_to(30),
                              .kv_heads = up_to(3),
                              .groups = up_to(4),
                              .dim = 1 + up_to(140),
                              .value_dim = 1 + up_to(140),
                              .dtype = kDTypes[random() % 4],
                              .causal = up_to(2) == 1,
                              .normalised_first = up_to(2) == 1};
    check(attention, attention.tokens + up_to(i % 4 == 0 ? 600 : 100));
    if (testing::Test::HasFatalFailure()) return;
  }
}

void set(Inputs& inputs, const Value& param, size_t index, double value) {
  std::vector<std::byte>& bytes = inputs.params().at(param.node->attr<ir::ParamAttr>().id);
  std::vector<double> elements = ir::decode_elements(param.node->dtype, bytes);
  elements.at(index) = value;
  ir::encode_elements(param.node->dtype, elements, bytes);
}

// A row without a position that it may see, one with a score of +inf, one with a NaN; and the values of positions that
// are seen with no weight.
TEST(Attention, InfinitiesAndNaNsAreAsInSoftmax) {
  const Attention attention{.tokens = 6, .kv_heads = 1, .groups = 1, .causal = true};
  Inputs inputs;
  const Value q = attention.queries(inputs);
  const Value k = attention.keys(inputs, 50);
  const Value v = attention.values(inputs, 50);
  set(inputs, q, 32 * 2, std::numeric_limits<double>::infinity());
  set(inputs, q, 32 * 3, std::numeric_limits<double>::quiet_NaN());
  set(inputs, v, 5, std::numeric_limits<double>::infinity());
  const Value first = inputs.constant(DType::kI32, -2);  // rows 0 and 1 see nothing
  const std::vector<ir::NodePtr> outputs{attention.build(q, k, v, 50, &first).node};
  auto raw = cards()[0].run(outputs[0], inputs, {});
  ASSERT_TRUE(raw.is_ok()) << raw.status().message();
  const std::vector<double> got = ir::decode_elements(DType::kF32, raw.value());
  for (size_t row = 0; row < 6; ++row) {
    for (size_t column = 0; column < 32; ++column) {
      const double value = got[row * 32 + column];
      if (row < 4) {
        EXPECT_TRUE(std::isnan(value)) << row << ", " << column;
      } else if (column == 5) {
        EXPECT_TRUE(std::isinf(value)) << row;
      } else {
        EXPECT_TRUE(std::isfinite(value)) << row << ", " << column;
      }
    }
  }
}

// Scores so far apart that sums over earlier blocks vanish, and back.
TEST(Attention, LargestScoresInAnyBlock) {
  for (const size_t large : {0, 40, 99, 255}) {
    SCOPED_TRACE(large);
    const Attention attention{.tokens = 1, .kv_heads = 1, .groups = 2};
    Inputs inputs;
    const Value q = attention.queries(inputs);
    const Value k = attention.keys(inputs, 256);
    const Value v = attention.values(inputs, 256);
    for (size_t e = 0; e < 32; ++e) set(inputs, k, large * 32 + e, e % 2 == 0 ? 500 : -300);
    check(attention.build(q, k, v, 256, nullptr), inputs, {}, 1e-4);
  }
}

}  // namespace
}  // namespace bw
