#include "compiler/attention_pattern.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "ir/bounds.h"

namespace bw::compiler {
namespace {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;

bool is_short_or_single(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

NodePtr strip_casts(NodePtr node) {
  while (node->op == Op::kCast && is_short_or_single(node->dtype) && is_short_or_single(node->inputs[0]->dtype)) {
    node = node->inputs[0];
  }
  return node;
}

std::optional<double> real_constant(const NodePtr& node) {
  const NodePtr base = strip_casts(node);
  if (base->op != Op::kConst || !ir::is_float(base->dtype)) return std::nullopt;
  return std::get<double>(base->attr<ir::ConstAttr>().value);
}

bool is_sum_over_one_range(const Node& node) {
  return node.op == Op::kReduceAdd && node.inputs.size() == 2 && is_short_or_single(node.dtype);
}

// Reductions that the roots are made of, not those within other reductions.
std::vector<NodePtr> outer_reductions(std::vector<NodePtr> roots) {
  std::vector<NodePtr> reductions;
  std::unordered_set<const Node*> seen;
  while (!roots.empty()) {
    const NodePtr node = roots.back();
    roots.pop_back();
    if (!seen.insert(node.get()).second) continue;
    if (ir::is_reduce(node->op)) {
      reductions.push_back(node);
    } else {
      roots.insert(roots.end(), node->inputs.begin(), node->inputs.end());
    }
  }
  return reductions;
}

// Whether two expressions differ in nothing but the loops that they run in.
class Likeness {
 public:
  // What `a` has as range `from`, `b` has as range `to`; other ranges of `a` may stand for others of `b` only where
  // they are among `loops`.
  Likeness(const ir::KernelRanges& all, uint64_t loops, const NodePtr& from, const NodePtr& to)
      : all_(all), loops_(loops) {
    ranges_[from.get()] = to.get();
  }

  bool alike(const NodePtr& a, const NodePtr& b) {
    if (a->op == Op::kRange) return b->op == Op::kRange && same_range(*a, *b);
    if (known_.contains({a.get(), b.get()})) return true;
    if (!same_op(*a, *b)) return false;
    bool same = true;
    for (size_t i = 0; i < a->inputs.size() && same; ++i) same = alike(a->inputs[i], b->inputs[i]);
    if (!same && (a->op == Op::kAdd || a->op == Op::kMul)) {
      // Sums are kept in the order in which their terms were made.
      same = alike(a->inputs[0], b->inputs[1]) && alike(a->inputs[1], b->inputs[0]);
    }
    if (same) known_.emplace(a.get(), b.get());
    return same;
  }

 private:
  bool same_range(const Node& a, const Node& b) {
    const auto known = ranges_.find(&a);
    if (known != ranges_.end()) return known->second == &b;
    const auto& x = a.attr<ir::RangeAttr>();
    const auto& y = b.attr<ir::RangeAttr>();
    const bool loops = (loops_ & all_.bit(&a)) != 0 && (loops_ & all_.bit(&b)) != 0;
    const bool same = &a == &b || (loops && x.extent == y.extent && x.kind == y.kind);
    if (same) ranges_[&a] = &b;
    return same;
  }

  static bool same_op(const Node& a, const Node& b) {
    if (&a == &b) return true;
    if (a.op != b.op || a.dtype != b.dtype || a.inputs.size() != b.inputs.size()) return false;
    Node with_inputs_of_b = a;
    with_inputs_of_b.inputs = b.inputs;
    return ir::shallow_equal(with_inputs_of_b, b);
  }

  const ir::KernelRanges& all_;
  const uint64_t loops_;
  std::unordered_map<const Node*, const Node*> ranges_;
  std::set<std::pair<const Node*, const Node*>> known_;
};

class Finder {
 public:
  Finder(const ir::Kernel& kernel, const ir::KernelRanges& ranges)
      : kernel_(kernel), ranges_(ranges), order_(ir::topological_order(kernel.stores)) {}

  std::optional<AttentionPattern> run() {
    if (kernel_.stores.size() != 1) return std::nullopt;
    // The last reduction that fits is the outermost.
    for (auto node = order_.rbegin(); node != order_.rend(); ++node) {
      pattern_ = {};
      if (!is_sum_over_one_range(**node) || !match_weighted(*node)) continue;
      if (!match_sum() || !match_dot() || !has_no_other_reduction()) return std::nullopt;
      match_mask();
      return pattern_;
    }
    return std::nullopt;
  }

 private:
  bool depends(const NodePtr& node, const NodePtr& range) const {
    return (ranges_.free.at(node.get()) & ranges_.bit(range.get())) != 0;
  }
  bool has_reduction(const NodePtr& node) const { return ranges_.consumed.at(node.get()) != 0; }

  bool match_weighted(const NodePtr& node) {
    pattern_.weighted = node;
    pattern_.position = node->inputs[1];
    const NodePtr product = strip_casts(node->inputs[0]);
    if (product->op != Op::kMul) return false;
    for (size_t side = 0; side < 2; ++side) {
      pattern_.factor = nullptr;
      if (!match_factored_weight(product->inputs[side])) continue;
      pattern_.value = product->inputs[1 - side];
      return !has_reduction(pattern_.value);
    }
    return false;
  }

  // weight, or weight * factor.
  bool match_factored_weight(const NodePtr& node) {
    const NodePtr base = strip_casts(node);
    if (base->op == Op::kExp2) return match_weight(base);
    if (base->op != Op::kMul) return false;
    for (size_t side = 0; side < 2; ++side) {
      const NodePtr power = strip_casts(base->inputs[side]);
      const NodePtr& factor = base->inputs[1 - side];
      if (power->op != Op::kExp2 || depends(factor, pattern_.position) || !match_weight(power)) continue;
      pattern_.factor = factor;
      return true;
    }
    return false;
  }

  bool match_weight(const NodePtr& power) {
    if (!is_short_or_single(power->dtype)) return false;
    pattern_.weight = power;
    const NodePtr exponent = strip_casts(power->inputs[0]);
    if (exponent->op == Op::kAdd) return match_difference(exponent);
    if (exponent->op != Op::kMul) return false;
    for (size_t side = 0; side < 2; ++side) {
      const auto scale = real_constant(exponent->inputs[side]);
      if (!scale.has_value() || !(*scale > 0) || !std::isfinite(*scale)) continue;
      const NodePtr difference = strip_casts(exponent->inputs[1 - side]);
      return difference->op == Op::kAdd && match_difference(difference);
    }
    return false;
  }

  // score + maximum * -1
  bool match_difference(const NodePtr& sum) {
    for (size_t side = 0; side < 2; ++side) {
      const NodePtr product = strip_casts(sum->inputs[side]);
      if (product->op != Op::kMul) continue;
      for (size_t sign = 0; sign < 2; ++sign) {
        if (real_constant(product->inputs[sign]) != -1.0) continue;
        if (match_maximum(strip_casts(product->inputs[1 - sign]), sum->inputs[1 - side])) return true;
      }
    }
    return false;
  }

  bool match_maximum(const NodePtr& maximum, const NodePtr& score) {
    if (maximum->op != Op::kReduceMax || maximum->inputs.size() != 2) return false;
    if (!same_extent(maximum->inputs[1]) || depends(maximum, pattern_.position)) return false;
    const NodePtr base = strip_casts(score);
    if (base->op == Op::kConst || !is_short_or_single(base->dtype)) return false;
    if (!alike(maximum->inputs[1], strip_casts(maximum->inputs[0]), base)) return false;
    pattern_.maximum = maximum;
    pattern_.score = base;
    return true;
  }

  // Whether `a` over `range` is what `b` is over the positions.
  bool alike(const NodePtr& range, const NodePtr& a, const NodePtr& b) const {
    return Likeness(ranges_, ranges_.consumed.at(kernel_.stores[0].get()), range, pattern_.position).alike(a, b);
  }

  bool same_extent(const NodePtr& range) const {
    const auto& attr = range->attr<ir::RangeAttr>();
    const auto& position = pattern_.position->attr<ir::RangeAttr>();
    return attr.extent == position.extent && attr.kind == ir::RangeKind::kLoop && position.kind == attr.kind;
  }

  bool match_sum() {
    for (const NodePtr& node : order_) {
      if (!is_sum_over_one_range(*node) || node == pattern_.weighted || !same_extent(node->inputs[1])) continue;
      if (!alike(node->inputs[1], strip_casts(node->inputs[0]), pattern_.weight)) continue;
      pattern_.sum = node;
      return true;
    }
    return false;
  }

  bool match_dot() {
    const std::vector<NodePtr> reductions = outer_reductions({pattern_.score});
    if (reductions.size() != 1 || !is_sum_over_one_range(*reductions[0])) return false;
    pattern_.dot = reductions[0];
    const NodePtr product = strip_casts(pattern_.dot->inputs[0]);
    if (product->op != Op::kMul || has_reduction(product)) return false;
    pattern_.element = pattern_.dot->inputs[1];
    const auto& element = pattern_.element->attr<ir::RangeAttr>();
    if (!element.extent.is_static() || element.kind != ir::RangeKind::kLoop) return false;
    const size_t key = depends(product->inputs[0], pattern_.position) ? 0 : 1;
    pattern_.key = product->inputs[key];
    pattern_.query = product->inputs[1 - key];
    return depends(pattern_.key, pattern_.position) && !depends(pattern_.query, pattern_.position);
  }

  // What is stored is made of the pattern's results alone, as far as reductions go.
  bool has_no_other_reduction() const {
    std::vector<NodePtr> roots = kernel_.stores;
    if (pattern_.factor != nullptr) roots.push_back(pattern_.factor);
    const std::vector<NodePtr> reductions = outer_reductions(std::move(roots));
    return std::all_of(reductions.begin(), reductions.end(), [this](const NodePtr& node) {
      return node == pattern_.weighted || node == pattern_.sum || node == pattern_.maximum;
    });
  }

  // where(last < position, -inf, score) or where(position < last, score, -inf).
  void match_mask() {
    const NodePtr& where = pattern_.score;
    if (where->op != Op::kWhere || where->inputs[0]->op != Op::kCmpLt) return;
    constexpr double kNothing = -std::numeric_limits<double>::infinity();
    const NodePtr& x = where->inputs[0]->inputs[0];
    const NodePtr& y = where->inputs[0]->inputs[1];
    const bool masks_larger = real_constant(where->inputs[1]) == kNothing;
    if (!masks_larger && real_constant(where->inputs[2]) != kNothing) return;
    const NodePtr& last = masks_larger ? x : y;
    const NodePtr& position = masks_larger ? y : x;
    if (last->dtype != DType::kI32 || depends(last, pattern_.position) || !is_position_plus_constant(position)) return;
    ir::Bounds bounds;
    const ir::Interval a = bounds.of(last);
    const ir::Interval b = bounds.of(position);
    constexpr int64_t kLimit = std::numeric_limits<int32_t>::max() / 4;
    const auto is_small = [](const ir::Interval& i) { return !i.overflow && i.low > -kLimit && i.high < kLimit; };
    if (!is_small(a) || !is_small(b)) return;
    pattern_.last = last;
    pattern_.masked_position = position;
    pattern_.last_excluded = !masks_larger;
  }

  bool is_position_plus_constant(const NodePtr& node) const {
    if (node == pattern_.position) return true;
    if (node->op != Op::kAdd) return false;
    const NodePtr& a = node->inputs[0];
    const NodePtr& b = node->inputs[1];
    if (!depends(b, pattern_.position)) return is_position_plus_constant(a);
    return !depends(a, pattern_.position) && is_position_plus_constant(b);
  }

  const ir::Kernel& kernel_;
  const ir::KernelRanges& ranges_;
  const std::vector<NodePtr> order_;
  AttentionPattern pattern_;
};

}  // namespace

std::optional<AttentionPattern> find_attention(const ir::Kernel& kernel, const ir::KernelRanges& ranges) {
  // Positions and tiles are counted in 32 bits.
  const auto is_wide = [](const NodePtr& range) { return range->dtype == ir::DType::kI64; };
  if (std::any_of(ranges.ranges.begin(), ranges.ranges.end(), is_wide)) return std::nullopt;
  return Finder(kernel, ranges).run();
}

AttentionAxis attention_axis(const AttentionPattern& pattern, const ir::KernelRanges& ranges, const Node& range) {
  const uint64_t bit = ranges.bit(&range);
  const auto depends = [&](const NodePtr& node) { return (ranges.free.at(node.get()) & bit) != 0; };
  const bool shares_memory = depends(pattern.key) || depends(pattern.value);
  if (depends(pattern.score)) return shares_memory ? AttentionAxis::kBatch : AttentionAxis::kRow;
  return shares_memory ? AttentionAxis::kColumn : AttentionAxis::kNone;
}

}  // namespace bw::compiler
