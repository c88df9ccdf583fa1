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
  static constexpr int kFarApart = 96, kScale = 64, kTiny = 23, kUnderflow = -150;
  static constexpr uint64_t kUndefined = 0xffc00000;
};
template <>
struct Format<double> {
  using View = F64;
  static constexpr int kBias = 1023, kMaxExponent = 2047, kMantissa = 52;
  static constexpr int kFarApart = 768, kScale = 128, kTiny = 53, kUnderflow = -1075;
  static constexpr uint64_t kUndefined = 0xfff8000000000000;
};

template <class T>
int exponent_of(T value) {
  const auto bits = bits_of(value);
  return static_cast<int>(bits >> Format<T>::kMantissa) & Format<T>::kMaxExponent;
}
template <class T>
bool is_denormal(T value) {
  return value != 0 && exponent_of(value) == 0;
}
template <class T>
T flush_to_zero(T value) {
  return is_denormal(value) ? std::copysign(T{0}, value) : value;
}
template <class T>
T undefined() {
  if constexpr (sizeof(T) == 4)
    return float_of(static_cast<uint32_t>(Format<float>::kUndefined));
  else
    return double_of(Format<double>::kUndefined);
}

// Scales s0 (which is s1 or s2) so that the quotient s2/s1 can be computed without losing bits; *vcc: v_div_fmas must
// undo it. Where the ISA guide and the recorded vectors differ, the vectors count: they have VCC set for zeros and tiny
// numerators. unverified: a tiny denominator beside a tiny numerator; taken so that the sequence gives the right
// quotient.
template <class T>
T div_scale(T s0, T denominator, T numerator, bool* vcc) {
  using F = Format<T>;
  *vcc = false;
  if (numerator == 0 || denominator == 0) {
    *vcc = true;
    return nan_of<T>(T{0});
  }
  const T up = static_cast<T>(std::ldexp(static_cast<double>(1), F::kScale));
  const bool inverse_denormal = is_denormal(static_cast<T>(T{1} / denominator));
  const bool quotient_denormal = is_denormal(static_cast<T>(numerator / denominator)) ||
                                 exponent_of(numerator) - exponent_of(denominator) < 1 - F::kBias + 1;
  if (exponent_of(numerator) - exponent_of(denominator) >= F::kFarApart) {
    *vcc = true;
    return s0 == denominator ? s0 * up : s0;
  }
  if (is_denormal(denominator)) return s0 * up;
  if (inverse_denormal && quotient_denormal) {
    *vcc = true;
    return s0 == denominator ? s0 / up : s0;
  }
  if (inverse_denormal) return s0 / up;
  if (quotient_denormal) {
    *vcc = true;
    return s0 == numerator ? s0 * up : s0;
  }
  if (exponent_of(numerator) <= F::kTiny) return s0 * up;
  return s0;
}

template <class T>
void run_div_scale(Wave& w, const Step& s) {
  using V = typename Format<T>::View;
  const bool flushes = sizeof(T) == 4 ? w.mode.flush_input32() : w.mode.flush_input64();
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
        x = flush_to_zero(x);
        y = flush_to_zero(y);
        z = flush_to_zero(z);
      }
      out[l] = div_scale(x, y, z, &scaled);
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
      if (r != r) r = nan_of(x != x ? x : y != y ? y : z);
      out[l] = r;
    }
    V::finish(out, w, s);
    V::store(w, s, h, out);
  }
}

// The quotient of the special cases of numerator/denominator; otherwise `quotient` with the right sign.
template <class T>
T div_fixup(T quotient, T denominator, T numerator) {
  using F = Format<T>;
  const bool negative = std::signbit(denominator) != std::signbit(numerator);
  const T infinity = std::numeric_limits<T>::infinity();
  const auto with_sign = [negative](T magnitude) { return negative ? -magnitude : magnitude; };
  if (numerator != numerator) return nan_of(numerator);
  if (denominator != denominator) return nan_of(denominator);
  if (denominator == 0 && numerator == 0) return undefined<T>();
  if (std::isinf(denominator) && std::isinf(numerator)) return undefined<T>();
  if (denominator == 0 || std::isinf(numerator)) return with_sign(infinity);
  if (std::isinf(denominator) || numerator == 0) return with_sign(T{0});
  if (exponent_of(numerator) - exponent_of(denominator) < F::kUnderflow) return with_sign(T{0});
  // An estimate that is no number comes from an overflow on the way.
  return with_sign(quotient != quotient ? infinity : std::fabs(quotient));
}

}  // namespace

void bind_div(HandlerTable& t) {
  t.bind(Op::v_div_scale_f32, run_div_scale<float>);
  t.bind(Op::v_div_scale_f64, run_div_scale<double>);
  t.bind(Op::v_div_fmas_f32, run_div_fmas<float>);
  t.bind(Op::v_div_fmas_f64, run_div_fmas<double>);
  t.bind(Op::v_div_fixup_f32, valu<F32, F32, F32, F32>([](float q, float d, float n) { return div_fixup(q, d, n); }));
  t.bind(Op::v_div_fixup_f64,
         valu<F64, F64, F64, F64>([](double q, double d, double n) { return div_fixup(q, d, n); }));
  t.bind(Op::v_div_fixup_f16, valu<F16, F16, F16, F16>([](float q, float d, float n) { return div_fixup(q, d, n); }));
}

}  // namespace bw::emulator
