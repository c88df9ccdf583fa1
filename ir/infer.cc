#include "ir/infer.h"

#include <algorithm>
#include <limits>

#include "ir/text.h"

namespace bw::ir {
namespace {

template <typename... Args>
Status wrong(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "{}: {}", name(node.op), fmt::format(format, std::forward<Args>(args)...));
}

std::string describe_inputs(const Node& node) {
  std::string text;
  for (const NodePtr& input : node.inputs) text += (text.empty() ? "" : ", ") + describe(*input);
  return text;
}

Status check_binary_dtype(const Node& node) {
  const DType dtype = node.inputs[0]->dtype;
  if (dtype != node.inputs[1]->dtype) {
    return wrong(node, "the inputs differ in dtype: {} (cast one of them)", describe_inputs(node));
  }
  const bool only_integers = node.op == Op::kIDiv || node.op == Op::kMod || node.op == Op::kShl || node.op == Op::kShr;
  const bool bits = node.op == Op::kAnd || node.op == Op::kOr || node.op == Op::kXor;
  if (only_integers && !is_integer(dtype)) return wrong(node, "needs integers, not {}", name(dtype));
  if (bits && is_float(dtype)) return wrong(node, "needs integers or bool, not {}", name(dtype));
  return Status::ok();
}

Result<DType> where_dtype(const Node& node) {
  if (node.inputs[0]->dtype != DType::kBool) {
    return wrong(node, "the condition must be bool, not {}", name(node.inputs[0]->dtype));
  }
  if (node.inputs[1]->dtype != node.inputs[2]->dtype) {
    return wrong(node, "the two values differ in dtype: {} (cast one of them)", describe_inputs(node));
  }
  return node.inputs[1]->dtype;
}

Result<DType> mul_acc_dtype(const Node& node) {
  const DType dtype = node.inputs[0]->dtype;
  if (node.inputs[1]->dtype != dtype || node.inputs[2]->dtype != dtype) {
    return wrong(node, "the inputs differ in dtype: {} (cast some of them)", describe_inputs(node));
  }
  if (dtype == DType::kBool) return wrong(node, "needs numbers, not bool");
  return dtype;
}

Result<DType> bitcast_dtype(const Node& node) {
  const DType from = node.inputs[0]->dtype;
  if (from == DType::kBool || node.dtype == DType::kBool) {
    return wrong(node, "bool has no bits to cast ({} to {}); use cast", name(from), name(node.dtype));
  }
  if (size_bytes(from) != size_bytes(node.dtype)) {
    return wrong(node, "{} to {} changes the element size, which only a param allows", describe(*node.inputs[0]),
                 name(node.dtype));
  }
  return node.dtype;
}

// Another view of the bytes of a param: the last axis scales.
Result<Inferred> infer_param_bitcast(const Node& node) {
  const Node& param = *node.inputs[0];
  if (param.dtype == DType::kBool || node.dtype == DType::kBool) {
    return wrong(node, "bool has no bits to cast ({} to {})", describe(param), name(node.dtype));
  }
  if (param.shape.empty()) {
    return wrong(node, "{} has no last axis that {} could scale", describe(param), name(node.dtype));
  }
  Shape shape = param.shape;
  const int64_t row_bytes = shape.back().offset * size_bytes(param.dtype);
  if (row_bytes % size_bytes(node.dtype) != 0) {
    return wrong(node, "a row of {} has {} bytes, not a multiple of {}'s {}", describe(param), row_bytes,
                 name(node.dtype), size_bytes(node.dtype));
  }
  shape.back() = row_bytes / size_bytes(node.dtype);
  BW_RETURN_IF_ERROR(check_shape(node, shape));
  return Inferred{node.dtype, std::move(shape)};
}

size_t elementwise_input_count(Op op) {
  if (is_unary(op) || op == Op::kCast || op == Op::kBitcast) return 1;
  return is_binary(op) ? 2 : 3;
}

Result<Inferred> infer_elementwise(const Node& node) {
  BW_RETURN_IF_ERROR(check_input_count(node, elementwise_input_count(node.op)));
  if (node.op == Op::kBitcast && node.inputs[0]->op == Op::kParam &&
      size_bytes(node.inputs[0]->dtype) != size_bytes(node.dtype)) {
    return infer_param_bitcast(node);
  }
  BW_ASSIGN(const DType dtype, infer_elementwise_dtype(node));
  for (const NodePtr& input : node.inputs) {
    if (input->shape != node.inputs[0]->shape) {
      return wrong(node, "the inputs differ in shape: {} (expand them first)", describe_inputs(node));
    }
  }
  return Inferred{dtype, node.inputs[0]->shape};
}

Result<Inferred> infer_reduce(const Node& node) {
  BW_RETURN_IF_ERROR(check_input_count(node, 1));
  BW_RETURN_IF_ERROR(check_reduce_dtype(node));
  const Node& input = *node.inputs[0];
  const auto* attr = std::get_if<AxesAttr>(&node.attribute);
  if (attr == nullptr || attr->axes.empty()) return wrong(node, "has no axes");
  Shape shape = input.shape;
  int previous = -1;
  for (int axis : attr->axes) {
    if (axis < 0 || static_cast<size_t>(axis) >= shape.size()) {
      return wrong(node, "{} has no axis {}", describe(input), axis);
    }
    if (axis <= previous) return wrong(node, "the axes must ascend, but {} follows {}", axis, previous);
    shape[axis] = 1;
    previous = axis;
  }
  return Inferred{input.dtype, std::move(shape)};
}

}  // namespace

std::string describe(const Node& node) {
  return fmt::format("{} {}", name(node.dtype), print_shape(node.shape));
}

Status check_input_count(const Node& node, size_t expected) {
  if (node.inputs.size() != expected) {
    return wrong(node, "has {} inputs instead of {}", node.inputs.size(), expected);
  }
  return Status::ok();
}

Status check_dim(const Node& node, const Dim& dim) {
  if (dim.offset > kMaxElements || dim.offset < -kMaxElements) {
    return wrong(node, "{} is too large for an extent (at most {})", dim.offset, kMaxElements);
  }
  if (!dim.is_static() && dim.variable->op != Op::kVariable) {
    return wrong(node, "the extent {} does not refer to a variable", print_dim(dim));
  }
  return Status::ok();
}

Status check_shape(const Node& node, const Shape& shape) {
  if (shape.size() > kMaxRank) return wrong(node, "{} axes are too many (at most {})", shape.size(), kMaxRank);
  for (const Dim& dim : shape) {
    BW_RETURN_IF_ERROR(check_dim(node, dim));
    if (dim.min() < 0) return wrong(node, "the extent {} of {} can be negative", print_dim(dim), print_shape(shape));
  }
  if (max_element_count(shape) > kMaxElements) {
    return wrong(node, "{} has too many elements (at most {})", print_shape(shape), kMaxElements);
  }
  return Status::ok();
}

bool always_le(const Dim& a, const Dim& b) {
  return a.variable == b.variable ? a.offset <= b.offset : a.max() <= b.min();
}

Status check_reduce_dtype(const Node& node) {
  const DType dtype = node.inputs[0]->dtype;
  if (dtype == DType::kBool) return wrong(node, "needs numbers, not bool (cast it)");
  return Status::ok();
}

Result<DType> infer_elementwise_dtype(const Node& node) {
  BW_RETURN_IF_ERROR(check_input_count(node, elementwise_input_count(node.op)));
  const DType first = node.inputs[0]->dtype;
  if (is_unary(node.op)) {
    if (!is_float(first)) return wrong(node, "needs floating point, not {} (cast it)", name(first));
    return first;
  }
  if (is_binary(node.op)) {
    BW_RETURN_IF_ERROR(check_binary_dtype(node));
    return node.op == Op::kCmpLt || node.op == Op::kCmpNe ? DType::kBool : first;
  }
  if (node.op == Op::kWhere) return where_dtype(node);
  if (node.op == Op::kMulAcc) return mul_acc_dtype(node);
  if (node.op == Op::kBitcast) return bitcast_dtype(node);
  return node.dtype;
}

Result<Inferred> infer(const Node& node) {
  if (is_elementwise(node.op)) return infer_elementwise(node);
  if (is_reduce(node.op)) return infer_reduce(node);
  if (is_movement(node.op)) {
    BW_RETURN_IF_ERROR(check_input_count(node, 1));
    BW_ASSIGN(Shape shape, infer_movement(node));
    BW_RETURN_IF_ERROR(check_shape(node, shape));
    return Inferred{node.inputs[0]->dtype, std::move(shape)};
  }
  switch (node.op) {
    case Op::kGather:
      return infer_gather(node);
    case Op::kStore:
      return infer_store(node);
    case Op::kContiguous:
      BW_RETURN_IF_ERROR(check_input_count(node, 1));
      return Inferred{node.inputs[0]->dtype, node.inputs[0]->shape};
    case Op::kLoad:
      return wrong(node, "has no place in a graph, only in a kernel");
    default:
      return infer_leaf(node);
  }
}

}  // namespace bw::ir
