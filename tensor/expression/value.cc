#include "tensor/expression/value.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace bw::tensor {
namespace {

Status wrong_kind(const Value& value, const char* wanted) {
  return error_at(value.place, fmt::format("expected {}, not {}", wanted, value.kind()));
}

// The element of a list as a number of its own.
Result<int64_t> static_extent(const Dim& dim, Place place) {
  if (dim.is_static()) return dim.offset;
  return error_at(place, "a variable cannot stand here, only a number");
}

Result<int> axis_of(int64_t value, Place place) {
  if (value < -64 || value > 64) return error_at(place, fmt::format("{} is no axis", value));
  return static_cast<int>(value);
}

}  // namespace

const char* Value::kind() const {
  if (get<double>() != nullptr) return "a number";
  if (get<Dim>() != nullptr) return "a variable";
  if (get<DType>() != nullptr) return "a dtype";
  return get<Tensor>() != nullptr ? "a tensor" : "a list";
}

Result<int64_t> to_integer(const Value& value) {
  const double* number = value.get<double>();
  if (number == nullptr) return wrong_kind(value, "a whole number");
  if (*number != std::trunc(*number)) return error_at(value.place, fmt::format("{} is no whole number", *number));
  // Doubles are exact so far; no extent is larger.
  if (std::abs(*number) > 0x1p53) return error_at(value.place, fmt::format("{} is too large", *number));
  return static_cast<int64_t>(*number);
}

Result<int> to_axis(const Value& value) {
  BW_ASSIGN(const int64_t axis, to_integer(value));
  return axis_of(axis, value.place);
}

Result<Dim> to_dim(const Value& value) {
  if (const Dim* dim = value.get<Dim>()) return *dim;
  BW_ASSIGN(const int64_t extent, to_integer(value));
  return Dim(extent);
}

Result<std::vector<Dim>> to_dims(const Value& value) {
  if (const auto* list = value.get<std::vector<Dim>>()) return *list;
  BW_ASSIGN(Dim dim, to_dim(value));
  return std::vector<Dim>{std::move(dim)};
}

Result<std::vector<int64_t>> to_integers(const Value& value) {
  BW_ASSIGN(const std::vector<Dim> dims, to_dims(value));
  std::vector<int64_t> integers;
  for (const Dim& dim : dims) {
    BW_ASSIGN(const int64_t integer, static_extent(dim, value.place));
    integers.push_back(integer);
  }
  return integers;
}

Result<std::vector<int>> to_axes(const Value& value) {
  BW_ASSIGN(const std::vector<int64_t> integers, to_integers(value));
  std::vector<int> axes;
  for (const int64_t integer : integers) {
    BW_ASSIGN(const int axis, axis_of(integer, value.place));
    axes.push_back(axis);
  }
  return axes;
}

Result<Tensor> to_tensor(const Value& value, const std::shared_ptr<Runtime>& runtime, const Tensor* like) {
  if (const Tensor* tensor = value.get<Tensor>()) return *tensor;
  Tensor tensor;
  if (const double* number = value.get<double>()) {
    tensor = like != nullptr ? like->scalar(*number) : Tensor::full(runtime, DType::kF32, {}, *number);
  } else if (const Dim* dim = value.get<Dim>()) {
    const Tensor variable(runtime, dim->variable);
    tensor = dim->offset == 0 ? variable : variable + static_cast<double>(dim->offset);
  } else {
    return wrong_kind(value, "a tensor");
  }
  if (!tensor.is_ok()) return error_at(value.place, tensor.status().message());
  return tensor;
}

}  // namespace bw::tensor
