#include "emulator/jit/scalar_ops.h"

#include <unordered_map>

#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {
namespace {

using llvm::CmpInst;
using llvm::Value;
using Table = std::unordered_map<Handler, ScalarEmit>;

Value* source32(Frame& f, const Step& s, unsigned index) {
  const Source& source = s.src[index];
  return source.kind == SourceKind::kScalar ? f.load_slot(source.index) : f.number32(source.constant[0].lane[0]);
}
Value* source64(Frame& f, const Step& s, unsigned index) {
  const Source& source = s.src[index];
  if (source.kind == SourceKind::kScalar) return f.load_slot64(source.index);
  return f.number64(make_u64(source.constant[0].lane[0], source.constant[1].lane[0]));
}
void set_scc(Frame& f, Value* truth) {
  f.store_slot(kSccSlot, f.ir.CreateZExt(truth, f.ir.getInt32Ty()));
}
Value* is_not_zero(Frame& f, Value* value) {
  return f.ir.CreateICmpNE(value, llvm::ConstantInt::get(value->getType(), 0));
}

// Results without SCC.
template <class F>
ScalarEmit plain(F) {
  return [](Frame& f, const Step& s) {
    Value* x = source32(f, s, 0);
    f.store_slot(s.dst, F{}(f, x, source32(f, s, 1)));
  };
}
// SCC: the result is not zero.
template <class F>
ScalarEmit nonzero(F) {
  return [](Frame& f, const Step& s) {
    Value* x = source32(f, s, 0);
    Value* result = F{}(f, x, source32(f, s, 1));
    f.store_slot(s.dst, result);
    set_scc(f, is_not_zero(f, result));
  };
}
template <class F>
ScalarEmit nonzero64(F) {
  return [](Frame& f, const Step& s) {
    Value* x = source64(f, s, 0);
    Value* result = F{}(f, x, source64(f, s, 1));
    f.store_slot64(s.dst, result);
    set_scc(f, is_not_zero(f, result));
  };
}
template <CmpInst::Predicate kPredicate>
void emit_compare(Frame& f, const Step& s) {
  Value* x = source32(f, s, 0);
  set_scc(f, f.ir.CreateICmp(kPredicate, x, source32(f, s, 1)));
}
template <CmpInst::Predicate kPredicate>
void emit_compare64(Frame& f, const Step& s) {
  Value* x = source64(f, s, 0);
  set_scc(f, f.ir.CreateICmp(kPredicate, x, source64(f, s, 1)));
}

Value* widen(Frame& f, Value* value) {
  return f.ir.CreateZExt(value, f.ir.getInt64Ty());
}
Value* narrow(Frame& f, Value* value) {
  return f.ir.CreateTrunc(value, f.ir.getInt32Ty());
}
Value* above32(Frame& f, Value* value) {
  return is_not_zero(f, f.ir.CreateLShr(value, 32));
}
Value* shift(Frame& f, Value* amount) {
  return f.ir.CreateAnd(amount, f.number32(31));
}

template <unsigned kShift, bool kCarryIn>
void emit_add(Frame& f, const Step& s) {
  Value* x = f.ir.CreateShl(widen(f, source32(f, s, 0)), kShift);
  Value* sum = f.ir.CreateAdd(x, widen(f, source32(f, s, 1)));
  if (kCarryIn) sum = f.ir.CreateAdd(sum, widen(f, f.load_slot(kSccSlot)));
  f.store_slot(s.dst, narrow(f, sum));
  set_scc(f, above32(f, sum));
}
template <bool kCarryIn>
void emit_sub(Frame& f, const Step& s) {
  Value* x = widen(f, source32(f, s, 0));
  Value* y = widen(f, source32(f, s, 1));
  if (kCarryIn) y = f.ir.CreateAdd(y, widen(f, f.load_slot(kSccSlot)));
  f.store_slot(s.dst, narrow(f, f.ir.CreateSub(x, y)));
  set_scc(f, f.ir.CreateICmpUGT(y, x));
}
template <bool kSubtract>
void emit_signed(Frame& f, const Step& s) {
  Value* x = source32(f, s, 0);
  Value* y = source32(f, s, 1);
  Value* result = kSubtract ? f.ir.CreateSub(x, y) : f.ir.CreateAdd(x, y);
  Value* other = kSubtract ? f.ir.CreateXor(x, y) : f.ir.CreateXor(y, result);
  Value* overflow = f.ir.CreateAnd(f.ir.CreateXor(x, result), other);
  f.store_slot(s.dst, result);
  set_scc(f, f.ir.CreateICmpSLT(overflow, f.number32(0)));
}
// SCC: the first was chosen; `kOrEqual` as the handlers have it for maxima.
template <CmpInst::Predicate kPredicate>
void emit_extreme(Frame& f, const Step& s) {
  Value* x = source32(f, s, 0);
  Value* y = source32(f, s, 1);
  Value* first = f.ir.CreateICmp(kPredicate, x, y);
  f.store_slot(s.dst, f.ir.CreateSelect(first, x, y));
  set_scc(f, first);
}
template <bool kLeft>
void emit_shift64(Frame& f, const Step& s) {
  Value* x = source64(f, s, 0);
  Value* amount = widen(f, f.ir.CreateAnd(source32(f, s, 1), f.number32(63)));
  Value* result = kLeft ? f.ir.CreateShl(x, amount) : f.ir.CreateLShr(x, amount);
  f.store_slot64(s.dst, result);
  set_scc(f, is_not_zero(f, result));
}

void add_moves(Table& t, const HandlerTable& h) {
  t[h[Op::s_mov_b32]] = [](Frame& f, const Step& s) { f.store_slot(s.dst, source32(f, s, 0)); };
  t[h[Op::s_mov_b64]] = [](Frame& f, const Step& s) { f.store_slot64(s.dst, source64(f, s, 0)); };
  t[h[Op::s_cselect_b32]] = [](Frame& f, const Step& s) {
    Value* x = source32(f, s, 0);
    f.store_slot(s.dst, f.ir.CreateSelect(is_not_zero(f, f.load_slot(kSccSlot)), x, source32(f, s, 1)));
  };
  t[h[Op::s_cselect_b64]] = [](Frame& f, const Step& s) {
    Value* x = source64(f, s, 0);
    f.store_slot64(s.dst, f.ir.CreateSelect(is_not_zero(f, f.load_slot(kSccSlot)), x, source64(f, s, 1)));
  };
}

void add_arithmetic(Table& t, const HandlerTable& h) {
  t[h[Op::s_add_u32]] = emit_add<0, false>;
  t[h[Op::s_addc_u32]] = emit_add<0, true>;
  t[h[Op::s_lshl1_add_u32]] = emit_add<1, false>;
  t[h[Op::s_lshl2_add_u32]] = emit_add<2, false>;
  t[h[Op::s_lshl3_add_u32]] = emit_add<3, false>;
  t[h[Op::s_lshl4_add_u32]] = emit_add<4, false>;
  t[h[Op::s_sub_u32]] = emit_sub<false>;
  t[h[Op::s_subb_u32]] = emit_sub<true>;
  t[h[Op::s_add_i32]] = emit_signed<false>;
  t[h[Op::s_sub_i32]] = emit_signed<true>;
  t[h[Op::s_mul_i32]] = plain([](Frame& f, Value* x, Value* y) { return f.ir.CreateMul(x, y); });
  t[h[Op::s_mul_hi_u32]] = plain([](Frame& f, Value* x, Value* y) {
    return narrow(f, f.ir.CreateLShr(f.ir.CreateMul(widen(f, x), widen(f, y)), 32));
  });
  t[h[Op::s_min_i32]] = emit_extreme<CmpInst::ICMP_SLT>;
  t[h[Op::s_min_u32]] = emit_extreme<CmpInst::ICMP_ULT>;
  t[h[Op::s_max_i32]] = emit_extreme<CmpInst::ICMP_SGE>;
  t[h[Op::s_max_u32]] = emit_extreme<CmpInst::ICMP_UGE>;
}

void add_logic(Table& t, const HandlerTable& h) {
  t[h[Op::s_and_b32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateAnd(x, y); });
  t[h[Op::s_or_b32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateOr(x, y); });
  t[h[Op::s_xor_b32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateXor(x, y); });
  t[h[Op::s_and_not1_b32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateAnd(x, f.ir.CreateNot(y)); });
  t[h[Op::s_or_not1_b32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateOr(x, f.ir.CreateNot(y)); });
  t[h[Op::s_lshl_b32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateShl(x, shift(f, y)); });
  t[h[Op::s_lshr_b32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateLShr(x, shift(f, y)); });
  t[h[Op::s_ashr_i32]] = nonzero([](Frame& f, Value* x, Value* y) { return f.ir.CreateAShr(x, shift(f, y)); });
  t[h[Op::s_lshl_b64]] = emit_shift64<true>;
  t[h[Op::s_lshr_b64]] = emit_shift64<false>;
  t[h[Op::s_and_b64]] = nonzero64([](Frame& f, Value* x, Value* y) { return f.ir.CreateAnd(x, y); });
  t[h[Op::s_or_b64]] = nonzero64([](Frame& f, Value* x, Value* y) { return f.ir.CreateOr(x, y); });
  t[h[Op::s_xor_b64]] = nonzero64([](Frame& f, Value* x, Value* y) { return f.ir.CreateXor(x, y); });
  t[h[Op::s_and_not1_b64]] =
      nonzero64([](Frame& f, Value* x, Value* y) { return f.ir.CreateAnd(x, f.ir.CreateNot(y)); });
}

void add_compares(Table& t, const HandlerTable& h) {
  t[h[Op::s_cmp_eq_i32]] = emit_compare<CmpInst::ICMP_EQ>;
  t[h[Op::s_cmp_lg_i32]] = emit_compare<CmpInst::ICMP_NE>;
  t[h[Op::s_cmp_gt_i32]] = emit_compare<CmpInst::ICMP_SGT>;
  t[h[Op::s_cmp_ge_i32]] = emit_compare<CmpInst::ICMP_SGE>;
  t[h[Op::s_cmp_lt_i32]] = emit_compare<CmpInst::ICMP_SLT>;
  t[h[Op::s_cmp_le_i32]] = emit_compare<CmpInst::ICMP_SLE>;
  t[h[Op::s_cmp_eq_u32]] = emit_compare<CmpInst::ICMP_EQ>;
  t[h[Op::s_cmp_lg_u32]] = emit_compare<CmpInst::ICMP_NE>;
  t[h[Op::s_cmp_gt_u32]] = emit_compare<CmpInst::ICMP_UGT>;
  t[h[Op::s_cmp_ge_u32]] = emit_compare<CmpInst::ICMP_UGE>;
  t[h[Op::s_cmp_lt_u32]] = emit_compare<CmpInst::ICMP_ULT>;
  t[h[Op::s_cmp_le_u32]] = emit_compare<CmpInst::ICMP_ULE>;
  t[h[Op::s_cmp_eq_u64]] = emit_compare64<CmpInst::ICMP_EQ>;
  t[h[Op::s_cmp_lg_u64]] = emit_compare64<CmpInst::ICMP_NE>;
}

Table make_table() {
  Table table;
  const HandlerTable& h = handlers();
  add_moves(table, h);
  add_arithmetic(table, h);
  add_logic(table, h);
  add_compares(table, h);
  table.erase(nullptr);
  return table;
}

}  // namespace

ScalarEmit scalar_emit_of(Handler handler) {
  static const Table table = make_table();
  const auto it = table.find(handler);
  return it == table.end() ? nullptr : it->second;
}

}  // namespace bw::emulator::jit
