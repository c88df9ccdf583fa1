// Owns: what an expression's parts come to, and the conversions between them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tensor/expression/token.h"
#include "tensor/tensor.h"

namespace bw::tensor {

// A number without dtype, an extent with a variable, a dtype, a list of extents, or a tensor.
struct Value {
  std::variant<double, Dim, DType, std::vector<Dim>, Tensor> what;
  Place place;  // where it begins

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&what);
  }
  // "a number", "a tensor": for messages.
  const char* kind() const;
};

// Conversions; errors name the place and what was wanted.
Result<int64_t> to_integer(const Value& value);
Result<int> to_axis(const Value& value);
Result<Dim> to_dim(const Value& value);
Result<std::vector<Dim>> to_dims(const Value& value);  // a list, or one extent
Result<std::vector<int64_t>> to_integers(const Value& value);
Result<std::vector<int>> to_axes(const Value& value);
// A number becomes a scalar of `like`'s dtype, or f32 without; an extent an i32 scalar.
Result<Tensor> to_tensor(const Value& value, const std::shared_ptr<Runtime>& runtime, const Tensor* like);

}  // namespace bw::tensor
