// Owns: floating-point helpers of the vector instructions: 16-bit formats, NaNs, classes, minimum and maximum.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace bw::emulator {

// What an invalid operation gives: negative, as the functional examples of the RDNA3 ISA guide have it (V_SQRT_F32,
// V_LOG_F16) and as gfx1100 was captured to do (ROCm/rocm-systems, emulation/rocjitsu, hwfloat and fp_mode tests).
constexpr uint32_t kDefaultNan32 = 0xffc00000;
constexpr uint64_t kDefaultNan64 = 0xfff8000000000000;

inline bool is_nan_bits(uint32_t bits) {
  return (bits & 0x7fffffff) > 0x7f800000;
}
inline bool is_nan_bits(uint64_t bits) {
  return (bits & 0x7fffffffffffffff) > 0x7ff0000000000000;
}
inline bool is_signaling_bits(uint32_t bits) {
  return is_nan_bits(bits) && (bits & 0x00400000) == 0;
}
inline bool is_signaling_bits(uint64_t bits) {
  return is_nan_bits(bits) && (bits & 0x0008000000000000) == 0;
}
inline uint32_t quiet_bits(uint32_t bits) {
  return bits | 0x00400000;
}
inline uint64_t quiet_bits(uint64_t bits) {
  return bits | 0x0008000000000000;
}

inline uint32_t bits_of(float value) {
  return std::bit_cast<uint32_t>(value);
}
inline uint64_t bits_of(double value) {
  return std::bit_cast<uint64_t>(value);
}
inline float float_of(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline double double_of(uint64_t bits) {
  return std::bit_cast<double>(bits);
}

// Halves are computed with in f32: exact on the way in, one rounding on the way out (for + - * / sqrt two roundings
// from 24 to 11 bits are the same as one).
constexpr uint16_t kHalfSign = 0x8000, kHalfMagnitude = 0x7fff, kHalfInfinity = 0x7c00, kHalfLargest = 0x7bff;
constexpr uint16_t kHalfQuiet = 0x0200;
inline bool half_is_nan(uint16_t bits) {
  return (bits & kHalfMagnitude) > kHalfInfinity;
}

// NaNs of another width with the payload's upper bits as they are, signalling ones included: the host's conversions
// would quiet them. A payload that does not fit at all leaves a quiet NaN.
inline float widen_half_nan(uint16_t bits) {
  return float_of(static_cast<uint32_t>(bits & kHalfSign) << 16 | 0x7f800000 | (bits & 0x3ffu) << 13);
}
inline uint16_t narrow_nan_to_half(float nan) {
  const uint32_t bits = bits_of(nan);
  const uint32_t payload = bits >> 13 & 0x3ff;
  return static_cast<uint16_t>((bits >> 16 & kHalfSign) | kHalfInfinity | (payload != 0 ? payload : kHalfQuiet));
}
inline double widen_nan(float nan) {
  const uint64_t bits = bits_of(nan);
  return double_of((bits & 0x80000000) << 32 | 0x7ff0000000000000 | (bits & 0x7fffff) << 29);
}
inline float narrow_nan(double nan) {
  const uint64_t bits = bits_of(nan);
  const uint32_t payload = static_cast<uint32_t>(bits >> 29) & 0x7fffff;
  return float_of((static_cast<uint32_t>(bits >> 32) & 0x80000000) | 0x7f800000 | (payload != 0 ? payload : 0x400000));
}

inline float half_to_float(uint16_t bits) {
  return half_is_nan(bits) ? widen_half_nan(bits) : _cvtsh_ss(bits);
}
// Rounds as MXCSR says.
inline uint16_t float_to_half(float value) {
  return value != value ? narrow_nan_to_half(value) : static_cast<uint16_t>(_cvtss_sh(value, _MM_FROUND_CUR_DIRECTION));
}
inline uint16_t float_to_half_rtz(float value) {
  return value != value ? narrow_nan_to_half(value) : static_cast<uint16_t>(_cvtss_sh(value, _MM_FROUND_TO_ZERO));
}

// For MODE.FP16_OVFL: the f16 `bits` that `value` became, or the largest finite one where it overflowed.
inline uint16_t cut_overflow(uint16_t bits, float value) {
  const bool overflowed = (bits & kHalfMagnitude) == kHalfInfinity && std::isfinite(value);
  return overflowed ? static_cast<uint16_t>((bits & kHalfSign) | kHalfLargest) : bits;
}

// To f32 rounded to odd, so that a second rounding to at most 22 bits is exact, in whatever direction.
inline float round_to_odd(double value) {
  float nearest = static_cast<float>(value);
  const double back = nearest;
  if (back == value || nearest != nearest || std::isinf(value)) return nearest;
  // Away from the value: step back to the neighbour towards zero, then make it odd.
  uint32_t bits = bits_of(nearest);
  if (std::fabs(back) > std::fabs(value)) bits -= 1;
  return float_of(bits | 1);
}
inline uint16_t double_to_half(double value) {
  return float_to_half(round_to_odd(value));
}

inline float bfloat_to_float(uint16_t bits) {
  return float_of(static_cast<uint32_t>(bits) << 16);
}
inline uint16_t float_to_bfloat(float value) {
  const uint32_t bits = bits_of(value);
  if (is_nan_bits(bits)) return static_cast<uint16_t>(quiet_bits(bits) >> 16);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Denormals to zero of the same sign.
inline float flush(float value) {
  const uint32_t bits = bits_of(value);
  return (bits & 0x7f800000) == 0 ? float_of(bits & 0x80000000) : value;
}

// Class bits of v_cmp_class. Source: RDNA3 ISA guide, V_CMP_CLASS_F32.
template <class Bits>
uint32_t float_class(Bits bits, unsigned mantissa_bits, unsigned total_bits) {
  const Bits sign_bit = Bits{1} << (total_bits - 1);
  const bool negative = (bits & sign_bit) != 0;
  const Bits magnitude = bits & static_cast<Bits>(sign_bit - 1);
  const Bits infinity = static_cast<Bits>((sign_bit - 1) & ~((Bits{1} << mantissa_bits) - 1));
  const Bits smallest_normal = Bits{1} << mantissa_bits;
  if (magnitude > infinity) return (bits >> (mantissa_bits - 1) & 1) != 0 ? 1u << 1 : 1u << 0;
  if (magnitude == infinity) return negative ? 1u << 2 : 1u << 9;
  if (magnitude >= smallest_normal) return negative ? 1u << 3 : 1u << 8;
  if (magnitude != 0) return negative ? 1u << 4 : 1u << 7;
  return negative ? 1u << 5 : 1u << 6;
}

inline double flush(double value) {
  const uint64_t bits = bits_of(value);
  return (bits & 0x7ff0000000000000) == 0 ? double_of(bits & 0x8000000000000000) : value;
}

// minNum/maxNum as the ISA guide words them: in IEEE mode a signalling NaN wins, quieted; otherwise a NaN loses, of two
// the first stays as it is; -0 < +0.
template <class F, class Bits>
F min_num(F a, F b, bool ieee) {
  const Bits x = std::bit_cast<Bits>(a), y = std::bit_cast<Bits>(b);
  if (ieee && is_signaling_bits(x)) return std::bit_cast<F>(quiet_bits(x));
  if (ieee && is_signaling_bits(y)) return std::bit_cast<F>(quiet_bits(y));
  if (is_nan_bits(y)) return a;
  if (is_nan_bits(x)) return b;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
template <class F, class Bits>
F max_num(F a, F b, bool ieee) {
  const Bits x = std::bit_cast<Bits>(a), y = std::bit_cast<Bits>(b);
  if (ieee && is_signaling_bits(x)) return std::bit_cast<F>(quiet_bits(x));
  if (ieee && is_signaling_bits(y)) return std::bit_cast<F>(quiet_bits(y));
  if (is_nan_bits(y)) return a;
  if (is_nan_bits(x)) return b;
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

}  // namespace bw::emulator
