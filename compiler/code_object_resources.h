// Owns: reading from a code object what its kernel takes of the hardware, through LLVM's readers. Not here: what
// follows from it (compiler/kernel_resources.h), and loading (amdgpu/code_object.h).
#pragma once

#include <cstddef>
#include <span>

#include "base/status.h"
#include "compiler/kernel_resources.h"

namespace bw::compiler {

// Of a code object with one kernel. Errors: kDataLoss for bytes that are no such code object or whose metadata lacks a
// number.
Result<KernelResources> read_resources(std::span<const std::byte> code_object);

}  // namespace bw::compiler
