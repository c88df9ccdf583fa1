#include "compiler/lower_llvm_lds.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/DerivedTypes.h>

namespace bw::compiler {
namespace {

constexpr unsigned kLdsAddressSpace = 3;  // AMDGPU usage, in LLVM's documentation

}  // namespace

llvm::GlobalVariable* make_lds(llvm::Function& function, llvm::Type* element, uint64_t count, const char* name) {
  auto* array = llvm::ArrayType::get(element, count);
  return new llvm::GlobalVariable(*function.getParent(), array, false, llvm::GlobalValue::InternalLinkage,
                                  llvm::PoisonValue::get(array), name, nullptr, llvm::GlobalValue::NotThreadLocal,
                                  kLdsAddressSpace);
}

}  // namespace bw::compiler
