// Owns: the dtype and shape rules of leaves and of the memory ops.

#include <limits>

#include "ir/infer.h"
#include "ir/text.h"

namespace bw::ir {
namespace {

template <typename... Args>
Status wrong(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "{}: {}", name(node.op), fmt::format(format, std::forward<Args>(args)...));
}

Status check_const(const Node& node) {
  const auto* attr = std::get_if<ConstAttr>(&node.attribute);
  if (attr == nullptr) return wrong(node, "has no value");
  const auto* integer = std::get_if<int64_t>(&attr->value);
  if (is_float(node.dtype) != (integer == nullptr)) {
    return wrong(node, "the value of a constant of {} must be {}", name(node.dtype),
                 is_float(node.dtype) ? "a floating-point number" : "an integer");
  }
  if (integer == nullptr || node.dtype == DType::kU64) return Status::ok();
  if (*integer < min_integer(node.dtype) || *integer > max_integer(node.dtype)) {
    return wrong(node, "{} does not fit {} ({}..{})", *integer, name(node.dtype), min_integer(node.dtype),
                 max_integer(node.dtype));
  }
  return Status::ok();
}

Status check_param(const Node& node) {
  if (!std::holds_alternative<ParamAttr>(node.attribute)) return wrong(node, "has no id");
  BW_RETURN_IF_ERROR(check_shape(node, node.shape));
  for (const Dim& dim : node.shape) {
    if (!dim.is_static()) {
      return wrong(node, "a buffer needs a static shape, not {} (use the largest extent, and shrink)",
                   print_shape(node.shape));
    }
  }
  return Status::ok();
}

Status check_variable(const Node& node) {
  const auto* attr = std::get_if<VariableAttr>(&node.attribute);
  if (attr == nullptr) return wrong(node, "has no bounds");
  if (node.dtype != DType::kI32) return wrong(node, "is i32, not {}", name(node.dtype));
  if (attr->name.empty()) return wrong(node, "needs a name");
  if (attr->min < 0 || attr->max < attr->min || attr->max > std::numeric_limits<int32_t>::max()) {
    return wrong(node, "the bounds {}..{} of '{}' must be 0 <= min <= max < 2^31", attr->min, attr->max, attr->name);
  }
  return Status::ok();
}

Status check_range(const Node& node) {
  const auto* attr = std::get_if<RangeAttr>(&node.attribute);
  if (attr == nullptr) return wrong(node, "has no extent");
  BW_RETURN_IF_ERROR(check_shape(node, {attr->extent}));
  const DType wanted = range_dtype(attr->extent);
  if (node.dtype != wanted) {
    return wrong(node, "with the extent {} is {}, not {}", print_dim(attr->extent), name(wanted), name(node.dtype));
  }
  return Status::ok();
}

// The param that a chain of reshape, permute, shrink and flip starts from, or the store that left it.
const Node* base_of_view(const Node& view) {
  const Node* base = &view;
  while (base->inputs.size() == 1 &&
         (base->op == Op::kReshape || base->op == Op::kPermute || base->op == Op::kShrink || base->op == Op::kFlip)) {
    base = base->inputs[0].get();
  }
  return base->op == Op::kParam || base->op == Op::kStore ? base : nullptr;
}

}  // namespace

DType range_dtype(const Dim& extent) {
  if (!extent.is_static() && extent.variable->op != Op::kVariable) return DType::kI32;  // check_dim refuses it
  return extent.max() > std::numeric_limits<int32_t>::max() ? DType::kI64 : DType::kI32;
}

Status check_leaf_attribute(const Node& node) {
  BW_RETURN_IF_ERROR(check_input_count(node, 0));
  switch (node.op) {
    case Op::kConst:
      return check_const(node);
    case Op::kParam:
      return check_param(node);
    case Op::kVariable:
      return check_variable(node);
    case Op::kRange:
      return check_range(node);
    default:
      return wrong(node, "is not a leaf");
  }
}

Result<Inferred> infer_leaf(const Node& node) {
  BW_RETURN_IF_ERROR(check_leaf_attribute(node));
  if (node.op == Op::kParam) return Inferred{node.dtype, node.shape};
  if (node.op == Op::kRange) {
    const auto& attr = node.attr<RangeAttr>();
    if (attr.id != 0 || attr.kind != RangeKind::kLoop) return wrong(node, "has an id or kind, but is not in a kernel");
    return Inferred{node.dtype, {attr.extent}};
  }
  return Inferred{node.dtype, {}};
}

Result<Inferred> infer_gather(const Node& node) {
  BW_RETURN_IF_ERROR(check_input_count(node, 2));
  const Node& source = *node.inputs[0];
  const Node& index = *node.inputs[1];
  if (source.shape.empty()) return wrong(node, "the source {} has no axis to gather from", describe(source));
  if (!is_integer(index.dtype)) return wrong(node, "the index must be an integer, not {}", describe(index));
  if (source.shape[0].min() < 1) {
    return wrong(node, "the first axis of the source {} can be empty", describe(source));
  }
  Shape shape = index.shape;
  shape.insert(shape.end(), source.shape.begin() + 1, source.shape.end());
  BW_RETURN_IF_ERROR(check_shape(node, shape));
  return Inferred{source.dtype, std::move(shape)};
}

Result<Inferred> infer_store(const Node& node) {
  BW_RETURN_IF_ERROR(check_input_count(node, 2));
  const Node& view = *node.inputs[0];
  const Node& value = *node.inputs[1];
  const Node* base = base_of_view(view);
  if (base == nullptr) {
    return wrong(node, "the target must be a param or a view of one (reshape, permute, shrink, flip), not {}",
                 print_node(view));
  }
  if (value.dtype != view.dtype || value.shape != view.shape) {
    return wrong(node, "the value {} does not fit the view {}", describe(value), describe(view));
  }
  return Inferred{base->dtype, base->shape};
}

}  // namespace bw::ir
