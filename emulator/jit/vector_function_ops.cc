// The functions of f32: reciprocals, roots, powers and logarithms of 2; mantissas and scaling by powers of two. In f64
// by the same steps as the interpreter (emulator/shader/transcendental.h), none of which meets a denormal f64.
#include <llvm/IR/Intrinsics.h>

#include <array>
#include <cstdint>

#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

using llvm::Value;
using B = StripBuilder;

constexpr unsigned kExponentShift = 52;
constexpr uint64_t kExponentOnes = 0x7ff;

Value* number(B& b, double value) {
  return llvm::ConstantFP::get(b.doubles(), value);
}
Value* bits64(B& b, uint64_t value) {
  return llvm::ConstantInt::get(b.i64s(), value);
}
Value* select(B& b, llvm::CmpInst::Predicate predicate, Value* x, Value* y, Value* then, Value* otherwise) {
  return b.ir().CreateSelect(b.ir().CreateFCmp(predicate, x, y), then, otherwise);
}

// Denormals to zero of the same sign, whatever MODE says.
Value* flushed(B& b, Value* floats) {
  llvm::IRBuilder<>& ir = b.ir();
  Value* bits = ir.CreateBitCast(floats, b.i32s());
  Value* is_small = ir.CreateICmpEQ(ir.CreateAnd(bits, b.splat(0x7f800000)), b.splat(0));
  Value* sign = ir.CreateAnd(bits, b.splat(0x80000000));
  return ir.CreateBitCast(ir.CreateSelect(is_small, sign, bits), b.floats());
}

// To f32, with zeros for what is too small for a normal number: below the least of them by more than half of the step
// that f32 would have there if exponents went on, as the host decides where it flushes by itself.
Value* rounded_and_flushed(B& b, Value* doubles) {
  llvm::IRBuilder<>& ir = b.ir();
  constexpr double kLeast = 0x1p-126 * (1 - 0x1p-25);
  Value* magnitude = ir.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, doubles);
  Value* sign = ir.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, number(b, 0.0), doubles);
  Value* kept = select(b, llvm::CmpInst::FCMP_OLT, magnitude, number(b, kLeast), sign, doubles);
  return ir.CreateFPTrunc(kept, b.floats());
}

// Horner's rule, the highest power first; each product and sum is rounded.
template <size_t kCount>
Value* polynomial(B& b, const std::array<double, kCount>& coefficients, Value* x) {
  Value* sum = number(b, coefficients[0]);
  for (size_t i = 1; i < kCount; ++i) sum = b.ir().CreateFAdd(b.ir().CreateFMul(sum, x), number(b, coefficients[i]));
  return sum;
}

Value* exp2(B& b, Value* x) {
  llvm::IRBuilder<>& ir = b.ir();
  constexpr double kLn2 = 0.69314718055994530942, kFarthest = 1000.0;
  constexpr std::array<double, 13> kTaylor = {1.0 / 479001600.0,
                                              1.0 / 39916800.0,
                                              1.0 / 3628800.0,
                                              1.0 / 362880.0,
                                              1.0 / 40320.0,
                                              1.0 / 5040.0,
                                              1.0 / 720.0,
                                              1.0 / 120.0,
                                              1.0 / 24.0,
                                              1.0 / 6.0,
                                              0.5,
                                              1.0,
                                              1.0};
  Value* limited = select(b, llvm::CmpInst::FCMP_OGT, x, number(b, kFarthest), number(b, kFarthest), x);
  limited = select(b, llvm::CmpInst::FCMP_OLT, x, number(b, -kFarthest), number(b, -kFarthest), limited);
  Value* n = ir.CreateUnaryIntrinsic(llvm::Intrinsic::roundeven, limited);
  Value* p = polynomial(b, kTaylor, ir.CreateFMul(ir.CreateFSub(limited, n), number(b, kLn2)));
  Value* shifted = ir.CreateFAdd(ir.CreateFAdd(n, number(b, 1023.0)), number(b, 0x1p52));
  Value* exponent = ir.CreateShl(ir.CreateBitCast(shifted, b.i64s()), bits64(b, kExponentShift));
  // Of the limits it is beyond what f32 has: infinity and zero.
  return ir.CreateFMul(p, ir.CreateBitCast(exponent, b.doubles()));
}

Value* log2(B& b, Value* x) {
  llvm::IRBuilder<>& ir = b.ir();
  constexpr double kTwoOverLn2 = 2.8853900817779268147;
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  constexpr std::array<double, 12> kArtanh = {1.0 / 23.0, 1.0 / 21.0, 1.0 / 19.0, 1.0 / 17.0, 1.0 / 15.0, 1.0 / 13.0,
                                              1.0 / 11.0, 1.0 / 9.0,  1.0 / 7.0,  1.0 / 5.0,  1.0 / 3.0,  1.0};
  Value* infinity = llvm::ConstantFP::getInfinity(b.doubles());
  Value* none = llvm::ConstantFP::getNaN(b.doubles());
  Value* bits = ir.CreateBitCast(x, b.i64s());
  Value* e = ir.CreateAShr(ir.CreateSub(bits, bits64(b, kSqrtHalf)), bits64(b, kExponentShift));
  Value* m = ir.CreateBitCast(ir.CreateSub(bits, ir.CreateShl(e, bits64(b, kExponentShift))), b.doubles());
  Value* t = ir.CreateFDiv(ir.CreateFSub(m, number(b, 1.0)), ir.CreateFAdd(m, number(b, 1.0)));
  Value* p = polynomial(b, kArtanh, ir.CreateFMul(t, t));
  Value* fraction = ir.CreateFMul(ir.CreateFMul(t, p), number(b, kTwoOverLn2));
  Value* result = ir.CreateFAdd(ir.CreateSIToFP(ir.CreateTrunc(e, b.i32s()), b.doubles()), fraction);
  result = select(b, llvm::CmpInst::FCMP_OEQ, x, infinity, infinity, result);
  result =
      select(b, llvm::CmpInst::FCMP_OEQ, x, number(b, 0.0), llvm::ConstantFP::getInfinity(b.doubles(), true), result);
  return select(b, llvm::CmpInst::FCMP_OGE, x, number(b, 0.0), result, none);
}

// F(strip, f64) gives an f64.
template <class F>
VectorOp function(F) {
  return {[](B& b, const Step& s) {
    b.need_nearest_rounding();
    Value* x = b.ir().CreateFPExt(flushed(b, b.f32(s, 0)), b.doubles());
    // A source that is a NaN makes the result one.
    b.put_arith(s, rounded_and_flushed(b, F{}(b, x)), 1);
  }};
}

Value* root(B& b, Value* x) {
  return b.ir().CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x);
}

void emit_sqrt(B& b, const Step& s) {
  b.need_nearest_rounding();
  b.put_arith(s, root(b, flushed(b, b.f32(s, 0))), 1);
}

// As f64, in which no f32 is denormal. Zeros and infinities stay.
void emit_frexp_mantissa(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  constexpr uint64_t kExponentOfHalf = 1022;
  Value* wide = ir.CreateFPExt(b.f32(s, 0), b.doubles());
  Value* bits = ir.CreateBitCast(wide, b.i64s());
  Value* exponent = ir.CreateAnd(bits, bits64(b, kExponentOnes << kExponentShift));
  Value* without = ir.CreateAnd(bits, bits64(b, ~(kExponentOnes << kExponentShift)));
  Value* mantissa = ir.CreateOr(without, bits64(b, kExponentOfHalf << kExponentShift));
  Value* stays = ir.CreateOr(ir.CreateICmpEQ(exponent, bits64(b, 0)),
                             ir.CreateICmpEQ(exponent, bits64(b, kExponentOnes << kExponentShift)));
  Value* result = ir.CreateBitCast(ir.CreateSelect(stays, bits, mantissa), b.doubles());
  b.put_arith(s, ir.CreateFPTrunc(result, b.floats()), 1);
}

// Exact in f64 but for exponents that change nothing any more; one rounding.
void emit_ldexp(B& b, const Step& s) {
  llvm::IRBuilder<>& ir = b.ir();
  constexpr uint32_t kFarthest = 400, kBias = 1023;
  Value* exponent = b.u32(s, 1);
  exponent = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smax, exponent, b.splat(-kFarthest));
  exponent = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, exponent, b.splat(kFarthest));
  Value* biased = ir.CreateZExt(ir.CreateAdd(exponent, b.splat(kBias)), b.i64s());
  Value* power = ir.CreateBitCast(ir.CreateShl(biased, bits64(b, kExponentShift)), b.doubles());
  Value* product = ir.CreateFMul(ir.CreateFPExt(b.f32(s, 0), b.doubles()), power);
  b.put_arith(s, ir.CreateFPTrunc(product, b.floats()), 1);
}

}  // namespace

void add_function_ops(VectorOpTable& t, const HandlerTable& h) {
  t[h[Op::v_exp_f32]] = function([](B& b, Value* x) { return exp2(b, x); });
  t[h[Op::v_log_f32]] = function([](B& b, Value* x) { return log2(b, x); });
  t[h[Op::v_rcp_f32]] = function([](B& b, Value* x) { return b.ir().CreateFDiv(number(b, 1.0), x); });
  t[h[Op::v_rsq_f32]] = function([](B& b, Value* x) { return b.ir().CreateFDiv(number(b, 1.0), root(b, x)); });
  t[h[Op::v_sqrt_f32]] = {emit_sqrt};
  t[h[Op::v_frexp_mant_f32]] = {emit_frexp_mantissa};
  t[h[Op::v_ldexp_f32]] = {emit_ldexp};
}

}  // namespace bw::emulator::jit
