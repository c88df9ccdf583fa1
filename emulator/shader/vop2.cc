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

// Zero times anything is +0, and so is the product of zeros. Denormals are flushed on the way in and out whatever MODE
// says. Source: captures of gfx1100 in ROCm/rocm-systems, emulation/rocjitsu, tests of arithmetic modes.
void run_fma_dx9_zero(Wave& w, const Step& s) {
  constexpr uint32_t kFlushAll = 0x8040;
  const uint32_t csr = w.mode.csr32 | kFlushAll;
  if (csr != w.mode.csr32) load_csr(csr);
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare[3];
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare[0]);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare[1]);
    const uint32_t* c = fetch(w, s.src[2], 0, h, spare[2]);
    alignas(64) float out[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) {
      const float x = float_of(a[l]), y = float_of(b[l]), z = float_of(c[l]);
      const bool no_product = x == 0 || y == 0;
      out[l] = no_product ? 0.0f + z : std::fma(x, y, z);
      if (out[l] != out[l]) out[l] = no_product ? passed_nan(w.mode, z) : nan_result<3>(w.mode, x, y, z);
    }
    F32Flushed::finish(out, w, s);
    F32Flushed::store(w, s, h, out);
  }
  if (csr != w.mode.csr32) load_csr(w.mode.csr32);
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
  t.bind(Op::v_fmac_dx9_zero_f32, run_fma_dx9_zero);
  t.bind(Op::v_fma_dx9_zero_f32, run_fma_dx9_zero);
  t.bind(Op::v_min_f32, min_max<F32, Extreme::kMin>());
  t.bind(Op::v_max_f32, min_max<F32, Extreme::kMax>());
}

// Two halves rounded towards zero, whatever MODE says.
void run_cvt_pk_rtz(Wave& w, const Step& s) {
  w.sync_exec();
  const auto convert = [&](float value) {
    uint16_t half = float_to_half_rtz(value != value ? passed_nan(w.mode, value) : value);
    if (w.mode.flush_output64() && (half & kHalfInfinity) == 0) half &= kHalfSign;
    return s.clamp ? apply_output_f16(half, w.mode, 0, true) : half;
  };
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b, out;
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare_b);
    for (unsigned l = 0; l < kLanes; ++l)
      out.lane[l] = convert(float_of(a[l])) | static_cast<u32>(convert(float_of(b[l]))) << 16;
    store_lanes(w, s.dst, h, out.lane);
  }
}

void bind_f16(HandlerTable& t) {
  t.bind(Op::v_add_f16, arith<F16>([](float a, float b) { return a + b; }));
  t.bind(Op::v_sub_f16, arith<F16>([](float a, float b) { return a - b; }));
  t.bind(Op::v_subrev_f16, arith<F16>([](float a, float b) { return b - a; }));
  t.bind(Op::v_mul_f16, arith<F16>([](float a, float b) { return a * b; }));
  t.bind(Op::v_fmac_f16, arith_to<F16FromF64, F16>([](float a, float b, float c) {
           return static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c);
         }));
  t.bind(Op::v_fmamk_f16, t[Op::v_fmac_f16]);
  t.bind(Op::v_fmaak_f16, t[Op::v_fmac_f16]);
  t.bind(Op::v_fma_f16, t[Op::v_fmac_f16]);
  t.bind(Op::v_min_f16, moded<HalfBits, U16>([](const Mode& m, uint16_t a, uint16_t b) { return half_min(a, b, m); }));
  t.bind(Op::v_max_f16, moded<HalfBits, U16>([](const Mode& m, uint16_t a, uint16_t b) { return half_max(a, b, m); }));
  t.bind(Op::v_ldexp_f16, moded<F16FromF64, F16, I16>([](const Mode& m, float a, int16_t exponent) {
           return a != a ? widen_nan(passed_nan(m, a)) : scale(a, exponent);
         }));
  t.bind(Op::v_cvt_pk_rtz_f16_f32, run_cvt_pk_rtz);
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
