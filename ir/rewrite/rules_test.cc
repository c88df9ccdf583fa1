#include "ir/rewrite/rules.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "ir/kernel.h"
#include "ir/scalar_ops.h"
#include "ir/testing/random_source.h"
#include "ir/text.h"

namespace bw::ir::rewrite {
namespace {

using testing::RandomSource;
using Leaves = std::map<const Node*, Value>;

NodePtr raw(Op op, DType dtype, std::vector<NodePtr> inputs, Attribute attribute = {}) {
  Node node;
  node.op = op;
  node.dtype = dtype;
  node.inputs = std::move(inputs);
  node.attribute = std::move(attribute);
  return make_node(std::move(node));
}

// Nothing is folded, so that what a rule says is what is compared.
class RawHost : public RuleHost {
 public:
  std::optional<Scalar> constant_value(const NodePtr& node) override {
    if (node->op != Op::kConst) return std::nullopt;
    return node->attr<ConstAttr>().value;
  }
  NodePtr make_constant(DType dtype, Scalar value, const Node& /*like*/) override {
    return raw(Op::kConst, dtype, {}, ConstAttr{value});
  }
  NodePtr make(Op op, DType dtype, std::vector<NodePtr> inputs) override { return raw(op, dtype, std::move(inputs)); }
  Interval bounds(const NodePtr& node) override { return bounds_.of(node); }

 private:
  Bounds bounds_;
};

Value evaluate(const NodePtr& node, const Leaves& leaves) {
  if (node->op == Op::kConst) return ir::constant_value(node->dtype, node->attr<ConstAttr>().value);
  if (const auto leaf = leaves.find(node.get()); leaf != leaves.end()) return leaf->second;
  std::vector<Value> values;
  for (const NodePtr& input : node->inputs) values.push_back(evaluate(input, leaves));
  return apply_elementwise(node->op, node->inputs.back()->dtype, node->dtype, values, Rounding::kToDType);
}

bool same_bits(DType dtype, Value a, Value b) {
  if (is_float(dtype) && std::isnan(a.real) && std::isnan(b.real)) return true;
  std::byte of_a[8] = {};
  std::byte of_b[8] = {};
  encode_element(dtype, a, of_a);
  encode_element(dtype, b, of_b);
  return std::memcmp(of_a, of_b, sizeof(of_a)) == 0;
}

// The left side of a rule with random dtypes, constants and leaves.
class Instance {
 public:
  Instance(const Pattern& pattern, DType operands, RandomSource& random) : random_(random) {
    const bool is_compare = pattern.op() == Op::kCmpLt || pattern.op() == Op::kCmpNe;
    const bool is_cast = pattern.op() == Op::kCast || pattern.op() == Op::kBitcast;
    DType dtype = is_compare ? DType::kBool : operands;
    if (is_cast) dtype = pattern.op() == Op::kCast ? any_dtype() : of_size(operands);
    root_dtype_ = dtype;
    common_ = any_dtype();
    root_ = make(pattern, dtype, operands);
  }

  const NodePtr& root() const { return root_; }
  Leaves sample() {
    Leaves values;
    for (const NodePtr& leaf : leaves_) values[leaf.get()] = value_of(*leaf);
    return values;
  }

 private:
  DType any_dtype() { return static_cast<DType>(random_.pick(0, kDTypeCount - 1)); }
  DType of_size(DType like) {
    while (true) {
      const DType dtype = any_dtype();
      if (size_bytes(dtype) == size_bytes(like) && dtype != DType::kBool) return dtype;
    }
  }

  // `operands`: the dtype of the inputs where it is not that of the node.
  NodePtr make(const Pattern& pattern, DType dtype, DType operands) {
    switch (pattern.kind()) {
      case Pattern::Kind::kNode:
        return node(pattern.letter(), dtype);
      case Pattern::Kind::kConstant:
        return constant(dtype);
      case Pattern::Kind::kNumber:
        return raw(Op::kConst, dtype, {}, ConstAttr{pattern.number(dtype)});
      case Pattern::Kind::kOp:
        break;
    }
    std::vector<NodePtr> inputs;
    for (size_t i = 0; i < pattern.inputs().size(); ++i) {
      const Pattern& input = pattern.inputs()[i];
      const DType of_input = pattern.op() == Op::kWhere && i == 0 ? DType::kBool : operands;
      inputs.push_back(make(input, of_input, operands_of(input, of_input)));
    }
    return raw(pattern.op(), dtype, std::move(inputs));
  }

  // Of an op inside.
  DType operands_of(const Pattern& pattern, DType dtype) {
    if (pattern.kind() != Pattern::Kind::kOp) return dtype;
    const bool of_bool = pattern.inputs()[0].letter() == 'b';
    // Often that of the result, or one that several casts have in common: rules ask for such.
    const DType choices[] = {any_dtype(), root_dtype_, common_};
    if (pattern.op() == Op::kCast) return of_bool ? DType::kBool : choices[random_.pick(0, 2)];
    if (pattern.op() == Op::kBitcast) return of_size(dtype);
    if (pattern.op() == Op::kCmpLt || pattern.op() == Op::kCmpNe) return of_bool ? DType::kBool : any_dtype();
    return dtype;
  }

  NodePtr constant(DType dtype) {
    if (is_float(dtype)) return raw(Op::kConst, dtype, {}, ConstAttr{static_cast<double>(random_.pick(-4, 4))});
    const int64_t value = random_.one_in(3) ? edge(dtype) : random_.pick(-2, 40);
    return raw(Op::kConst, dtype, {}, ConstAttr{wrap_integer(dtype, value)});
  }

  NodePtr node(char letter, DType dtype) {
    if (letter == 'b') dtype = DType::kBool;
    NodePtr& known = letters_[{letter, dtype}];
    if (known == nullptr) known = leaf(dtype);
    return known;
  }

  // An unknown value, or one with bounds.
  NodePtr leaf(DType dtype) {
    if (is_float(dtype) || random_.one_in(2)) {
      leaves_.push_back(raw(Op::kLoad, dtype, {}));
      return leaves_.back();
    }
    leaves_.push_back(raw(Op::kRange, DType::kI32, {}, RangeAttr{Dim(random_.pick(1, 60)), 1, RangeKind::kLoop}));
    NodePtr range = leaves_.back();
    if (dtype == DType::kI32) return range;
    if (dtype != DType::kBool) return raw(Op::kCast, dtype, {range});
    NodePtr limit = raw(Op::kConst, DType::kI32, {}, ConstAttr{random_.pick(-1, 61)});
    return raw(Op::kCmpLt, DType::kBool, {range, limit});
  }

  int64_t edge(DType dtype) {
    const int64_t values[] = {
        0, 1, -1, 2, 7, 31, 32, 63, 64, min_integer(dtype), max_integer(dtype), static_cast<int64_t>(random_.bits())};
    return wrap_integer(dtype, values[random_.pick(0, std::size(values) - 1)]);
  }

  Value value_of(const Node& leaf) {
    if (leaf.op == Op::kRange) return {random_.pick(0, leaf.attr<RangeAttr>().extent.offset - 1), 0};
    if (!is_float(leaf.dtype)) return {edge(leaf.dtype), 0};
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const double values[] = {0.0,   -0.0, 1,         -1.5,       1e-7,         5e-324, -1e-40,  6e-8, 65504, 3.4e38,
                             1e300, -300, kInfinity, -kInfinity, std::nan(""), 0.1,    -2.5e-5, 255,  2049};
    const Value any[] = {{0, values[random_.pick(0, std::size(values) - 1)]}};
    return apply_elementwise(Op::kCast, DType::kF64, leaf.dtype, any, Rounding::kToDType);
  }

  RandomSource& random_;
  NodePtr root_;
  DType root_dtype_ = DType::kF32;
  DType common_ = DType::kF32;
  std::map<std::pair<char, DType>, NodePtr> letters_;
  std::vector<NodePtr> leaves_;
};

// Both sides of a rule for random dtypes, constants and inputs. Returns how often it applied.
int check_rule(const RuleSet::Entry& entry, RandomSource& random) {
  int applied = 0;
  for (int trial = 0; trial < 6000; ++trial) {
    const auto operands = static_cast<DType>(random.pick(0, kDTypeCount - 1));
    if (!admits(entry.rule->types, operands)) continue;
    if (entry.pattern.op() == Op::kBitcast && operands == DType::kBool) continue;
    Instance instance(entry.pattern, operands, random);
    RawHost host;
    const NodePtr& root = instance.root();
    const NodePtr replaced = RuleSet::apply(entry, *root, host);
    if (replaced == nullptr) continue;
    ++applied;
    EXPECT_EQ(replaced->dtype, root->dtype) << print_expression(*root);
    for (int i = 0; i < 12; ++i) {
      const Leaves leaves = instance.sample();
      const Value before = evaluate(root, leaves);
      const Value after = evaluate(replaced, leaves);
      EXPECT_TRUE(same_bits(root->dtype, before, after))
          << name(root->dtype) << " of " << name(operands) << ": " << print_expression(*root) << " is "
          << before.integer << " " << before.real << ", but " << print_expression(*replaced) << " is " << after.integer
          << " " << after.real;
      if (::testing::Test::HasFailure()) return applied;
    }
  }
  return applied;
}

TEST(ElementwiseRules, BothSidesOfEachHaveTheSameBits) {
  const RuleSet& set = elementwise_rule_set();
  for (int op = 0; op < kOpCount; ++op) {
    for (const RuleSet::Entry& entry : set.of(static_cast<Op>(op))) {
      SCOPED_TRACE(std::string(entry.rule->name));
      RandomSource random(1);
      EXPECT_GE(check_rule(entry, random), 20) << "it hardly ever applies";
      if (HasFailure()) return;
    }
  }
}

TEST(ElementwiseRules, AWrongOneWouldBeFound) {
  constexpr Rule kWrong[] = {
      {"add_positive_zero", RuleGroup::kAlgebraic, RuleTypes::kFloat, "add(x, 0.0)", "x"},
      {"mul_zero", RuleGroup::kAlgebraic, RuleTypes::kFloat, "mul(x, 0)", "0"},
      {"differs_self", RuleGroup::kAlgebraic, RuleTypes::kFloat, "cmpne(x, x)", "false"},
      {"shifts", RuleGroup::kAlgebraic, RuleTypes::kInteger, "shl(x, c)", "x"},
      {"cast_cast", RuleGroup::kDType, RuleTypes::kAny, "cast(cast(x))", "cast(x)"},
  };
  for (const Rule& rule : kWrong) {
    ::testing::TestPartResultArray failures;
    {
      ::testing::ScopedFakeTestPartResultReporter reporter(
          ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
      RandomSource random(1);
      const RuleSet set(std::span(&rule, 1));
      for (int op = 0; op < kOpCount; ++op) {
        for (const RuleSet::Entry& entry : set.of(static_cast<Op>(op))) check_rule(entry, random);
      }
    }
    EXPECT_GT(failures.size(), 0) << rule.name;
  }
}

TEST(ElementwiseRules, NamesAreTheirOwn) {
  std::map<std::string_view, int> names;
  for (const Rule& rule : elementwise_rules()) EXPECT_EQ(++names[rule.name], 1) << rule.name;
}

TEST(ElementwiseRules, ChainsOfCastsFold) {
  KernelBuilder builder;
  const auto cast = [&](const NodePtr& x, DType dtype) { return builder.op(Op::kCast, dtype, {x}); };
  NodePtr zero = builder.constant(DType::kI32, int64_t{0});
  NodePtr half = builder.load(builder.param(0, "h", DType::kF16, {1}), zero);
  EXPECT_EQ(cast(cast(half, DType::kF32), DType::kF16), half);
  EXPECT_EQ(cast(cast(half, DType::kF32), DType::kF64), cast(half, DType::kF64));
  NodePtr real = builder.load(builder.param(1, "f", DType::kF32, {1}), zero);
  EXPECT_NE(cast(cast(real, DType::kF16), DType::kF32), real);
  NodePtr wide = builder.load(builder.param(2, "i", DType::kI32, {1}), zero);
  EXPECT_EQ(cast(cast(wide, DType::kI16), DType::kU8), cast(wide, DType::kU8));
  EXPECT_NE(cast(cast(wide, DType::kF32), DType::kU8), cast(wide, DType::kU8));
}

}  // namespace
}  // namespace bw::ir::rewrite
