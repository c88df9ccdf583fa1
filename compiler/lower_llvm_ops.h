// Owns: the LLVM instructions of one elementwise op on scalars, for every dtype. Not here: loops, memory and where an
// instruction is placed (compiler/lower_llvm_emit.h).
//
// In registers a bool is an i1 and a bf16 is its bits, an i16; all others have LLVM's own type. f16 and bf16
// transcendental ops, and all bf16 arithmetic, are done in f32 and rounded once.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <span>

#include "ir/bounds.h"
#include "ir/node.h"

namespace bw::compiler {

class OpLowering {
 public:
  OpLowering(llvm::IRBuilder<>& builder, ir::Bounds& bounds) : b_(builder), bounds_(bounds) {}

  llvm::Type* register_type(ir::DType dtype);
  llvm::Type* memory_type(ir::DType dtype);
  llvm::Value* from_memory(ir::DType dtype, llvm::Value* value);
  llvm::Value* to_memory(ir::DType dtype, llvm::Value* value);

  llvm::Value* constant(ir::DType dtype, const ir::Scalar& value);
  // `node` is elementwise (ir::is_elementwise) and supported (plan_kernel checks); `inputs` are its lowered inputs.
  llvm::Value* elementwise(const ir::NodePtr& node, std::span<llvm::Value* const> inputs);

  // A sum or product of f16 or bf16 is accumulated in f32 and rounded at its end; all else in the dtype itself.
  ir::DType accumulator_dtype(const ir::Node& reduction);
  llvm::Value* identity(const ir::Node& reduction);
  // The accumulator with one more value, or with another accumulator, of accumulator_dtype.
  llvm::Value* combine(const ir::Node& reduction, llvm::Value* accumulator, llvm::Value* value);
  llvm::Value* cast(llvm::Value* value, ir::DType from, ir::DType to);
  llvm::Value* fused_multiply_add(llvm::Value* a, llvm::Value* b, llvm::Value* c);

 private:
  llvm::Value* unary(const ir::Node& node, llvm::Value* x);
  llvm::Value* unary_f32(ir::Op op, llvm::Value* x);
  llvm::Value* sin_f32(llvm::Value* x);
  llvm::Value* binary(const ir::NodePtr& node, llvm::Value* x, llvm::Value* y);
  llvm::Value* binary_value(ir::Op op, ir::DType dtype, llvm::Value* x, llvm::Value* y);
  llvm::Value* float_binary(ir::Op op, ir::DType dtype, llvm::Value* x, llvm::Value* y);
  llvm::Value* bool_binary(ir::Op op, llvm::Value* x, llvm::Value* y);
  llvm::Value* integer_binary(ir::Op op, ir::DType dtype, llvm::Value* x, llvm::Value* y);
  llvm::Value* opaque(llvm::Value* x);
  llvm::Value* divide(const ir::Node& node, llvm::Value* x, llvm::Value* y);
  llvm::Value* bounded_arithmetic(const ir::NodePtr& node, llvm::Value* x, llvm::Value* y);
  llvm::Value* mul_acc(const ir::Node& node, std::span<llvm::Value* const> inputs);
  llvm::Value* bitcast(const ir::Node& node, llvm::Value* x);

  llvm::Value* widen(ir::DType from, llvm::Value* value);  // f16, bf16 -> f32
  llvm::Value* narrow(ir::DType to, llvm::Value* value);   // f32 or f64 -> f16, bf16, f32
  llvm::Value* bf16_from_f32(llvm::Value* value);
  llvm::Value* f32_rounded_to_odd(llvm::Value* f64);
  llvm::Value* float_to_integer(llvm::Value* value, ir::DType to);
  llvm::Value* integer_to_float(llvm::Value* value, ir::DType from, ir::DType to);
  llvm::Value* intrinsic(llvm::Intrinsic::ID id, std::initializer_list<llvm::Value*> arguments);
  void allow_ulp(llvm::Value* instruction, float ulp);

  llvm::IRBuilder<>& b_;
  ir::Bounds& bounds_;
};

}  // namespace bw::compiler
