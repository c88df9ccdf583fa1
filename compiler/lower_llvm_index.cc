// The part of KernelEmitter that computes indices and addresses.
#include <bit>
#include <limits>

#include "compiler/lower_llvm_emit.h"

namespace bw::compiler {

// An access adds to a base in scalar registers the unsigned 32 bits of a vector register (RDNA3 ISA, global memory
// with SADDR).
constexpr int64_t kMaxOffset = std::numeric_limits<uint32_t>::max();

using ir::Node;
using ir::NodePtr;
using ir::Op;
using llvm::Value;

KernelEmitter::Split KernelEmitter::split_of(const NodePtr& node) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto it = scope->splits.find(node.get()); it != scope->splits.end()) return it->second;
    if (scope->hidden != 0 && (plan_.of(node.get()).free & scope->hidden) != 0) break;
  }
  if (node->op == Op::kConst) return {.constant = std::get<int64_t>(node->attr<ir::ConstAttr>().value)};
  const ir::Interval bounds = bounds_.of(node);
  return {.rest = known(node.get()), .constant = 0, .low = bounds.low, .high = bounds.high};
}

// Sums, and products with a constant, of signed integers that cannot overflow, neither whole nor without their
// constant.
bool KernelEmitter::split_arithmetic(const NodePtr& node, Split& result) {
  const bool index_type = node->dtype == ir::DType::kI32 || node->dtype == ir::DType::kI64;
  if (!index_type || (node->op != Op::kAdd && node->op != Op::kMul) || bounds_.of(node).overflow) return false;
  Split a = split_of(node->inputs[0]);
  Split b = split_of(node->inputs[1]);
  llvm::Type* type = ops_.register_type(node->dtype);
  const auto fits = [&](int64_t value) {
    return value >= ir::min_integer(node->dtype) && value <= ir::max_integer(node->dtype);
  };
  bool overflow = false;
  if (node->op == Op::kAdd) {
    overflow |= __builtin_add_overflow(a.constant, b.constant, &result.constant);
    overflow |= __builtin_add_overflow(a.low, b.low, &result.low);
    overflow |= __builtin_add_overflow(a.high, b.high, &result.high);
    if (overflow || !fits(result.low) || !fits(result.high) || !fits(result.constant)) return false;
    const bool natural = a.low >= 0 && b.low >= 0;
    result.rest = a.rest;
    if (b.rest != nullptr) result.rest = a.rest == nullptr ? b.rest : b_.CreateAdd(a.rest, b.rest, "", natural, true);
    return true;
  }
  if (a.rest == nullptr) std::swap(a, b);
  if (b.rest != nullptr) return false;
  overflow |= __builtin_mul_overflow(a.constant, b.constant, &result.constant);
  overflow |= __builtin_mul_overflow(b.constant >= 0 ? a.low : a.high, b.constant, &result.low);
  overflow |= __builtin_mul_overflow(b.constant >= 0 ? a.high : a.low, b.constant, &result.high);
  if (overflow || !fits(result.low) || !fits(result.high) || !fits(result.constant) || !fits(b.constant)) return false;
  const bool natural = a.low >= 0 && b.constant >= 0;
  if (a.rest != nullptr) {
    Value* factor = llvm::ConstantInt::getSigned(type, b.constant);
    result.rest = b_.CreateMul(a.rest, factor, "", natural, true);
  }
  return true;
}

Value* KernelEmitter::join(const Split& split, llvm::Type* type) {
  Value* constant = llvm::ConstantInt::getSigned(type, split.constant);
  if (split.rest == nullptr) return constant;
  if (split.constant == 0) return split.rest;
  return b_.CreateAdd(split.rest, constant, "", split.low >= 0 && split.constant >= 0, true);
}

// base + zext(rest * size) + constant * size, in 32 bits where that is proven to be enough, so that the access takes
// the base from scalar registers, the offset from one vector register, and the constant from its own bits. The verifier
// has proven the index within the param.
Value* KernelEmitter::address(const Node& access) {
  const Node& param = memory_param(access);
  const auto size = static_cast<int64_t>(ir::size_bytes(memory_dtype(access)));
  const int64_t param_bytes = ir::max_element_count(param.shape) * ir::size_bytes(param.dtype);
  Split split = split_of(access.inputs[1]);
  const int64_t last = (param_bytes + size - 1) / size;
  if (split.low < 0 || split.high > last) {
    split = {.rest = known(access.inputs[1].get()), .constant = 0, .low = 0, .high = last};
  }
  Value* base = function_.getArg(static_cast<unsigned>(param.attr<ir::ParamAttr>().id));
  if (split.rest != nullptr) {
    const bool narrow = split.high <= kMaxOffset / size;
    llvm::Type* type = narrow ? b_.getInt32Ty() : b_.getInt64Ty();
    Value* offset = b_.CreateIntCast(split.rest, type, /*isSigned=*/false);
    const bool is_positive = !narrow || split.high <= std::numeric_limits<int32_t>::max() / size;
    offset = b_.CreateShl(offset, std::countr_zero(static_cast<uint64_t>(size)), "", true, is_positive);
    base = b_.CreateInBoundsGEP(b_.getInt8Ty(), base, b_.CreateZExt(offset, b_.getInt64Ty()));
  }
  if (split.constant == 0) return base;
  return b_.CreateInBoundsGEP(b_.getInt8Ty(), base, b_.getInt64(split.constant * size));
}

}  // namespace bw::compiler
