#include "compiler/lower_llvm_ops.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/Intrinsics.h>

#include "base/check.h"

namespace bw::compiler {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using llvm::Value;

llvm::Type* OpLowering::register_type(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return b_.getInt1Ty();
    case DType::kF16:
      return b_.getHalfTy();
    case DType::kF32:
      return b_.getFloatTy();
    case DType::kF64:
      return b_.getDoubleTy();
    default:
      return b_.getIntNTy(ir::size_bytes(dtype) * 8);
  }
}

llvm::Type* OpLowering::memory_type(DType dtype) {
  return dtype == DType::kBool ? b_.getInt8Ty() : register_type(dtype);
}

Value* OpLowering::from_memory(DType dtype, Value* value) {
  return dtype == DType::kBool ? b_.CreateIsNotNull(value) : value;
}

Value* OpLowering::to_memory(DType dtype, Value* value) {
  return dtype == DType::kBool ? b_.CreateZExt(value, b_.getInt8Ty()) : value;
}

Value* OpLowering::constant(DType dtype, const ir::Scalar& value) {
  llvm::Type* type = register_type(dtype);
  if (!ir::is_float(dtype)) {
    const auto bits = static_cast<uint64_t>(std::get<int64_t>(value));
    if (dtype == DType::kBool) return b_.getInt1(bits != 0);
    return llvm::ConstantInt::get(type, llvm::APInt(64, bits).trunc(type->getIntegerBitWidth()));
  }
  llvm::APFloat number(std::get<double>(value));
  bool loses = false;
  const auto round = llvm::APFloat::rmNearestTiesToEven;
  if (dtype == DType::kBF16) {
    number.convert(llvm::APFloat::BFloat(), round, &loses);
    return llvm::ConstantInt::get(type, number.bitcastToAPInt());
  }
  number.convert(type->getFltSemantics(), round, &loses);
  return llvm::ConstantFP::get(type, number);
}

Value* OpLowering::intrinsic(llvm::Intrinsic::ID id, std::initializer_list<Value*> arguments) {
  return b_.CreateIntrinsic(id, {(*arguments.begin())->getType()}, llvm::ArrayRef<Value*>(arguments));
}

Value* OpLowering::elementwise(const NodePtr& node, std::span<Value* const> in) {
  const DType input_dtype = node->inputs[0]->dtype;
  if (ir::is_unary(node->op)) return unary(*node, in[0]);
  if (ir::is_binary(node->op)) return binary(node, in[0], in[1]);
  switch (node->op) {
    case Op::kWhere:
      return b_.CreateSelect(in[0], in[1], in[2]);
    case Op::kMulAcc:
      return mul_acc(*node, in);
    case Op::kCast:
      return cast(in[0], input_dtype, node->dtype);
    case Op::kBitcast:
      return bitcast(*node, in[0]);
    default:
      BW_CHECK(!"an elementwise op");
      return nullptr;
  }
}

Value* OpLowering::binary(const NodePtr& node, Value* x, Value* y) {
  const DType dtype = node->inputs[0]->dtype;
  if (node->op == Op::kIDiv || node->op == Op::kMod) return divide(*node, x, y);
  if (ir::is_integer(dtype) && (node->op == Op::kAdd || node->op == Op::kMul)) return bounded_arithmetic(node, x, y);
  return binary_value(node->op, dtype, x, y);
}

Value* OpLowering::binary_value(Op op, DType dtype, Value* x, Value* y) {
  if (ir::is_float(dtype)) return float_binary(op, dtype, x, y);
  return dtype == DType::kBool ? bool_binary(op, x, y) : integer_binary(op, dtype, x, y);
}

Value* OpLowering::float_binary(Op op, DType dtype, Value* x, Value* y) {
  if (dtype == DType::kBF16) {
    Value* result = float_binary(op, DType::kF32, widen(dtype, x), widen(dtype, y));
    return result->getType()->isFloatTy() ? narrow(dtype, result) : result;
  }
  switch (op) {
    case Op::kAdd:
      return b_.CreateFAdd(x, y);
    case Op::kMul:
      return b_.CreateFMul(x, y);
    case Op::kMax:
      return intrinsic(llvm::Intrinsic::maxnum, {x, y});
    case Op::kCmpLt:
      return b_.CreateFCmpOLT(x, y);
    case Op::kCmpNe:
      return b_.CreateFCmpUNE(x, y);
    default:
      BW_CHECK(!"a binary op of floating point");
      return nullptr;
  }
}

Value* OpLowering::bool_binary(Op op, Value* x, Value* y) {
  switch (op) {
    case Op::kAdd:
    case Op::kOr:
    case Op::kMax:
      return b_.CreateOr(x, y);
    case Op::kMul:
    case Op::kAnd:
      return b_.CreateAnd(x, y);
    case Op::kXor:
    case Op::kCmpNe:
      return b_.CreateXor(x, y);
    case Op::kCmpLt:
      return b_.CreateAnd(b_.CreateNot(x), y);
    default:
      BW_CHECK(!"a binary op of bool");
      return nullptr;
  }
}

Value* OpLowering::integer_binary(Op op, DType dtype, Value* x, Value* y) {
  const bool is_signed = ir::is_signed(dtype);
  const auto count = [&] {
    return b_.CreateAnd(y, llvm::ConstantInt::get(y->getType(), ir::size_bytes(dtype) * 8 - 1));
  };
  switch (op) {
    case Op::kAdd:
      return b_.CreateAdd(x, y);
    case Op::kMul:
      return b_.CreateMul(x, y);
    case Op::kMax:
      return intrinsic(is_signed ? llvm::Intrinsic::smax : llvm::Intrinsic::umax, {x, y});
    case Op::kCmpLt:
      return is_signed ? b_.CreateICmpSLT(x, y) : b_.CreateICmpULT(x, y);
    case Op::kCmpNe:
      return b_.CreateICmpNE(x, y);
    case Op::kAnd:
      return b_.CreateAnd(x, y);
    case Op::kOr:
      return b_.CreateOr(x, y);
    case Op::kXor:
      return b_.CreateXor(x, y);
    case Op::kShl:
      return b_.CreateShl(x, count());
    case Op::kShr:
      return is_signed ? b_.CreateAShr(x, count()) : b_.CreateLShr(x, count());
    default:
      BW_CHECK(!"a binary op of integers");
      return nullptr;
  }
}

// Tells LLVM what the bounds prove, so that address arithmetic stays in 32 bits and constants fold into loads.
Value* OpLowering::bounded_arithmetic(const NodePtr& node, Value* x, Value* y) {
  const bool exact = !bounds_.of(node).overflow;
  const bool is_signed = ir::is_signed(node->dtype);
  const bool natural = bounds_.of(node->inputs[0]).low >= 0 && bounds_.of(node->inputs[1]).low >= 0;
  const bool nuw = exact && (!is_signed || natural);
  const bool nsw = exact && is_signed;
  return node->op == Op::kAdd ? b_.CreateAdd(x, y, "", nuw, nsw) : b_.CreateMul(x, y, "", nuw, nsw);
}

namespace {

// LLVM divides in f32 what it takes to fit in 24 bits. LLVM 19 takes sign-extended operands of unsigned divisions for
// such (llvm-project pull requests 119325 and 196418), and from 23 bits on the estimate of v_rcp_f32 is not good enough
// for every pair (202753). Within these bounds the short way is right.
constexpr int64_t kExactInF32 = int64_t{1} << 22;

bool is_exact_in_f32(const ir::Interval& interval) {
  return interval.low >= -kExactInF32 && interval.high < kExactInF32;
}

}  // namespace

// `x`, of whose bits LLVM knows nothing any more.
Value* OpLowering::opaque(Value* x) {
  llvm::FunctionType* type = llvm::FunctionType::get(x->getType(), {x->getType()}, false);
  return b_.CreateCall(llvm::InlineAsm::get(type, "", "=v,0", false), {x});
}

// A zero divisor gives 0, and the smallest integer divided by -1 wraps; LLVM leaves both undefined, so that neither
// may reach its division.
Value* OpLowering::divide(const Node& node, Value* x, Value* y) {
  const bool quotient = node.op == Op::kIDiv;
  const ir::Interval dividend = bounds_.of(node.inputs[0]);
  const ir::Interval divisor = bounds_.of(node.inputs[1]);
  const bool is_signed = ir::is_signed(node.dtype) && !(dividend.low >= 0 && divisor.low >= 0);
  const bool may_be_zero = divisor.low <= 0 && divisor.high >= 0;
  const bool may_be_minus_one = is_signed && divisor.low <= -1 && divisor.high >= -1;
  llvm::Type* type = x->getType();
  // Divisions by constants become multiplications.
  if (!llvm::isa<llvm::Constant>(y) && !(is_exact_in_f32(dividend) && is_exact_in_f32(divisor))) x = opaque(x);
  Value* zero = llvm::ConstantInt::get(type, 0);
  Value* is_zero = may_be_zero ? b_.CreateICmpEQ(y, zero) : b_.getFalse();
  Value* is_minus_one = may_be_minus_one ? b_.CreateICmpEQ(y, llvm::ConstantInt::getSigned(type, -1)) : b_.getFalse();
  Value* safe = b_.CreateSelect(b_.CreateOr(is_zero, is_minus_one), llvm::ConstantInt::get(type, 1), y);
  if (!quotient) {
    Value* rest = is_signed ? b_.CreateSRem(x, safe) : b_.CreateURem(x, safe);
    return rest;  // the rest of a division by the 1 that stands in for 0 and -1 is 0
  }
  Value* result = is_signed ? b_.CreateSDiv(x, safe) : b_.CreateUDiv(x, safe);
  result = b_.CreateSelect(is_minus_one, b_.CreateNeg(x), result);
  return b_.CreateSelect(is_zero, zero, result);
}

Value* OpLowering::fused_multiply_add(Value* a, Value* b, Value* c) {
  return intrinsic(llvm::Intrinsic::fma, {a, b, c});
}

Value* OpLowering::mul_acc(const Node& node, std::span<Value* const> in) {
  const DType dtype = node.dtype;
  if (dtype == DType::kBF16) {
    return narrow(dtype, fused_multiply_add(widen(dtype, in[0]), widen(dtype, in[1]), widen(dtype, in[2])));
  }
  if (ir::is_float(dtype)) return fused_multiply_add(in[0], in[1], in[2]);
  return binary_value(Op::kAdd, dtype, binary_value(Op::kMul, dtype, in[0], in[1]), in[2]);
}

DType OpLowering::accumulator_dtype(const Node& reduction) {
  const bool small_float = reduction.dtype == DType::kF16 || reduction.dtype == DType::kBF16;
  return small_float && reduction.op != Op::kReduceMax ? DType::kF32 : reduction.dtype;
}

Value* OpLowering::identity(const Node& reduction) {
  const DType dtype = accumulator_dtype(reduction);
  if (reduction.op == Op::kReduceMax) {
    if (ir::is_float(dtype)) return constant(dtype, -std::numeric_limits<double>::infinity());
    if (dtype == DType::kBool) return b_.getFalse();
    return constant(dtype, ir::min_integer(dtype));
  }
  const int64_t value = reduction.op == Op::kReduceMul ? 1 : 0;
  return ir::is_float(dtype) ? constant(dtype, static_cast<double>(value)) : constant(dtype, value);
}

Value* OpLowering::combine(const Node& reduction, Value* accumulator, Value* value) {
  const DType dtype = accumulator_dtype(reduction);
  switch (reduction.op) {
    case Op::kReduceAdd:
      return binary_value(Op::kAdd, dtype, accumulator, value);
    case Op::kReduceMul:
      return binary_value(Op::kMul, dtype, accumulator, value);
    default:
      return binary_value(Op::kMax, dtype, accumulator, value);
  }
}

}  // namespace bw::compiler
