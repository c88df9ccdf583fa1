// Owns: where a work-item stands in the grid, as LLVM values. All emitters ask here and not the hardware, so that
// several kernels can share a launch.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <array>
#include <cstdint>

namespace bw::compiler {

class GridPlace {
 public:
  explicit GridPlace(llvm::IRBuilder<>& builder) : b_(builder) {}

  // The workgroup's number along x (0), y or z (2), an i32 below `count`. Uniform.
  llvm::Value* workgroup(int axis, int64_t count);
  // The work-item's number within its workgroup of `size`, an i32.
  llvm::Value* lane(uint32_t size);

 private:
  llvm::Value* hardware_id(llvm::Intrinsic::ID id, int64_t count);

  llvm::IRBuilder<>& b_;
};

}  // namespace bw::compiler
