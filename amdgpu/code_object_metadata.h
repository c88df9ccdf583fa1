// Owns: what the metadata note of a code object says about its kernels. Source: LLVM 19's user guide for the AMDGPU
// backend, "Code Object V5 Metadata".
#pragma once

#include <cstddef>
#include <span>

#include "amdgpu/code_object.h"

namespace bw::amdgpu {

// Completes `object.kernels` and sets `object.target`. kDataLoss for corrupt metadata, and for a kernel that the object
// does not have.
Status read_metadata(std::span<const std::byte> note, CodeObject& object);

}  // namespace bw::amdgpu
