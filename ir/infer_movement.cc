// Owns: the shape rules of the movement ops.

#include <algorithm>

#include "ir/infer.h"
#include "ir/text.h"

namespace bw::ir {
namespace {

template <typename... Args>
Status wrong(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "{}: {}", name(node.op), fmt::format(format, std::forward<Args>(args)...));
}

// A shape as its symbolic extents and the number of elements before, between and after them.
struct Segments {
  std::vector<Dim> symbolic;
  std::vector<int64_t> counts;
};

Segments cut_at_symbolic(const Shape& shape) {
  Segments result;
  Shape segment;
  for (const Dim& dim : shape) {
    if (dim.is_static()) {
      segment.push_back(dim);
      continue;
    }
    result.symbolic.push_back(dim);
    result.counts.push_back(max_element_count(segment));
    segment.clear();
  }
  result.counts.push_back(max_element_count(segment));
  return result;
}

Result<Shape> infer_reshape(const Node& node, const Shape& from, const Shape& to) {
  BW_RETURN_IF_ERROR(check_shape(node, to));
  const Segments a = cut_at_symbolic(from);
  const Segments b = cut_at_symbolic(to);
  if (a.symbolic != b.symbolic) {
    return wrong(node, "{} to {}: each symbolic extent must stay an axis of its own, in order",
                 describe(*node.inputs[0]), print_shape(to));
  }
  if (a.counts != b.counts) {
    return wrong(node, "{} to {}: the element counts differ", describe(*node.inputs[0]), print_shape(to));
  }
  return to;
}

Result<Shape> infer_expand(const Node& node, const Shape& from, const Shape& to) {
  BW_RETURN_IF_ERROR(check_shape(node, to));
  if (from.size() != to.size()) {
    return wrong(node, "{} to {}: the ranks differ (reshape first)", describe(*node.inputs[0]), print_shape(to));
  }
  for (size_t i = 0; i < to.size(); ++i) {
    if (from[i] != to[i] && from[i] != Dim(1)) {
      return wrong(node, "{} to {}: axis {} has extent {}, and only 1 can be expanded", describe(*node.inputs[0]),
                   print_shape(to), i, print_dim(from[i]));
    }
  }
  return to;
}

Result<Shape> infer_permute(const Node& node, const Shape& from, const std::vector<int>& axes) {
  std::vector<int> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  bool fits = sorted.size() == from.size();
  for (size_t i = 0; fits && i < sorted.size(); ++i) fits = sorted[i] == static_cast<int>(i);
  if (!fits) {
    return wrong(node, "[{}] is not an order of the axes of {}", fmt::join(axes, ", "), describe(*node.inputs[0]));
  }
  Shape shape;
  for (int axis : axes) shape.push_back(from[axis]);
  return shape;
}

Result<Shape> infer_flip(const Node& node, const Shape& from, const std::vector<int>& axes) {
  int previous = -1;
  for (int axis : axes) {
    if (axis < 0 || static_cast<size_t>(axis) >= from.size()) {
      return wrong(node, "{} has no axis {}", describe(*node.inputs[0]), axis);
    }
    if (axis <= previous) return wrong(node, "the axes must ascend, but {} follows {}", axis, previous);
    previous = axis;
  }
  return from;
}

Result<Shape> infer_pad(const Node& node, const Shape& from, const PadAttr& attr) {
  if (attr.before.size() != from.size() || attr.after.size() != from.size()) {
    return wrong(node, "{} and {} amounts do not match the axes of {}", attr.before.size(), attr.after.size(),
                 describe(*node.inputs[0]));
  }
  Shape shape = from;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (attr.before[i] < 0 || attr.after[i] < 0) {
      return wrong(node, "axis {} of {} is padded by {} and {}; shrink instead of a negative amount", i,
                   describe(*node.inputs[0]), attr.before[i], attr.after[i]);
    }
    if (attr.before[i] > kMaxElements || attr.after[i] > kMaxElements) {
      return wrong(node, "padding axis {} by {} and {} is too much", i, attr.before[i], attr.after[i]);
    }
    shape[i].offset += attr.before[i] + attr.after[i];
  }
  return shape;
}

Result<Shape> infer_shrink(const Node& node, const Shape& from, const ShrinkAttr& attr) {
  if (attr.begin.size() != from.size() || attr.end.size() != from.size()) {
    return wrong(node, "{} begins and {} ends do not match the axes of {}", attr.begin.size(), attr.end.size(),
                 describe(*node.inputs[0]));
  }
  Shape shape;
  for (size_t i = 0; i < from.size(); ++i) {
    const Dim& begin = attr.begin[i];
    const Dim& end = attr.end[i];
    BW_RETURN_IF_ERROR(check_dim(node, begin));
    BW_RETURN_IF_ERROR(check_dim(node, end));
    if (!always_le(0, begin) || !always_le(begin, end) || !always_le(end, from[i])) {
      return wrong(node, "{}..{} is not proven to lie within axis {} of {}", print_dim(begin), print_dim(end), i,
                   describe(*node.inputs[0]));
    }
    if (begin.variable == end.variable) {
      shape.push_back(end.offset - begin.offset);
    } else if (begin.is_static()) {
      shape.push_back(Dim(end.variable, end.offset - begin.offset));
    } else {
      return wrong(node, "{}..{} of axis {} has no extent that is a variable plus a constant", print_dim(begin),
                   print_dim(end), i);
    }
  }
  return shape;
}

template <typename T>
const T* attribute(const Node& node) {
  return std::get_if<T>(&node.attribute);
}

}  // namespace

Result<Shape> infer_movement(const Node& node) {
  const Shape& from = node.inputs[0]->shape;
  if (const auto* shape = attribute<ShapeAttr>(node)) {
    if (node.op == Op::kReshape) return infer_reshape(node, from, shape->shape);
    if (node.op == Op::kExpand) return infer_expand(node, from, shape->shape);
  }
  if (const auto* axes = attribute<AxesAttr>(node)) {
    if (node.op == Op::kPermute) return infer_permute(node, from, axes->axes);
    if (node.op == Op::kFlip) return infer_flip(node, from, axes->axes);
  }
  const auto* pad = attribute<PadAttr>(node);
  if (pad != nullptr && node.op == Op::kPad) return infer_pad(node, from, *pad);
  const auto* shrink = attribute<ShrinkAttr>(node);
  if (shrink != nullptr && node.op == Op::kShrink) return infer_shrink(node, from, *shrink);
  return wrong(node, "does not have the attribute that it needs");
}

}  // namespace bw::ir
