#include "ir/bounds.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/bits.h"
#include "ir/interval.h"
#include "ir/scalar_ops.h"

namespace bw::ir {
namespace {

// How far conditions are looked through, and how far what they say is carried on.
constexpr int kMaxConditionDepth = 6;

Interval const_interval(const Node& node) {
  if (is_float(node.dtype)) return whole_range(DType::kI64);
  const int64_t value = constant_value(node.dtype, node.attr<ConstAttr>().value).integer;
  if (node.dtype == DType::kU64 && value < 0) return whole_range(DType::kU64);
  return {value, value, false};
}

Interval range_interval(const RangeAttr& attr) {
  return {0, std::max<int64_t>(attr.extent.max() - 1, 0), false};
}

// Numbers of iterations of a kernel-level reduction.
int64_t saturating_mul(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

bool is_true(const Node& node) {
  return node.op == Op::kConst && node.dtype == DType::kBool && std::get<int64_t>(node.attr<ConstAttr>().value) == 1;
}

}  // namespace

// What a condition says about the nodes it compares, given that it turned out one way, and about what is computed from
// them.
class Bounds::Refiner {
 public:
  explicit Refiner(const Bounds& bounds) : bounds_(bounds) {}

  void assume(const NodePtr& condition, bool outcome, int depth = 0) {
    if (depth > kMaxConditionDepth || condition->inputs.size() != 2) return;
    const NodePtr& x = condition->inputs[0];
    const NodePtr& y = condition->inputs[1];
    switch (condition->op) {
      case Op::kCmpLt:
        return assume_less(x, y, outcome);
      case Op::kAnd:
      case Op::kMul:
        if (!outcome || condition->dtype != DType::kBool) return;
        assume(x, true, depth + 1);
        return assume(y, true, depth + 1);
      case Op::kOr:
      case Op::kAdd:
      case Op::kMax:
        if (outcome || condition->dtype != DType::kBool) return;
        assume(x, false, depth + 1);
        return assume(y, false, depth + 1);
      case Op::kCmpNe:
      case Op::kXor:
        if (is_true(*y)) assume(x, !outcome, depth + 1);
        return;
      default:
        return;
    }
  }

  // Nothing where the conditions cannot hold together.
  std::optional<Interval> interval_of(const NodePtr& value) const {
    for (const auto& [node, interval] : assumed_) {
      if (interval.low > interval.high) return std::nullopt;
    }
    return refined(value, 0);
  }

 private:
  void assume_less(const NodePtr& x, const NodePtr& y, bool outcome) {
    if (is_float(x->dtype) || x->dtype == DType::kU64) return;
    const Interval of_x = bounds_.known(x);
    const Interval of_y = bounds_.known(y);
    if (outcome) {
      // Neither step can overflow: an i64 at its end is not less than (or not above) anything.
      if (of_y.high > std::numeric_limits<int64_t>::min()) at_most(x, of_y.high - 1);
      if (of_x.low < std::numeric_limits<int64_t>::max()) at_least(y, of_x.low + 1);
    } else {
      at_least(x, of_y.low);
      at_most(y, of_x.high);
    }
  }

  Interval& assumed(const NodePtr& node) {
    for (auto& [known, interval] : assumed_) {
      if (known == node) return interval;
    }
    return assumed_.emplace_back(node, bounds_.known(node)).second;
  }

  // What holds for a product with a positive constant holds for the other factor, divided.
  void at_most(const NodePtr& node, int64_t high) {
    assumed(node).high = std::min(assumed(node).high, high);
    if (const int64_t factor = positive_factor(node); factor > 1) at_most(node->inputs[0], floor_div(high, factor));
  }
  void at_least(const NodePtr& node, int64_t low) {
    assumed(node).low = std::max(assumed(node).low, low);
    if (const int64_t factor = positive_factor(node); factor > 1) at_least(node->inputs[0], ceil_div(low, factor));
  }

  // The constant of a product that cannot wrap, else 0.
  int64_t positive_factor(const NodePtr& node) const {
    if (node->op != Op::kMul || node->inputs[1]->op != Op::kConst || bounds_.known(node).overflow) return 0;
    return std::get<int64_t>(node->inputs[1]->attr<ConstAttr>().value);
  }

  // Carries the assumptions a few steps on, through arithmetic.
  Interval refined(const NodePtr& node, int depth) const {
    for (const auto& [known, interval] : assumed_) {
      if (known == node) return interval;
    }
    const Interval known = bounds_.known(node);
    const bool is_cast = node->op == Op::kCast;
    if (depth == kMaxConditionDepth || is_float(node->dtype) || (!is_cast && !is_binary(node->op))) return known;
    const DType from = node->inputs[0]->dtype;
    if (is_float(from)) return known;
    Interval result = refined(node->inputs[0], depth + 1);
    result = is_cast ? cast_interval(from, node->dtype, result)
                     : binary_interval(node->op, from, result, refined(node->inputs[1], depth + 1));
    if (result.overflow) return known;
    result.low = std::max(result.low, known.low);
    result.high = std::min(result.high, known.high);
    return result.low > result.high ? known : result;
  }

  const Bounds& bounds_;
  std::vector<std::pair<NodePtr, Interval>> assumed_;
};

Interval Bounds::where_interval(const Node& node) const {
  const Interval condition = known(node.inputs[0]);
  if (condition.low == 1) return known(node.inputs[1]);
  if (condition.high == 0) return known(node.inputs[2]);
  Refiner if_true(*this);
  if_true.assume(node.inputs[0], true);
  Refiner if_false(*this);
  if_false.assume(node.inputs[0], false);
  const std::optional<Interval> a = if_true.interval_of(node.inputs[1]);
  const std::optional<Interval> b = if_false.interval_of(node.inputs[2]);
  if (!a.has_value() || !b.has_value()) return a.value_or(b.value_or(whole_range(node.dtype)));
  return {std::min(a->low, b->low), std::max(a->high, b->high), false};
}

Interval Bounds::reduction_interval(const Node& node) const {
  const bool is_kernel_level = node.inputs.size() > 1;
  if (!is_kernel_level) return whole_range(node.dtype);
  int64_t min_count = 1;
  int64_t max_count = 1;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const auto* range = std::get_if<RangeAttr>(&node.inputs[i]->attribute);
    if (range == nullptr) return whole_range(node.dtype);
    min_count = saturating_mul(min_count, std::max<int64_t>(range->extent.min(), 0));
    max_count = saturating_mul(max_count, std::max<int64_t>(range->extent.max(), 0));
  }
  return reduce_interval(node.op, node.dtype, known(node.inputs[0]), min_count, max_count);
}

Interval Bounds::compute(const Node& node) const {
  if (is_float(node.dtype)) return whole_range(DType::kI64);
  switch (node.op) {
    case Op::kConst:
      return const_interval(node);
    case Op::kVariable:
      return {node.attr<VariableAttr>().min, node.attr<VariableAttr>().max, false};
    case Op::kRange:
      return range_interval(node.attr<RangeAttr>());
    case Op::kWhere:
      return where_interval(node);
    case Op::kCast:
      return cast_interval(node.inputs[0]->dtype, node.dtype, known(node.inputs[0]));
    case Op::kBitcast:
      return bitcast_interval(node.inputs[0]->dtype, node.dtype, known(node.inputs[0]));
    case Op::kMulAcc: {
      const Interval product = binary_interval(Op::kMul, node.dtype, known(node.inputs[0]), known(node.inputs[1]));
      Interval sum = binary_interval(Op::kAdd, node.dtype, product, known(node.inputs[2]));
      sum.overflow = sum.overflow || product.overflow;
      return sum;
    }
    case Op::kReduceAdd:
    case Op::kReduceMul:
    case Op::kReduceMax:
      return reduction_interval(node);
    default:
      break;
  }
  if (!is_binary(node.op)) return whole_range(node.dtype);
  const DType dtype = node.inputs[0]->dtype;
  if (is_float(dtype)) return {0, 1, false};
  return binary_interval(node.op, dtype, known(node.inputs[0]), known(node.inputs[1]));
}

Interval Bounds::of(const NodePtr& node) {
  std::vector<NodePtr> waiting = {node};
  while (!waiting.empty()) {
    const NodePtr top = waiting.back();
    const size_t depth = waiting.size();
    if (!known_.contains(top)) {
      for (const NodePtr& input : top->inputs) {
        if (!known_.contains(input)) waiting.push_back(input);
      }
      if (waiting.size() > depth) continue;
      known_.emplace(top, compute(*top));
    }
    waiting.pop_back();
  }
  return known(node);
}

}  // namespace bw::ir
