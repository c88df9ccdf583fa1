#include "ir/analysis/index_program.h"

#include <algorithm>
#include <array>
#include <span>

namespace bw::ir::analysis {
namespace {

bool is_arithmetic(const Node& node) {
  if (!is_elementwise(node.op) || is_float(node.dtype)) return false;
  const auto is_real = [](const NodePtr& input) { return is_float(input->dtype); };
  return std::none_of(node.inputs.begin(), node.inputs.end(), is_real);
}

}  // namespace

// Postorder without recursion.
IndexProgram::IndexProgram(const NodePtr& index) {
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
  values_.resize(steps_.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Node& node = *steps_[i].node;
    if (node.op == Op::kConst) values_[i] = constant_value(node.dtype, node.attr<ConstAttr>().value);
    if (steps_[i].is_leaf) leaf_steps_.push_back(i);
  }
  std::stable_partition(leaf_steps_.begin(), leaf_steps_.end(),
                        [&](size_t i) { return steps_[i].node->op == Op::kVariable; });
  for (const size_t i : leaf_steps_) leaves_.push_back(steps_[i].node);
}

void IndexProgram::add_step(const NodePtr& node, bool is_computed) {
  Step step;
  step.node = node;
  for (size_t i = 0; is_computed && i < node->inputs.size(); ++i) {
    step.inputs.push_back(positions_.at(node->inputs[i].get()));
  }
  step.is_leaf = !is_computed && node->op != Op::kConst;
  positions_[node.get()] = steps_.size();
  steps_.push_back(std::move(step));
}

Interval IndexProgram::domain(size_t leaf) {
  const NodePtr& node = leaves_[leaf];
  if (node->op != Op::kRange) return bounds_.of(node);
  const Dim& extent = node->attr<RangeAttr>().extent;
  const int64_t variable = extent.is_static() ? 0 : values_[positions_.at(extent.variable.get())].integer;
  return {0, variable + extent.offset - 1, false};
}

bool IndexProgram::is_consistent() {
  for (size_t i = 0; i < leaves_.size(); ++i) {
    const Interval all = domain(i);
    if (value(i) < all.low || value(i) > all.high) return false;
  }
  return true;
}

int64_t IndexProgram::evaluate() {
  std::array<Value, 3> inputs;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (step.inputs.empty()) continue;
    for (size_t k = 0; k < step.inputs.size(); ++k) inputs[k] = values_[step.inputs[k]];
    const DType from = step.node->inputs.back()->dtype;
    const std::span<const Value> used(inputs.data(), step.inputs.size());
    values_[i] = apply_elementwise(step.node->op, from, step.node->dtype, used, Rounding::kToDType);
  }
  return values_.back().integer;
}

}  // namespace bw::ir::analysis
