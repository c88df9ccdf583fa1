// Owns: the sum of two products of halves and an f32 as gfx1100 adds it up: aligned on a common grid, cut there, and
// rounded once. MODE has no part in it. Not here: operands (vop3p.cc); matrices, which are chains of such sums on the
// hardware but not here (wmma.cc).
// Source: the model of captured results in ROCm/rocm-systems issue 12056 and emulation/rocjitsu, gfx11_dot2.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "emulator/shader/fp.h"

namespace bw::emulator {

// A factor: significand * 2^(exponent - kFraction). Denormals of bf16 count as zero.
template <bool kIsBf16>
struct DotFactor {
  static constexpr int kFraction = kIsBf16 ? 7 : 10, kBias = kIsBf16 ? 127 : 15;
  static constexpr uint32_t kInfinity = kIsBf16 ? 0x7f80 : 0x7c00;

  explicit DotFactor(uint16_t bits)
      : negative((bits & 0x8000) != 0),
        is_nan((bits & 0x7fffu) > kInfinity),
        is_infinite((bits & 0x7fffu) == kInfinity) {
    const int field = (bits & 0x7fff) >> kFraction;
    const uint32_t fraction = bits & ((1u << kFraction) - 1);
    exponent = std::max(field, 1) - kBias;
    significand = field != 0 ? fraction | 1u << kFraction : kIsBf16 ? 0 : fraction;
  }
  bool negative, is_nan, is_infinite;
  int exponent;
  uint32_t significand;
};

// magnitude * 2^exponent.
struct DotTerm {
  uint64_t magnitude;
  int exponent;
  bool negative;

  static constexpr int kNone = -1024;  // below all exponents
  int leading() const { return magnitude != 0 ? exponent + static_cast<int>(std::bit_width(magnitude)) - 1 : kNone; }
};

// units * 2^grid as an f32: rounded to nearest even at full precision, then +0 if too small.
inline uint32_t dot2_round(int64_t units, int grid, bool flip) {
  if (units == 0) return 0;
  const uint32_t sign = (units < 0) != flip ? 0x80000000 : 0;
  const uint64_t magnitude = units < 0 ? static_cast<uint64_t>(-units) : static_cast<uint64_t>(units);
  constexpr int kPrecision = 24;
  const int dropped = static_cast<int>(std::bit_width(magnitude)) - kPrecision;
  uint64_t significand = dropped > 0 ? magnitude >> dropped : magnitude << -dropped;
  if (dropped > 0) {
    const uint64_t rest = magnitude & ((uint64_t{1} << dropped) - 1), tie = uint64_t{1} << (dropped - 1);
    significand += rest > tie || (rest == tie && (significand & 1) != 0);
  }
  int exponent = dropped + grid + kPrecision - 1;
  if (significand >> kPrecision != 0) {
    significand >>= 1;
    exponent += 1;
  }
  if (exponent < -126) return 0;
  if (exponent > 127) return sign | 0x7f800000;
  return sign | static_cast<uint32_t>(exponent + 127) << 23 | (static_cast<uint32_t>(significand) & 0x7fffff);
}

// Infinities and NaNs among the operands; false: there are none.
template <bool kIsBf16>
bool dot2_special(const DotFactor<kIsBf16> (&a)[2], const DotFactor<kIsBf16> (&b)[2], uint32_t c, uint32_t* result) {
  constexpr uint32_t kFactorNan = 0xffc00a3d, kInfinity = 0x7f800000, kSign = 0x80000000;
  for (unsigned i = 0; i < 2; ++i) {
    if (a[i].is_nan || b[i].is_nan) return *result = kFactorNan, true;
  }
  bool infinite[2] = {false, false};  // positive, negative
  for (unsigned i = 0; i < 2; ++i) {
    if (!a[i].is_infinite && !b[i].is_infinite) continue;
    if (a[i].significand == 0 || b[i].significand == 0) return *result = kDefaultNan32, true;
    infinite[a[i].negative != b[i].negative] = true;
  }
  if (infinite[0] && infinite[1]) return *result = kDefaultNan32, true;
  if (is_nan_bits(c)) return *result = quiet_bits(c), true;
  if ((c & ~kSign) == kInfinity) infinite[(c & kSign) != 0] = true;
  if (!infinite[0] && !infinite[1]) return false;
  *result = infinite[0] && infinite[1] ? kDefaultNan32 : infinite[1] ? kSign | kInfinity : kInfinity;
  return true;
}

// c + a[0] * b[0] + a[1] * b[1]. What has the other sign than c is taken for its complement on the grid: its magnitude
// and one unit more, even of a zero.
template <bool kIsBf16>
uint32_t dot2_bits(const uint16_t (&a_bits)[2], const uint16_t (&b_bits)[2], uint32_t c_bits) {
  using Factor = DotFactor<kIsBf16>;
  const Factor a[2] = {Factor(a_bits[0]), Factor(a_bits[1])}, b[2] = {Factor(b_bits[0]), Factor(b_bits[1])};
  uint32_t special = 0;
  if (dot2_special(a, b, c_bits, &special)) return special;

  const int c_field = static_cast<int>(c_bits >> 23 & 0xff);
  const bool c_negative = c_bits >> 31 != 0;
  DotTerm terms[3] = {{c_field != 0 ? (c_bits & 0x7fffff) | 0x800000 : 0, c_field - 127 - 23, c_negative}};
  // The grid is fine enough for the products by the exponents of their factors, and 26 bits below the largest term.
  constexpr int kProductBits = 24, kSumBits = 26;
  int products = DotTerm::kNone, largest = terms[0].leading();
  for (unsigned i = 0; i < 2; ++i) {
    const int exponent = a[i].exponent + b[i].exponent;
    terms[i + 1] = {static_cast<uint64_t>(a[i].significand) * b[i].significand, exponent - 2 * Factor::kFraction,
                    a[i].negative != b[i].negative};
    if (terms[i + 1].magnitude != 0) products = std::max(products, exponent);
    largest = std::max(largest, terms[i + 1].leading());
  }
  if (largest == DotTerm::kNone) return 0;
  const int grid = std::max(products - kProductBits, largest - kSumBits);
  int64_t total = 0;
  for (const DotTerm& term : terms) {
    const int shift = term.exponent - grid;
    const uint64_t units = shift <= -64 || term.magnitude == 0 ? 0
                           : shift < 0                         ? term.magnitude >> -shift
                                                               : term.magnitude << shift;
    total += term.negative != c_negative ? -static_cast<int64_t>(units) - 1 : static_cast<int64_t>(units);
  }
  return dot2_round(total, grid, c_negative);
}

}  // namespace bw::emulator
