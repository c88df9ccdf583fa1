// Owns: what the elementwise ops compute, on one element, on the host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ir/dtype.h"
#include "ir/evaluator.h"
#include "ir/node.h"

namespace bw::ir {

// An element of any dtype: floating point in `real`, integers and bool in `integer` (extended from their width; u64 as
// its bit pattern). The other one is 0.
struct Value {
  int64_t integer = 0;
  double real = 0;
};

// The low bits of `value`, extended as the dtype says; bool keeps the lowest bit.
int64_t wrap_integer(DType dtype, int64_t value);
// The value of a constant, rounded to the dtype.
Value constant_value(DType dtype, const Scalar& scalar);

// The op on inputs of dtype `from` (of kWhere: the dtype of the values), giving dtype `to`.
Value apply_elementwise(Op op, DType from, DType to, std::span<const Value> inputs, Rounding rounding);
// A reduction: what it starts from; then it adds, multiplies or takes the larger, floating point in double precision,
// so that the order makes no difference that is seen in a shorter dtype; at its end it is rounded to its dtype.
Value reduce_identity(Op op, DType dtype);
Value apply_reduce(Op op, DType dtype, Value a, Value b);
Value round_reduction(DType dtype, Value total, Rounding rounding);

// One element in memory.
Value decode_element(DType dtype, const std::byte* raw);
void encode_element(DType dtype, Value value, std::byte* raw);

}  // namespace bw::ir
