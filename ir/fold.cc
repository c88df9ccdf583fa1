#include "ir/fold.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ir/interval.h"
#include "ir/linear.h"
#include "ir/scalar_ops.h"

namespace bw::ir {
namespace {

bool is_const(const NodePtr& node) {
  return node->op == Op::kConst;
}

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

bool is_real_constant(const NodePtr& node, double value) {
  if (!is_const(node) || !is_float(node->dtype)) return false;
  const double real = std::get<double>(node->attr<ConstAttr>().value);
  return real == value && std::signbit(real) == std::signbit(value);
}

bool is_index_dtype(DType dtype) {
  return dtype == DType::kI32 || dtype == DType::kI64;
}

// Whether casting integers or bool from `from` to `to` keeps every value.
bool holds_all(DType to, DType from) {
  if (is_float(to) || is_float(from)) return false;
  if (from == DType::kU64) return to == DType::kU64;
  return min_integer(to) <= min_integer(from) && max_integer(to) >= max_integer(from) && to != DType::kBool;
}

}  // namespace

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
  NodePtr folded;
  if (is_binary(node.op)) folded = fold_binary(node);
  if (node.op == Op::kWhere) folded = fold_where(node);
  if (node.op == Op::kCast) folded = fold_cast(node);
  if (node.op == Op::kBitcast && node.inputs[0]->dtype == node.dtype) folded = node.inputs[0];
  return folded != nullptr ? folded : fold_to_point(node);
}

NodePtr Folder::fold_constants(const Node& node) {
  if (!std::all_of(node.inputs.begin(), node.inputs.end(), is_const)) return nullptr;
  std::vector<Value> values;
  for (const NodePtr& input : node.inputs) {
    values.push_back(constant_value(input->dtype, input->attr<ConstAttr>().value));
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

NodePtr Folder::fold_binary(const Node& node) {
  if (node.op == Op::kCmpLt || node.op == Op::kCmpNe) return fold_compare(node);
  if (node.op == Op::kMax) return fold_max(node);
  if (node.dtype == DType::kBool) return fold_bool(node);
  return is_float(node.dtype) ? fold_float(node) : fold_integer(node);
}

NodePtr Folder::fold_bool(const Node& node) {
  const NodePtr& x = node.inputs[0];
  const NodePtr& y = node.inputs[1];
  if (x == y) return node.op == Op::kXor ? builder_.constant(DType::kBool, int64_t{0}) : x;
  const std::optional<int64_t> constant = integer_constant(y);
  if (!constant.has_value()) return nullptr;
  if (node.op == Op::kXor) return *constant == 0 ? x : nullptr;
  const bool is_or = node.op == Op::kAdd || node.op == Op::kOr;
  return (*constant != 0) == is_or ? y : x;
}

NodePtr Folder::fold_float(const Node& node) {
  // Adding +0.0 would turn -0.0 into +0.0; adding -0.0 changes nothing.
  if (node.op == Op::kAdd && is_real_constant(node.inputs[1], -0.0)) return node.inputs[0];
  if (node.op == Op::kMul && is_real_constant(node.inputs[1], 1.0)) return node.inputs[0];
  return nullptr;
}

NodePtr Folder::fold_integer(const Node& node) {
  const NodePtr& x = node.inputs[0];
  const std::optional<int64_t> constant = integer_constant(node.inputs[1]);
  if (is_index_dtype(node.dtype)) {
    if (NodePtr folded = LinearFolder(builder_).fold(node)) return folded;
  }
  if (x == node.inputs[1] && (node.op == Op::kAnd || node.op == Op::kOr)) return x;
  if (!constant.has_value()) return nullptr;
  const NodePtr zero = builder_.constant(node.dtype, int64_t{0});
  switch (node.op) {
    case Op::kAdd:
    case Op::kOr:
    case Op::kXor:
    case Op::kShl:
    case Op::kShr:
      return *constant == 0 ? x : nullptr;
    case Op::kMul:
      return *constant == 0 ? zero : *constant == 1 ? x : nullptr;
    case Op::kIDiv:
      return *constant == 0 ? zero : *constant == 1 ? x : nullptr;
    case Op::kMod:
      return *constant == 0 || *constant == 1 ? zero : nullptr;
    case Op::kAnd:
      return *constant == 0 ? zero : *constant == wrap_integer(node.dtype, -1) ? x : nullptr;
    default:
      return nullptr;
  }
}

NodePtr Folder::fold_compare(const Node& node) {
  const NodePtr& x = node.inputs[0];
  const NodePtr& y = node.inputs[1];
  if (x == y && (node.op == Op::kCmpLt || !is_float(x->dtype))) return builder_.constant(DType::kBool, int64_t{0});
  if (node.op == Op::kCmpLt) return is_index_dtype(x->dtype) ? LinearFolder(builder_).fold(node) : nullptr;
  if (x->dtype != DType::kBool) return nullptr;
  const std::optional<int64_t> constant = integer_constant(y);
  if (!constant.has_value()) return nullptr;
  if (*constant == 0) return x;
  const bool is_double_negation = x->op == Op::kCmpNe && x->inputs[0]->dtype == DType::kBool &&
                                  integer_constant(x->inputs[1]) == std::optional<int64_t>(1);
  return is_double_negation ? x->inputs[0] : nullptr;
}

NodePtr Folder::fold_max(const Node& node) {
  const NodePtr& x = node.inputs[0];
  const NodePtr& y = node.inputs[1];
  if (x == y) return x;
  if (is_float(node.dtype) || node.dtype == DType::kU64) return nullptr;
  const Interval of_x = builder_.bounds_.of(x);
  const Interval of_y = builder_.bounds_.of(y);
  if (of_x.low >= of_y.high) return x;
  return of_y.low >= of_x.high ? y : nullptr;
}

NodePtr Folder::fold_where(const Node& node) {
  if (node.inputs[1] == node.inputs[2]) return node.inputs[1];
  const Interval condition = builder_.bounds_.of(node.inputs[0]);
  if (condition.low == 1) return node.inputs[1];
  return condition.high == 0 ? node.inputs[2] : nullptr;
}

NodePtr Folder::fold_cast(const Node& node) {
  const NodePtr& x = node.inputs[0];
  if (x->dtype == node.dtype) return x;
  if (x->op != Op::kCast || !holds_all(x->dtype, x->inputs[0]->dtype)) return nullptr;
  // The cast inside lost nothing, so what it was cast from can be cast at once; a float target may round differently
  // from i64 than from i32, but not from a type that holds the same value.
  return builder_.op(Op::kCast, node.dtype, {x->inputs[0]});
}

}  // namespace bw::ir
