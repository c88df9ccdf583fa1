#include "tensor/tensor.h"

#include <array>
#include <cmath>
#include <utility>

#include "ir/text.h"

namespace bw::tensor {
namespace {

// The scalar of a dtype that a C++ number stands for.
ir::Scalar scalar_of(DType dtype, double value) {
  if (ir::is_float(dtype)) return value;
  return static_cast<int64_t>(value);
}

Status check_scalar(DType dtype, double value) {
  if (ir::is_float(dtype)) return Status::ok();
  const bool fits = dtype == DType::kBool
                        ? value == 0 || value == 1
                        : value >= static_cast<double>(ir::min_integer(dtype)) && value < 0x1p63 &&
                              value <= static_cast<double>(ir::max_integer(dtype)) && value == std::trunc(value);
  if (fits) return Status::ok();
  return error(StatusCode::kInvalidArgument, "the number {} is no {}", value, ir::name(dtype));
}

bool is_static(const Shape& shape) {
  for (const Dim& dim : shape) {
    if (!dim.is_static()) return false;
  }
  return true;
}

// A constant repeated to `shape`.
Result<ir::NodePtr> filled(ir::Builder& builder, DType dtype, const Shape& shape, double value) {
  BW_RETURN_IF_ERROR(check_scalar(dtype, value));
  BW_ASSIGN(ir::NodePtr node, builder.constant(dtype, scalar_of(dtype, value)));
  if (shape.empty()) return node;
  BW_ASSIGN(node, builder.reshape(node, Shape(shape.size(), Dim(1))));
  return builder.expand(node, shape);
}

}  // namespace

Tensor::Tensor() : Tensor(error(StatusCode::kInvalidArgument, "the tensor was never given a value")) {}

Tensor::Tensor(std::shared_ptr<Runtime> runtime, ir::NodePtr node)
    : state_(std::make_shared<State>(State{std::move(runtime), std::move(node), {}})) {}

Tensor::Tensor(Status error) : state_(std::make_shared<State>(State{nullptr, nullptr, std::move(error)})) {}

Tensor Tensor::wrap(Result<ir::NodePtr> node) const {
  if (!node.is_ok()) return Tensor(std::move(node).status());
  return Tensor(state_->runtime, std::move(node).value());
}

Tensor Tensor::from_bytes(const std::shared_ptr<Runtime>& runtime, DType dtype, std::span<const std::byte> bytes,
                          std::vector<int64_t> shape, std::string name) {
  auto param = runtime->upload(bytes, dtype, std::move(shape), std::move(name));
  if (!param.is_ok()) return Tensor(std::move(param).status());
  return Tensor(runtime, std::move(param).value());
}

Tensor Tensor::empty(const std::shared_ptr<Runtime>& runtime, DType dtype, std::vector<int64_t> shape,
                     std::string name) {
  auto param = runtime->allocate(dtype, std::move(shape), std::move(name));
  if (!param.is_ok()) return Tensor(std::move(param).status());
  return Tensor(runtime, std::move(param).value());
}

Tensor Tensor::full(const std::shared_ptr<Runtime>& runtime, DType dtype, Shape shape, double value) {
  auto node = filled(runtime->builder(), dtype, shape, value);
  if (!node.is_ok()) return Tensor(std::move(node).status());
  return Tensor(runtime, std::move(node).value());
}

Tensor Tensor::zeros(const std::shared_ptr<Runtime>& runtime, DType dtype, Shape shape) {
  return full(runtime, dtype, std::move(shape), 0);
}

Tensor Tensor::arange(const std::shared_ptr<Runtime>& runtime, DType dtype, Dim extent) {
  auto node = runtime->builder().range(extent);
  if (!node.is_ok()) return Tensor(std::move(node).status());
  const Tensor range(runtime, std::move(node).value());
  if (range.dtype() == DType::kI64 && dtype == DType::kI32) {
    return Tensor(
        error(StatusCode::kInvalidArgument, "arange: i32 does not count to {} (make it i64)", ir::print_dim(extent)));
  }
  return range.dtype() == dtype ? range : range.cast(dtype);
}

Tensor Tensor::scalar(double value) const {
  if (!is_ok()) return *this;
  return wrap(filled(state_->runtime->builder(), dtype(), {}, value));
}

Status Tensor::realise() {
  BW_RETURN_IF_ERROR(status());
  if (node()->op == ir::Op::kParam) return Status::ok();
  if (!is_static(shape())) {
    return error(StatusCode::kInvalidArgument,
                 "realising a tensor of symbolic shape {}: prepare it as a program and run it with its variables",
                 ir::print_shape(shape()));
  }
  Runtime& runtime = *state_->runtime;
  const std::array<ir::NodePtr, 1> outputs = {node()};
  BW_ASSIGN(const std::unique_ptr<PreparedProgram> program, runtime.prepare(outputs));
  BW_RETURN_IF_ERROR(program->run({}));
  // A store's value is its param, which has a buffer already.
  if (node()->op == ir::Op::kStore) {
    ir::NodePtr param = node();
    while (param->op != ir::Op::kParam) param = param->inputs[0];
    state_->node = std::move(param);
    return Status::ok();
  }
  std::vector<int64_t> extents;
  for (const Dim& dim : shape()) extents.push_back(dim.offset);
  BW_ASSIGN(state_->node, runtime.adopt(program->outputs()[0], dtype(), std::move(extents), "value"));
  return Status::ok();
}

Status Tensor::check_readable(DType wanted) const {
  BW_RETURN_IF_ERROR(status());
  const bool is_bool_as_u8 = dtype() == DType::kBool && wanted == DType::kU8;
  if (dtype() == wanted || is_bool_as_u8) return Status::ok();
  return error(StatusCode::kInvalidArgument, "reading a tensor of {} as {} (cast it first)", ir::name(dtype()),
               ir::name(wanted));
}

Result<std::vector<std::byte>> Tensor::to_bytes() {
  BW_RETURN_IF_ERROR(realise());
  std::vector<std::byte> bytes(static_cast<size_t>(ir::max_element_count(shape())) * ir::size_bytes(dtype()));
  BW_RETURN_IF_ERROR(buffer()->read(0, bytes));
  return bytes;
}

std::shared_ptr<DeviceBuffer> Tensor::buffer() const {
  if (!is_ok()) return nullptr;
  return state_->runtime->buffer_of(node());
}

Tensor Tensor::store(const Tensor& value) const {
  if (!is_ok()) return *this;
  if (!value.is_ok()) return value;
  return wrap(state_->runtime->builder().store(node(), value.node()));
}

Tensor Tensor::gather(const Tensor& index) const {
  if (!is_ok()) return *this;
  if (!index.is_ok()) return index;
  return wrap(state_->runtime->builder().gather(node(), index.node()));
}

Tensor Tensor::contiguous() const {
  if (!is_ok()) return *this;
  return wrap(state_->runtime->builder().contiguous(node()));
}

Tensor Tensor::cast(DType dtype) const {
  if (!is_ok()) return *this;
  return wrap(state_->runtime->builder().cast(node(), dtype));
}

Tensor Tensor::bitcast(DType dtype) const {
  if (!is_ok()) return *this;
  return wrap(state_->runtime->builder().bitcast(node(), dtype));
}

}  // namespace bw::tensor
