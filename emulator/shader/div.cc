// Owns: the steps of exact division: v_div_scale, v_div_fmas, v_div_fixup. Source of the semantics: RDNA3 ISA guide,
// "VOP3".
#include "emulator/shader/handlers.h"
#include "emulator/shader/lane_mask.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

template <class T>
struct Format;
template <>
struct Format<float> {
  using View = F32;
  static constexpr int kBias = 127, kMaxExponent = 255, kMantissa = 23;
  static constexpr int kFarApart = 96, kScale = 64, kUnderflow = -150;
};
template <>
struct Format<double> {
  using View = F64;
  static constexpr int kBias = 1023, kMaxExponent = 2047, kMantissa = 52;
  static constexpr int kFarApart = 768, kScale = 128, kUnderflow = -1075;
};

template <class T>
int exponent_of(T value) {
  const auto bits = bits_of(value);
  return static_cast<int>(bits >> Format<T>::kMantissa) & Format<T>::kMaxExponent;
}
bool flushes_input(const Mode& mode, float) {
  return mode.flush_input32();
}
bool flushes_input(const Mode& mode, double) {
  return mode.flush_input64();
}
bool flushes_output(const Mode& mode, float) {
  return mode.flush_output32();
}
bool flushes_output(const Mode& mode, double) {
  return mode.flush_output64();
}

// Scales s0 (which is the denominator or the numerator) so that the quotient can be computed without losing bits;
// *post: v_div_fmas must undo it. All is decided by the exponent fields. Source: the model that ROCm/rocm-systems,
// emulation/rocjitsu, has of captured results (of gfx1201; the recorded vectors of gfx1100 agree). The ISA guide
// differs: docs/errata.md.
template <class T>
T div_scale(T s0, T denominator, T numerator, bool* post) {
  using F = Format<T>;
  constexpr int kHighest = 2 * F::kBias - 1;
  const int below = exponent_of(denominator), distance = exponent_of(numerator) - below;
  const bool is_denominator = bits_of(s0) == bits_of(denominator);
  const bool large = distance >= F::kFarApart, small = distance <= -F::kFarApart;
  *post = large || small;
  if (numerator == 0 || denominator == 0) return default_nan<T>();
  int adjustment = exponent_of(numerator) <= F::kMantissa + 1 ? F::kScale : 0;
  if (small) adjustment = is_denominator ? 0 : F::kScale;
  if (below >= kHighest) adjustment = small && !is_denominator ? 0 : -F::kScale;
  if (below == 0) adjustment = F::kScale;
  if (large) adjustment = is_denominator ? F::kScale : 0;
  if (adjustment == 0 || s0 == 0 || !std::isfinite(s0)) return s0;
  return std::ldexp(s0, adjustment);
}

template <class T>
void run_div_scale(Wave& w, const Step& s) {
  using V = typename Format<T>::View;
  const bool flushes = flushes_input(w.mode, T{});
  // The scaled operands and the tests are exact only with denormals.
  load_csr(0x1f80);
  w.sync_exec();
  uint64_t mask = 0;
  for (unsigned h = 0; h < w.halves; ++h) {
    typename V::Spare spare_a, spare_b, spare_c;
    const auto a = V::fetch_view(w, s.src[0], h, spare_a);
    const auto b = V::fetch_view(w, s.src[1], h, spare_b);
    const auto c = V::fetch_view(w, s.src[2], h, spare_c);
    T out[kLanes];
    alignas(64) uint32_t vcc[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) {
      bool scaled = false;
      T x = V::get(a, l), y = V::get(b, l), z = V::get(c, l);
      if (flushes) {
        x = flush(x);
        y = flush(y);
        z = flush(z);
      }
      out[l] = div_scale(x, y, z, &scaled);
      if (flushes_output(w.mode, T{})) out[l] = flush(out[l]);
      vcc[l] = scaled ? ~0u : 0u;
    }
    mask |= static_cast<uint64_t>(mask_of_rows(vcc, w.exec_row(h))) << (h * kLanes);
    V::finish(out, w, s);
    V::store(w, s, h, out);
  }
  w.set_mask(s.sdst, mask);
  load_csr(w.mode.csr32);
}

// a * b + c scaled by a power of two, rounded once: the quotient may be denormal only after the scaling.
template <class T>
T scaled_fma(T a, T b, T c, T factor) {
  using Wide = __float128;
  const Wide sum = static_cast<Wide>(a) * static_cast<Wide>(b) + static_cast<Wide>(c);
  return static_cast<T>(sum * static_cast<Wide>(factor));
}

// a * b + c, scaled back where VCC says that v_div_scale scaled.
template <class T>
void run_div_fmas(Wave& w, const Step& s) {
  using V = typename Format<T>::View;
  using F = Format<T>;
  std::conditional_t<V::kDoubleScope, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  const uint64_t vcc = w.mask(kVccSlot);
  const T up = static_cast<T>(std::ldexp(1.0, F::kScale)), down = static_cast<T>(std::ldexp(1.0, -F::kScale));
  for (unsigned h = 0; h < w.halves; ++h) {
    typename V::Spare spare_a, spare_b, spare_c;
    const auto a = V::fetch_view(w, s.src[0], h, spare_a);
    const auto b = V::fetch_view(w, s.src[1], h, spare_b);
    const auto c = V::fetch_view(w, s.src[2], h, spare_c);
    T out[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) {
      const T x = V::get(a, l), y = V::get(b, l), z = V::get(c, l);
      const bool scaled = (vcc >> (h * kLanes + l) & 1) != 0;
      T r = scaled ? scaled_fma(x, y, z, exponent_of(z) > F::kBias ? up : down) : std::fma(x, y, z);
      if (r != r) r = nan_result<3>(w.mode, x, y, z);
      out[l] = flushes_output(w.mode, r) ? flush(r) : r;
    }
    V::finish(out, w, s);
    V::store(w, s, h, out);
  }
}

// The quotient of the special cases of numerator/denominator; otherwise `quotient` with the right sign. NaNs are
// quieted in every mode. An estimate that is no number, or infinite, comes from an overflow on the way, and becomes
// what an overflow is rounded to. Source: RDNA3 ISA guide, V_DIV_FIXUP; for the estimates the recorded vectors, and for
// f16 captures of gfx1100 in ROCm/rocm-systems, emulation/rocjitsu.
template <class T, bool kHalf>
T div_fixup(const Mode& mode, T quotient, T denominator, T numerator) {
  using F = Format<T>;
  constexpr T kInfinity = std::numeric_limits<T>::infinity(), kLargest = std::numeric_limits<T>::max();
  constexpr T kTiny = std::numeric_limits<T>::min(), kBeyondHalf = T{0x1p20};
  const bool negative = std::signbit(denominator) != std::signbit(numerator);
  const auto with_sign = [negative](T magnitude) { return negative ? -magnitude : magnitude; };
  if (numerator != numerator) return quieted(numerator);
  if (denominator != denominator) return quieted(denominator);
  if (denominator == 0 && numerator == 0) return default_nan<T>();
  if (std::isinf(denominator) && std::isinf(numerator)) return default_nan<T>();
  if (denominator == 0 || std::isinf(numerator)) return with_sign(kInfinity);
  if (std::isinf(denominator) || numerator == 0) return with_sign(T{0});
  if (!kHalf && exponent_of(numerator) - exponent_of(denominator) < F::kUnderflow) return with_sign(kTiny) * kTiny;
  if (!std::isfinite(quotient)) return kHalf ? with_sign(kBeyondHalf) : with_sign(kLargest) * kLargest;
  const T result = with_sign(std::fabs(quotient));
  return !kHalf && flushes_input(mode, result) ? flush(result) : result;
}

}  // namespace

void bind_div(HandlerTable& t) {
  t.bind(Op::v_div_scale_f32, run_div_scale<float>);
  t.bind(Op::v_div_scale_f64, run_div_scale<double>);
  t.bind(Op::v_div_fmas_f32, run_div_fmas<float>);
  t.bind(Op::v_div_fmas_f64, run_div_fmas<double>);
  t.bind(Op::v_div_fixup_f32,
         moded<F32, F32>([](const Mode& m, float q, float d, float n) { return div_fixup<float, false>(m, q, d, n); }));
  t.bind(Op::v_div_fixup_f64, moded<F64, F64>([](const Mode& m, double q, double d, double n) {
           return div_fixup<double, false>(m, q, d, n);
         }));
  t.bind(Op::v_div_fixup_f16,
         moded<F16, F16>([](const Mode& m, float q, float d, float n) { return div_fixup<float, true>(m, q, d, n); }));
}

}  // namespace bw::emulator
