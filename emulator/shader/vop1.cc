// Owns: the arithmetic of VOP1 (and its VOP3 forms) but for conversions (convert.cc) and moves across lanes or
// registers (lane.cc). Source of the semantics: RDNA3 ISA guide, "VOP1".
#include <bit>

#include "emulator/shader/handlers.h"
#include "emulator/shader/transcendental.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;

void bind_rounding(HandlerTable& t) {
  t.bind(Op::v_trunc_f32, arith<F32>([](float a) { return std::trunc(a); }));
  t.bind(Op::v_ceil_f32, arith<F32>([](float a) { return std::ceil(a); }));
  t.bind(Op::v_rndne_f32, arith<F32>([](float a) { return __builtin_roundevenf(a); }));
  t.bind(Op::v_floor_f32, arith<F32>([](float a) { return std::floor(a); }));
  t.bind(Op::v_trunc_f64, arith<F64>([](double a) { return std::trunc(a); }));
  t.bind(Op::v_ceil_f64, arith<F64>([](double a) { return std::ceil(a); }));
  t.bind(Op::v_rndne_f64, arith<F64>([](double a) { return __builtin_roundeven(a); }));
  t.bind(Op::v_floor_f64, arith<F64>([](double a) { return std::floor(a); }));
  t.bind(Op::v_trunc_f16, arith<F16>([](float a) { return std::trunc(a); }));
  t.bind(Op::v_ceil_f16, arith<F16>([](float a) { return std::ceil(a); }));
  t.bind(Op::v_rndne_f16, arith<F16>([](float a) { return __builtin_roundevenf(a); }));
  t.bind(Op::v_floor_f16, arith<F16>([](float a) { return std::floor(a); }));
  // The fraction is below one even where the subtraction rounds up.
  t.bind(Op::v_fract_f32, arith<F32>([](float a) {
           const float r = a - std::floor(a);
           return r >= 1.0f ? 0x1.fffffep-1f : r;
         }));
  t.bind(Op::v_fract_f64, arith<F64>([](double a) {
           const double r = a - std::floor(a);
           return r >= 1.0 ? 0x1.fffffffffffffp-1 : r;
         }));
  t.bind(Op::v_fract_f16, arith<F16>([](float a) {
           const float r = a - std::floor(a);
           constexpr float kBelowOne = 0x1.ffcp-1f;
           return r > kBelowOne ? kBelowOne : r;
         }));
}

// The functions round to nearest whatever MODE says, and those of f32 flush inputs and results too, but for sine and
// cosine, which leave that to MODE. f16 takes one rounding at the end, and with FP16_OVFL cuts the infinities of finite
// sources, of zero too. Source: RDNA3 ISA guide, "VOP1", and captures of gfx1100 in ROCm/rocm-systems,
// emulation/rocjitsu (transcendental_pipeline.h, tests of arithmetic modes).
constexpr uint32_t kNearest = 0x1f80, kFlushAll = 0x8040, kRoundMask = 0x6000;
struct FlushedFunction {
  using Result = F32Flushed;
  static uint32_t csr(const Mode&) { return kNearest | kFlushAll; }
};
struct ModedFunction {
  using Result = F32;
  static uint32_t csr(const Mode& mode) { return mode.csr32 & ~kRoundMask; }
};

template <class F, class Kind>
void run_function_f32(Wave& w, const Step& s) {
  const uint32_t csr = Kind::csr(w.mode);
  if (csr != w.mode.csr32) load_csr(csr);
  run_arith<F, typename Kind::Result, F32, 1>(w, s);
  if (csr != w.mode.csr32) load_csr(w.mode.csr32);
}
template <class Kind, class F>
Handler function_f32(F) {
  return &run_function_f32<F, Kind>;
}

template <class F>
void run_function_f16(Wave& w, const Step& s) {
  load_csr(kNearest);
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    F16::Spare spare;
    const auto a = F16::fetch_view(w, s.src[0], h, spare);
    alignas(64) double out[kLanes];
    BW_FOR_LANES(l) out[l] = F{}(static_cast<double>(F16::get(a, l)));
    const bool cuts = w.mode.fp16_ovfl();
    for (unsigned l = 0; l < kLanes; ++l) {
      const float x = F16::get(a, l);
      if (out[l] != out[l]) out[l] = widen_nan(nan_result<1>(w.mode, x, x, x));
      if (cuts && std::isinf(out[l]) && !std::isinf(x)) out[l] = std::copysign(0x1p20, out[l]);
    }
    F16FromF64::store(w, s, h, out);
  }
  load_csr(w.mode.csr32);
}
template <class F>
Handler function_f16(F) {
  return &run_function_f16<F>;
}

void bind_transcendental(HandlerTable& t) {
  const auto f32 = [&t](Op op, auto f) { t.bind(op, function_f32<FlushedFunction>(f)); };
  f32(Op::v_exp_f32, [](float a) { return static_cast<float>(exp2_f64(flush(a))); });
  f32(Op::v_log_f32, [](float a) { return static_cast<float>(log2_f64(flush(a))); });
  f32(Op::v_rcp_f32, [](float a) { return static_cast<float>(1.0 / flush(a)); });
  f32(Op::v_rsq_f32, [](float a) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(flush(a)))); });
  f32(Op::v_sqrt_f32, [](float a) { return std::sqrt(flush(a)); });
  t.bind(Op::v_rcp_iflag_f32, t[Op::v_rcp_f32]);
  t.bind(Op::v_sin_f32, function_f32<ModedFunction>([](float a) { return static_cast<float>(sin_turns(a)); }));
  t.bind(Op::v_cos_f32, function_f32<ModedFunction>([](float a) { return static_cast<float>(cos_turns(a)); }));
  t.bind(Op::v_rcp_f64, arith<F64>([](double a) { return 1.0 / a; }));
  t.bind(Op::v_rsq_f64, arith<F64>([](double a) { return 1.0 / std::sqrt(a); }));
  t.bind(Op::v_sqrt_f64, arith<F64>([](double a) { return std::sqrt(a); }));
  const auto f16 = [&t](Op op, auto f) { t.bind(op, function_f16(f)); };
  f16(Op::v_exp_f16, [](double a) { return exp2_f64(a); });
  f16(Op::v_log_f16, [](double a) { return log2_f64(a); });
  f16(Op::v_rcp_f16, [](double a) { return 1.0 / a; });
  f16(Op::v_rsq_f16, [](double a) { return 1.0 / std::sqrt(a); });
  f16(Op::v_sqrt_f16, [](double a) { return std::sqrt(a); });
  f16(Op::v_sin_f16, [](double a) { return sin_turns(a); });
  f16(Op::v_cos_f16, [](double a) { return cos_turns(a); });
}

u32 reverse_bits(u32 v) {
  v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1;
  v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2;
  v = (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4;
  return __builtin_bswap32(v);
}

void bind_bits(HandlerTable& t) {
  t.bind(Op::v_mov_b32, valu<U32, U32>([](u32 a) { return a; }));
  t.bind(Op::v_mov_b16, valu<U16, U16>([](uint16_t a) { return a; }));
  t.bind(Op::v_not_b32, valu<U32, U32>([](u32 a) { return ~a; }));
  t.bind(Op::v_not_b16, valu<U16, U16>([](uint16_t a) { return static_cast<uint16_t>(~a); }));
  t.bind(Op::v_bfrev_b32, valu<U32, U32>([](u32 a) { return reverse_bits(a); }));
  t.bind(Op::v_clz_i32_u32, valu<U32, U32>([](u32 a) { return a == 0 ? ~0u : static_cast<u32>(std::countl_zero(a)); }));
  t.bind(Op::v_ctz_i32_b32, valu<U32, U32>([](u32 a) { return a == 0 ? ~0u : static_cast<u32>(std::countr_zero(a)); }));
  t.bind(Op::v_cls_i32, valu<U32, I32>([](i32 a) {
           const u32 flipped = static_cast<u32>(a ^ (a >> 31));
           return flipped == 0 ? ~0u : static_cast<u32>(std::countl_zero(flipped));
         }));
}

// value = mantissa * 2^exponent with 1/2 <= |mantissa| < 1; infinities and NaNs have exponent 0. The mantissa of a NaN
// is that NaN, quieted in every mode (captured on gfx1100: ROCm/rocm-systems, emulation/rocjitsu).
i32 frexp_exponent(double value) {
  if (!std::isfinite(value) || value == 0) return 0;
  int exponent = 0;
  (void)std::frexp(value, &exponent);
  return exponent;
}
template <class T>
T frexp_mantissa(T value) {
  if (value != value) return quieted(value);
  if (std::isinf(value)) return value;
  int exponent = 0;
  return static_cast<T>(std::frexp(static_cast<double>(value), &exponent));
}

void bind_frexp(HandlerTable& t) {
  t.bind(Op::v_frexp_exp_i32_f32, valu<I32, F32>([](float a) { return frexp_exponent(a); }));
  t.bind(Op::v_frexp_exp_i32_f64, valu<I32, F64>([](double a) { return frexp_exponent(a); }));
  t.bind(Op::v_frexp_exp_i16_f16, valu<I16, F16>([](float a) { return static_cast<int16_t>(frexp_exponent(a)); }));
  t.bind(Op::v_frexp_mant_f32, valu<F32, F32>([](float a) { return frexp_mantissa(a); }));
  t.bind(Op::v_frexp_mant_f64, valu<F64, F64>([](double a) { return frexp_mantissa(a); }));
  t.bind(Op::v_frexp_mant_f16, valu<F16, F16>([](float a) { return frexp_mantissa(a); }));
}

}  // namespace

void bind_vop1(HandlerTable& table) {
  bind_rounding(table);
  bind_transcendental(table);
  bind_bits(table);
  bind_frexp(table);
}

}  // namespace bw::emulator
