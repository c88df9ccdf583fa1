#include "ir/rewrite/simplify_movement.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace bw::ir::rewrite {
namespace {

// a + b, where one Dim can say so.
std::optional<Dim> sum(const Dim& a, const Dim& b) {
  if (!a.is_static() && !b.is_static()) return std::nullopt;
  Dim result = a.is_static() ? b : a;
  result.offset = a.offset + b.offset;
  return result;
}

Result<NodePtr> join_permutes(Builder& builder, const Node& outer, const Node& inner) {
  std::vector<int> axes;
  for (const int axis : outer.attr<AxesAttr>().axes) {
    axes.push_back(inner.attr<AxesAttr>().axes[static_cast<size_t>(axis)]);
  }
  return builder.permute(inner.inputs[0], std::move(axes));
}

// What is flipped twice is as it was.
Result<NodePtr> join_flips(Builder& builder, const Node& outer, const Node& inner) {
  const std::vector<int>& a = outer.attr<AxesAttr>().axes;
  const std::vector<int>& b = inner.attr<AxesAttr>().axes;
  std::vector<int> axes;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(axes));
  return builder.flip(inner.inputs[0], std::move(axes));
}

Result<NodePtr> join_pads(Builder& builder, const Node& outer, const Node& inner) {
  PadAttr both = inner.attr<PadAttr>();
  for (size_t i = 0; i < both.before.size(); ++i) {
    both.before[i] += outer.attr<PadAttr>().before[i];
    both.after[i] += outer.attr<PadAttr>().after[i];
  }
  return builder.pad(inner.inputs[0], std::move(both.before), std::move(both.after));
}

Result<NodePtr> join_shrinks(Builder& builder, const Node& outer, const Node& inner) {
  std::vector<Dim> begin;
  std::vector<Dim> end;
  for (size_t i = 0; i < outer.shape.size(); ++i) {
    const Dim& first = inner.attr<ShrinkAttr>().begin[i];
    const std::optional<Dim> from = sum(first, outer.attr<ShrinkAttr>().begin[i]);
    const std::optional<Dim> to = sum(first, outer.attr<ShrinkAttr>().end[i]);
    if (!from.has_value() || !to.has_value()) return NodePtr();
    begin.push_back(*from);
    end.push_back(*to);
  }
  // What was proven step by step may not show in one: then the two stay.
  Result<NodePtr> joined = builder.shrink(inner.inputs[0], std::move(begin), std::move(end));
  const bool is_same = joined.is_ok() && joined.value()->shape == outer.shape;
  return is_same ? joined.value() : NodePtr();
}

Result<NodePtr> join(Builder& builder, const Node& outer, const Node& inner) {
  switch (outer.op) {
    case Op::kReshape:
      return builder.reshape(inner.inputs[0], outer.shape);
    case Op::kExpand:
      return builder.expand(inner.inputs[0], outer.shape);
    case Op::kPermute:
      return join_permutes(builder, outer, inner);
    case Op::kFlip:
      return join_flips(builder, outer, inner);
    case Op::kPad:
      return join_pads(builder, outer, inner);
    default:
      return join_shrinks(builder, outer, inner);
  }
}

// A tensor of one value is that value, repeated, however it was moved.
Result<NodePtr> expand_splat(Builder& builder, const NodePtr& constant, const Shape& shape) {
  BW_ASSIGN(NodePtr ones, builder.reshape(constant, Shape(shape.size(), Dim(1))));
  return builder.expand(std::move(ones), shape);
}

bool is_expanded_constant(const Node& node) {
  const Node* input = &node;
  if (input->op == Op::kExpand) input = input->inputs[0].get();
  if (input->op == Op::kReshape) input = input->inputs[0].get();
  return input->op == Op::kConst;
}

// Axes of extent 1 need no reduction, but that a sum of -0.0 is +0.0 and the largest of NaN is -infinity; of reductions
// that are exact, two are one.
Result<NodePtr> simplify_reduction(Builder& builder, const Node& node) {
  const NodePtr& input = node.inputs[0];
  std::vector<int> axes = node.attr<AxesAttr>().axes;
  if (!is_float(node.dtype) || node.op == Op::kReduceMul) {
    std::erase_if(axes, [&](int axis) { return input->shape[static_cast<size_t>(axis)] == Dim(1); });
  }
  if (axes.size() != node.attr<AxesAttr>().axes.size()) return builder.reduce(node.op, input, std::move(axes));
  const bool is_exact = node.op == Op::kReduceMax || !is_float(node.dtype);
  if (input->op != node.op || !is_exact) return NodePtr();
  axes.insert(axes.end(), input->attr<AxesAttr>().axes.begin(), input->attr<AxesAttr>().axes.end());
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return builder.reduce(node.op, input->inputs[0], std::move(axes));
}

}  // namespace

const Node* splat_of(const NodePtr& node) {
  const Node* source = node.get();
  while (is_movement(source->op) && source->op != Op::kPad) source = source->inputs[0].get();
  return source->op == Op::kConst ? source : nullptr;
}

Result<NodePtr> simplify_movement(Builder& builder, const NodePtr& node) {
  if (is_reduce(node->op)) return simplify_reduction(builder, *node);
  const NodePtr& input = node->inputs[0];
  if (node->op != Op::kPad && !is_expanded_constant(*node) && splat_of(node) != nullptr) {
    NodePtr constant = input;
    while (constant->op != Op::kConst) constant = constant->inputs[0];
    return expand_splat(builder, constant, node->shape);
  }
  return input->op == node->op ? join(builder, *node, *input) : NodePtr();
}

}  // namespace bw::ir::rewrite
