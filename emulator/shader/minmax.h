// Owns: minimum and maximum of floats as vector instructions have them, and scaling by powers of two.
#pragma once

#include "emulator/shader/valu.h"

namespace bw::emulator {

enum class Extreme : uint8_t { kMin, kMax };

template <class V, Extreme kWhich>
typename V::T extreme_of(typename V::T a, typename V::T b, bool ieee) {
  using T = typename V::T;
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  return kWhich == Extreme::kMin ? min_num<T, Bits>(a, b, ieee) : max_num<T, Bits>(a, b, ieee);
}

template <class V, Extreme kWhich>
void run_min_max(Wave& w, const Step& s) {
  using T = typename V::T;
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  std::conditional_t<V::kDoubleScope, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  const bool flush_result = sizeof(T) == 4 ? w.mode.flush_input32() : w.mode.flush_input64();
  constexpr Bits kExponent = sizeof(T) == 4 ? Bits{0x7f800000} : static_cast<Bits>(0x7ff0000000000000);
  constexpr Bits kSign = Bits{1} << (sizeof(T) * 8 - 1);
  for (unsigned h = 0; h < w.halves; ++h) {
    typename V::Spare spare_a, spare_b;
    const auto a = V::fetch_view(w, s.src[0], h, spare_a);
    const auto b = V::fetch_view(w, s.src[1], h, spare_b);
    alignas(64) T out[kLanes];
    Bits nans = 0;
    BW_FOR_LANES(l) {
      const T x = V::get(a, l), y = V::get(b, l);
      const Bits p = std::bit_cast<Bits>(x), q = std::bit_cast<Bits>(y);
      // Equal values differ at most in the sign of zero: -0 is the smaller.
      const Bits equal = kWhich == Extreme::kMin ? p | q : p & q;
      const bool first = kWhich == Extreme::kMin ? x < y : x > y;
      out[l] = std::bit_cast<T>(x == y ? equal : first ? p : q);
      nans |= static_cast<Bits>(!(x == x)) | static_cast<Bits>(!(y == y));
    }
    if (nans != 0) [[unlikely]] {
      for (unsigned l = 0; l < kLanes; ++l) out[l] = extreme_of<V, kWhich>(V::get(a, l), V::get(b, l), w.mode.ieee());
    }
    if (flush_result) {
      BW_FOR_LANES(l) {
        const Bits bits = std::bit_cast<Bits>(out[l]);
        out[l] = std::bit_cast<T>((bits & kExponent) == 0 ? bits & kSign : bits);
      }
    }
    V::finish(out, w, s);
    V::store(w, s, h, out);
  }
}
template <class V, Extreme kWhich>
constexpr Handler min_max() {
  return &run_min_max<V, kWhich>;
}

// f16 on its bits.
template <class Pick>
uint16_t half_extreme(uint16_t a, uint16_t b, const Mode& mode, Pick pick) {
  if (mode.flush_input64()) {
    if ((a & kHalfInfinity) == 0) a &= kHalfSign;
    if ((b & kHalfInfinity) == 0) b &= kHalfSign;
  }
  if (mode.ieee() && half_is_nan(a) && (a & kHalfQuiet) == 0) return a | kHalfQuiet;
  if (mode.ieee() && half_is_nan(b) && (b & kHalfQuiet) == 0) return b | kHalfQuiet;
  if (half_is_nan(b)) return a;
  if (half_is_nan(a)) return b;
  // Sign and magnitude as a number whose order is that of the values, with -0 before +0.
  const auto key = [](uint16_t bits) {
    return (bits & kHalfSign) != 0 ? -1 - static_cast<int>(bits & kHalfMagnitude) : static_cast<int>(bits);
  };
  return pick(key(a), key(b)) ? a : b;
}
inline uint16_t half_min(uint16_t a, uint16_t b, const Mode& mode) {
  return half_extreme(a, b, mode, [](int x, int y) { return x < y; });
}
inline uint16_t half_max(uint16_t a, uint16_t b, const Mode& mode) {
  return half_extreme(a, b, mode, [](int x, int y) { return x > y; });
}

// value * 2^exponent, exact in f64 for every f32 value; exponents beyond reach are cut where the result no longer
// changes.
inline double scale(float value, int32_t exponent) {
  const int32_t limited = exponent < -400 ? -400 : exponent > 400 ? 400 : exponent;
  return static_cast<double>(value) * double_of(static_cast<uint64_t>(limited + 1023) << 52);
}

// Integer operations with a saturating form for the clamp bit.
template <class Plain, class Saturating, class D, class A, class B>
void run_clampable(Wave& w, const Step& s) {
  if (s.clamp) {
    run_valu2<Saturating, D, A, B>(w, s);
  } else {
    run_valu2<Plain, D, A, B>(w, s);
  }
}
template <class D, class A, class B, class Plain, class Saturating>
constexpr Handler clampable(Plain, Saturating) {
  return &run_clampable<Plain, Saturating, D, A, B>;
}
template <class Plain, class Saturating, class D, class A, class B, class C>
void run_clampable3(Wave& w, const Step& s) {
  if (s.clamp) {
    run_valu3<Saturating, D, A, B, C>(w, s);
  } else {
    run_valu3<Plain, D, A, B, C>(w, s);
  }
}
template <class D, class A, class B, class C, class Plain, class Saturating>
constexpr Handler clampable3(Plain, Saturating) {
  return &run_clampable3<Plain, Saturating, D, A, B, C>;
}

}  // namespace bw::emulator
