// Owns: the arithmetic of VOP2 (and its VOP3 forms) but for carries. Source of the semantics: RDNA3 ISA guide, "VOP2".
#include <algorithm>

#include "emulator/shader/handlers.h"
#include "emulator/shader/minmax.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

i32 signed24(i32 value) {
  return static_cast<i32>(static_cast<u32>(value) << 8) >> 8;
}
u32 unsigned24(u32 value) {
  return value & 0xffffff;
}

void bind_f32(HandlerTable& t) {
  t.bind(Op::v_add_f32, arith<F32>([](float a, float b) { return a + b; }));
  t.bind(Op::v_sub_f32, arith<F32>([](float a, float b) { return a - b; }));
  t.bind(Op::v_subrev_f32, arith<F32>([](float a, float b) { return b - a; }));
  t.bind(Op::v_mul_f32, arith<F32>([](float a, float b) { return a * b; }));
  t.bind(Op::v_mul_dx9_zero_f32, arith<F32>([](float a, float b) { return a == 0 || b == 0 ? 0.0f : a * b; }));
  t.bind(Op::v_fmac_f32, arith<F32>([](float a, float b, float c) { return std::fma(a, b, c); }));
  t.bind(Op::v_fmamk_f32, t[Op::v_fmac_f32]);
  t.bind(Op::v_fmaak_f32, t[Op::v_fmac_f32]);
  t.bind(Op::v_fma_f32, t[Op::v_fmac_f32]);
  t.bind(Op::v_fmac_dx9_zero_f32,
         arith<F32>([](float a, float b, float c) { return a == 0 || b == 0 ? 0.0f + c : std::fma(a, b, c); }));
  t.bind(Op::v_fma_dx9_zero_f32, t[Op::v_fmac_dx9_zero_f32]);
  t.bind(Op::v_min_f32, min_max<F32, Extreme::kMin>());
  t.bind(Op::v_max_f32, min_max<F32, Extreme::kMax>());
}

void bind_f16(HandlerTable& t) {
  t.bind(Op::v_add_f16, arith<F16>([](float a, float b) { return a + b; }));
  t.bind(Op::v_sub_f16, arith<F16>([](float a, float b) { return a - b; }));
  t.bind(Op::v_subrev_f16, arith<F16>([](float a, float b) { return b - a; }));
  t.bind(Op::v_mul_f16, arith<F16>([](float a, float b) { return a * b; }));
  t.bind(Op::v_fmac_f16, valu<F16FromF64, F16, F16, F16>([](float a, float b, float c) {
           return static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c);
         }));
  t.bind(Op::v_fmamk_f16, t[Op::v_fmac_f16]);
  t.bind(Op::v_fmaak_f16, t[Op::v_fmac_f16]);
  t.bind(Op::v_fma_f16, t[Op::v_fmac_f16]);
  t.bind(Op::v_min_f16, moded<U16, U16>([](const Mode& m, uint16_t a, uint16_t b) { return half_min(a, b, m); }));
  t.bind(Op::v_max_f16, moded<U16, U16>([](const Mode& m, uint16_t a, uint16_t b) { return half_max(a, b, m); }));
  t.bind(Op::v_ldexp_f16, valu<F16FromF64, F16, I16>([](float a, int16_t exponent) { return scale(a, exponent); }));
  t.bind(Op::v_cvt_pk_rtz_f16_f32, valu<U32, F32, F32>([](float a, float b) -> u32 {
           return float_to_half_rtz(a) | static_cast<u32>(float_to_half_rtz(b)) << 16;
         }));
}

void bind_integer(HandlerTable& t) {
  t.bind(Op::v_mul_i32_i24, valu<I32, I32, I32>([](i32 a, i32 b) {
           return static_cast<i32>(static_cast<u32>(signed24(a)) * static_cast<u32>(signed24(b)));
         }));
  t.bind(Op::v_mul_hi_i32_i24, valu<I32, I32, I32>([](i32 a, i32 b) {
           return static_cast<i32>(static_cast<i64>(signed24(a)) * signed24(b) >> 32);
         }));
  t.bind(Op::v_mul_u32_u24, valu<U32, U32, U32>([](u32 a, u32 b) { return unsigned24(a) * unsigned24(b); }));
  t.bind(Op::v_mul_hi_u32_u24, valu<U32, U32, U32>([](u32 a, u32 b) {
           return static_cast<u32>(static_cast<u64>(unsigned24(a)) * unsigned24(b) >> 32);
         }));
  t.bind(Op::v_min_i32, valu<I32, I32, I32>([](i32 a, i32 b) { return a < b ? a : b; }));
  t.bind(Op::v_max_i32, valu<I32, I32, I32>([](i32 a, i32 b) { return a > b ? a : b; }));
  t.bind(Op::v_min_u32, valu<U32, U32, U32>([](u32 a, u32 b) { return a < b ? a : b; }));
  t.bind(Op::v_max_u32, valu<U32, U32, U32>([](u32 a, u32 b) { return a > b ? a : b; }));
  t.bind(Op::v_lshlrev_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return b << (a & 31); }));
  t.bind(Op::v_lshrrev_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return b >> (a & 31); }));
  t.bind(Op::v_ashrrev_i32, valu<I32, U32, I32>([](u32 a, i32 b) { return b >> (a & 31); }));
  t.bind(Op::v_and_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return a & b; }));
  t.bind(Op::v_or_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return a | b; }));
  t.bind(Op::v_xor_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return a ^ b; }));
  t.bind(Op::v_xnor_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return ~(a ^ b); }));
  t.bind(Op::v_add_nc_u32, clampable<U32, U32, U32>([](u32 a, u32 b) { return a + b; },
                                                    [](u32 a, u32 b) { return a + b < a ? ~0u : a + b; }));
  t.bind(Op::v_sub_nc_u32,
         clampable<U32, U32, U32>([](u32 a, u32 b) { return a - b; }, [](u32 a, u32 b) { return a < b ? 0u : a - b; }));
  t.bind(Op::v_subrev_nc_u32,
         clampable<U32, U32, U32>([](u32 a, u32 b) { return b - a; }, [](u32 a, u32 b) { return b < a ? 0u : b - a; }));
}

}  // namespace

void bind_vop2(HandlerTable& table) {
  bind_f32(table);
  bind_f16(table);
  bind_integer(table);
}

}  // namespace bw::emulator
