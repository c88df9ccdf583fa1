// Bit fields, bytes and counts.
#include <llvm/IR/Intrinsics.h>

#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

using llvm::Value;
using B = StripBuilder;

Value* low5(B& b, Value* value) {
  return b.ir().CreateAnd(value, b.splat(31));
}
Value* is_zero(B& b, Value* value) {
  return b.ir().CreateICmpEQ(value, b.splat(0));
}
// The lowest `count` (0 to 31) bits.
Value* low_bits(B& b, Value* count) {
  return b.ir().CreateSub(b.ir().CreateShl(b.splat(1), count), b.splat(1));
}

// The field is cut out of a value that the offset may have shifted signs into.
Value* signed_field(B& b, Value* value, Value* offset, Value* width) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* bits = low5(b, width);
  Value* unused = low5(b, ir.CreateSub(b.splat(32), bits));
  Value* field = ir.CreateAShr(ir.CreateShl(ir.CreateAShr(value, low5(b, offset)), unused), unused);
  return ir.CreateSelect(is_zero(b, bits), b.splat(0), field);
}

// Dword `low` of the 64 bits shifted right by `amount` (below 32).
Value* shift_pair(B& b, Value* high, Value* low, Value* amount) {
  return b.ir().CreateIntrinsic(llvm::Intrinsic::fshr, {b.i32s()}, {high, low, amount});
}

// As permute_bytes() in vop3_int.cc. A selector below 8 is a shift of the 64 bits.
Value* permute_bytes(B& b, Value* high, Value* low, Value* selectors) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* out = b.splat(0);
  for (unsigned i = 0; i < 4; ++i) {
    Value* selector = ir.CreateAnd(ir.CreateLShr(selectors, b.splat(i * 8)), b.splat(0xff));
    const auto is_below = [&](uint32_t end) { return ir.CreateICmpULT(selector, b.splat(end)); };
    const auto dword_of = [&](uint32_t bit) {
      return ir.CreateSelect(ir.CreateICmpNE(ir.CreateAnd(selector, b.splat(bit)), b.splat(0)), high, low);
    };
    Value* byte = ir.CreateLShr(dword_of(4), ir.CreateShl(ir.CreateAnd(selector, b.splat(3)), b.splat(3)));
    // 8 to 11: the sign of one of the four halves.
    Value* odd = ir.CreateShl(ir.CreateAnd(selector, b.splat(1)), b.splat(4));
    Value* sign = ir.CreateAShr(ir.CreateShl(dword_of(2), ir.CreateSub(b.splat(16), odd)), b.splat(31));
    Value* constant = ir.CreateSelect(ir.CreateICmpEQ(selector, b.splat(12)), b.splat(0), b.splat(0xff));
    Value* chosen = ir.CreateSelect(is_below(8), byte, ir.CreateSelect(is_below(12), sign, constant));
    out = ir.CreateOr(out, ir.CreateShl(ir.CreateAnd(chosen, b.splat(0xff)), b.splat(i * 8)));
  }
  return out;
}

// Leading or trailing zeros; all ones for zero.
template <llvm::Intrinsic::ID kCount>
Value* count_zeros(B& b, Value* value) {
  Value* count = b.ir().CreateIntrinsic(kCount, {b.i32s()}, {value, b.ir().getFalse()});
  return b.ir().CreateSelect(is_zero(b, value), b.splat(~0u), count);
}

}  // namespace

void add_bit_ops(VectorOpTable& t, const HandlerTable& h) {
  t[h[Op::v_bfe_u32]] = int3([](B& b, Value* x, Value* y, Value* z) {
    return b.ir().CreateAnd(b.ir().CreateLShr(x, low5(b, y)), low_bits(b, low5(b, z)));
  });
  t[h[Op::v_bfe_i32]] = int3([](B& b, Value* x, Value* y, Value* z) { return signed_field(b, x, y, z); });
  t[h[Op::v_bfm_b32]] =
      int2([](B& b, Value* x, Value* y) { return b.ir().CreateShl(low_bits(b, low5(b, x)), low5(b, y)); });
  t[h[Op::v_bcnt_u32_b32]] = int2([](B& b, Value* x, Value* y) {
    return b.ir().CreateAdd(b.ir().CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, x), y);
  });
  t[h[Op::v_alignbit_b32]] = int3([](B& b, Value* x, Value* y, Value* z) { return shift_pair(b, x, y, low5(b, z)); });
  t[h[Op::v_alignbyte_b32]] = int3([](B& b, Value* x, Value* y, Value* z) {
    return shift_pair(b, x, y, b.ir().CreateShl(b.ir().CreateAnd(z, b.splat(3)), b.splat(3)));
  });
  t[h[Op::v_perm_b32]] = int3([](B& b, Value* x, Value* y, Value* z) { return permute_bytes(b, x, y, z); });
  t[h[Op::v_bfrev_b32]] =
      int1([](B& b, Value* x) { return b.ir().CreateUnaryIntrinsic(llvm::Intrinsic::bitreverse, x); });
  t[h[Op::v_clz_i32_u32]] = int1([](B& b, Value* x) { return count_zeros<llvm::Intrinsic::ctlz>(b, x); });
  t[h[Op::v_ctz_i32_b32]] = int1([](B& b, Value* x) { return count_zeros<llvm::Intrinsic::cttz>(b, x); });
  t[h[Op::v_cls_i32]] = int1([](B& b, Value* x) {
    Value* flipped = b.ir().CreateXor(x, b.ir().CreateAShr(x, b.splat(31)));
    return count_zeros<llvm::Intrinsic::ctlz>(b, flipped);
  });
}

}  // namespace bw::emulator::jit
