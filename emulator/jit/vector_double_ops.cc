// Arithmetic in f64.
#include <llvm/IR/Intrinsics.h>

#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

using llvm::Value;
using B = StripBuilder;

template <class F>
VectorOp arith2(F) {
  return {[](B& b, const Step& s) {
    Value* x = b.f64(s, 0);
    b.put_arith64(s.dst, F{}(b, x, b.f64(s, 1)));
  }};
}
void emit_fma(B& b, const Step& s) {
  Value* x = b.f64(s, 0);
  Value* y = b.f64(s, 1);
  b.put_arith64(s.dst, b.ir().CreateIntrinsic(llvm::Intrinsic::fma, {b.doubles()}, {x, y, b.f64(s, 2)}));
}

}  // namespace

void add_double_ops(VectorOpTable& t, const HandlerTable& h) {
  t[h[Op::v_add_f64]] = arith2([](B& b, Value* x, Value* y) { return b.ir().CreateFAdd(x, y); });
  t[h[Op::v_mul_f64]] = arith2([](B& b, Value* x, Value* y) { return b.ir().CreateFMul(x, y); });
  t[h[Op::v_fma_f64]] = {emit_fma};
}

}  // namespace bw::emulator::jit
