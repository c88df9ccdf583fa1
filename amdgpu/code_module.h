// Owns: code objects in GPU memory, and the kernels in them that can be dispatched.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "amdgpu/code_object.h"
#include "amdgpu/memory.h"

namespace bw::amdgpu {

// A kernel in GPU memory; keeps its code there alive.
struct Kernel {
  KernelInfo info;
  GpuAddr entry;       // of the first instruction
  GpuAddr descriptor;  // what AQL calls the kernel object
  std::shared_ptr<const Buffer> code;
};

// A loaded code object. Its kernels stay where they are while it lives; a CommandBuffer keeps what it needs by itself.
class CodeModule {
 public:
  explicit CodeModule(std::vector<std::unique_ptr<const Kernel>> kernels) : kernels_(std::move(kernels)) {}

  // kNotFound with the names there are.
  Result<const Kernel*> kernel(std::string_view name) const;
  const std::vector<std::unique_ptr<const Kernel>>& kernels() const { return kernels_; }

 private:
  std::vector<std::unique_ptr<const Kernel>> kernels_;
};

}  // namespace bw::amdgpu
