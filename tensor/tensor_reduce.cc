// Owns: the reductions of Tensor and what is made of them: softmax, argmax, matrix products.
#include <algorithm>
#include <limits>
#include <utility>

#include "ir/text.h"
#include "tensor/tensor.h"

namespace bw::tensor {
namespace {

using ir::Op;

bool is_short_float(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16;
}

// 32-bit patterns of floats, as i32, in an order that comparing integers respects; -0 counts as +0.
Tensor ordered_bits(const Tensor& x) {
  const Tensor bits = where(x.ne(x.scalar(0)), x, x.scalar(0)).bitcast(DType::kI32);
  return where(bits.lt(bits.scalar(0)), bits ^ bits.scalar(0x7fffffff), bits);
}

}  // namespace

Tensor Tensor::reduce(Op op, std::vector<int> axes, Reduced reduced) const {
  if (!is_ok()) return *this;
  if (dtype() == DType::kBool) {
    return Tensor(error(StatusCode::kInvalidArgument, "{} of bool (cast it first)", ir::name(op)));
  }
  if (axes.empty()) {
    for (int axis = 0; axis < rank(); ++axis) axes.push_back(axis);
  }
  for (int& axis : axes) {
    auto normal = normalise_axis(axis);
    if (!normal.is_ok()) return Tensor(std::move(normal).status().with_context(ir::name(op)));
    axis = normal.value();
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
    return Tensor(error(StatusCode::kInvalidArgument, "{}: an axis is given twice", ir::name(op)));
  }
  if (axes.empty()) return *this;

  const bool widen = is_short_float(dtype()) && op != Op::kReduceMax;
  const Tensor wide = widen ? cast(DType::kF32) : *this;
  if (!wide.is_ok()) return wide;
  Tensor result = wrap(state_->runtime->builder().reduce(op, wide.node(), axes));
  if (widen) result = result.cast(dtype());
  if (!result.is_ok() || reduced == Reduced::kKeep) return result;
  Shape kept;
  for (int axis = 0; axis < rank(); ++axis) {
    if (!std::binary_search(axes.begin(), axes.end(), axis)) kept.push_back(shape()[static_cast<size_t>(axis)]);
  }
  return result.reshape(std::move(kept));
}

Tensor Tensor::sum(std::vector<int> axes, Reduced reduced) const {
  return reduce(Op::kReduceAdd, std::move(axes), reduced);
}

Tensor Tensor::prod(std::vector<int> axes, Reduced reduced) const {
  return reduce(Op::kReduceMul, std::move(axes), reduced);
}

Tensor Tensor::max(std::vector<int> axes, Reduced reduced) const {
  return reduce(Op::kReduceMax, std::move(axes), reduced);
}

Tensor Tensor::min(std::vector<int> axes, Reduced reduced) const {
  if (!is_ok()) return *this;
  if (ir::is_float(dtype())) return -(-*this).max(std::move(axes), reduced);
  // The complement turns the order of integers around, signed or not.
  return (*this ^ all_ones()).max(std::move(axes), reduced) ^ all_ones();
}

Tensor Tensor::mean(std::vector<int> axes, Reduced reduced) const {
  if (!is_ok()) return *this;
  int64_t count = 1;
  for (int axis = 0; axis < rank(); ++axis) {
    const bool is_reduced =
        axes.empty() || std::any_of(axes.begin(), axes.end(), [&](int a) { return a == axis || a + rank() == axis; });
    if (!is_reduced) continue;
    const Dim& dim = shape()[static_cast<size_t>(axis)];
    if (!dim.is_static()) {
      return Tensor(
          error(StatusCode::kUnsupported, "mean over the symbolic axis {} of {}", axis, ir::print_shape(shape())));
    }
    count *= dim.offset;
  }
  if (!ir::is_float(dtype())) {
    return Tensor(error(StatusCode::kInvalidArgument, "mean of {} (cast it first)", ir::name(dtype())));
  }
  return sum(std::move(axes), reduced) * (1.0 / static_cast<double>(count));
}

Tensor Tensor::argmax(int axis) const {
  if (!is_ok()) return *this;
  auto normal = normalise_axis(axis);
  if (!normal.is_ok()) return Tensor(std::move(normal).status().with_context("argmax"));
  if (ir::size_bytes(dtype()) > 4 || dtype() == DType::kBool) {
    return Tensor(
        error(StatusCode::kUnsupported, "argmax of {} (cast it to a type of up to 32 bits)", ir::name(dtype())));
  }
  if (shape()[static_cast<size_t>(normal.value())].max() > std::numeric_limits<int32_t>::max()) {
    return Tensor(error(StatusCode::kUnsupported, "argmax along an axis of 2^31 elements or more (split it)"));
  }
  // Value and index in one integer: the value above, the complement of the index below, so that the largest key is the
  // first of the largest values, and one reduction finds it.
  constexpr double kIndexRange = 0x1p31;
  const Tensor order = ir::is_float(dtype()) ? ordered_bits(cast(DType::kF32)) : *this;
  Shape index_shape(shape().size(), Dim(1));
  index_shape[static_cast<size_t>(normal.value())] = shape()[static_cast<size_t>(normal.value())];
  const Tensor index =
      arange(state_->runtime, DType::kI32, index_shape[static_cast<size_t>(normal.value())]).reshape(index_shape);
  const Tensor below = index.scalar(kIndexRange - 1) - index;
  const Tensor key = order.cast(DType::kI64) * kIndexRange + below.cast(DType::kI64);
  const Tensor best = key.max({normal.value()});
  return (best & best.scalar(kIndexRange - 1)).cast(DType::kI32) * -1.0 + (kIndexRange - 1);
}

Tensor Tensor::softmax(int axis) const {
  if (!is_ok()) return *this;
  const Tensor powers = (*this - max({axis}, Reduced::kKeep)).exp();
  return powers / powers.sum({axis}, Reduced::kKeep);
}

Tensor Tensor::matmul(const Tensor& other) const {
  if (!is_ok()) return *this;
  if (!other.is_ok()) return other;
  if (rank() == 0 || other.rank() == 0) {
    return Tensor(error(StatusCode::kInvalidArgument, "matmul of shapes {} and {}: a scalar is no matrix",
                        ir::print_shape(shape()), ir::print_shape(other.shape())));
  }
  if (rank() == 1) return unsqueeze(0).matmul(other).squeeze(other.rank() == 1 ? 0 : -2);
  if (other.rank() == 1) return matmul(other.unsqueeze(1)).squeeze(-1);
  if (dtype() != other.dtype()) {
    return Tensor(error(StatusCode::kInvalidArgument, "matmul of {} and {} (cast one of them)", ir::name(dtype()),
                        ir::name(other.dtype())));
  }
  if (shape().back() != other.shape()[other.shape().size() - 2]) {
    return Tensor(error(StatusCode::kInvalidArgument, "matmul of shapes {} and {}: the inner extents differ",
                        ir::print_shape(shape()), ir::print_shape(other.shape())));
  }
  const bool widen = is_short_float(dtype());
  const Tensor rows = (widen ? cast(DType::kF32) : *this).unsqueeze(-2);
  const Tensor columns = (widen ? other.cast(DType::kF32) : other).transpose(-1, -2).unsqueeze(-3);
  const Tensor result = (rows * columns).sum({-1});
  return widen ? result.cast(dtype()) : result;
}

}  // namespace bw::tensor
