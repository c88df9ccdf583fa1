// Owns: the floating-point operations that only VOP3 has, but for division. Source of the semantics: RDNA3 ISA guide,
// "VOP3".
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

// The middle of three; with a NaN among them, the minimum.
template <class T, class Min, class Max>
T median(T a, T b, T c, bool any_nan_source, Min min, Max max) {
  if (any_nan_source) return min(min(a, b), c);
  return max(min(a, b), min(max(a, b), c));
}

void bind_three(HandlerTable& t) {
  t.bind(Op::v_min3_f32,
         moded<F32, F32>([](const Mode& m, float a, float b, float c) { return min_f32(min_f32(a, b, m), c, m); }));
  t.bind(Op::v_max3_f32,
         moded<F32, F32>([](const Mode& m, float a, float b, float c) { return max_f32(max_f32(a, b, m), c, m); }));
  t.bind(Op::v_minmax_f32,
         moded<F32, F32>([](const Mode& m, float a, float b, float c) { return max_f32(min_f32(a, b, m), c, m); }));
  t.bind(Op::v_maxmin_f32,
         moded<F32, F32>([](const Mode& m, float a, float b, float c) { return min_f32(max_f32(a, b, m), c, m); }));
  t.bind(Op::v_med3_f32, moded<F32, F32>([](const Mode& m, float a, float b, float c) {
           return median(
               a, b, c, a != a || b != b || c != c, [&](float x, float y) { return min_f32(x, y, m); },
               [&](float x, float y) { return max_f32(x, y, m); });
         }));
  t.bind(Op::v_min3_f16,
         moded<U16, U16>([](const Mode& m, u16 a, u16 b, u16 c) { return half_min(half_min(a, b, m), c, m); }));
  t.bind(Op::v_max3_f16,
         moded<U16, U16>([](const Mode& m, u16 a, u16 b, u16 c) { return half_max(half_max(a, b, m), c, m); }));
  t.bind(Op::v_minmax_f16,
         moded<U16, U16>([](const Mode& m, u16 a, u16 b, u16 c) { return half_max(half_min(a, b, m), c, m); }));
  t.bind(Op::v_maxmin_f16,
         moded<U16, U16>([](const Mode& m, u16 a, u16 b, u16 c) { return half_min(half_max(a, b, m), c, m); }));
  t.bind(Op::v_med3_f16, moded<U16, U16>([](const Mode& m, u16 a, u16 b, u16 c) {
           return median(
               a, b, c, half_is_nan(a) || half_is_nan(b) || half_is_nan(c),
               [&](u16 x, u16 y) { return half_min(x, y, m); }, [&](u16 x, u16 y) { return half_max(x, y, m); });
         }));
}

void bind_f64(HandlerTable& t) {
  t.bind(Op::v_add_f64, arith<F64>([](double a, double b) { return a + b; }));
  t.bind(Op::v_mul_f64, arith<F64>([](double a, double b) { return a * b; }));
  t.bind(Op::v_fma_f64, arith<F64>([](double a, double b, double c) { return std::fma(a, b, c); }));
  t.bind(Op::v_min_f64, min_max<F64, Extreme::kMin>());
  t.bind(Op::v_max_f64, min_max<F64, Extreme::kMax>());
  t.bind(Op::v_ldexp_f64, valu<F64, F64, I32>([](double a, int32_t e) {
           const double r = std::ldexp(a, e);
           return r != r ? nan_of(r) : r;
         }));
}

// Face, coordinates and major axis of a cube map lookup.
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
constexpr unsigned kTwoOverPiBits = 1201;

// 53 bits of 2/pi that matter for the segment, and for the exponent of the argument.
double trig_preop(double argument, uint32_t segment) {
  const int exponent = static_cast<int>(bits_of(argument) >> 52 & 0x7ff);
  const int shift = static_cast<int>(segment & 31) * 53 + (exponent > 1077 ? exponent - 1077 : 0);
  uint64_t bits = 0;
  for (unsigned i = 0; i < 53; ++i) {
    const unsigned at = static_cast<unsigned>(shift) + i;
    const uint64_t bit = at < kTwoOverPiBits ? kTwoOverPi[at / 32] >> (31 - at % 32) & 1 : 0;
    bits = bits << 1 | bit;
  }
  return std::ldexp(static_cast<double>(bits), -53 - shift + (exponent >= 1968 ? 128 : 0));
}

// The product, where the guard c is positive and b is above the lowest number; otherwise the lowest number.
float multiply_lit(float a, float b, float c) {
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  if (!(b > kLowest) || !(c > 0)) return kLowest;
  return a == 0 || b == 0 ? 0.0f : a * b;
}

void bind_special(HandlerTable& t) {
  t.bind(Op::v_trig_preop_f64, valu<F64, F64, U32>([](double a, uint32_t segment) { return trig_preop(a, segment); }));
  t.bind(Op::v_mullit_f32, valu<F32, F32, F32, F32>([](float a, float b, float c) { return multiply_lit(a, b, c); }));
  t.bind(Op::v_ldexp_f32, valu<F32, F32, I32>([](float a, int32_t e) {
           const float r = static_cast<float>(scale(a, e));
           return r != r ? nan_of(r) : r;
         }));
  t.bind(Op::v_cubeid_f32, arith<F32>([](float a, float b, float c) { return cube_id(a, b, c); }));
  t.bind(Op::v_cubesc_f32, arith<F32>([](float a, float b, float c) { return cube_sc(a, b, c); }));
  t.bind(Op::v_cubetc_f32, arith<F32>([](float a, float b, float c) { return cube_tc(a, b, c); }));
  t.bind(Op::v_cubema_f32, arith<F32>([](float a, float b, float c) { return cube_ma(a, b, c); }));
}

// Dot products of pairs of halves onto an accumulator of 16 bits.
void bind_dot(HandlerTable& t) {
  // unverified: one rounding at the end; the ISA guide does not say where the hardware rounds.
  t.bind(Op::v_dot2_f16_f16, valu<F16FromF64, U32, U32, F16>([](uint32_t a, uint32_t b, float c) {
           const auto half = [](uint32_t bits) { return static_cast<double>(half_to_float(static_cast<u16>(bits))); };
           return half(a) * half(b) + half(a >> 16) * half(b >> 16) + static_cast<double>(c);
         }));
  t.bind(Op::v_dot2_bf16_bf16, valu<U16, U32, U32, U16>([](uint32_t a, uint32_t b, u16 c) {
           const auto wide = [](uint32_t bits) { return bfloat_to_float(static_cast<u16>(bits)); };
           const float sum = std::fma(wide(a), wide(b), bfloat_to_float(c));
           return float_to_bfloat(std::fma(wide(a >> 16), wide(b >> 16), sum));
         }));
}

}  // namespace

void bind_vop3_float(HandlerTable& table) {
  bind_three(table);
  bind_f64(table);
  bind_special(table);
  bind_dot(table);
}

}  // namespace bw::emulator
