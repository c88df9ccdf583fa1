// The part of OpLowering that converts between dtypes and evaluates the transcendental ops.
#include <llvm/IR/Constants.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/MDBuilder.h>

#include <numbers>

#include "base/check.h"
#include "compiler/lower_llvm_ops.h"

namespace bw::compiler {

using ir::DType;
using ir::Node;
using ir::Op;
using llvm::Value;

Value* OpLowering::widen(DType from, Value* value) {
  if (from == DType::kF16) return b_.CreateFPExt(value, b_.getFloatTy());
  if (from != DType::kBF16) return value;
  return b_.CreateBitCast(b_.CreateShl(b_.CreateZExt(value, b_.getInt32Ty()), 16), b_.getFloatTy());
}

Value* OpLowering::narrow(DType to, Value* value) {
  if (to != DType::kBF16) return b_.CreateFPTrunc(value, register_type(to));
  return bf16_from_f32(value->getType()->isDoubleTy() ? f32_rounded_to_odd(value) : value);
}

// Nearest, ties to even, on the bits; a NaN stays one (its payload may lose its only bits, so the quiet bit is set).
Value* OpLowering::bf16_from_f32(Value* value) {
  Value* bits = b_.CreateBitCast(value, b_.getInt32Ty());
  Value* last = b_.CreateAnd(b_.CreateLShr(bits, 16), 1);
  Value* rounded = b_.CreateAdd(b_.CreateAdd(bits, b_.getInt32(0x7fff)), last);
  Value* quiet = b_.CreateOr(bits, b_.getInt32(0x400000));
  Value* result = b_.CreateSelect(b_.CreateFCmpUNO(value, value), quiet, rounded);
  return b_.CreateTrunc(b_.CreateLShr(result, 16), b_.getInt16Ty());
}

// An inexact value becomes that neighbour whose last bit is set, so that rounding again is as good as rounding once.
Value* OpLowering::f32_rounded_to_odd(Value* f64) {
  Value* nearest = b_.CreateFPTrunc(f64, b_.getFloatTy());
  Value* back = b_.CreateFPExt(nearest, f64->getType());
  Value* bits = b_.CreateBitCast(nearest, b_.getInt32Ty());
  Value* too_far = b_.CreateFCmpOGT(intrinsic(llvm::Intrinsic::fabs, {back}), intrinsic(llvm::Intrinsic::fabs, {f64}));
  Value* odd = b_.CreateOr(b_.CreateSub(bits, b_.CreateZExt(too_far, b_.getInt32Ty())), 1);
  return b_.CreateBitCast(b_.CreateSelect(b_.CreateFCmpONE(back, f64), odd, bits), b_.getFloatTy());
}

Value* OpLowering::float_to_integer(Value* value, DType to) {
  const auto id = ir::is_signed(to) ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat;
  return b_.CreateIntrinsic(id, {register_type(to), value->getType()}, {value});
}

// Integers of 32 bits go to bf16 through f64, which holds them exactly. An f16 overflows before f32 loses digits.
Value* OpLowering::integer_to_float(Value* value, DType from, DType to) {
  DType exact = to;
  if (to == DType::kF16) exact = DType::kF32;
  if (to == DType::kBF16) exact = ir::size_bytes(from) < 4 ? DType::kF32 : DType::kF64;
  llvm::Type* type = register_type(exact);
  Value* result = ir::is_signed(from) ? b_.CreateSIToFP(value, type) : b_.CreateUIToFP(value, type);
  return exact == to ? result : narrow(to, result);
}

Value* OpLowering::cast(Value* value, DType from, DType to) {
  if (from == to) return value;
  if (to == DType::kBool) {
    if (!ir::is_float(from)) return b_.CreateIsNotNull(value);
    Value* wide = widen(from, value);
    return b_.CreateFCmpUNE(wide, llvm::ConstantFP::get(wide->getType(), 0.0));
  }
  if (!ir::is_float(from)) {
    if (ir::is_float(to)) return integer_to_float(value, from, to);
    return b_.CreateIntCast(value, register_type(to), ir::is_signed(from));
  }
  value = widen(from, value);
  if (!ir::is_float(to)) return float_to_integer(value, to);
  if (to == DType::kF64) return b_.CreateFPExt(value, b_.getDoubleTy());
  return value->getType() == register_type(to) ? value : narrow(to, value);
}

Value* OpLowering::bitcast(const Node& node, Value* x) {
  return from_memory(node.dtype, b_.CreateBitCast(to_memory(node.inputs[0]->dtype, x), memory_type(node.dtype)));
}

Value* OpLowering::unary(const Node& node, Value* x) {
  const DType dtype = node.dtype;
  if (dtype == DType::kF16 && node.op == Op::kTrunc) return intrinsic(llvm::Intrinsic::trunc, {x});
  if (dtype == DType::kF16 || dtype == DType::kBF16) return narrow(dtype, unary_f32(node.op, widen(dtype, x)));
  if (dtype == DType::kF32) return unary_f32(node.op, x);
  switch (node.op) {
    case Op::kSqrt:
      return intrinsic(llvm::Intrinsic::sqrt, {x});
    case Op::kRecip:
      return b_.CreateFDiv(llvm::ConstantFP::get(x->getType(), 1.0), x);
    case Op::kTrunc:
      return intrinsic(llvm::Intrinsic::trunc, {x});
    default:
      BW_CHECK(!"a unary op of f64");
      return nullptr;
  }
}

// The hardware's v_exp_f32, v_log_f32, v_rcp_f32 and v_sqrt_f32 are good to 1 ulp but flush denormals; LLVM scales
// their arguments and results where it must keep to less than the ulps that are allowed here.
Value* OpLowering::unary_f32(Op op, Value* x) {
  switch (op) {
    case Op::kExp2:
      return intrinsic(llvm::Intrinsic::exp2, {x});
    case Op::kLog2:
      return intrinsic(llvm::Intrinsic::log2, {x});
    case Op::kSin:
      return sin_f32(x);
    case Op::kTrunc:
      return intrinsic(llvm::Intrinsic::trunc, {x});
    case Op::kSqrt: {
      Value* root = intrinsic(llvm::Intrinsic::sqrt, {x});
      allow_ulp(root, 2.0f);
      return root;
    }
    case Op::kRecip: {
      Value* quotient = b_.CreateFDiv(llvm::ConstantFP::get(x->getType(), 1.0), x);
      allow_ulp(quotient, 2.0f);
      return quotient;
    }
    default:
      BW_CHECK(!"a unary op");
      return nullptr;
  }
}

void OpLowering::allow_ulp(Value* value, float ulp) {
  if (auto* instruction = llvm::dyn_cast<llvm::Instruction>(value)) {
    instruction->setMetadata(llvm::LLVMContext::MD_fpmath, llvm::MDBuilder(b_.getContext()).createFPMath(ulp));
  }
}

// sin(x) = (-1)^n sin(x - n pi). The difference is taken in f64 in two steps with fused multiply-adds (Cody and Waite's
// method): exact to far below an f32 ulp for |x| < 2^50, within 2 ulp of the true sine; beyond that the result is only
// a number within [-1, 1]. The polynomial is the Chebyshev interpolation of (sin(r)/r - 1)/r^2 in r^2 over 0..pi/2,
// relative error 1.9e-8.
Value* OpLowering::sin_f32(Value* x) {
  constexpr double kPiLow = 0x1.1a62633145c07p-53;  // pi - std::numbers::pi
  constexpr float kCoefficients[] = {-0x1.555556p-3f, 0x1.11111p-7f, -0x1.a01906p-13f, 0x1.71968p-19f,
                                     -0x1.9dafb4p-26f};
  llvm::Type* f64 = b_.getDoubleTy();
  llvm::Type* f32 = b_.getFloatTy();
  const auto number = [](llvm::Type* type, double value) { return llvm::ConstantFP::get(type, value); };
  Value* wide = b_.CreateFPExt(x, f64);
  Value* n = intrinsic(llvm::Intrinsic::rint, {b_.CreateFMul(wide, number(f64, std::numbers::inv_pi))});
  Value* rest = fused_multiply_add(n, number(f64, -std::numbers::pi), wide);
  rest = fused_multiply_add(n, number(f64, -kPiLow), rest);
  Value* r = b_.CreateFPTrunc(rest, f32);
  for (const double bound : {1.0, -1.0}) {
    Value* limit = number(f32, bound * std::numbers::pi / 2);
    r = b_.CreateSelect(bound > 0 ? b_.CreateFCmpOGT(r, limit) : b_.CreateFCmpOLT(r, limit), limit, r);
  }
  Value* square = b_.CreateFMul(r, r);
  Value* sum = number(f32, kCoefficients[4]);
  for (int i = 3; i >= 0; --i) sum = fused_multiply_add(sum, square, number(f32, kCoefficients[i]));
  Value* sine = fused_multiply_add(b_.CreateFMul(r, square), sum, r);
  // n is odd where half of it is not whole; this holds for any n, however large.
  Value* half = b_.CreateFMul(n, number(f64, 0.5));
  Value* is_odd = b_.CreateFCmpONE(intrinsic(llvm::Intrinsic::rint, {half}), half);
  return b_.CreateSelect(is_odd, b_.CreateFNeg(sine), sine);
}

}  // namespace bw::compiler
