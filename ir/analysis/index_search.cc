#include "ir/analysis/index_search.h"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <unordered_map>
#include <vector>

#include "ir/bounds.h"
#include "ir/scalar_ops.h"

namespace bw::ir::analysis {
namespace {

// So many node evaluations are worth trying all combinations, and so many starts are worth climbing from.
constexpr uint64_t kMaxExhaustiveWork = 1u << 20;
constexpr int kMaxStarts = 24;
constexpr int kMaxClimb = 16;

bool is_arithmetic(const Node& node) {
  if (!is_elementwise(node.op) || is_float(node.dtype)) return false;
  return std::none_of(node.inputs.begin(), node.inputs.end(),
                      [](const NodePtr& input) { return is_float(input->dtype); });
}

class Search {
 public:
  Search(const NodePtr& index, int64_t count) : count_(count) {
    add(index);
    values_.resize(steps_.size());
    std::stable_partition(free_.begin(), free_.end(), [&](size_t i) { return steps_[i].node->op == Op::kVariable; });
  }

  SearchResult run() {
    SearchResult result;
    if (is_small()) {
      result.is_exhaustive = true;
      if (try_all(0)) result.found = counter_example();
    } else if (climb()) {
      result.found = counter_example();
    }
    result.tried = tried_;
    return result;
  }

 private:
  struct Step {
    NodePtr node;
    std::vector<size_t> inputs;
    bool is_free = false;
  };

  // Postorder without recursion.
  void add(const NodePtr& index) {
    std::vector<NodePtr> waiting = {index};
    while (!waiting.empty()) {
      const NodePtr top = waiting.back();
      const size_t depth = waiting.size();
      const auto visit = [&](const NodePtr& node) {
        if (!positions_.contains(node.get())) waiting.push_back(node);
      };
      if (!positions_.contains(top.get())) {
        const bool is_computed = is_arithmetic(*top);
        // A range ends where its variable says.
        if (top->op == Op::kRange && !top->attr<RangeAttr>().extent.is_static()) {
          visit(top->attr<RangeAttr>().extent.variable);
        }
        // From the last, so that the first comes first in the order.
        for (size_t i = top->inputs.size(); is_computed && i-- > 0;) visit(top->inputs[i]);
        if (waiting.size() > depth) continue;
        add_step(top, is_computed);
      }
      waiting.pop_back();
    }
  }

  void add_step(const NodePtr& node, bool is_computed) {
    Step step;
    step.node = node;
    for (size_t i = 0; is_computed && i < node->inputs.size(); ++i) {
      step.inputs.push_back(positions_.at(node->inputs[i].get()));
    }
    step.is_free = !is_computed && node->op != Op::kConst;
    positions_[node.get()] = steps_.size();
    if (step.is_free) free_.push_back(steps_.size());
    steps_.push_back(std::move(step));
  }

  // The values that a leaf can take now; variables have theirs already.
  Interval domain(size_t i) {
    const Node& node = *steps_[i].node;
    if (node.op != Op::kRange) return bounds_.of(steps_[i].node);
    const Dim& extent = node.attr<RangeAttr>().extent;
    const int64_t variable = extent.is_static() ? 0 : values_[positions_.at(extent.variable.get())].integer;
    return {0, variable + extent.offset - 1, false};
  }

  bool is_small() {
    uint64_t work = steps_.size();
    for (const size_t i : free_) {
      const Interval all = bounds_.of(steps_[i].node);
      const uint64_t size = static_cast<uint64_t>(all.high) - static_cast<uint64_t>(all.low) + 1;
      if (size == 0 || __builtin_mul_overflow(work, size, &work) || work > kMaxExhaustiveWork) return false;
    }
    return true;
  }

  int64_t evaluate() {
    ++tried_;
    std::array<Value, 3> inputs;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      if (step.is_free) continue;
      if (step.node->op == Op::kConst) {
        values_[i] = constant_value(step.node->dtype, step.node->attr<ConstAttr>().value);
        continue;
      }
      for (size_t k = 0; k < step.inputs.size(); ++k) inputs[k] = values_[step.inputs[k]];
      const DType from = step.node->inputs.back()->dtype;
      const std::span<const Value> used(inputs.data(), step.inputs.size());
      values_[i] = apply_elementwise(step.node->op, from, step.node->dtype, used, Rounding::kToDType);
    }
    return values_.back().integer;
  }

  bool is_outside(int64_t index) const { return index < 0 || index >= count_; }

  bool try_all(size_t position) {
    if (position == free_.size()) return is_outside(evaluate());
    const size_t i = free_[position];
    const Interval all = domain(i);
    for (int64_t value = all.low; value <= all.high; ++value) {
      values_[i].integer = value;
      if (try_all(position + 1)) return true;
    }
    return false;
  }

  // Coordinate ascent towards the greatest and the least index, from corners and from random places.
  bool climb() {
    for (int start = 0; start < kMaxStarts; ++start) {
      if (!set_start(start)) continue;
      if (climb_from_here(start % 2 == 0 ? 1 : -1)) return true;
    }
    return false;
  }

  // False where a range has no iterations for the variables chosen.
  bool set_start(int start) {
    for (const size_t i : free_) {
      const Interval all = domain(i);
      if (all.low > all.high) return false;
      const uint64_t span = static_cast<uint64_t>(all.high) - static_cast<uint64_t>(all.low);
      const uint64_t step = span == std::numeric_limits<uint64_t>::max() ? random_() : random_() % (span + 1);
      const bool is_corner = start < 4;
      values_[i].integer =
          is_corner ? (start < 2 ? all.high : all.low) : static_cast<int64_t>(static_cast<uint64_t>(all.low) + step);
    }
    return true;
  }

  bool climb_from_here(int direction) {
    int64_t best = evaluate();
    for (int round = 0; round < kMaxClimb; ++round) {
      if (is_outside(best)) return true;
      const int64_t before = best;
      for (const size_t i : free_) {
        if (improve(i, direction, best)) return true;
      }
      if (best == before) return false;
    }
    return is_outside(best);
  }

  // Tries other values of one leaf and keeps the best.
  bool improve(size_t i, int direction, int64_t& best) {
    const int64_t old = values_[i].integer;
    const Interval all = domain(i);
    int64_t keep = old;
    std::vector<int64_t> candidates = {all.low, all.high, all.low / 2 + all.high / 2};
    for (int64_t step = 1; step <= int64_t{1} << 40; step *= 2) {
      int64_t moved = 0;
      for (const int64_t by : {step, -step, step - 1}) {
        if (!__builtin_add_overflow(old, by, &moved)) candidates.push_back(moved);
      }
      candidates.push_back(step);
      candidates.push_back(step - 1);
    }
    for (const int64_t candidate : candidates) {
      if (candidate < all.low || candidate > all.high) continue;
      values_[i].integer = candidate;
      if (!is_consistent()) continue;
      const int64_t index = evaluate();
      if (is_outside(index)) return true;
      if (direction > 0 ? index > best : index < best) {
        best = index;
        keep = candidate;
      }
    }
    values_[i].integer = keep;
    return false;
  }

  // A variable may not shorten a range to before where it stands.
  bool is_consistent() {
    return std::all_of(free_.begin(), free_.end(), [&](size_t i) {
      const Interval all = domain(i);
      return values_[i].integer >= all.low && values_[i].integer <= all.high;
    });
  }

  CounterExample counter_example() {
    CounterExample example;
    example.index = evaluate();
    for (const size_t i : free_) {
      const Node& node = *steps_[i].node;
      example.values.emplace_back(steps_[i].node, values_[i].integer);
      example.is_certain &= node.op == Op::kRange || node.op == Op::kVariable || node.op == Op::kLoad;
    }
    return example;
  }

  const int64_t count_;
  Bounds bounds_;
  std::vector<Step> steps_;
  std::vector<size_t> free_;  // steps that are not computed; variables first
  std::unordered_map<const Node*, size_t> positions_;
  std::vector<Value> values_;
  std::mt19937_64 random_;
  uint64_t tried_ = 0;
};

}  // namespace

SearchResult find_outside(const NodePtr& index, int64_t count) {
  return Search(index, count).run();
}

}  // namespace bw::ir::analysis
