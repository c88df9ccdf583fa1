// Owns: the floating-point operations that only VOP3 has, but for division. Source of the semantics: RDNA3 ISA guide,
// "VOP3".
#include <algorithm>

#include "emulator/shader/handlers.h"
#include "emulator/shader/minmax.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

using u16 = uint16_t;

float min_f32(float a, float b, const Mode& m) {
  return min_num<float, uint32_t>(a, b, m.ieee());
}
float max_f32(float a, float b, const Mode& m) {
  return max_num<float, uint32_t>(a, b, m.ieee());
}

// Of sources that go through comparisons only: they are flushed as inputs are.
template <class F>
float of_three(const Mode& m, float a, float b, float c, F f) {
  return m.flush_input32() ? f(flush(a), flush(b), flush(c)) : f(a, b, c);
}

// The middle of three as the ISA guide words it, which tells the zeros apart in the last step only; with a NaN among
// them, the minimum. `value` makes a number to compare of a T.
template <class T, class Value, class Min, class Max>
T median(T a, T b, T c, bool any_nan_source, Value value, Min min, Max max) {
  if (any_nan_source) return min(min(a, b), c);
  const T top = max(max(a, b), c);
  if (value(top) == value(a)) return max(b, c);
  if (value(top) == value(b)) return max(a, c);
  return max(a, b);
}

float median_f32(const Mode& m, float a, float b, float c) {
  return median(
      a, b, c, a != a || b != b || c != c, [](float x) { return x; },
      [&](float x, float y) { return min_f32(x, y, m); }, [&](float x, float y) { return max_f32(x, y, m); });
}
u16 median_f16(const Mode& m, u16 a, u16 b, u16 c) {
  return median(
      a, b, c, half_is_nan(a) || half_is_nan(b) || half_is_nan(c), [](u16 x) { return half_to_float(x); },
      [&](u16 x, u16 y) { return half_min(x, y, m); }, [&](u16 x, u16 y) { return half_max(x, y, m); });
}

void bind_three_f32(HandlerTable& t) {
  const auto bind = [&t](Op op, auto pick) {
    using Pick = decltype(pick);
    t.bind(op, moded<F32, F32>([](const Mode& m, float a, float b, float c) {
             return of_three(m, a, b, c, [&m](float x, float y, float z) { return Pick{}(m, x, y, z); });
           }));
  };
  bind(Op::v_min3_f32, [](const Mode& m, float a, float b, float c) { return min_f32(min_f32(a, b, m), c, m); });
  bind(Op::v_max3_f32, [](const Mode& m, float a, float b, float c) { return max_f32(max_f32(a, b, m), c, m); });
  bind(Op::v_minmax_f32, [](const Mode& m, float a, float b, float c) { return max_f32(min_f32(a, b, m), c, m); });
  bind(Op::v_maxmin_f32, [](const Mode& m, float a, float b, float c) { return min_f32(max_f32(a, b, m), c, m); });
  bind(Op::v_med3_f32, [](const Mode& m, float a, float b, float c) { return median_f32(m, a, b, c); });
}

void bind_three_f16(HandlerTable& t) {
  const auto bind = [&t](Op op, auto pick) { t.bind(op, moded<HalfBits, U16>(pick)); };
  bind(Op::v_min3_f16, [](const Mode& m, u16 a, u16 b, u16 c) { return half_min(half_min(a, b, m), c, m); });
  bind(Op::v_max3_f16, [](const Mode& m, u16 a, u16 b, u16 c) { return half_max(half_max(a, b, m), c, m); });
  bind(Op::v_minmax_f16, [](const Mode& m, u16 a, u16 b, u16 c) { return half_max(half_min(a, b, m), c, m); });
  bind(Op::v_maxmin_f16, [](const Mode& m, u16 a, u16 b, u16 c) { return half_min(half_max(a, b, m), c, m); });
  bind(Op::v_med3_f16, [](const Mode& m, u16 a, u16 b, u16 c) { return median_f16(m, a, b, c); });
}

void bind_f64(HandlerTable& t) {
  t.bind(Op::v_add_f64, arith<F64>([](double a, double b) { return a + b; }));
  t.bind(Op::v_mul_f64, arith<F64>([](double a, double b) { return a * b; }));
  t.bind(Op::v_fma_f64, arith<F64>([](double a, double b, double c) { return std::fma(a, b, c); }));
  t.bind(Op::v_min_f64, min_max<F64, Extreme::kMin>());
  t.bind(Op::v_max_f64, min_max<F64, Extreme::kMax>());
  t.bind(Op::v_ldexp_f64, moded<F64, F64, I32>([](const Mode& m, double a, int32_t e) {
           return a != a ? passed_nan(m, a) : std::ldexp(a, e);
         }));
}

// Face, coordinates and major axis of a cube map lookup. Coordinates are sources as they are, with NaNs quieted
// (gfx1201 as captured in ROCm/rocm-systems; unverified on gfx1100).
float coordinate(const Mode& m, float value) {
  if (value != value) return quieted(value);
  return m.flush_input32() ? flush(value) : value;
}
float cube_id(float x, float y, float z) {
  if (std::fabs(z) >= std::fabs(x) && std::fabs(z) >= std::fabs(y)) return z < 0 ? 5.0f : 4.0f;
  if (std::fabs(y) >= std::fabs(x)) return y < 0 ? 3.0f : 2.0f;
  return x < 0 ? 1.0f : 0.0f;
}
float cube_sc(float x, float y, float z) {
  if (std::fabs(z) >= std::fabs(x) && std::fabs(z) >= std::fabs(y)) return z < 0 ? -x : x;
  if (std::fabs(y) >= std::fabs(x)) return x;
  return x < 0 ? z : -z;
}
float cube_tc(float x, float y, float z) {
  if (std::fabs(z) >= std::fabs(x) && std::fabs(z) >= std::fabs(y)) return -y;
  if (std::fabs(y) >= std::fabs(x)) return y < 0 ? -z : z;
  return -y;
}
float cube_ma(float x, float y, float z) {
  if (std::fabs(z) >= std::fabs(x) && std::fabs(z) >= std::fabs(y)) return z * 2.0f;
  if (std::fabs(y) >= std::fabs(x)) return y * 2.0f;
  return x * 2.0f;
}

// The fraction bits of 2/pi, most significant first, as far as v_trig_preop_f64 reaches.
constexpr uint32_t kTwoOverPi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab,
                                   0xdebbc561, 0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e,
                                   0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b,
                                   0xbdf9283b, 0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7,
                                   0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1,
                                   0x1f8d5d08, 0x56033046, 0xfc7b6bab};
// The ISA guide has 1201 bits; gfx1100 reads those from 1184 on as zero (captures in ROCm/rocm-systems,
// emulation/rocjitsu, trig_preop.h).
constexpr unsigned kTwoOverPiBits = 1184;

// 53 bits of 2/pi that matter for the segment, and for the exponent of the argument, towards zero.
double trig_preop(double argument, uint32_t segment) {
  const int exponent = static_cast<int>(bits_of(argument) >> 52 & 0x7ff);
  const int shift = static_cast<int>(segment & 31) * 53 + (exponent > 1077 ? exponent - 1077 : 0);
  uint64_t bits = 0;
  for (unsigned i = 0; i < 53; ++i) {
    const unsigned at = static_cast<unsigned>(shift) + i;
    const uint64_t bit = at < kTwoOverPiBits ? kTwoOverPi[at / 32] >> (31 - at % 32) & 1 : 0;
    bits = bits << 1 | bit;
  }
  constexpr int kSmallest = -1074;
  const int scale = -53 - shift + (exponent >= 1968 ? 128 : 0);
  if (scale < kSmallest) bits = kSmallest - scale < 64 ? bits >> (kSmallest - scale) : 0;
  return std::ldexp(static_cast<double>(bits), std::max(scale, kSmallest));
}

// The product, with zero times anything +0, where the guard c is positive and b is above the lowest number; otherwise
// the lowest number.
float multiply_lit(const Mode& m, float a, float b, float c) {
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  if (!(b > kLowest) || !(c > 0)) return kLowest;
  if (a == 0 || b == 0) return 0.0f;
  return a != a ? passed_nan(m, a) : a * b;
}

void bind_special(HandlerTable& t) {
  t.bind(Op::v_trig_preop_f64, valu<F64, F64, U32>([](double a, uint32_t segment) { return trig_preop(a, segment); }));
  t.bind(Op::v_mullit_f32,
         moded<F32, F32>([](const Mode& m, float a, float b, float c) { return multiply_lit(m, a, b, c); }));
  t.bind(Op::v_ldexp_f32, moded<F32, F32, I32>([](const Mode& m, float a, int32_t e) {
           return a != a ? passed_nan(m, a) : static_cast<float>(scale(a, e));
         }));
  const auto cube = [&t](Op op, auto pick) {
    using Pick = decltype(pick);
    t.bind(op,
           moded<F32, F32>([](const Mode& m, float a, float b, float c) { return coordinate(m, Pick{}(a, b, c)); }));
  };
  cube(Op::v_cubeid_f32, [](float a, float b, float c) { return cube_id(a, b, c); });
  cube(Op::v_cubesc_f32, [](float a, float b, float c) { return cube_sc(a, b, c); });
  cube(Op::v_cubetc_f32, [](float a, float b, float c) { return cube_tc(a, b, c); });
  cube(Op::v_cubema_f32, [](float a, float b, float c) { return cube_ma(a, b, c); });
}

// Dot products of pairs of halves onto an accumulator of 16 bits. They round to nearest whatever MODE says; those of
// f16 keep denormals, those of bf16 flush them all; there is no clamp and no omod. Source: RDNA3 ISA guide,
// "Denormalized and Rounding Modes", "Output Operand Modifiers".
// unverified: where the hardware rounds; here f16 once at the end, bf16 in f32 after each product.
template <class Widen, class Sum>
void run_dot2_to_half(Wave& w, const Step& s, uint32_t control, Widen widen, Sum sum) {
  load_csr(control);
  w.sync_exec();
  const auto low = [&](uint32_t bits) { return widen(static_cast<u16>(bits)); };
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare[3];
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare[0]);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare[1]);
    const uint32_t* c = fetch(w, s.src[2], 0, h, spare[2]);
    u16 out[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) {
      const float x[] = {low(a[l]), low(a[l] >> 16)}, y[] = {low(b[l]), low(b[l] >> 16)};
      out[l] = sum(x, y, low(c[l]));
    }
    U16::store(w, s, h, out);
  }
  load_csr(w.mode.csr32);
}

void run_dot2_f16(Wave& w, const Step& s) {
  constexpr uint32_t kNearest = 0x1f80;
  run_dot2_to_half(w, s, kNearest, half_to_float, [&](const float(&x)[2], const float(&y)[2], float z) {
    const double sum = static_cast<double>(x[0]) * static_cast<double>(y[0]) +
                       static_cast<double>(x[1]) * static_cast<double>(y[1]) + static_cast<double>(z);
    const float rounded = sum == sum ? round_to_odd(sum) : nan_of_dot2(w.mode, x, y, z);
    const u16 half = float_to_half(rounded);
    return w.mode.fp16_ovfl() ? cut_overflow(half, rounded) : half;
  });
}

void run_dot2_bf16(Wave& w, const Step& s) {
  constexpr uint32_t kNearestFlushed = 0x9fc0;
  run_dot2_to_half(w, s, kNearestFlushed, bfloat_to_float, [&](const float(&x)[2], const float(&y)[2], float z) {
    const float sum = std::fma(x[1], y[1], std::fma(x[0], y[0], z));
    return float_to_bfloat(sum == sum ? flush(sum) : nan_of_dot2(w.mode, x, y, z));
  });
}

}  // namespace

void bind_vop3_float(HandlerTable& table) {
  bind_three_f32(table);
  bind_three_f16(table);
  bind_f64(table);
  bind_special(table);
  table.bind(Op::v_dot2_f16_f16, run_dot2_f16);
  table.bind(Op::v_dot2_bf16_bf16, run_dot2_bf16);
}

}  // namespace bw::emulator
