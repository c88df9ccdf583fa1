// Owns: completing the bytes of a kernel's arguments: what is missing, and the hidden arguments that the runtime fills.
// Source of their meaning: LLVM 19's user guide for the AMDGPU backend, "Code Object V5 Metadata".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "amdgpu/code_object.h"
#include "base/gpu_addr.h"
#include "base/status.h"

namespace bw::amdgpu {

// Of the arguments that a caller gives; what follows them is hidden.
uint64_t explicit_argument_bytes(const KernelInfo& kernel);

// One more argument: a pointer.
inline void append_address(GpuAddr address, std::vector<std::byte>& arguments) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&address.value);
  arguments.insert(arguments.end(), bytes, bytes + sizeof address.value);
}

// The whole kernarg segment. kInvalidArgument if explicit arguments are missing or there are bytes too many;
// kUnsupported for a hidden argument that this runtime has nothing for.
Result<std::vector<std::byte>> complete_arguments(const KernelInfo& kernel, std::span<const std::byte> arguments,
                                                  const std::array<uint32_t, 3>& workgroup_count,
                                                  const std::array<uint32_t, 3>& workgroup_size);

}  // namespace bw::amdgpu
