// Owns: memory that the lanes of a workgroup share (LDS), as LLVM has it.
#pragma once

#include <llvm/IR/Function.h>
#include <llvm/IR/GlobalVariable.h>

#include <cstdint>

namespace bw::compiler {

// `count` elements of LDS for the kernel that `function` is part of; undefined at first. `name` is for listings.
llvm::GlobalVariable* make_lds(llvm::Function& function, llvm::Type* element, uint64_t count, const char* name);

}  // namespace bw::compiler
