// Owns: the transcendental functions of the vector unit, computed in f64 and to be rounded once: results are the
// correctly rounded ones but for rare last-bit ties. The steps are the same in every rounding mode of MODE, which only
// the last rounding follows. unverified: the hardware's differ from these by up to 1 ulp of f32. Written as plain
// arithmetic so that the compiler computes several lanes at a time.
#pragma once

#include <cmath>
#include <cstdint>

#include "emulator/shader/fp.h"

namespace bw::emulator {

// 2^x. Method: x = n + f with |f| <= 1/2; Taylor series of exp(f ln 2), remainder below 1e-15.
inline double exp2_f64(double x) {
  constexpr double kLn2 = 0.69314718055994530942;
  const double limited = x < -1000.0 ? -1000.0 : x > 1000.0 ? 1000.0 : x;
  const double n = __builtin_roundeven(limited);
  const double y = (limited - n) * kLn2;
  double p = 1.0 / 479001600.0;
  p = p * y + 1.0 / 39916800.0;
  p = p * y + 1.0 / 3628800.0;
  p = p * y + 1.0 / 362880.0;
  p = p * y + 1.0 / 40320.0;
  p = p * y + 1.0 / 5040.0;
  p = p * y + 1.0 / 720.0;
  p = p * y + 1.0 / 120.0;
  p = p * y + 1.0 / 24.0;
  p = p * y + 1.0 / 6.0;
  p = p * y + 0.5;
  p = p * y + 1.0;
  p = p * y + 1.0;
  // n + 1023 as the exponent, through the bits of a number just above 2^52.
  const uint64_t exponent = bits_of(n + 1023.0 + 0x1p52) << 52;
  const double result = p * double_of(exponent);
  const double infinity = HUGE_VAL;
  return x != x ? x : x == infinity ? infinity : x == -infinity ? 0.0 : result;
}

// log2(x) for x > 0, normal. Method: x = 2^e m with m around 1, log m = 2 artanh((m - 1)/(m + 1)).
inline double log2_normal(double x) {
  constexpr double kTwoOverLn2 = 2.8853900817779268147;
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  const uint64_t bits = bits_of(x);
  const uint64_t shifted = bits - kSqrtHalf;
  const int64_t e = static_cast<int64_t>(shifted) >> 52;
  const double m = double_of(bits - (static_cast<uint64_t>(e) << 52));
  const double t = (m - 1.0) / (m + 1.0);
  const double u = t * t;
  double p = 1.0 / 23.0;
  p = p * u + 1.0 / 21.0;
  p = p * u + 1.0 / 19.0;
  p = p * u + 1.0 / 17.0;
  p = p * u + 1.0 / 15.0;
  p = p * u + 1.0 / 13.0;
  p = p * u + 1.0 / 11.0;
  p = p * u + 1.0 / 9.0;
  p = p * u + 1.0 / 7.0;
  p = p * u + 1.0 / 5.0;
  p = p * u + 1.0 / 3.0;
  p = p * u + 1.0;
  return static_cast<double>(static_cast<int32_t>(e)) + t * p * kTwoOverLn2;
}
inline double log2_f64(double x) {
  const double infinity = HUGE_VAL;
  const double finite = log2_normal(x > 0 && x < infinity ? x : 1.0);
  return x != x ? x : x < 0 ? std::nan("") : x == 0 ? -infinity : x == infinity ? infinity : finite;
}

// sin(2 pi x); of -0 it is -0, of other whole turns +0. Method: to a quarter turn, then the Taylor series; remainder
// below 1e-15.
inline double sin_turns(double x) {
  constexpr double kTwoPi = 6.28318530717958647693;
  const double r = x == 0 ? x : x - __builtin_roundeven(x);
  const double folded = r > 0.25 ? 0.5 - r : r < -0.25 ? -0.5 - r : r;
  const double y = folded * kTwoPi;
  const double u = y * y;
  double p = -1.0 / 121645100408832000.0;
  p = p * u + 1.0 / 355687428096000.0;
  p = p * u - 1.0 / 1307674368000.0;
  p = p * u + 1.0 / 6227020800.0;
  p = p * u - 1.0 / 39916800.0;
  p = p * u + 1.0 / 362880.0;
  p = p * u - 1.0 / 5040.0;
  p = p * u + 1.0 / 120.0;
  p = p * u - 1.0 / 6.0;
  p = p * u + 1.0;
  return y * p;
}
// cos(2 pi x) = sin of a quarter turn more; the fraction of x is exact, so the sum is to 2^-54.
inline double cos_turns(double x) {
  const double r = x - __builtin_roundeven(x);
  return sin_turns(r + 0.25);
}

}  // namespace bw::emulator
