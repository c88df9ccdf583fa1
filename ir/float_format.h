// Owns: the bits of the small floating-point formats, and rounding to them. Rounds to nearest, ties to even; denormals
// are kept.
#pragma once

#include <cstdint>

#include "ir/dtype.h"

namespace bw::ir {

uint16_t f16_from_double(double value);
double f16_to_double(uint16_t bits);
uint16_t bf16_from_double(double value);
double bf16_to_double(uint16_t bits);

// The nearest value of a floating-point type.
double round_to_dtype(DType dtype, double value);

}  // namespace bw::ir
