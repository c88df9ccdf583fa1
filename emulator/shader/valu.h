// Owns: the frame of vector arithmetic: reads sources of 32 lanes, applies one operation to each lane, and writes the
// results under EXEC. The handler files say what the operation is, one line an instruction:
//   bind(Op::v_add_f32, valu<F32, F32, F32>([](float a, float b) { return a + b; }));
// Not here: cross-lane operations, compares (vopc.cc).
#pragma once

#include <type_traits>

#include "emulator/shader/fp.h"
#include "emulator/shader/step.h"

namespace bw::emulator {

// Every lane loop touches lane l of rows only in iteration l, whatever rows overlap: there is no dependence to respect.
#define BW_FOR_LANES(l) _Pragma("GCC ivdep") for (unsigned l = 0; l < kLanes; ++l)

// omod and clamp on rounded results. `flushes`: the operation flushes denormal results, which omod needs.
void apply_output_f32(float* values, const Mode& mode, uint8_t omod, bool clamp, bool flushes);
void apply_output_f64(double* values, const Mode& mode, uint8_t omod, bool clamp);
uint16_t apply_output_f16(uint16_t bits, const Mode& mode, uint8_t omod, bool clamp);
// An f16 result of a value computed exactly or rounded to odd: rounded, flushed, and cut, as MODE says.
uint16_t half_result(const Mode& mode, float value);

struct DwordView {
  const uint32_t* p;
};
struct QwordView {
  const uint32_t* lo;
  const uint32_t* hi;
};
struct DwordSpare {
  Row row;
};
struct QwordSpare {
  Row lo, hi;
};

template <class Value>
struct Dword {
  using T = Value;
  using View = DwordView;
  using Spare = DwordSpare;
  static constexpr bool kDoubleScope = false;
  static View fetch_view(Wave& w, const Source& s, unsigned h, Spare& spare) { return {fetch(w, s, 0, h, spare.row)}; }
  static T get(const View& v, unsigned l) { return std::bit_cast<T>(v.p[l]); }
  static void finish(T*, Wave&, const Step&) {}
  static void store(Wave& w, const Step& s, unsigned h, const T* out) {
    uint32_t* d = w.vgpr(s.dst, h);
    const uint32_t* exec = w.exec_row(h);
    BW_FOR_LANES(l) d[l] = exec[l] != 0 ? std::bit_cast<uint32_t>(out[l]) : d[l];
  }
};

template <class Value>
struct Qword {
  using T = Value;
  using View = QwordView;
  using Spare = QwordSpare;
  static constexpr bool kDoubleScope = false;
  static View fetch_view(Wave& w, const Source& s, unsigned h, Spare& spare) {
    return {fetch(w, s, 0, h, spare.lo), fetch(w, s, 1, h, spare.hi)};
  }
  static T get(const View& v, unsigned l) {
    return std::bit_cast<T>(static_cast<uint64_t>(v.lo[l]) | static_cast<uint64_t>(v.hi[l]) << 32);
  }
  static void finish(T*, Wave&, const Step&) {}
  static void store(Wave& w, const Step& s, unsigned h, const T* out) {
    uint32_t* lo = w.vgpr(s.dst, h);
    uint32_t* hi = w.vgpr(s.dst + 1u, h);
    const uint32_t* exec = w.exec_row(h);
    BW_FOR_LANES(l) {
      const uint64_t bits = std::bit_cast<uint64_t>(out[l]);
      lo[l] = exec[l] != 0 ? static_cast<uint32_t>(bits) : lo[l];
      hi[l] = exec[l] != 0 ? static_cast<uint32_t>(bits >> 32) : hi[l];
    }
  }
};

// 16-bit values: one half of a dword; the other half of the destination stays as it is.
template <class Value>
struct Word {
  using T = Value;
  using View = DwordView;
  using Spare = DwordSpare;
  static constexpr bool kDoubleScope = false;
  static View fetch_view(Wave& w, const Source& s, unsigned h, Spare& spare) { return {fetch(w, s, 0, h, spare.row)}; }
  static T get(const View& v, unsigned l) { return static_cast<T>(v.p[l]); }
  static void finish(T*, Wave&, const Step&) {}
  static void store(Wave& w, const Step& s, unsigned h, const T* out) {
    uint32_t* d = w.vgpr(s.dst, h);
    const uint32_t* exec = w.exec_row(h);
    const unsigned shift = s.dst_high ? 16 : 0;
    const uint32_t keep = s.dst_high ? 0x0000ffffu : 0xffff0000u;
    BW_FOR_LANES(l) {
      const uint32_t value = (d[l] & keep) | static_cast<uint32_t>(static_cast<uint16_t>(out[l])) << shift;
      d[l] = exec[l] != 0 ? value : d[l];
    }
  }
};

struct U32 : Dword<uint32_t> {};
struct I32 : Dword<int32_t> {};
struct U64 : Qword<uint64_t> {};
struct I64 : Qword<int64_t> {};
struct U16 : Word<uint16_t> {};
struct I16 : Word<int16_t> {};
struct F32 : Dword<float> {
  static void finish(T* out, Wave& w, const Step& s) {
    if (s.omod != 0 || s.clamp) apply_output_f32(out, w.mode, s.omod, s.clamp, w.mode.flush_output32());
  }
};
// Results of operations that flush denormal results whatever MODE says.
struct F32Flushed : Dword<float> {
  static void finish(T* out, Wave& w, const Step& s) {
    BW_FOR_LANES(l) out[l] = flush(out[l]);
    if (s.omod != 0 || s.clamp) apply_output_f32(out, w.mode, s.omod, s.clamp, true);
  }
};
// An f16 result as its bits, of operations that do not round.
struct HalfBits : Word<uint16_t> {
  static void finish(T* out, Wave& w, const Step& s) {
    if (s.omod == 0 && !s.clamp) return;
    DoubleScope scope(w.mode);
    for (unsigned l = 0; l < kLanes; ++l) out[l] = apply_output_f16(out[l], w.mode, s.omod, s.clamp);
  }
};
struct F64 : Qword<double> {
  static constexpr bool kDoubleScope = true;
  static void finish(T* out, Wave& w, const Step& s) {
    if (s.omod != 0 || s.clamp) apply_output_f64(out, w.mode, s.omod, s.clamp);
  }
};

void halves_to_floats(const uint32_t* in, float* out, bool flush_denormals);
void store_halves(Wave& wave, const Step& step, unsigned half, const float* values);

// f16 operands, computed with as f32.
struct F16 {
  using T = float;
  struct View {
    const float* p;
  };
  struct Spare {
    Row raw;
    alignas(32) float values[kLanes];
  };
  static constexpr bool kDoubleScope = true;
  static View fetch_view(Wave& w, const Source& s, unsigned h, Spare& spare) {
    halves_to_floats(fetch(w, s, 0, h, spare.raw), spare.values, w.mode.flush_input64());
    return {spare.values};
  }
  static T get(const View& v, unsigned l) { return v.p[l]; }
  static void finish(T*, Wave&, const Step&) {}
  static void store(Wave& w, const Step& s, unsigned h, const T* out) { store_halves(w, s, h, out); }
};
// An f16 destination whose operation computes in f64, rounded once.
struct F16FromF64 : F16 {
  using T = double;
  static void finish(T*, Wave&, const Step&) {}
  static void store(Wave& w, const Step& s, unsigned h, const T* out);
};

struct NoScope {
  explicit NoScope(const Mode&) {}
};

template <class D, class... S>
inline constexpr bool kNeedsDoubleScope = D::kDoubleScope || (false || ... || S::kDoubleScope);

// Operations are stateless lambdas; their type is all that a handler needs.
template <class F, class D, class A>
void run_valu1(Wave& w, const Step& s) {
  std::conditional_t<kNeedsDoubleScope<D, A>, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    typename A::Spare spare_a;
    const auto a = A::fetch_view(w, s.src[0], h, spare_a);
    alignas(64) typename D::T out[kLanes];
    BW_FOR_LANES(l) out[l] = F{}(A::get(a, l));
    D::finish(out, w, s);
    D::store(w, s, h, out);
  }
}
template <class F, class D, class A, class B>
void run_valu2(Wave& w, const Step& s) {
  std::conditional_t<kNeedsDoubleScope<D, A, B>, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    typename A::Spare spare_a;
    typename B::Spare spare_b;
    const auto a = A::fetch_view(w, s.src[0], h, spare_a);
    const auto b = B::fetch_view(w, s.src[1], h, spare_b);
    alignas(64) typename D::T out[kLanes];
    BW_FOR_LANES(l) out[l] = F{}(A::get(a, l), B::get(b, l));
    D::finish(out, w, s);
    D::store(w, s, h, out);
  }
}
template <class F, class D, class A, class B, class C>
void run_valu3(Wave& w, const Step& s) {
  std::conditional_t<kNeedsDoubleScope<D, A, B, C>, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    typename A::Spare spare_a;
    typename B::Spare spare_b;
    typename C::Spare spare_c;
    const auto a = A::fetch_view(w, s.src[0], h, spare_a);
    const auto b = B::fetch_view(w, s.src[1], h, spare_b);
    const auto c = C::fetch_view(w, s.src[2], h, spare_c);
    alignas(64) typename D::T out[kLanes];
    BW_FOR_LANES(l) out[l] = F{}(A::get(a, l), B::get(b, l), C::get(c, l));
    D::finish(out, w, s);
    D::store(w, s, h, out);
  }
}

template <class D, class A, class F>
constexpr Handler valu(F) requires std::is_invocable_v<F, typename A::T> {
  return &run_valu1<F, D, A>;
}
template <class D, class A, class B, class F>
constexpr Handler valu(F) requires std::is_invocable_v<F, typename A::T, typename B::T> {
  return &run_valu2<F, D, A, B>;
}
template <class D, class A, class B, class C, class F>
constexpr Handler valu(F) requires std::is_invocable_v<F, typename A::T, typename B::T, typename C::T> {
  return &run_valu3<F, D, A, B, C>;
}

inline bool any_nan(const float* v) {
  // Unordered: at least one of the two is a NaN.
  const __m256 low = _mm256_cmp_ps(_mm256_load_ps(v), _mm256_load_ps(v + 8), _CMP_UNORD_Q);
  const __m256 high = _mm256_cmp_ps(_mm256_load_ps(v + 16), _mm256_load_ps(v + 24), _CMP_UNORD_Q);
  return _mm256_movemask_ps(_mm256_or_ps(low, high)) != 0;
}
inline bool any_nan(const double* v) {
  __m256d any = _mm256_setzero_pd();
  for (unsigned l = 0; l < kLanes; l += 8) {
    any = _mm256_or_pd(any, _mm256_cmp_pd(_mm256_load_pd(v + l), _mm256_load_pd(v + l + 4), _CMP_UNORD_Q));
  }
  return _mm256_movemask_pd(any) != 0;
}
// Results that are NaN: that of the first source that is one, quieted only in IEEE mode; the default NaN of an invalid
// operation, which in a multiply-add is the product before it is the sum. Source: ROCm/rocm-systems,
// emulation/rocjitsu, captures of gfx1100 in its tests of arithmetic modes; payloads of operations that are not among
// those follow the same rule, unverified.
template <class T>
constexpr T default_nan() {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(kDefaultNan32);
  else
    return std::bit_cast<T>(kDefaultNan64);
}
template <class T>
T quieted(T nan) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  return std::bit_cast<T>(quiet_bits(std::bit_cast<Bits>(nan)));
}
template <class T>
T passed_nan(const Mode& mode, T nan) {
  return mode.ieee() ? quieted(nan) : nan;
}
template <unsigned kSources, class T>
T nan_result(const Mode& mode, T a, T b, T c) {
  const bool invalid_product = (a == 0 && std::isinf(b)) || (b == 0 && std::isinf(a));
  if (kSources == 3 && invalid_product) return default_nan<T>();
  if (a != a) return passed_nan(mode, a);
  if (kSources > 1 && b != b) return passed_nan(mode, b);
  if (kSources > 2 && c != c) return passed_nan(mode, c);
  return default_nan<T>();
}
// The NaN of a sum of two products x[i] * y[i] and z.
inline float nan_of_dot2(const Mode& mode, const float (&x)[2], const float (&y)[2], float z) {
  for (const float source : {x[0], y[0], x[1], y[1], z}) {
    if (source != source) return passed_nan(mode, source);
  }
  return default_nan<float>();
}
// A NaN in another format, payload kept.
template <class To, class From>
To nan_as(From nan) {
  if constexpr (sizeof(To) == sizeof(From)) return nan;
  if constexpr (sizeof(To) > sizeof(From)) return widen_nan(nan);
  if constexpr (sizeof(To) < sizeof(From)) return narrow_nan(nan);
}

// Arithmetic on values of one float type V giving a D, with NaN results settled. Of three sources the first two are
// multiplied.
template <class F, class D, class V, unsigned kSources>
void run_arith(Wave& w, const Step& s) {
  using T = typename V::T;
  using R = typename D::T;
  std::conditional_t<kNeedsDoubleScope<D, V>, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    typename V::Spare spare_a, spare_b, spare_c;
    const auto a = V::fetch_view(w, s.src[0], h, spare_a);
    const auto b = V::fetch_view(w, s.src[kSources > 1 ? 1 : 0], h, spare_b);
    const auto c = V::fetch_view(w, s.src[kSources > 2 ? 2 : 0], h, spare_c);
    alignas(64) R out[kLanes];
    BW_FOR_LANES(l) {
      if constexpr (kSources == 1) out[l] = F{}(V::get(a, l));
      if constexpr (kSources == 2) out[l] = F{}(V::get(a, l), V::get(b, l));
      if constexpr (kSources == 3) out[l] = F{}(V::get(a, l), V::get(b, l), V::get(c, l));
    }
    if (any_nan(out)) [[unlikely]] {
      for (unsigned l = 0; l < kLanes; ++l) {
        if (out[l] != out[l])
          out[l] = nan_as<R>(nan_result<kSources, T>(w.mode, V::get(a, l), V::get(b, l), V::get(c, l)));
      }
    }
    D::finish(out, w, s);
    D::store(w, s, h, out);
  }
}
template <class D, class V, class F>
constexpr Handler arith_to(F) {
  using T = typename V::T;
  if constexpr (std::is_invocable_v<F, T>)
    return &run_arith<F, D, V, 1>;
  else if constexpr (std::is_invocable_v<F, T, T>)
    return &run_arith<F, D, V, 2>;
  else
    return &run_arith<F, D, V, 3>;
}
template <class V, class F>
constexpr Handler arith(F f) {
  return arith_to<V, V>(f);
}

// Operations that need the mode of the wave: F(const Mode&, a, b, c), sources beyond the operation's repeat the first.
template <class F, class D, class A, class B, class C>
void run_moded(Wave& w, const Step& s) {
  std::conditional_t<kNeedsDoubleScope<D, A, B, C>, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  const Mode mode = w.mode;
  for (unsigned h = 0; h < w.halves; ++h) {
    typename A::Spare spare_a;
    typename B::Spare spare_b;
    typename C::Spare spare_c;
    const auto a = A::fetch_view(w, s.src[0], h, spare_a);
    const auto b = B::fetch_view(w, s.src[1], h, spare_b);
    const auto c = C::fetch_view(w, s.src[2], h, spare_c);
    alignas(64) typename D::T out[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) {
      if constexpr (std::is_invocable_v<F, const Mode&, typename A::T>) {
        out[l] = F{}(mode, A::get(a, l));
      } else if constexpr (std::is_invocable_v<F, const Mode&, typename A::T, typename B::T>) {
        out[l] = F{}(mode, A::get(a, l), B::get(b, l));
      } else {
        out[l] = F{}(mode, A::get(a, l), B::get(b, l), C::get(c, l));
      }
    }
    D::finish(out, w, s);
    D::store(w, s, h, out);
  }
}
template <class D, class A, class B = A, class C = A, class F>
constexpr Handler moded(F) {
  return &run_moded<F, D, A, B, C>;
}

}  // namespace bw::emulator
