#include "ir/float_format.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bw::ir {
namespace {

// A sign bit, then the exponent, then the mantissa; all 16 bits wide in sum.
struct Format {
  int exponent_bits;
  int mantissa_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int min_exponent() const { return 1 - bias(); }
  uint32_t infinity() const { return ((1u << exponent_bits) - 1) << mantissa_bits; }
  uint32_t quiet_bit() const { return 1u << (mantissa_bits - 1); }
  uint32_t sign_bit() const { return 1u << (exponent_bits + mantissa_bits); }
};

constexpr Format kF16Format = {5, 10};
constexpr Format kBF16Format = {8, 7};

uint16_t encode(const Format& format, double value) {
  const uint32_t sign = std::signbit(value) ? format.sign_bit() : 0;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | format.infinity() | format.quiet_bit());
  if (std::isinf(value)) return static_cast<uint16_t>(sign | format.infinity());
  if (value == 0) return static_cast<uint16_t>(sign);
  int exponent = 0;
  const double magnitude = std::fabs(value);
  std::frexp(magnitude, &exponent);
  exponent = std::max(exponent - 1, format.min_exponent());
  if (exponent > format.bias()) return static_cast<uint16_t>(sign | format.infinity());
  // In units of the last place; a carry out of the mantissa moves on to the exponent by itself, and so does the
  // implicit bit of a normal number.
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, format.mantissa_bits - exponent)));
  const auto binade = static_cast<uint32_t>(exponent - format.min_exponent());
  return static_cast<uint16_t>(sign | std::min((binade << format.mantissa_bits) + units, format.infinity()));
}

double decode(const Format& format, uint16_t bits) {
  const double sign = (bits & format.sign_bit()) != 0 ? -1.0 : 1.0;
  const uint32_t magnitude = bits & (format.sign_bit() - 1);
  if (magnitude > format.infinity()) return std::copysign(std::numeric_limits<double>::quiet_NaN(), sign);
  if (magnitude == format.infinity()) return sign * std::numeric_limits<double>::infinity();
  const uint32_t mantissa = magnitude & ((1u << format.mantissa_bits) - 1);
  const int exponent = static_cast<int>(magnitude >> format.mantissa_bits);
  const uint32_t implicit = exponent == 0 ? 0 : 1u << format.mantissa_bits;
  return sign * std::ldexp(mantissa | implicit, std::max(exponent, 1) - format.bias() - format.mantissa_bits);
}

}  // namespace

uint16_t f16_from_double(double value) {
  return encode(kF16Format, value);
}
double f16_to_double(uint16_t bits) {
  return decode(kF16Format, bits);
}
uint16_t bf16_from_double(double value) {
  return encode(kBF16Format, value);
}
double bf16_to_double(uint16_t bits) {
  return decode(kBF16Format, bits);
}

double round_to_dtype(DType dtype, double value) {
  if (dtype == DType::kF16) return f16_to_double(f16_from_double(value));
  if (dtype == DType::kBF16) return bf16_to_double(bf16_from_double(value));
  return dtype == DType::kF32 ? static_cast<double>(static_cast<float>(value)) : value;
}

}  // namespace bw::ir
