// Integer arithmetic, minima and shifts. Not here: bit fields and bytes (vector_bit_ops.cc), carries
// (vector_mask_ops.cc).
#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

using llvm::CmpInst;
using llvm::Value;
using B = StripBuilder;
using Table = VectorOpTable;

Value* shift_of(B& b, Value* amount) {
  return b.ir().CreateAnd(amount, b.splat(31));
}
Value* low24(B& b, Value* value) {
  return b.ir().CreateAnd(value, b.splat(0xffffff));
}
Value* signed24(B& b, Value* value) {
  return b.ir().CreateAShr(b.ir().CreateShl(value, b.splat(8)), b.splat(8));
}
Value* pick(B& b, CmpInst::Predicate predicate, Value* x, Value* y) {
  return b.ir().CreateSelect(b.ir().CreateICmp(predicate, x, y), x, y);
}
template <bool kSigned>
Value* multiply_high(B& b, Value* x, Value* y) {
  const auto widen = [&](Value* v) {
    return kSigned ? b.ir().CreateSExt(v, b.i64s()) : b.ir().CreateZExt(v, b.i64s());
  };
  Value* product = b.ir().CreateMul(widen(x), widen(y));
  return b.ir().CreateTrunc(b.ir().CreateLShr(product, llvm::ConstantInt::get(b.i64s(), 32)), b.i32s());
}

void add_integers(Table& t, const HandlerTable& h) {
  // Lanes outside EXEC, of which nothing is read, are not copied.
  t[run_copy_vgpr] = {[](B& b, const Step& s) { b.put_u32(s.dst, b.u32(s, 0)); }};
  t[h[Op::v_mov_b32]] = {[](B& b, const Step& s) { b.put_u32(s.dst, b.u32(s, 0)); }};
  t[h[Op::v_not_b32]] = {[](B& b, const Step& s) { b.put_u32(s.dst, b.ir().CreateNot(b.u32(s, 0))); }};
  t[h[Op::v_add_nc_i32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateAdd(x, y); });
  t[h[Op::v_sub_nc_i32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateSub(x, y); });
  t[h[Op::v_add_nc_u32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateAdd(x, y); });
  t[h[Op::v_sub_nc_u32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateSub(x, y); });
  t[h[Op::v_subrev_nc_u32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateSub(y, x); });
  t[h[Op::v_and_b32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateAnd(x, y); });
  t[h[Op::v_or_b32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateOr(x, y); });
  t[h[Op::v_xor_b32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateXor(x, y); });
  t[h[Op::v_xnor_b32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateNot(b.ir().CreateXor(x, y)); });
  t[h[Op::v_lshlrev_b32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateShl(y, shift_of(b, x)); });
  t[h[Op::v_lshrrev_b32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateLShr(y, shift_of(b, x)); });
  t[h[Op::v_ashrrev_i32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateAShr(y, shift_of(b, x)); });
  t[h[Op::v_mul_lo_u32]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateMul(x, y); });
  t[h[Op::v_mul_hi_u32]] = int2([](B& b, Value* x, Value* y) { return multiply_high<false>(b, x, y); });
  t[h[Op::v_mul_hi_i32]] = int2([](B& b, Value* x, Value* y) { return multiply_high<true>(b, x, y); });
  t[h[Op::v_mul_u32_u24]] = int2([](B& b, Value* x, Value* y) { return b.ir().CreateMul(low24(b, x), low24(b, y)); });
  t[h[Op::v_mul_i32_i24]] =
      int2([](B& b, Value* x, Value* y) { return b.ir().CreateMul(signed24(b, x), signed24(b, y)); });
}

using Pick = Value* (*)(B& b, Value* x, Value* y);
template <CmpInst::Predicate kPredicate>
Value* picked(B& b, Value* x, Value* y) {
  return pick(b, kPredicate, x, y);
}
// kOuter(kInner(x, y), z)
template <Pick kInner, Pick kOuter>
VectorOp nested() {
  return int3([](B& b, Value* x, Value* y, Value* z) { return kOuter(b, kInner(b, x, y), z); });
}
template <Pick kMin, Pick kMax>
VectorOp median() {
  return int3([](B& b, Value* x, Value* y, Value* z) { return kMax(b, kMin(b, x, y), kMin(b, kMax(b, x, y), z)); });
}

void add_extremes(Table& t, const HandlerTable& h) {
  constexpr Pick kMinI = picked<CmpInst::ICMP_SLT>, kMaxI = picked<CmpInst::ICMP_SGT>;
  constexpr Pick kMinU = picked<CmpInst::ICMP_ULT>, kMaxU = picked<CmpInst::ICMP_UGT>;
  t[h[Op::v_min_i32]] = int2([](B& b, Value* x, Value* y) { return kMinI(b, x, y); });
  t[h[Op::v_max_i32]] = int2([](B& b, Value* x, Value* y) { return kMaxI(b, x, y); });
  t[h[Op::v_min_u32]] = int2([](B& b, Value* x, Value* y) { return kMinU(b, x, y); });
  t[h[Op::v_max_u32]] = int2([](B& b, Value* x, Value* y) { return kMaxU(b, x, y); });
  t[h[Op::v_min3_i32]] = nested<kMinI, kMinI>();
  t[h[Op::v_max3_i32]] = nested<kMaxI, kMaxI>();
  t[h[Op::v_min3_u32]] = nested<kMinU, kMinU>();
  t[h[Op::v_max3_u32]] = nested<kMaxU, kMaxU>();
  t[h[Op::v_maxmin_i32]] = nested<kMaxI, kMinI>();
  t[h[Op::v_minmax_i32]] = nested<kMinI, kMaxI>();
  t[h[Op::v_maxmin_u32]] = nested<kMaxU, kMinU>();
  t[h[Op::v_minmax_u32]] = nested<kMinU, kMaxU>();
  t[h[Op::v_med3_i32]] = median<kMinI, kMaxI>();
  t[h[Op::v_med3_u32]] = median<kMinU, kMaxU>();
}

void add_wide_integers(Table& t, const HandlerTable& h) {
  t[h[Op::v_add3_u32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateAdd(b.ir().CreateAdd(x, y), z); });
  t[h[Op::v_lshl_add_u32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateAdd(b.ir().CreateShl(x, shift_of(b, y)), z); });
  t[h[Op::v_add_lshl_u32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateShl(b.ir().CreateAdd(x, y), shift_of(b, z)); });
  t[h[Op::v_lshl_or_b32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateOr(b.ir().CreateShl(x, shift_of(b, y)), z); });
  t[h[Op::v_and_or_b32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateOr(b.ir().CreateAnd(x, y), z); });
  t[h[Op::v_or3_b32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateOr(b.ir().CreateOr(x, y), z); });
  t[h[Op::v_xor3_b32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateXor(b.ir().CreateXor(x, y), z); });
  t[h[Op::v_xad_u32]] =
      int3([](B& b, Value* x, Value* y, Value* z) { return b.ir().CreateAdd(b.ir().CreateXor(x, y), z); });
  t[h[Op::v_bfi_b32]] = int3([](B& b, Value* x, Value* y, Value* z) {
    return b.ir().CreateOr(b.ir().CreateAnd(x, y), b.ir().CreateAnd(b.ir().CreateNot(x), z));
  });
  t[h[Op::v_mad_u32_u24]] = int3([](B& b, Value* x, Value* y, Value* z) {
    return b.ir().CreateAdd(b.ir().CreateMul(low24(b, x), low24(b, y)), z);
  });
  t[h[Op::v_mad_i32_i24]] = int3([](B& b, Value* x, Value* y, Value* z) {
    return b.ir().CreateAdd(b.ir().CreateMul(signed24(b, x), signed24(b, y)), z);
  });
  const auto shift64 = [](auto shift) -> VectorOp {
    using F = decltype(shift);
    return {[](B& b, const Step& s) {
      Value* amount = b.ir().CreateZExt(b.ir().CreateAnd(b.u32(s, 0), b.splat(63)), b.i64s());
      b.put_u64(s.dst, F{}(b, b.u64(s, 1), amount));
    }};
  };
  t[h[Op::v_lshlrev_b64]] = shift64([](B& b, Value* x, Value* n) { return b.ir().CreateShl(x, n); });
  t[h[Op::v_lshrrev_b64]] = shift64([](B& b, Value* x, Value* n) { return b.ir().CreateLShr(x, n); });
  t[h[Op::v_ashrrev_i64]] = shift64([](B& b, Value* x, Value* n) { return b.ir().CreateAShr(x, n); });
}

}  // namespace

void add_integer_ops(VectorOpTable& table, const HandlerTable& handlers) {
  add_integers(table, handlers);
  add_extremes(table, handlers);
  add_wide_integers(table, handlers);
}

}  // namespace bw::emulator::jit
