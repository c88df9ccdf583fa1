// Owns: the elementwise operations of Tensor, lowered to the primitive ones.
#include <cmath>
#include <numbers>
#include <utility>

#include "tensor/tensor.h"

namespace bw::tensor {

using ir::Op;

namespace {

// All bits of an unsigned type set.
int64_t all_ones_of(DType dtype) {
  return dtype == DType::kU64 ? int64_t{-1} : (int64_t{1} << (8 * ir::size_bytes(dtype))) - 1;
}

}  // namespace

Tensor Tensor::unary(Op op) const {
  if (!is_ok()) return *this;
  return wrap(state_->runtime->builder().unary(op, node()));
}

Tensor Tensor::all_ones() const {
  if (!is_ok()) return *this;
  return wrap(
      state_->runtime->builder().constant(dtype(), ir::is_signed(dtype()) ? int64_t{-1} : all_ones_of(dtype())));
}

Tensor binary(Op op, const Tensor& a, const Tensor& b) {
  if (!a.is_ok()) return a;
  if (!b.is_ok()) return b;
  auto shape = broadcast_shapes(a.shape(), b.shape());
  if (!shape.is_ok()) return Tensor(std::move(shape).status().with_context(ir::name(op)));
  // The builder repeats scalars by itself.
  const Tensor x = a.rank() == 0 ? a : a.expand(shape.value());
  const Tensor y = b.rank() == 0 ? b : b.expand(shape.value());
  if (!x.is_ok()) return x;
  if (!y.is_ok()) return y;
  return x.wrap(x.runtime()->builder().binary(op, x.node(), y.node()));
}

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  for (const Tensor* tensor : {&condition, &x, &y}) {
    if (!tensor->is_ok()) return *tensor;
  }
  auto values = broadcast_shapes(x.shape(), y.shape());
  if (!values.is_ok()) return Tensor(std::move(values).status().with_context("where"));
  auto shape = broadcast_shapes(condition.shape(), values.value());
  if (!shape.is_ok()) return Tensor(std::move(shape).status().with_context("where"));
  const Tensor c = condition.expand(shape.value());
  const Tensor a = x.expand(shape.value());
  const Tensor b = y.expand(shape.value());
  for (const Tensor* tensor : {&c, &a, &b}) {
    if (!tensor->is_ok()) return *tensor;
  }
  return c.wrap(c.runtime()->builder().where(c.node(), a.node(), b.node()));
}

Tensor operator+(const Tensor& a, const Tensor& b) {
  return binary(Op::kAdd, a, b);
}
Tensor operator*(const Tensor& a, const Tensor& b) {
  return binary(Op::kMul, a, b);
}
Tensor operator-(const Tensor& a, const Tensor& b) {
  return a + (-b);
}
Tensor operator%(const Tensor& a, const Tensor& b) {
  return binary(Op::kMod, a, b);
}
Tensor operator&(const Tensor& a, const Tensor& b) {
  return binary(Op::kAnd, a, b);
}
Tensor operator|(const Tensor& a, const Tensor& b) {
  return binary(Op::kOr, a, b);
}
Tensor operator^(const Tensor& a, const Tensor& b) {
  return binary(Op::kXor, a, b);
}
Tensor operator<<(const Tensor& a, const Tensor& b) {
  return binary(Op::kShl, a, b);
}
Tensor operator>>(const Tensor& a, const Tensor& b) {
  return binary(Op::kShr, a, b);
}

Tensor operator/(const Tensor& a, const Tensor& b) {
  if (b.is_ok() && !ir::is_float(b.dtype())) {
    return Tensor(
        error(StatusCode::kInvalidArgument, "operator / on {}: use idiv() for integers", ir::name(b.dtype())));
  }
  return a * b.recip();
}

Tensor operator+(const Tensor& a, double b) {
  return a + a.scalar(b);
}
Tensor operator-(const Tensor& a, double b) {
  return a - a.scalar(b);
}
Tensor operator*(const Tensor& a, double b) {
  return a * a.scalar(b);
}
Tensor operator/(const Tensor& a, double b) {
  return a / a.scalar(b);
}
Tensor operator+(double a, const Tensor& b) {
  return b.scalar(a) + b;
}
Tensor operator-(double a, const Tensor& b) {
  return b.scalar(a) - b;
}
Tensor operator*(double a, const Tensor& b) {
  return b.scalar(a) * b;
}
Tensor operator/(double a, const Tensor& b) {
  return b.scalar(a) / b;
}

Tensor Tensor::operator-() const {
  if (!is_ok()) return *this;
  // For unsigned types the complement plus one, modulo 2^n.
  if (ir::is_integer(dtype()) && !ir::is_signed(dtype())) return (*this ^ all_ones()) + scalar(1);
  return *this * -1.0;
}

Tensor Tensor::exp2() const {
  return unary(Op::kExp2);
}
Tensor Tensor::log2() const {
  return unary(Op::kLog2);
}
Tensor Tensor::sin() const {
  return unary(Op::kSin);
}
Tensor Tensor::sqrt() const {
  return unary(Op::kSqrt);
}
Tensor Tensor::recip() const {
  return unary(Op::kRecip);
}
Tensor Tensor::trunc() const {
  return unary(Op::kTrunc);
}
Tensor Tensor::exp() const {
  return (*this * std::numbers::log2e).exp2();
}
Tensor Tensor::log() const {
  return log2() * std::numbers::ln2;
}
Tensor Tensor::cos() const {
  return (std::numbers::pi / 2 - *this).sin();
}
Tensor Tensor::rsqrt() const {
  return sqrt().recip();
}
Tensor Tensor::sigmoid() const {
  return ((*this * -std::numbers::log2e).exp2() + 1.0).recip();
}
Tensor Tensor::silu() const {
  return *this * sigmoid();
}
Tensor Tensor::tanh() const {
  return (*this * 2.0).sigmoid() * 2.0 - 1.0;
}
Tensor Tensor::relu() const {
  return maximum(0.0);
}
Tensor Tensor::abs() const {
  return maximum(-*this);
}
Tensor Tensor::idiv(const Tensor& divisor) const {
  return binary(Op::kIDiv, *this, divisor);
}
Tensor Tensor::maximum(const Tensor& other) const {
  return binary(Op::kMax, *this, other);
}
Tensor Tensor::maximum(double other) const {
  return maximum(scalar(other));
}
Tensor Tensor::minimum(const Tensor& other) const {
  return where(other.lt(*this), other, *this);
}
Tensor Tensor::lt(const Tensor& other) const {
  return binary(Op::kCmpLt, *this, other);
}
Tensor Tensor::gt(const Tensor& other) const {
  return other.lt(*this);
}
Tensor Tensor::ne(const Tensor& other) const {
  return binary(Op::kCmpNe, *this, other);
}
Tensor Tensor::eq(const Tensor& other) const {
  return ne(other).logical_not();
}
// Not the negation of gt(), which would be true for NaN.
Tensor Tensor::le(const Tensor& other) const {
  return lt(other) | eq(other);
}
Tensor Tensor::ge(const Tensor& other) const {
  return other.le(*this);
}

Tensor Tensor::logical_not() const {
  if (!is_ok()) return *this;
  if (dtype() != DType::kBool) {
    return Tensor(error(StatusCode::kInvalidArgument, "logical_not of {}, not bool", ir::name(dtype())));
  }
  return *this ^ scalar(1);
}

Tensor Tensor::mul_acc(const Tensor& b, const Tensor& c) const {
  for (const Tensor* tensor : {this, &b, &c}) {
    if (!tensor->is_ok()) return *tensor;
  }
  auto factors = broadcast_shapes(shape(), b.shape());
  if (!factors.is_ok()) return Tensor(std::move(factors).status().with_context("mul_acc"));
  auto joint = broadcast_shapes(factors.value(), c.shape());
  if (!joint.is_ok()) return Tensor(std::move(joint).status().with_context("mul_acc"));
  const Tensor x = expand(joint.value());
  const Tensor y = b.expand(joint.value());
  const Tensor z = c.expand(joint.value());
  for (const Tensor* tensor : {&x, &y, &z}) {
    if (!tensor->is_ok()) return *tensor;
  }
  return wrap(state_->runtime->builder().mul_acc(x.node(), y.node(), z.node()));
}

}  // namespace bw::tensor
