#include "ir/testing/random_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "ir/testing/nodes.h"

namespace bw::ir::testing {

Value evaluate_expression(const NodePtr& node, const LeafValues& leaves) {
  if (node->op == Op::kConst) return constant_value(node->dtype, node->attr<ConstAttr>().value);
  if (node->op == Op::kRange || node->op == Op::kVariable) return {leaves.at(node), 0};
  BW_CHECK(is_elementwise(node->op));
  std::vector<Value> values;
  for (const NodePtr& input : node->inputs) values.push_back(evaluate_expression(input, leaves));
  return apply_elementwise(node->op, node->inputs.back()->dtype, node->dtype, values, Rounding::kToDType);
}

RandomExpressions::RandomExpressions(KernelBuilder& builder, uint64_t seed) : builder_(builder), random_(seed) {
  for (int i = 0; i < 4; ++i) leaf();
}

int64_t RandomExpressions::pick(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random_);
}

Expression RandomExpressions::leaf() {
  NodePtr made;
  if (leaves_.size() >= 4 && pick(0, 3) != 0) {
    made = leaves_[static_cast<size_t>(pick(0, static_cast<int64_t>(leaves_.size()) - 1))];
  } else if (pick(0, 3) == 0) {
    const int64_t min = pick(0, 8);
    made = builder_.variable(variable_node(fmt::format("v{}", variables_++), min, min + pick(0, 500)));
    leaves_.push_back(made);
  } else {
    constexpr int64_t kExtents[] = {1, 2, 3, 4, 7, 8, 16, 31, 32, 64, 100, 1024, 1 << 20};
    Dim extent = kExtents[pick(0, std::size(kExtents) - 1)];
    const bool is_symbolic = !leaves_.empty() && leaves_.back()->op == Op::kVariable && pick(0, 1) == 0;
    if (is_symbolic) extent = Dim(leaves_.back(), pick(1, 3));
    made = builder_.range(extent, RangeKind::kLoop);
    leaves_.push_back(made);
  }
  return {made, made};
}

Expression RandomExpressions::constant(DType dtype, int64_t value) {
  NodePtr made = builder_.constant(dtype, wrap_integer(dtype, value));
  return {made, made};
}

Expression RandomExpressions::make(Op op, DType dtype, std::vector<Expression> inputs) {
  Node plain;
  plain.op = op;
  plain.dtype = dtype;
  std::vector<NodePtr> folded;
  for (Expression& input : inputs) {
    folded.push_back(std::move(input.folded));
    plain.inputs.push_back(std::move(input.plain));
  }
  return {builder_.op(op, dtype, std::move(folded)), make_node(std::move(plain))};
}

Expression RandomExpressions::cast(Expression x, DType dtype) {
  if (x.folded->dtype == dtype) return x;
  return make(Op::kCast, dtype, {std::move(x)});
}

Expression RandomExpressions::index_step(const std::vector<Expression>& pool) {
  constexpr int64_t kFactors[] = {1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 100, 128, 4096, -1, -4, 1 << 20};
  const auto any = [&] { return pool[static_cast<size_t>(pick(0, static_cast<int64_t>(pool.size()) - 1))]; };
  const auto factor = [&] { return kFactors[pick(0, std::size(kFactors) - 1)]; };
  Expression x = pick(0, 1) != 0 ? pool.back() : any();
  const DType dtype = x.folded->dtype;
  switch (pick(0, 9)) {
    case 0:
    case 1:
      return make(Op::kMul, dtype, {x, constant(dtype, factor())});
    case 2:
    case 3:
      return make(Op::kAdd, dtype, {x, cast(any(), dtype)});
    case 4:
      return make(Op::kIDiv, dtype, {x, constant(dtype, factor())});
    case 5:
      return make(Op::kMod, dtype, {x, constant(dtype, factor())});
    case 6: {
      // (x / n) * n * k + (x % n) * k, which is x * k.
      const int64_t n = factor();
      const int64_t k = pick(1, 4);
      Expression quotient = make(Op::kIDiv, dtype, {x, constant(dtype, n)});
      Expression rest = make(Op::kMod, dtype, {x, constant(dtype, n)});
      return make(Op::kAdd, dtype,
                  {make(Op::kMul, dtype, {quotient, constant(dtype, n * k)}),
                   make(Op::kMul, dtype, {rest, constant(dtype, k)})});
    }
    case 7:
      return make(Op::kAdd, dtype, {x, constant(dtype, pick(-70, 70))});
    case 8:
      return dtype == DType::kI32 ? make(Op::kCast, DType::kI64, {x}) : x;
    default:
      return make(Op::kWhere, dtype,
                  {make(Op::kCmpLt, DType::kBool, {x, constant(dtype, factor())}), x, cast(leaf(), dtype)});
  }
}

DType RandomExpressions::random_integer_dtype() {
  return static_cast<DType>(pick(static_cast<int64_t>(DType::kBool), static_cast<int64_t>(DType::kU64)));
}

Expression RandomExpressions::integer_step(const std::vector<Expression>& pool) {
  const auto any = [&] { return pool[static_cast<size_t>(pick(0, static_cast<int64_t>(pool.size()) - 1))]; };
  Expression x = any();
  const DType dtype = x.folded->dtype;
  Expression y = cast(any(), dtype);
  if (pick(0, 2) == 0) {
    const int shift = static_cast<int>(pick(0, 63));
    y = constant(dtype, static_cast<int64_t>(random_()) >> shift);
  }
  switch (pick(0, 7)) {
    case 0:
      return cast(x, random_integer_dtype());
    case 1: {
      Expression condition = make(pick(0, 1) != 0 ? Op::kCmpLt : Op::kCmpNe, DType::kBool, {x, y});
      return pick(0, 1) != 0 ? make(Op::kWhere, dtype, {condition, x, y}) : make(Op::kWhere, dtype, {condition, y, x});
    }
    case 2:
      return make(pick(0, 1) != 0 ? Op::kCmpLt : Op::kCmpNe, DType::kBool, {x, y});
    case 3:
      if (dtype != DType::kBool) return make(Op::kMulAcc, dtype, {x, y, cast(any(), dtype)});
      return make(Op::kXor, dtype, {x, y});
    default: {
      constexpr Op kOps[] = {Op::kAdd, Op::kMul, Op::kMax, Op::kAnd, Op::kOr,
                             Op::kXor, Op::kShl, Op::kShr, Op::kMod, Op::kIDiv};
      return make(kOps[pick(0, dtype == DType::kBool ? 5 : 9)], dtype, {x, y});
    }
  }
}

Expression RandomExpressions::index(int steps) {
  std::vector<Expression> pool = {leaf(), leaf(), leaf()};
  for (int i = 0; i < steps; ++i) pool.push_back(index_step(pool));
  return pool.back();
}

Expression RandomExpressions::integer(int steps) {
  std::vector<Expression> pool = {leaf(), leaf(), cast(leaf(), random_integer_dtype())};
  for (int i = 0; i < steps; ++i) pool.push_back(integer_step(pool));
  return pool.back();
}

LeafValues RandomExpressions::sample() {
  LeafValues values;
  for (const NodePtr& leaf : leaves_) {
    Interval bounds = builder_.bounds(leaf);
    if (leaf->op == Op::kRange && !leaf->attr<RangeAttr>().extent.is_static()) {
      // Its variable was drawn before it.
      const Dim& extent = leaf->attr<RangeAttr>().extent;
      bounds.high = values.at(extent.variable) + extent.offset - 1;
    }
    const int64_t choice = pick(0, 3);
    values[leaf] = choice == 0 ? bounds.low : choice == 1 ? bounds.high : pick(bounds.low, bounds.high);
  }
  return values;
}

}  // namespace bw::ir::testing
