#include "compiler/lower_llvm_variable.h"

#include <llvm/IR/Metadata.h>

namespace bw::compiler {

llvm::Value* load_variable(llvm::IRBuilder<>& builder, llvm::Value* address) {
  llvm::LoadInst* value = builder.CreateAlignedLoad(builder.getInt32Ty(), address, llvm::Align(kVariableBytes));
  value->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(builder.getContext(), {}));
  return value;
}

llvm::Value* variable_of(llvm::IRBuilder<>& builder, llvm::Argument& argument) {
  if (!argument.getType()->isPointerTy()) return &argument;
  const llvm::IRBuilder<>::InsertPointGuard guard(builder);
  llvm::BasicBlock& entry = argument.getParent()->getEntryBlock();
  builder.SetInsertPoint(&entry, entry.getFirstInsertionPt());
  return load_variable(builder, &argument);
}

}  // namespace bw::compiler
