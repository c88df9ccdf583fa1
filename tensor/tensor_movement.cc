// Owns: the movement operations of Tensor, and broadcasting.
#include <algorithm>
#include <limits>
#include <utility>

#include "ir/text.h"
#include "tensor/tensor.h"

namespace bw::tensor {

Result<Shape> broadcast_shapes(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result(rank, Dim(1));
  for (size_t i = 0; i < rank; ++i) {
    const Dim da = i < rank - a.size() ? Dim(1) : a[i - (rank - a.size())];
    const Dim db = i < rank - b.size() ? Dim(1) : b[i - (rank - b.size())];
    if (da != db && da != Dim(1) && db != Dim(1)) {
      return error(StatusCode::kInvalidArgument, "shapes {} and {} do not broadcast: axis {} differs",
                   ir::print_shape(a), ir::print_shape(b), i);
    }
    result[i] = da == Dim(1) ? db : da;
  }
  return result;
}

Result<int> Tensor::normalise_axis(int axis) const {
  if (axis < -rank() || axis >= rank()) {
    return error(StatusCode::kInvalidArgument, "axis {} of a tensor of shape {}", axis, ir::print_shape(shape()));
  }
  return axis < 0 ? axis + rank() : axis;
}

Tensor Tensor::reshape(Shape new_shape) const {
  if (!is_ok()) return *this;
  const auto open = std::find_if(new_shape.begin(), new_shape.end(),
                                 [](const Dim& dim) { return dim.is_static() && dim.offset == -1; });
  if (open != new_shape.end()) {
    int64_t known = 1;
    bool fits = true;
    for (const Dim& dim : new_shape) {
      if (&dim != &*open && dim.is_static()) fits &= !__builtin_mul_overflow(known, dim.offset, &known);
    }
    int64_t count = 1;
    for (const Dim& dim : shape()) {
      if (dim.is_static()) fits &= !__builtin_mul_overflow(count, dim.offset, &count);
    }
    if (!fits || known <= 0 || count % known != 0) {
      return Tensor(error(StatusCode::kInvalidArgument, "reshaping {} to {}: no extent in place of -1 fits",
                          ir::print_shape(shape()), ir::print_shape(new_shape)));
    }
    *open = Dim(count / known);
  }
  return wrap(state_->runtime->builder().reshape(node(), std::move(new_shape)));
}

Tensor Tensor::permute(std::vector<int> axes) const {
  if (!is_ok()) return *this;
  for (int& axis : axes) {
    auto normal = normalise_axis(axis);
    if (!normal.is_ok()) return Tensor(std::move(normal).status().with_context("permute"));
    axis = normal.value();
  }
  return wrap(state_->runtime->builder().permute(node(), std::move(axes)));
}

Tensor Tensor::transpose(int axis_a, int axis_b) const {
  if (!is_ok()) return *this;
  auto a = normalise_axis(axis_a);
  if (!a.is_ok()) return Tensor(std::move(a).status().with_context("transpose"));
  auto b = normalise_axis(axis_b);
  if (!b.is_ok()) return Tensor(std::move(b).status().with_context("transpose"));
  std::vector<int> axes(shape().size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
  std::swap(axes[static_cast<size_t>(a.value())], axes[static_cast<size_t>(b.value())]);
  return permute(std::move(axes));
}

Tensor Tensor::expand(const Shape& wanted) const {
  if (!is_ok() || shape() == wanted) return *this;
  auto joint = broadcast_shapes(shape(), wanted);
  if (!joint.is_ok()) return Tensor(std::move(joint).status());
  if (joint.value() != wanted) {
    return Tensor(error(StatusCode::kInvalidArgument, "expanding a tensor of shape {} to {}", ir::print_shape(shape()),
                        ir::print_shape(wanted)));
  }
  Tensor aligned = *this;
  if (shape().size() < wanted.size()) {
    Shape padded(wanted.size() - shape().size(), Dim(1));
    padded.insert(padded.end(), shape().begin(), shape().end());
    aligned = reshape(std::move(padded));
  }
  if (!aligned.is_ok() || aligned.shape() == wanted) return aligned;
  return aligned.wrap(state_->runtime->builder().expand(aligned.node(), wanted));
}

Tensor Tensor::pad(std::vector<int64_t> before, std::vector<int64_t> after) const {
  if (!is_ok()) return *this;
  return wrap(state_->runtime->builder().pad(node(), std::move(before), std::move(after)));
}

Tensor Tensor::shrink(std::vector<Dim> begin, std::vector<Dim> end) const {
  if (!is_ok()) return *this;
  return wrap(state_->runtime->builder().shrink(node(), std::move(begin), std::move(end)));
}

Tensor Tensor::slice(int axis, const Dim& begin, const Dim& end) const {
  if (!is_ok()) return *this;
  auto normal = normalise_axis(axis);
  if (!normal.is_ok()) return Tensor(std::move(normal).status().with_context("slice"));
  std::vector<Dim> begins(shape().size(), Dim(0));
  std::vector<Dim> ends = shape();
  begins[static_cast<size_t>(normal.value())] = begin;
  ends[static_cast<size_t>(normal.value())] = end;
  return shrink(std::move(begins), std::move(ends));
}

Tensor Tensor::flip(std::vector<int> axes) const {
  if (!is_ok()) return *this;
  for (int& axis : axes) {
    auto normal = normalise_axis(axis);
    if (!normal.is_ok()) return Tensor(std::move(normal).status().with_context("flip"));
    axis = normal.value();
  }
  std::sort(axes.begin(), axes.end());
  return wrap(state_->runtime->builder().flip(node(), std::move(axes)));
}

Tensor Tensor::unsqueeze(int axis) const {
  if (!is_ok()) return *this;
  const int at = axis < 0 ? axis + rank() + 1 : axis;
  if (at < 0 || at > rank()) {
    return Tensor(error(StatusCode::kInvalidArgument, "unsqueeze at axis {} of a tensor of shape {}", axis,
                        ir::print_shape(shape())));
  }
  Shape wider = shape();
  wider.insert(wider.begin() + at, Dim(1));
  return reshape(std::move(wider));
}

Tensor Tensor::squeeze(int axis) const {
  if (!is_ok()) return *this;
  auto normal = normalise_axis(axis);
  if (!normal.is_ok()) return Tensor(std::move(normal).status().with_context("squeeze"));
  Shape narrower = shape();
  if (narrower[static_cast<size_t>(normal.value())] != Dim(1)) {
    return Tensor(error(StatusCode::kInvalidArgument, "squeeze of axis {} of shape {}: its extent is not 1", axis,
                        ir::print_shape(shape())));
  }
  narrower.erase(narrower.begin() + normal.value());
  return reshape(std::move(narrower));
}

Tensor cat(const std::vector<Tensor>& tensors, int axis) {
  if (tensors.empty()) return Tensor(error(StatusCode::kInvalidArgument, "cat of no tensors"));
  for (const Tensor& tensor : tensors) {
    if (!tensor.is_ok()) return tensor;
  }
  const Tensor& first = tensors.front();
  const int at = axis < 0 ? axis + first.rank() : axis;
  if (at < 0 || at >= first.rank()) {
    return Tensor(
        error(StatusCode::kInvalidArgument, "cat along axis {} of shape {}", axis, ir::print_shape(first.shape())));
  }
  const auto position = static_cast<size_t>(at);
  int64_t total = 0;
  for (const Tensor& tensor : tensors) {
    Shape like_first = tensor.shape();
    if (like_first.size() == first.shape().size()) like_first[position] = first.shape()[position];
    if (like_first != first.shape() || !tensor.shape()[position].is_static()) {
      return Tensor(error(StatusCode::kInvalidArgument, "cat along axis {} of shapes {} and {}", axis,
                          ir::print_shape(first.shape()), ir::print_shape(tensor.shape())));
    }
    total += tensor.shape()[position].offset;
  }
  // Each tensor padded to the whole length; the index along the axis chooses, so that values pass unchanged.
  Shape index_shape(first.shape().size(), Dim(1));
  index_shape[position] = Dim(total);
  const DType counted = total > std::numeric_limits<int32_t>::max() ? DType::kI64 : DType::kI32;
  const Tensor index = Tensor::arange(first.runtime(), counted, total).reshape(index_shape);
  Tensor result;
  int64_t start = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t extent = tensors[i].shape()[position].offset;
    std::vector<int64_t> before(first.shape().size(), 0);
    std::vector<int64_t> after(first.shape().size(), 0);
    before[position] = start;
    after[position] = total - start - extent;
    const Tensor padded = tensors[i].pad(before, after);
    result = i == 0 ? padded : where(index.lt(index.scalar(static_cast<double>(start))), result, padded);
    start += extent;
  }
  return result;
}

}  // namespace bw::tensor
