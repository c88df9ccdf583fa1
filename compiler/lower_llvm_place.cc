#include "compiler/lower_llvm_place.h"

#include <llvm/IR/IntrinsicsAMDGPU.h>
#include <llvm/IR/MDBuilder.h>

#include <algorithm>

namespace bw::compiler {

using llvm::Value;

Value* GridPlace::workgroup(int axis, int64_t count) {
  constexpr llvm::Intrinsic::ID kIds[] = {llvm::Intrinsic::amdgcn_workgroup_id_x,
                                          llvm::Intrinsic::amdgcn_workgroup_id_y,
                                          llvm::Intrinsic::amdgcn_workgroup_id_z};
  // The function of a part of a launch has its workgroup's place as its last arguments.
  llvm::Function* function = b_.GetInsertBlock()->getParent();
  if (function->getCallingConv() != llvm::CallingConv::AMDGPU_KERNEL) {
    return function->getArg(static_cast<unsigned>(function->arg_size() - 3) + static_cast<unsigned>(axis));
  }
  return hardware_id(kIds[axis], std::max<int64_t>(count, 1));
}

Value* GridPlace::lane(uint32_t size) {
  return size == 1 ? b_.getInt32(0) : hardware_id(llvm::Intrinsic::amdgcn_workitem_id_x, size);
}

Value* GridPlace::hardware_id(llvm::Intrinsic::ID id, int64_t count) {
  llvm::CallInst* call = b_.CreateIntrinsic(id, {}, {});
  const llvm::APInt end(32, static_cast<uint64_t>(count));
  call->setMetadata(llvm::LLVMContext::MD_range, llvm::MDBuilder(b_.getContext()).createRange(llvm::APInt(32, 0), end));
  return call;
}

}  // namespace bw::compiler
