// Owns: conversions between number formats, scalar and packed. Source of the semantics: RDNA3 ISA guide, "VOP1",
// "VOP3".
#include "emulator/shader/handlers.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

using u32 = uint32_t;
using i32 = int32_t;

// Towards zero, saturating, NaN to 0.
template <class To, class From>
To to_integer(From value) {
  constexpr double kLow = static_cast<double>(std::numeric_limits<To>::min());
  constexpr double kHigh = static_cast<double>(std::numeric_limits<To>::max());
  const double wide = static_cast<double>(value);
  const double limited = wide > kHigh ? kHigh : wide;
  const double whole = limited >= kLow ? limited : wide != wide ? 0.0 : kLow;
  return static_cast<To>(static_cast<int64_t>(whole));
}
// The f32 to i32 case in a form that the compiler vectorises: the host's conversion, with what it cannot do settled.
i32 f32_to_i32(float value) {
  const i32 converted = static_cast<i32>(value >= 0x1p31f || value != value ? 0.0f : value);
  return value >= 0x1p31f ? 0x7fffffff : value < -0x1p31f ? std::numeric_limits<i32>::min() : converted;
}

// To a normalised integer: 1.0 is the largest; rounded once, to nearest even whatever MODE says (captures of gfx1100 in
// ROCm/rocm-systems, emulation/rocjitsu, tests of conversions). The product is exact in f64.
int16_t to_snorm16(float value) {
  const double limited = value != value ? 0.0 : value > 1.0f ? 1.0 : value < -1.0f ? -1.0 : static_cast<double>(value);
  return static_cast<int16_t>(__builtin_roundeven(limited * 32767.0));
}
uint16_t to_unorm16(float value) {
  const double limited = value != value ? 0.0 : value > 1.0f ? 1.0 : value < 0.0f ? 0.0 : static_cast<double>(value);
  return static_cast<uint16_t>(__builtin_roundeven(limited * 65535.0));
}

u32 pack(uint16_t low, uint16_t high) {
  return low | static_cast<u32>(high) << 16;
}

void bind_from_integer(HandlerTable& t) {
  t.bind(Op::v_cvt_f32_i32, valu<F32, I32>([](i32 a) { return static_cast<float>(a); }));
  t.bind(Op::v_cvt_f32_u32, valu<F32, U32>([](u32 a) { return static_cast<float>(static_cast<double>(a)); }));
  t.bind(Op::v_cvt_f64_i32, valu<F64, I32>([](i32 a) { return static_cast<double>(a); }));
  t.bind(Op::v_cvt_f64_u32, valu<F64, U32>([](u32 a) { return static_cast<double>(a); }));
  t.bind(Op::v_cvt_f16_i16, valu<F16, I16>([](int16_t a) { return static_cast<float>(a); }));
  t.bind(Op::v_cvt_f16_u16, valu<F16, U16>([](uint16_t a) { return static_cast<float>(a); }));
  t.bind(Op::v_cvt_f32_ubyte0, valu<F32, U32>([](u32 a) { return static_cast<float>(static_cast<i32>(a & 0xff)); }));
  t.bind(Op::v_cvt_f32_ubyte1,
         valu<F32, U32>([](u32 a) { return static_cast<float>(static_cast<i32>(a >> 8 & 0xff)); }));
  t.bind(Op::v_cvt_f32_ubyte2,
         valu<F32, U32>([](u32 a) { return static_cast<float>(static_cast<i32>(a >> 16 & 0xff)); }));
  t.bind(Op::v_cvt_f32_ubyte3, valu<F32, U32>([](u32 a) { return static_cast<float>(static_cast<i32>(a >> 24)); }));
  t.bind(Op::v_cvt_off_f32_i4, valu<F32, I32>([](i32 a) {
           return static_cast<float>(static_cast<i32>(static_cast<u32>(a) << 28) >> 28) * 0.0625f;
         }));
  t.bind(Op::v_cvt_i32_i16, valu<I32, I16>([](int16_t a) { return static_cast<i32>(a); }));
  t.bind(Op::v_cvt_u32_u16, valu<U32, U16>([](uint16_t a) { return static_cast<u32>(a); }));
}

void bind_to_integer(HandlerTable& t) {
  t.bind(Op::v_cvt_i32_f32, valu<I32, F32>([](float a) { return f32_to_i32(a); }));
  t.bind(Op::v_cvt_u32_f32, valu<U32, F32>([](float a) { return to_integer<u32>(a); }));
  t.bind(Op::v_cvt_i32_f64, valu<I32, F64>([](double a) { return to_integer<i32>(a); }));
  t.bind(Op::v_cvt_u32_f64, valu<U32, F64>([](double a) { return to_integer<u32>(a); }));
  t.bind(Op::v_cvt_i16_f16, valu<I16, F16>([](float a) { return to_integer<int16_t>(a); }));
  t.bind(Op::v_cvt_u16_f16, valu<U16, F16>([](float a) { return to_integer<uint16_t>(a); }));
  t.bind(Op::v_cvt_nearest_i32_f32,
         valu<I32, F32>([](float a) { return to_integer<i32>(std::floor(static_cast<double>(a) + 0.5)); }));
  t.bind(Op::v_cvt_floor_i32_f32, valu<I32, F32>([](float a) { return f32_to_i32(std::floor(a)); }));
  t.bind(Op::v_cvt_norm_i16_f16, valu<I16, F16>([](float a) { return to_snorm16(a); }));
  t.bind(Op::v_cvt_norm_u16_f16, valu<U16, F16>([](float a) { return to_unorm16(a); }));
}

// To nearest, a denormal f32 is a zero anyway; other modes tell whether it was flushed.
void run_cvt_f16_f32(Wave& w, const Step& s) {
  constexpr auto kPlain = arith_to<F16, F32>([](float a) { return a; });
  constexpr auto kFlushed = arith_to<F16, F32>([](float a) { return flush(a); });
  return (w.mode.flush_input32() && w.mode.round64() != 0 ? kFlushed : kPlain)(w, s);
}

void bind_between_floats(HandlerTable& t) {
  t.bind(Op::v_cvt_f16_f32, run_cvt_f16_f32);
  t.bind(Op::v_cvt_f32_f16, arith_to<F32, F16>([](float a) { return a; }));
  t.bind(Op::v_cvt_f64_f32, moded<F64, F32>([](const Mode& m, float a) {
           return a != a ? widen_nan(passed_nan(m, a)) : static_cast<double>(m.flush_input32() ? flush(a) : a);
         }));
  t.bind(Op::v_cvt_f32_f64, moded<F32, F64>([](const Mode& m, double a) {
           if (a != a) return narrow_nan(passed_nan(m, a));
           const float r = static_cast<float>(a);
           return m.flush_output32() ? flush(r) : r;
         }));
}

void bind_packed(HandlerTable& t) {
  t.bind(Op::v_cvt_pk_i16_f32, valu<U32, F32, F32>([](float a, float b) {
           return pack(static_cast<uint16_t>(to_integer<int16_t>(a)), static_cast<uint16_t>(to_integer<int16_t>(b)));
         }));
  t.bind(Op::v_cvt_pk_u16_f32,
         valu<U32, F32, F32>([](float a, float b) { return pack(to_integer<uint16_t>(a), to_integer<uint16_t>(b)); }));
  t.bind(Op::v_cvt_pk_norm_i16_f32, valu<U32, F32, F32>([](float a, float b) {
           return pack(static_cast<uint16_t>(to_snorm16(a)), static_cast<uint16_t>(to_snorm16(b)));
         }));
  t.bind(Op::v_cvt_pk_norm_u16_f32,
         valu<U32, F32, F32>([](float a, float b) { return pack(to_unorm16(a), to_unorm16(b)); }));
  t.bind(Op::v_cvt_pk_norm_i16_f16, valu<U32, F16, F16>([](float a, float b) {
           return pack(static_cast<uint16_t>(to_snorm16(a)), static_cast<uint16_t>(to_snorm16(b)));
         }));
  t.bind(Op::v_cvt_pk_norm_u16_f16,
         valu<U32, F16, F16>([](float a, float b) { return pack(to_unorm16(a), to_unorm16(b)); }));
  t.bind(Op::v_cvt_pk_u16_u32, valu<U32, U32, U32>([](u32 a, u32 b) {
           return pack(static_cast<uint16_t>(a < 0xffff ? a : 0xffff), static_cast<uint16_t>(b < 0xffff ? b : 0xffff));
         }));
  t.bind(Op::v_cvt_pk_i16_i32, valu<U32, I32, I32>([](i32 a, i32 b) {
           const i32 x = a < -32768 ? -32768 : a > 32767 ? 32767 : a, y = b < -32768 ? -32768 : b > 32767 ? 32767 : b;
           return pack(static_cast<uint16_t>(x), static_cast<uint16_t>(y));
         }));
  // Byte src1 of src2 becomes src0, rounded and saturated. To nearest even as gfx1201 was captured to do
  // (ROCm/rocm-systems); unverified: that it follows the mode of f32.
  t.bind(Op::v_cvt_pk_u8_f32, valu<U32, F32, U32, U32>([](float a, u32 byte, u32 old) {
           const unsigned shift = (byte & 3) * 8;
           return (old & ~(0xffu << shift)) | static_cast<u32>(to_integer<uint8_t>(std::nearbyint(a))) << shift;
         }));
  t.bind(Op::v_sat_pk_u8_i16, valu<U16, U32>([](u32 a) {
           const auto saturate = [](u32 half) {
             const i32 v = static_cast<int16_t>(half);
             return static_cast<u32>(v < 0 ? 0 : v > 255 ? 255 : v);
           };
           return static_cast<uint16_t>(saturate(a & 0xffff) | saturate(a >> 16) << 8);
         }));
  t.bind(Op::v_pack_b32_f16, valu<U32, U16, U16>([](uint16_t a, uint16_t b) { return pack(a, b); }));
}

}  // namespace

void bind_convert(HandlerTable& table) {
  bind_from_integer(table);
  bind_to_integer(table);
  bind_between_floats(table);
  bind_packed(table);
}

}  // namespace bw::emulator
