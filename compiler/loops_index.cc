#include "compiler/loops_index.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "ir/infer.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::DType;
using ir::NodePtr;
using ir::Op;
using ir::Shape;

// Next axis at or after `axis` that is not of extent 1.
size_t skip_ones(const Shape& shape, size_t axis) {
  while (axis < shape.size() && shape[axis] == Dim(1)) ++axis;
  return axis;
}

std::vector<int64_t> extents_of(const Shape& shape, const std::vector<size_t>& axes) {
  std::vector<int64_t> extents;
  for (size_t axis : axes) extents.push_back(shape[axis].max());
  return extents;
}

}  // namespace

std::vector<int64_t> max_extents(const Shape& shape) {
  std::vector<int64_t> extents;
  for (const Dim& dim : shape) extents.push_back(dim.max());
  return extents;
}

std::optional<std::vector<ReshapeGroup>> reshape_groups(const Shape& from, const Shape& to) {
  if (ir::max_element_count(from) == 0) return std::nullopt;
  std::vector<ReshapeGroup> groups;
  size_t i = skip_ones(from, 0);
  size_t j = skip_ones(to, 0);
  while (i < from.size() && j < to.size()) {
    ReshapeGroup group{{i}, {j}};
    Dim left = from[i];
    Dim right = to[j];
    while (left != right) {
      const bool grow_left = left.is_static() && right.is_static() && left.offset < right.offset;
      const Shape& shape = grow_left ? from : to;
      size_t& axis = grow_left ? i : j;
      axis = skip_ones(shape, axis + 1);
      if (!left.is_static() || !right.is_static() || axis == shape.size() || !shape[axis].is_static()) {
        return std::nullopt;
      }
      (grow_left ? group.from : group.to).push_back(axis);
      (grow_left ? left : right).offset *= shape[axis].offset;
    }
    groups.push_back(std::move(group));
    i = skip_ones(from, i + 1);
    j = skip_ones(to, j + 1);
  }
  if (i != from.size() || j != to.size()) return std::nullopt;
  return groups;
}

NodePtr IndexMath::constant(int64_t value) {
  const bool fits = value >= ir::min_integer(DType::kI32) && value <= ir::max_integer(DType::kI32);
  return builder_.constant(fits ? DType::kI32 : DType::kI64, value);
}

NodePtr IndexMath::less(NodePtr a, NodePtr b) {
  const bool is_wide = a->dtype == DType::kI64 || b->dtype == DType::kI64;
  for (NodePtr* side : {&a, &b}) {
    if (is_wide) *side = builder_.op(Op::kCast, DType::kI64, {std::move(*side)});
  }
  return builder_.op(Op::kCmpLt, DType::kBool, {std::move(a), std::move(b)});
}

// What lies within an extent that i32 can count to is an i32 again.
NodePtr IndexMath::narrow(NodePtr index, const Dim& extent) {
  if (index->dtype != DType::kI64 || ir::range_dtype(extent) == DType::kI64) return index;
  return builder_.op(Op::kCast, DType::kI32, {std::move(index)});
}

NodePtr IndexMath::position(const Index& index, std::span<const int64_t> extents) {
  BW_CHECK(index.size() == extents.size());
  NodePtr result;
  for (size_t axis = 0; axis < index.size(); ++axis) {
    if (extents[axis] == 1) continue;
    result = result == nullptr ? index[axis] : builder_.add(builder_.mul(result, extents[axis]), index[axis]);
  }
  return result == nullptr ? constant(0) : result;
}

Index IndexMath::split(NodePtr position, std::span<const int64_t> extents) {
  Index index(extents.size());
  // The first axis that is not of extent 1 takes what is left.
  size_t first = 0;
  while (first < extents.size() && extents[first] == 1) ++first;
  for (size_t axis = extents.size(); axis-- > 0;) {
    if (extents[axis] == 1) {
      index[axis] = constant(0);
    } else if (axis == first) {
      index[axis] = narrow(position, extents[axis]);
    } else {
      index[axis] = narrow(builder_.mod(position, extents[axis]), extents[axis]);
      position = builder_.idiv(position, extents[axis]);
    }
  }
  return index;
}

Index IndexMath::reshape(const Shape& from, const Shape& to, const Index& index) {
  const auto groups = reshape_groups(from, to);
  BW_CHECK(groups.has_value());
  Index result(from.size(), constant(0));
  for (const ReshapeGroup& group : *groups) {
    if (group.from.size() == 1 && group.to.size() == 1) {
      result[group.from[0]] = index[group.to[0]];
      continue;
    }
    Index inner;
    for (size_t axis : group.to) inner.push_back(index[axis]);
    const Index outer = split(position(inner, extents_of(to, group.to)), extents_of(from, group.from));
    for (size_t i = 0; i < outer.size(); ++i) result[group.from[i]] = outer[i];
  }
  return result;
}

Index IndexMath::source_index(const ir::Node& movement, const Index& index) {
  const Shape& from = movement.inputs[0]->shape;
  Index result = index;
  switch (movement.op) {
    case Op::kReshape:
      return reshape(from, movement.shape, index);
    case Op::kPermute: {
      const auto& axes = movement.attr<ir::AxesAttr>().axes;
      for (size_t i = 0; i < axes.size(); ++i) result[axes[i]] = index[i];
      return result;
    }
    case Op::kExpand:
      for (size_t i = 0; i < from.size(); ++i) {
        if (from[i] == Dim(1)) result[i] = constant(0);
      }
      return result;
    case Op::kShrink: {
      const auto& begin = movement.attr<ir::ShrinkAttr>().begin;
      for (size_t i = 0; i < from.size(); ++i) {
        result[i] = narrow(builder_.add(index[i], builder_.dim(begin[i])), from[i]);
      }
      return result;
    }
    case Op::kFlip:
      for (int axis : movement.attr<ir::AxesAttr>().axes) {
        const NodePtr last = builder_.add(builder_.dim(from[axis]), -1);
        result[axis] = clamp(builder_.add(last, builder_.mul(index[axis], -1)), from[axis]);
      }
      return result;
    default:
      BW_CHECK(false);
      return result;
  }
}

NodePtr IndexMath::clamp(NodePtr index, const Dim& extent) {
  index = narrow(std::move(index), extent);
  if (builder_.is_within(index, extent)) return index;
  // No min among the ops: the smaller of a and b is -max(-a, -b).
  if (!extent.is_static() && builder_.bounds(index).high >= extent.min()) {
    const NodePtr last = builder_.add(builder_.dim(extent), -1);
    const DType dtype = ir::range_dtype(extent);
    const auto as_index = [&](NodePtr value) { return builder_.op(Op::kCast, dtype, {std::move(value)}); };
    const NodePtr negated =
        builder_.op(Op::kMax, dtype, {as_index(builder_.mul(index, -1)), as_index(builder_.mul(last, -1))});
    index = as_index(builder_.mul(negated, -1));
  }
  return builder_.clamp(std::move(index), 0, std::max<int64_t>(extent.max() - 1, 0));
}

}  // namespace bw::compiler
