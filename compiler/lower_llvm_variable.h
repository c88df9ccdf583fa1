// Owns: how a compiled function comes by the value of a symbolic variable: a kernel is given the address of a 32-bit
// word in GPU memory, which holds the value while the kernel runs; a part of a launch is given the value.
#pragma once

#include <llvm/IR/Function.h>
#include <llvm/IR/IRBuilder.h>

namespace bw::compiler {

inline constexpr unsigned kVariableBytes = 4;

// The value in the word at `address`, an i32, read where the builder stands. Uniform, and the same each time: by a
// scalar load, once.
llvm::Value* load_variable(llvm::IRBuilder<>& builder, llvm::Value* address);

// The value of a variable that is this argument of the builder's function: itself, or read as the function begins.
llvm::Value* variable_of(llvm::IRBuilder<>& builder, llvm::Argument& argument);

}  // namespace bw::compiler
