// Owns: code objects in GPU memory, and the kernels in them that can be dispatched.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "amdgpu/code_object.h"
#include "amdgpu/memory.h"

namespace bw::amdgpu {

// A kernel in GPU memory; keeps its code there alive.
struct Kernel {
  KernelInfo info;
  GpuAddr entry;                           // of the first instruction
  std::optional<GpuAddr> acquiring_entry;  // of the same with an invalidation before it (acquire_stub.h)
  GpuAddr descriptor;                      // what AQL calls the kernel object
  std::shared_ptr<const Buffer> code;
  uint32_t pgm_rsrc1 = 0;  // COMPUTE_PGM_RSRC1 of its dispatches
};

// How many workgroups of that size the card holds at a time, by their vector registers and their LDS. At least 1.
uint64_t resident_workgroups(const Kernel& kernel, const std::array<uint32_t, 3>& workgroup_size);

// For a kernel of a code object. Its waves run privileged, and are given as many VGPRs as cost no occupancy, so that
// kernels that follow each other mostly have the same word and need not set the register.
uint32_t dispatched_pgm_rsrc1(const KernelInfo& kernel);
// Privileged, otherwise as `word`. Without it a context save (CWSR) of a gfx11 wave can go wrong; the way round it of a
// runtime known to work (tinygrad a9069c1, runtime/ops_amd.py). unverified: whether newer firmware still needs it.
uint32_t privileged_pgm_rsrc1(uint32_t word);

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
