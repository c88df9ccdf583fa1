// Owns: packed 16-bit arithmetic, dot products and mixed-precision multiply-add. Source: RDNA3 ISA guide, "VOP3P".
#include <algorithm>

#include "emulator/shader/dot2.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/minmax.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

using u16 = uint16_t;
using i16 = int16_t;
using u32 = uint32_t;
using i32 = int32_t;
using i64 = int64_t;

constexpr u32 kSignBit16 = 0x8000;

// One half of a source for the low or the high result, as 16 bits in dwords. kSigns: neg modifiers flip the sign bit.
template <bool kSigns>
void select_half(Wave& w, const Source& source, bool for_high, unsigned h, Row& out) {
  Row spare;
  const uint32_t* in = fetch(w, source, 0, h, spare);
  const unsigned shift = (for_high ? source.op_sel_hi : source.op_sel) ? 16 : 0;
  const u32 flip = kSigns && (for_high ? source.neg_hi : source.neg) ? kSignBit16 : 0;
  BW_FOR_LANES(l) out.lane[l] = ((in[l] >> shift) & 0xffff) ^ flip;
}

void store_packed(Wave& w, const Step& s, unsigned h, const Row (&results)[2]) {
  Row out;
  BW_FOR_LANES(l) out.lane[l] = (results[0].lane[l] & 0xffff) | results[1].lane[l] << 16;
  store_lanes(w, s.dst, h, out.lane);
}

// F(a, b, c, clamp) on 16-bit integers.
template <class F, class T>
void run_packed_int(Wave& w, const Step& s) {
  w.sync_exec();
  const bool clamp = s.clamp;
  for (unsigned h = 0; h < w.halves; ++h) {
    Row results[2];
    for (unsigned part = 0; part < 2; ++part) {
      Row a, b, c;
      select_half<false>(w, s.src[0], part == 1, h, a);
      select_half<false>(w, s.src[1], part == 1, h, b);
      select_half<false>(w, s.src[2], part == 1, h, c);
      for (unsigned l = 0; l < kLanes; ++l) {
        const i32 r = F{}(static_cast<T>(a.lane[l]), static_cast<T>(b.lane[l]), static_cast<T>(c.lane[l]));
        const i32 low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
        results[part].lane[l] = static_cast<u32>(clamp ? std::clamp(r, low, high) : r);
      }
    }
    store_packed(w, s, h, results);
  }
}
template <class T, class F>
Handler packed(F) {
  return &run_packed_int<F, T>;
}

// u16 * u16 + u16 does not fit 32 signed bits; saturated where only the clamp looks at it.
i32 mad_u16(u32 a, u32 b, u32 c) {
  return static_cast<i32>(std::min<u32>(a * b + c, 0x7fff0000u | ((a * b + c) & 0xffff)));
}

void bind_packed_int(HandlerTable& t) {
  t.bind(Op::v_pk_mad_i16, packed<i16>([](i32 a, i32 b, i32 c) { return a * b + c; }));
  t.bind(Op::v_pk_mad_u16, packed<u16>([](u32 a, u32 b, u32 c) { return mad_u16(a, b, c); }));
  t.bind(Op::v_pk_mul_lo_u16, packed<u16>([](u32 a, u32 b, u32) { return static_cast<i32>(a * b & 0xffff); }));
  t.bind(Op::v_pk_add_i16, packed<i16>([](i32 a, i32 b, i32) { return a + b; }));
  t.bind(Op::v_pk_sub_i16, packed<i16>([](i32 a, i32 b, i32) { return a - b; }));
  t.bind(Op::v_pk_add_u16, packed<u16>([](i32 a, i32 b, i32) { return a + b; }));
  t.bind(Op::v_pk_sub_u16, packed<u16>([](i32 a, i32 b, i32) { return a - b; }));
  t.bind(Op::v_pk_lshlrev_b16, packed<u16>([](u32 a, u32 b, u32) { return static_cast<i32>(b << (a & 15) & 0xffff); }));
  t.bind(Op::v_pk_lshrrev_b16, packed<u16>([](u32 a, u32 b, u32) { return static_cast<i32>(b >> (a & 15)); }));
  t.bind(Op::v_pk_ashrrev_i16, packed<i16>([](i32 a, i32 b, i32) { return b >> (a & 15); }));
  t.bind(Op::v_pk_max_i16, packed<i16>([](i32 a, i32 b, i32) { return std::max(a, b); }));
  t.bind(Op::v_pk_min_i16, packed<i16>([](i32 a, i32 b, i32) { return std::min(a, b); }));
  t.bind(Op::v_pk_max_u16, packed<u16>([](i32 a, i32 b, i32) { return std::max(a, b); }));
  t.bind(Op::v_pk_min_u16, packed<u16>([](i32 a, i32 b, i32) { return std::min(a, b); }));
}

// F(a, b, c) in f64 on halves, rounded once.
template <class F, unsigned kSources>
void run_packed_half(Wave& w, const Step& s) {
  DoubleScope scope(w.mode);
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row results[2];
    for (unsigned part = 0; part < 2; ++part) {
      alignas(64) float values[3][kLanes];
      for (unsigned i = 0; i < 3; ++i) {
        Row bits;
        select_half<true>(w, s.src[i], part == 1, h, bits);
        halves_to_floats(bits.lane, values[i], w.mode.flush_input64());
      }
      for (unsigned l = 0; l < kLanes; ++l) {
        const float a = values[0][l], b = values[1][l], c = values[2][l];
        const double r = F{}(static_cast<double>(a), static_cast<double>(b), static_cast<double>(c));
        const u16 half = half_result(w.mode, r == r ? round_to_odd(r) : nan_result<kSources>(w.mode, a, b, c));
        results[part].lane[l] = s.clamp ? apply_output_f16(half, w.mode, 0, true) : half;
      }
    }
    store_packed(w, s, h, results);
  }
}
template <unsigned kSources, class F>
Handler packed_half(F) {
  return &run_packed_half<F, kSources>;
}

template <bool kMin>
void run_packed_extreme(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row results[2];
    for (unsigned part = 0; part < 2; ++part) {
      Row a, b;
      select_half<true>(w, s.src[0], part == 1, h, a);
      select_half<true>(w, s.src[1], part == 1, h, b);
      for (unsigned l = 0; l < kLanes; ++l) {
        const u16 x = static_cast<u16>(a.lane[l]), y = static_cast<u16>(b.lane[l]);
        const u16 r = kMin ? half_min(x, y, w.mode) : half_max(x, y, w.mode);
        results[part].lane[l] = s.clamp ? apply_output_f16(r, w.mode, 0, true) : r;
      }
    }
    store_packed(w, s, h, results);
  }
}

void bind_packed_half(HandlerTable& t) {
  t.bind(Op::v_pk_fma_f16, packed_half<3>([](double a, double b, double c) { return a * b + c; }));
  t.bind(Op::v_pk_fmac_f16, t[Op::v_pk_fma_f16]);
  t.bind(Op::v_pk_add_f16, packed_half<2>([](double a, double b, double) { return a + b; }));
  t.bind(Op::v_pk_mul_f16, packed_half<2>([](double a, double b, double) { return a * b; }));
  t.bind(Op::v_pk_min_f16, run_packed_extreme<true>);
  t.bind(Op::v_pk_max_f16, run_packed_extreme<false>);
}

// src2 + low * low + high * high of two halves. The clamp bit has no effect (RDNA3 ISA guide, "Output Operand
// Modifiers").
template <bool kIsBf16>
void run_dot2_f32(Wave& w, const Step& s) {
  w.sync_exec();
  const u32 flip = s.src[2].neg ? 0x80000000u : 0;
  for (unsigned h = 0; h < w.halves; ++h) {
    Row a[2], b[2], spare, out;
    for (unsigned part = 0; part < 2; ++part) {
      select_half<true>(w, s.src[0], part == 1, h, a[part]);
      select_half<true>(w, s.src[1], part == 1, h, b[part]);
    }
    const uint32_t* c = fetch(w, s.src[2], 0, h, spare);
    for (unsigned l = 0; l < kLanes; ++l) {
      const u16 x[] = {static_cast<u16>(a[0].lane[l]), static_cast<u16>(a[1].lane[l])};
      const u16 y[] = {static_cast<u16>(b[0].lane[l]), static_cast<u16>(b[1].lane[l])};
      out.lane[l] = dot2_bits<kIsBf16>(x, y, c[l] ^ flip);
    }
    store_lanes(w, s.dst, h, out.lane);
  }
}

// Dot product of kCount integers of kBits each; neg of a source says that it is signed (kMixed), otherwise none is.
template <unsigned kBits, bool kMixed>
void run_dot_int(Wave& w, const Step& s) {
  w.sync_exec();
  const bool signed_a = kMixed && s.src[0].neg, signed_b = kMixed && s.src[1].neg;
  const auto element = [](u32 dword, unsigned i, bool is_signed) -> i64 {
    const u32 raw = dword >> (i * kBits) & ((1u << kBits) - 1);
    return is_signed ? sign_extend(raw, kBits) : static_cast<i64>(raw);
  };
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b, spare_c, out;
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare_b);
    const uint32_t* c = fetch(w, s.src[2], 0, h, spare_c);
    for (unsigned l = 0; l < kLanes; ++l) {
      i64 sum = kMixed ? static_cast<i64>(static_cast<i32>(c[l])) : static_cast<i64>(c[l]);
      for (unsigned i = 0; i < 32 / kBits; ++i) sum += element(a[l], i, signed_a) * element(b[l], i, signed_b);
      const i64 low = kMixed ? std::numeric_limits<i32>::min() : 0;
      const i64 high = kMixed ? std::numeric_limits<i32>::max() : static_cast<i64>(std::numeric_limits<u32>::max());
      out.lane[l] = static_cast<u32>(s.clamp ? std::clamp(sum, low, high) : sum);
    }
    store_lanes(w, s.dst, h, out.lane);
  }
}

// Source of fma_mix: f32, or with op_sel_hi the half of it that op_sel names; neg_hi is the absolute value.
void mix_source(Wave& w, const Source& source, unsigned h, float* out) {
  Row spare;
  const uint32_t* in = fetch(w, source, 0, h, spare);
  if (source.op_sel_hi) {
    Row bits;
    const unsigned shift = source.op_sel ? 16 : 0;
    BW_FOR_LANES(l) bits.lane[l] = in[l] >> shift;
    halves_to_floats(bits.lane, out, w.mode.flush_input64());
  } else {
    BW_FOR_LANES(l) out[l] = float_of(in[l]);
  }
  const u32 clear = source.neg_hi ? 0x80000000u : 0, flip = source.neg ? 0x80000000u : 0;
  BW_FOR_LANES(l) out[l] = float_of((bits_of(out[l]) & ~clear) ^ flip);
}

enum class MixTo : uint8_t { kF32, kLow, kHigh };

template <MixTo kTo>
void run_fma_mix(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    alignas(64) float v[3][kLanes];
    for (unsigned i = 0; i < 3; ++i) mix_source(w, s.src[i], h, v[i]);
    if constexpr (kTo == MixTo::kF32) {
      alignas(64) float out[kLanes];
      BW_FOR_LANES(l) out[l] = std::fma(v[0][l], v[1][l], v[2][l]);
      if (any_nan(out)) [[unlikely]] {
        for (unsigned l = 0; l < kLanes; ++l) {
          if (out[l] != out[l]) out[l] = nan_result<3>(w.mode, v[0][l], v[1][l], v[2][l]);
        }
      }
      F32::finish(out, w, s);
      F32::store(w, s, h, out);
    } else {
      // One rounding from the sum to f16; the ISA guide has one to f32 between (docs/errata.md).
      double out[kLanes];
      for (unsigned l = 0; l < kLanes; ++l) {
        out[l] = std::fma(static_cast<double>(v[0][l]), static_cast<double>(v[1][l]), static_cast<double>(v[2][l]));
        if (out[l] != out[l]) out[l] = widen_nan(nan_result<3>(w.mode, v[0][l], v[1][l], v[2][l]));
      }
      Step half = s;
      half.dst_high = kTo == MixTo::kHigh;
      DoubleScope scope(w.mode);
      F16FromF64::store(w, half, h, out);
    }
  }
}

}  // namespace

void bind_vop3p(HandlerTable& t) {
  bind_packed_int(t);
  bind_packed_half(t);
  t.bind(Op::v_dot2_f32_f16, run_dot2_f32<false>);
  t.bind(Op::v_dot2acc_f32_f16, run_dot2_f32<false>);
  t.bind(Op::v_dot2_f32_bf16, run_dot2_f32<true>);
  t.bind(Op::v_dot4_i32_iu8, run_dot_int<8, true>);
  t.bind(Op::v_dot4_u32_u8, run_dot_int<8, false>);
  t.bind(Op::v_dot8_i32_iu4, run_dot_int<4, true>);
  t.bind(Op::v_dot8_u32_u4, run_dot_int<4, false>);
  t.bind(Op::v_fma_mix_f32, run_fma_mix<MixTo::kF32>);
  t.bind(Op::v_fma_mixlo_f16, run_fma_mix<MixTo::kLow>);
  t.bind(Op::v_fma_mixhi_f16, run_fma_mix<MixTo::kHigh>);
}

}  // namespace bw::emulator
