// Owns: the element types of tensors and kernels, and constants of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace bw::ir {

enum class DType : uint8_t { kBool, kI8, kU8, kI16, kU16, kI32, kU32, kI64, kU64, kF16, kBF16, kF32, kF64 };

constexpr int kDTypeCount = 13;

// Bytes of one element in memory; a bool takes one byte, 0 or 1.
uint32_t size_bytes(DType dtype);
bool is_float(DType dtype);
// Integers of either sign; not bool.
bool is_integer(DType dtype);
bool is_signed(DType dtype);
// "f32", "bool": the names of the text form.
std::string_view name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);
// Smallest and largest value of an integer type, u64 clipped to int64_t's range.
int64_t min_integer(DType dtype);
int64_t max_integer(DType dtype);

// The value of a constant: a double for floating-point types (rounded to the type when it is used), an int64_t for
// integers and bool (u64 as its bit pattern).
using Scalar = std::variant<int64_t, double>;

}  // namespace bw::ir
