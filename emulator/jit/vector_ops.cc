// The vector code of instructions, by the handler that executes them in the interpreter: what a handler does is what is
// emitted here, bit for bit, but for NaNs (strip.h). A handler that is not in the table is called.
#include <llvm/IR/Intrinsics.h>

#include <unordered_map>

#include "emulator/jit/strip.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {
namespace {

using llvm::CmpInst;
using llvm::Value;
using B = StripBuilder;

struct VectorOp {
  VectorEmit emit = nullptr;
  bool reads_mask = false;  // source 2 is a mask
  uint16_t Step::*mask_to = nullptr;
  bool takes_halves = false;  // sources may be high halves
};
using Table = std::unordered_map<Handler, VectorOp>;

// --- integers ---

template <class F>
void emit_int2(B& b, const Step& s) {
  Value* x = b.u32(s, 0);
  b.put_u32(s.dst, F{}(b, x, b.u32(s, 1)));
}
template <class F>
void emit_int3(B& b, const Step& s) {
  Value* x = b.u32(s, 0);
  Value* y = b.u32(s, 1);
  b.put_u32(s.dst, F{}(b, x, y, b.u32(s, 2)));
}
template <class F>
VectorOp int2(F) {
  return {&emit_int2<F>};
}
template <class F>
VectorOp int3(F) {
  return {&emit_int3<F>};
}

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
  t[h[Op::v_mov_b32]] = {[](B& b, const Step& s) { b.put_u32(s.dst, b.u32(s, 0)); }};
  t[h[Op::v_not_b32]] = {[](B& b, const Step& s) { b.put_u32(s.dst, b.ir().CreateNot(b.u32(s, 0))); }};
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
  t[h[Op::v_min_i32]] = int2([](B& b, Value* x, Value* y) { return pick(b, CmpInst::ICMP_SLT, x, y); });
  t[h[Op::v_max_i32]] = int2([](B& b, Value* x, Value* y) { return pick(b, CmpInst::ICMP_SGT, x, y); });
  t[h[Op::v_min_u32]] = int2([](B& b, Value* x, Value* y) { return pick(b, CmpInst::ICMP_ULT, x, y); });
  t[h[Op::v_max_u32]] = int2([](B& b, Value* x, Value* y) { return pick(b, CmpInst::ICMP_UGT, x, y); });
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

// --- masks ---

enum class Carry : uint8_t { kAdd, kSub, kSubRev };

template <Carry kWhat, bool kCarryIn>
void emit_carry(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* x = b.u32(s, kWhat == Carry::kSubRev ? 1 : 0);
  Value* y = b.u32(s, kWhat == Carry::kSubRev ? 0 : 1);
  Value* partial = kWhat == Carry::kAdd ? ir.CreateAdd(x, y) : ir.CreateSub(x, y);
  Value* over = kWhat == Carry::kAdd ? ir.CreateICmpULT(partial, x) : ir.CreateICmpULT(x, y);
  if (kCarryIn) {
    Value* carry = ir.CreateZExt(b.mask(s, 2), b.i32s());
    Value* result = kWhat == Carry::kAdd ? ir.CreateAdd(partial, carry) : ir.CreateSub(partial, carry);
    over =
        ir.CreateOr(over, kWhat == Carry::kAdd ? ir.CreateICmpULT(result, partial) : ir.CreateICmpULT(partial, carry));
    partial = result;
  }
  b.put_u32(s.dst, partial);
  b.put_mask(s.sdst, over);
}

void emit_mad_u64_u32(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* addend = b.u64(s, 2);
  Value* product = ir.CreateMul(ir.CreateZExt(b.u32(s, 0), b.i64s()), ir.CreateZExt(b.u32(s, 1), b.i64s()));
  Value* sum = ir.CreateAdd(product, addend);
  b.put_u64(s.dst, sum);
  b.put_mask(s.sdst, ir.CreateICmpULT(sum, product));
}

template <CmpInst::Predicate kPredicate>
void emit_int_compare(B& b, const Step& s) {
  Value* x = b.u32(s, 0);
  b.put_mask(s.dst, b.ir().CreateICmp(kPredicate, x, b.u32(s, 1)));
}
template <CmpInst::Predicate kPredicate>
void emit_float_compare(B& b, const Step& s) {
  Value* x = b.f32(s, 0);
  b.put_mask(s.dst, b.ir().CreateFCmp(kPredicate, x, b.f32(s, 1)));
}

void add_masks(Table& t, const HandlerTable& h) {
  t[h[Op::v_add_co_u32]] = {emit_carry<Carry::kAdd, false>, false, &Step::sdst};
  t[h[Op::v_sub_co_u32]] = {emit_carry<Carry::kSub, false>, false, &Step::sdst};
  t[h[Op::v_subrev_co_u32]] = {emit_carry<Carry::kSubRev, false>, false, &Step::sdst};
  t[h[Op::v_add_co_ci_u32]] = {emit_carry<Carry::kAdd, true>, true, &Step::sdst};
  t[h[Op::v_sub_co_ci_u32]] = {emit_carry<Carry::kSub, true>, true, &Step::sdst};
  t[h[Op::v_subrev_co_ci_u32]] = {emit_carry<Carry::kSubRev, true>, true, &Step::sdst};
  t[h[Op::v_mad_u64_u32]] = {emit_mad_u64_u32, false, &Step::sdst};
  t[h[Op::v_cndmask_b32]] = {[](B& b, const Step& s) {
                               Value* x = b.u32(s, 0);
                               Value* y = b.u32(s, 1);
                               b.put_u32(s.dst, b.ir().CreateSelect(b.mask(s, 2), y, x));
                             },
                             true};
  const auto compare = [&](Op op, VectorEmit emit) { t[h[op]] = {emit, false, &Step::dst}; };
  compare(Op::v_cmp_eq_u32, emit_int_compare<CmpInst::ICMP_EQ>);
  compare(Op::v_cmp_ne_u32, emit_int_compare<CmpInst::ICMP_NE>);
  compare(Op::v_cmp_lt_u32, emit_int_compare<CmpInst::ICMP_ULT>);
  compare(Op::v_cmp_le_u32, emit_int_compare<CmpInst::ICMP_ULE>);
  compare(Op::v_cmp_gt_u32, emit_int_compare<CmpInst::ICMP_UGT>);
  compare(Op::v_cmp_ge_u32, emit_int_compare<CmpInst::ICMP_UGE>);
  compare(Op::v_cmp_eq_i32, emit_int_compare<CmpInst::ICMP_EQ>);
  compare(Op::v_cmp_ne_i32, emit_int_compare<CmpInst::ICMP_NE>);
  compare(Op::v_cmp_lt_i32, emit_int_compare<CmpInst::ICMP_SLT>);
  compare(Op::v_cmp_le_i32, emit_int_compare<CmpInst::ICMP_SLE>);
  compare(Op::v_cmp_gt_i32, emit_int_compare<CmpInst::ICMP_SGT>);
  compare(Op::v_cmp_ge_i32, emit_int_compare<CmpInst::ICMP_SGE>);
  compare(Op::v_cmp_lt_f32, emit_float_compare<CmpInst::FCMP_OLT>);
  compare(Op::v_cmp_eq_f32, emit_float_compare<CmpInst::FCMP_OEQ>);
  compare(Op::v_cmp_le_f32, emit_float_compare<CmpInst::FCMP_OLE>);
  compare(Op::v_cmp_gt_f32, emit_float_compare<CmpInst::FCMP_OGT>);
  compare(Op::v_cmp_lg_f32, emit_float_compare<CmpInst::FCMP_ONE>);
  compare(Op::v_cmp_ge_f32, emit_float_compare<CmpInst::FCMP_OGE>);
  compare(Op::v_cmp_o_f32, emit_float_compare<CmpInst::FCMP_ORD>);
  compare(Op::v_cmp_u_f32, emit_float_compare<CmpInst::FCMP_UNO>);
  compare(Op::v_cmp_nge_f32, emit_float_compare<CmpInst::FCMP_ULT>);
  compare(Op::v_cmp_nlg_f32, emit_float_compare<CmpInst::FCMP_UEQ>);
  compare(Op::v_cmp_ngt_f32, emit_float_compare<CmpInst::FCMP_ULE>);
  compare(Op::v_cmp_nle_f32, emit_float_compare<CmpInst::FCMP_UGT>);
  compare(Op::v_cmp_neq_f32, emit_float_compare<CmpInst::FCMP_UNE>);
  compare(Op::v_cmp_nlt_f32, emit_float_compare<CmpInst::FCMP_UGE>);
}

// --- floats ---

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

template <bool kMin>
void emit_extreme(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* x = b.f32(s, 0);
  Value* y = b.f32(s, 1);
  b.give_up_if(ir.CreateFCmpUNO(x, y));
  Value* p = ir.CreateBitCast(x, b.i32s());
  Value* q = ir.CreateBitCast(y, b.i32s());
  Value* equal = kMin ? ir.CreateOr(p, q) : ir.CreateAnd(p, q);
  Value* first = kMin ? ir.CreateFCmpOLT(x, y) : ir.CreateFCmpOGT(x, y);
  Value* out = ir.CreateSelect(ir.CreateFCmpOEQ(x, y), equal, ir.CreateSelect(first, p, q));
  constexpr unsigned kAllowInput32 = 4;
  Value* is_small = ir.CreateICmpEQ(ir.CreateAnd(out, b.splat(0x7f800000)), b.splat(0));
  Value* flushes = ir.CreateAnd(is_small, ir.CreateNot(b.mode_flag(kAllowInput32)));
  b.put_u32(s.dst, ir.CreateSelect(flushes, ir.CreateAnd(out, b.splat(0x80000000)), out));
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

void add_floats(Table& t, const HandlerTable& h) {
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
  t[h[Op::v_fma_mix_f32]] = {[](B& b, const Step& s) {
    Value* x = mix_source(b, s, 0);
    Value* y = mix_source(b, s, 1);
    b.put_arith(s, fused(b, x, y, mix_source(b, s, 2)), 0);
  }};
  t[h[Op::v_trunc_f32]] = {emit_rounding<llvm::Intrinsic::trunc>};
  t[h[Op::v_ceil_f32]] = {emit_rounding<llvm::Intrinsic::ceil>};
  t[h[Op::v_floor_f32]] = {emit_rounding<llvm::Intrinsic::floor>};
  t[h[Op::v_rndne_f32]] = {emit_rounding<llvm::Intrinsic::roundeven>};
  t[h[Op::v_cvt_f32_i32]] = {[](B& b, const Step& s) {
    Value* value = b.ir().CreateSIToFP(b.u32(s, 0), b.floats());
    b.put_u32(s.dst, b.ir().CreateBitCast(value, b.i32s()));
  }};
  t[h[Op::v_cvt_f32_f16]] = {[](B& b, const Step& s) {
                               Value* value = b.widen_half(b.ir().CreateBitCast(b.f32(s, 0), b.i32s()));
                               b.give_up_if(b.ir().CreateFCmpUNO(value, value));
                               b.put_u32(s.dst, b.ir().CreateBitCast(value, b.i32s()));
                             },
                             false, nullptr, true};
}

Table make_table() {
  Table table;
  const HandlerTable& h = handlers();
  add_integers(table, h);
  add_wide_integers(table, h);
  add_masks(table, h);
  add_floats(table, h);
  table.erase(nullptr);
  return table;
}

bool is_scalar(const Source& source) {
  return source.kind == SourceKind::kScalar ||
         (source.kind == SourceKind::kModified && (source.modifiers & kFromScalar) != 0);
}

const VectorOp* find_op(Handler handler) {
  static const Table table = make_table();
  const auto it = table.find(handler);
  return it == table.end() ? nullptr : &it->second;
}

}  // namespace

VectorEmit vector_emit_of(Handler handler) {
  const VectorOp* op = find_op(handler);
  return op == nullptr ? nullptr : op->emit;
}

bool is_strip_step(const Step& step) {
  const VectorOp* op = find_op(step.run);
  if (op == nullptr || step.clamp || step.omod != 0 || step.dst_high) return false;
  for (const Source& source : step.src) {
    // A piece that is executed again has an EXEC of its own.
    if (is_scalar(source) && (source.index == kExecSlot || source.index == kExecSlot + 1)) return false;
    const bool has_half = source.kind == SourceKind::kModified && (source.modifiers & (kHigh | kSign16)) != 0;
    if (has_half && !op->takes_halves) return false;
  }
  return true;
}

StripSlots strip_slots_of(const Step& step) {
  StripSlots slots;
  const VectorOp* op = find_op(step.run);
  for (unsigned i = 0; i < 3; ++i) {
    const Source& source = step.src[i];
    if (op->reads_mask && i == 2) {
      if (source.kind == SourceKind::kScalar) slots.mask_read = source.index;
      continue;
    }
    if (!is_scalar(source)) continue;
    slots.values.push_back(source.index);
    slots.values.push_back(static_cast<uint16_t>(source.index + 1));  // for operands of 64 bits
  }
  if (op->mask_to != nullptr) slots.mask_written = step.*(op->mask_to);
  return slots;
}

}  // namespace bw::emulator::jit
