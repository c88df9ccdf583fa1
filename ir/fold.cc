#include "ir/fold.h"

#include <algorithm>
#include <vector>

#include "ir/interval.h"
#include "ir/linear.h"
#include "ir/rewrite/rules.h"
#include "ir/scalar_ops.h"

namespace bw::ir {
namespace {

bool is_const(const NodePtr& node) {
  return node->op == Op::kConst;
}

bool is_index_dtype(DType dtype) {
  return dtype == DType::kI32 || dtype == DType::kI64;
}

}  // namespace

bool is_commutative(Op op) {
  switch (op) {
    case Op::kAdd:
    case Op::kMul:
    case Op::kMax:
    case Op::kCmpNe:
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
      return true;
    default:
      return false;
  }
}

std::optional<int64_t> integer_constant(const NodePtr& node) {
  if (!is_const(node) || is_float(node->dtype)) return std::nullopt;
  return std::get<int64_t>(node->attr<ConstAttr>().value);
}

bool is_single_iteration(const Node& node) {
  return node.op == Op::kRange && node.attr<RangeAttr>().extent == Dim(1);
}

// Constants go last, so that equal expressions are equal nodes and each rule has one case.
void Folder::order_inputs(Node& node) {
  if (!is_commutative(node.op)) return;
  NodePtr& a = node.inputs[0];
  NodePtr& b = node.inputs[1];
  const bool swap = is_const(a) != is_const(b) ? is_const(a) : builder_.serial(b) < builder_.serial(a);
  if (swap) std::swap(a, b);
}

NodePtr Folder::fold(Node node) {
  for (NodePtr& input : node.inputs) {
    if (is_single_iteration(*input)) input = builder_.constant(DType::kI32, int64_t{0});
  }
  order_inputs(node);
  if (NodePtr folded = fold_constants(node)) return folded;
  if (NodePtr replaced = rewrite::elementwise_rule_set().apply(node, *this)) return replaced;
  if (is_binary(node.op) && is_index_dtype(node.inputs[0]->dtype)) {
    if (NodePtr gathered = LinearFolder(builder_).fold(node)) return gathered;
  }
  return fold_to_point(node);
}

// A loop of known length whose iterations all have the same value. Floating-point numbers are left alone: sums round in
// each step and start from +0.0, and the largest of a NaN is -infinity. A group's range is left, as it says how many
// lanes there are.
bool Folder::is_dead_loop(const Node& reduction, const NodePtr& range) {
  const auto& attr = range->attr<RangeAttr>();
  const bool is_loop = attr.kind == RangeKind::kLoop || attr.kind == RangeKind::kUnroll;
  if (!is_loop || !attr.extent.is_static() || attr.extent.offset < 1) return false;
  const bool is_product = reduction.op == Op::kReduceMul;
  if (attr.extent.offset == 1 ? is_float(reduction.dtype) && !is_product : is_float(reduction.dtype) || is_product) {
    return false;
  }
  return !builder_.analysis_.depends_on(reduction.inputs[0], range);
}

NodePtr Folder::fold_reduction(Node node) {
  int64_t repeated = 1;
  for (size_t i = node.inputs.size(); i-- > 1;) {
    if (!is_dead_loop(node, node.inputs[i])) continue;
    // Modulo 2^64, as the sum is.
    repeated = static_cast<int64_t>(static_cast<uint64_t>(repeated) *
                                    static_cast<uint64_t>(node.inputs[i]->attr<RangeAttr>().extent.offset));
    node.inputs.erase(node.inputs.begin() + static_cast<ptrdiff_t>(i));
  }
  const Op op = node.op;
  const DType dtype = node.dtype;
  NodePtr rest = node.inputs.size() == 1 ? node.inputs[0] : builder_.intern(std::move(node));
  if (op != Op::kReduceAdd || repeated == 1) return rest;
  return builder_.op(Op::kMul, dtype, {rest, builder_.constant(dtype, wrap_integer(dtype, repeated))});
}

std::optional<Scalar> Folder::constant_value(const NodePtr& node) {
  if (!is_const(node)) return std::nullopt;
  return node->attr<ConstAttr>().value;
}

NodePtr Folder::make_constant(DType dtype, Scalar value, const Node& /*like*/) {
  return builder_.constant(dtype, value);
}

NodePtr Folder::make(Op op, DType dtype, std::vector<NodePtr> inputs) {
  return builder_.op(op, dtype, std::move(inputs));
}

Interval Folder::bounds(const NodePtr& node) {
  return builder_.bounds_.of(node);
}

NodePtr Folder::fold_constants(const Node& node) {
  if (!std::all_of(node.inputs.begin(), node.inputs.end(), is_const)) return nullptr;
  std::vector<Value> values;
  for (const NodePtr& input : node.inputs) {
    values.push_back(ir::constant_value(input->dtype, input->attr<ConstAttr>().value));
  }
  const DType from = node.inputs.back()->dtype;
  const Value value = apply_elementwise(node.op, from, node.dtype, values, Rounding::kToDType);
  return builder_.constant(node.dtype, is_float(node.dtype) ? Scalar(value.real) : Scalar(value.integer));
}

// The last resort: the node itself, or the only value that its bounds leave.
NodePtr Folder::fold_to_point(const Node& node) {
  NodePtr made = builder_.intern(node);
  if (is_float(node.dtype)) return made;
  const Interval bounds = builder_.bounds_.of(made);
  if (bounds.overflow || bounds.low != bounds.high) return made;
  return builder_.constant(node.dtype, bounds.low);
}

}  // namespace bw::ir
