// Conversions between integers and floats, and the parts of floats.
#include <llvm/IR/Intrinsics.h>

#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

using llvm::Value;
using B = StripBuilder;

// To an f32, from integers that need no settling of NaNs: F(strip, dword) gives the float.
template <class F>
VectorOp to_float(F) {
  return {[](B& b, const Step& s) {
    Value* value = F{}(b, b.u32(s, 0));
    b.put_u32(s.dst, b.ir().CreateBitCast(value, b.i32s()));
  }};
}
template <unsigned kByte>
Value* float_of_byte(B& b, Value* dword) {
  Value* byte = b.ir().CreateAnd(b.ir().CreateLShr(dword, b.splat(kByte * 8)), b.splat(0xff));
  return b.ir().CreateSIToFP(byte, b.floats());
}
// Both halves are exact; the one rounding is that of their sum.
Value* float_of_unsigned(B& b, Value* dword) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* high = ir.CreateSIToFP(ir.CreateLShr(dword, b.splat(16)), b.floats());
  Value* low = ir.CreateSIToFP(ir.CreateAnd(dword, b.splat(0xffff)), b.floats());
  Value* factor = llvm::ConstantFP::get(b.floats(), 65536.0);
  return ir.CreateIntrinsic(llvm::Intrinsic::fma, {b.floats()}, {high, factor, low});
}

// Towards zero, saturating, NaN to 0, as the intrinsics have it.
template <llvm::Intrinsic::ID kConversion>
void emit_to_integer(B& b, const Step& s) {
  b.put_u32(s.dst, b.ir().CreateIntrinsic(kConversion, {b.i32s(), b.floats()}, {b.f32(s, 0)}));
}
void emit_floor_to_integer(B& b, const Step& s) {
  Value* whole = b.ir().CreateUnaryIntrinsic(llvm::Intrinsic::floor, b.f32(s, 0));
  b.put_u32(s.dst, b.ir().CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {b.i32s(), b.floats()}, {whole}));
}

// The exponent of an f32 as f64, in which no f32 is denormal. Zeros, infinities and NaNs have none.
void emit_frexp_exponent(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  constexpr uint32_t kExponentMask = 0x7ff, kBias = 1022;
  Value* bits = ir.CreateBitCast(ir.CreateFPExt(b.f32(s, 0), b.doubles()), b.i64s());
  Value* high = ir.CreateTrunc(ir.CreateLShr(bits, llvm::ConstantInt::get(b.i64s(), 52)), b.i32s());
  Value* exponent = ir.CreateAnd(high, b.splat(kExponentMask));
  Value* has_none =
      ir.CreateOr(ir.CreateICmpEQ(exponent, b.splat(0)), ir.CreateICmpEQ(exponent, b.splat(kExponentMask)));
  b.put_u32(s.dst, ir.CreateSelect(has_none, b.splat(0), ir.CreateSub(exponent, b.splat(kBias))));
}

}  // namespace

void add_convert_ops(VectorOpTable& t, const HandlerTable& h) {
  t[h[Op::v_cvt_f32_i32]] = to_float([](B& b, Value* x) { return b.ir().CreateSIToFP(x, b.floats()); });
  t[h[Op::v_cvt_f32_u32]] = to_float([](B& b, Value* x) { return float_of_unsigned(b, x); });
  t[h[Op::v_cvt_f32_ubyte0]] = to_float([](B& b, Value* x) { return float_of_byte<0>(b, x); });
  t[h[Op::v_cvt_f32_ubyte1]] = to_float([](B& b, Value* x) { return float_of_byte<1>(b, x); });
  t[h[Op::v_cvt_f32_ubyte2]] = to_float([](B& b, Value* x) { return float_of_byte<2>(b, x); });
  t[h[Op::v_cvt_f32_ubyte3]] = to_float([](B& b, Value* x) { return float_of_byte<3>(b, x); });
  t[h[Op::v_cvt_i32_f32]] = {emit_to_integer<llvm::Intrinsic::fptosi_sat>};
  t[h[Op::v_cvt_u32_f32]] = {emit_to_integer<llvm::Intrinsic::fptoui_sat>};
  t[h[Op::v_cvt_floor_i32_f32]] = {emit_floor_to_integer};
  t[h[Op::v_frexp_exp_i32_f32]] = {emit_frexp_exponent};
  t[h[Op::v_cvt_f32_f16]] = {[](B& b, const Step& s) {
                               Value* value = b.widen_half(b.ir().CreateBitCast(b.f32(s, 0), b.i32s()));
                               b.give_up_if(b.ir().CreateFCmpUNO(value, value));
                               b.put_u32(s.dst, b.ir().CreateBitCast(value, b.i32s()));
                             },
                             false, nullptr, true};
}

}  // namespace bw::emulator::jit
