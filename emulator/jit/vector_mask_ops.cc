// Instructions that read or write masks: carries, selection, compares.
#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

using llvm::CmpInst;
using llvm::Value;
using B = StripBuilder;
using Table = VectorOpTable;

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
void emit_int64_compare(B& b, const Step& s) {
  Value* x = b.u64(s, 0);
  b.put_mask(s.dst, b.ir().CreateICmp(kPredicate, x, b.u64(s, 1)));
}
template <CmpInst::Predicate kPredicate>
void emit_float_compare(B& b, const Step& s) {
  Value* x = b.f32(s, 0);
  b.put_mask(s.dst, b.ir().CreateFCmp(kPredicate, x, b.f32(s, 1)));
}

}  // namespace

void add_mask_ops(Table& t, const HandlerTable& h) {
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
  compare(Op::v_cmp_eq_i64, emit_int64_compare<CmpInst::ICMP_EQ>);
  compare(Op::v_cmp_ne_i64, emit_int64_compare<CmpInst::ICMP_NE>);
  compare(Op::v_cmp_lt_i64, emit_int64_compare<CmpInst::ICMP_SLT>);
  compare(Op::v_cmp_le_i64, emit_int64_compare<CmpInst::ICMP_SLE>);
  compare(Op::v_cmp_gt_i64, emit_int64_compare<CmpInst::ICMP_SGT>);
  compare(Op::v_cmp_ge_i64, emit_int64_compare<CmpInst::ICMP_SGE>);
  compare(Op::v_cmp_eq_u64, emit_int64_compare<CmpInst::ICMP_EQ>);
  compare(Op::v_cmp_ne_u64, emit_int64_compare<CmpInst::ICMP_NE>);
  compare(Op::v_cmp_lt_u64, emit_int64_compare<CmpInst::ICMP_ULT>);
  compare(Op::v_cmp_le_u64, emit_int64_compare<CmpInst::ICMP_ULE>);
  compare(Op::v_cmp_gt_u64, emit_int64_compare<CmpInst::ICMP_UGT>);
  compare(Op::v_cmp_ge_u64, emit_int64_compare<CmpInst::ICMP_UGE>);
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

}  // namespace bw::emulator::jit
