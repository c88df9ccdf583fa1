// Arithmetic in f32. What other kinds of numbers do: vector_double_ops.cc, vector_convert_ops.cc.
#include <llvm/IR/Intrinsics.h>

#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

using llvm::CmpInst;
using llvm::Value;
using B = StripBuilder;
using Table = VectorOpTable;

template <class F>
VectorOp arith2(F) {
  return {[](B& b, const Step& s) {
    Value* x = b.f32(s, 0);
    b.put_arith(s, F{}(b, x, b.f32(s, 1)), 2);
  }};
}

Value* fused(B& b, Value* x, Value* y, Value* z) {
  return b.ir().CreateIntrinsic(llvm::Intrinsic::fma, {b.floats()}, {x, y, z});
}

// The smaller or larger of two that are no NaNs; of zeros -0 is the smaller.
template <bool kMin>
Value* extreme(B& b, Value* x, Value* y) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* p = ir.CreateBitCast(x, b.i32s());
  Value* q = ir.CreateBitCast(y, b.i32s());
  Value* equal = kMin ? ir.CreateOr(p, q) : ir.CreateAnd(p, q);
  Value* first = kMin ? ir.CreateFCmpOLT(x, y) : ir.CreateFCmpOGT(x, y);
  return ir.CreateBitCast(ir.CreateSelect(ir.CreateFCmpOEQ(x, y), equal, ir.CreateSelect(first, p, q)), b.floats());
}

// Denormals to zero of the same sign, where MODE flushes sources.
Value* as_source(B& b, Value* value) {
  llvm::IRBuilder<>& ir = b.ir();
  constexpr unsigned kAllowInput32 = 4;
  Value* bits = ir.CreateBitCast(value, b.i32s());
  Value* is_small = ir.CreateICmpEQ(ir.CreateAnd(bits, b.splat(0x7f800000)), b.splat(0));
  Value* flushes = ir.CreateAnd(is_small, ir.CreateNot(b.mode_flag(kAllowInput32)));
  return ir.CreateBitCast(ir.CreateSelect(flushes, ir.CreateAnd(bits, b.splat(0x80000000)), bits), b.floats());
}

template <bool kMin>
void emit_extreme(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* x = b.f32(s, 0);
  Value* y = b.f32(s, 1);
  b.give_up_if(ir.CreateFCmpUNO(x, y));
  b.put_u32(s.dst, ir.CreateBitCast(as_source(b, extreme<kMin>(b, x, y)), b.i32s()));
}

// kOuter(kInner(x, y), z)
template <bool kMinInside, bool kMinOutside>
void emit_extreme3(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* x = as_source(b, b.f32(s, 0));
  Value* y = as_source(b, b.f32(s, 1));
  Value* z = as_source(b, b.f32(s, 2));
  b.give_up_if(ir.CreateFCmpUNO(x, y));
  b.give_up_if(ir.CreateFCmpUNO(z, z));
  Value* result = extreme<kMinOutside>(b, extreme<kMinInside>(b, x, y), z);
  b.put_u32(s.dst, ir.CreateBitCast(result, b.i32s()));
}

template <llvm::Intrinsic::ID kRounding>
void emit_rounding(B& b, const Step& s) {
  b.put_arith(s, b.ir().CreateUnaryIntrinsic(kRounding, b.f32(s, 0)), 1);
}

Value* mix_source(B& b, const Step& s, unsigned index) {
  const Source& source = s.src[index];
  Value* value = b.f32(s, index);
  llvm::IRBuilder<>& ir = b.ir();
  if (source.op_sel_hi) {
    Value* bits = ir.CreateBitCast(value, b.i32s());
    value = b.widen_half(source.op_sel ? ir.CreateLShr(bits, b.splat(16)) : bits);
  }
  Value* bits = ir.CreateBitCast(value, b.i32s());
  if (source.neg_hi) bits = ir.CreateAnd(bits, b.splat(0x7fffffff));
  if (source.neg) bits = ir.CreateXor(bits, b.splat(0x80000000));
  return ir.CreateBitCast(bits, b.floats());
}

}  // namespace

void add_float_ops(Table& t, const HandlerTable& h) {
  t[h[Op::v_add_f32]] = arith2([](B& b, Value* x, Value* y) { return b.ir().CreateFAdd(x, y); });
  t[h[Op::v_sub_f32]] = arith2([](B& b, Value* x, Value* y) { return b.ir().CreateFSub(x, y); });
  t[h[Op::v_subrev_f32]] = arith2([](B& b, Value* x, Value* y) { return b.ir().CreateFSub(y, x); });
  t[h[Op::v_mul_f32]] = arith2([](B& b, Value* x, Value* y) { return b.ir().CreateFMul(x, y); });
  t[h[Op::v_fma_f32]] = {[](B& b, const Step& s) {
    Value* x = b.f32(s, 0);
    Value* y = b.f32(s, 1);
    b.put_arith(s, fused(b, x, y, b.f32(s, 2)), 3);
  }};
  t[h[Op::v_min_f32]] = {emit_extreme<true>};
  t[h[Op::v_max_f32]] = {emit_extreme<false>};
  t[h[Op::v_min3_f32]] = {emit_extreme3<true, true>};
  t[h[Op::v_max3_f32]] = {emit_extreme3<false, false>};
  t[h[Op::v_minmax_f32]] = {emit_extreme3<true, false>};
  t[h[Op::v_maxmin_f32]] = {emit_extreme3<false, true>};
  t[h[Op::v_fma_mix_f32]] = {[](B& b, const Step& s) {
    Value* x = mix_source(b, s, 0);
    Value* y = mix_source(b, s, 1);
    b.put_arith(s, fused(b, x, y, mix_source(b, s, 2)), 0);
  }};
  t[h[Op::v_trunc_f32]] = {emit_rounding<llvm::Intrinsic::trunc>};
  t[h[Op::v_ceil_f32]] = {emit_rounding<llvm::Intrinsic::ceil>};
  t[h[Op::v_floor_f32]] = {emit_rounding<llvm::Intrinsic::floor>};
  t[h[Op::v_rndne_f32]] = {emit_rounding<llvm::Intrinsic::roundeven>};
}

}  // namespace bw::emulator::jit
