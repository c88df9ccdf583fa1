// Owns: from a verified kernel to a gfx1100 code object (ELF) in memory, through LLVM's and LLD's libraries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/kernel_form.h"
#include "compiler/kernel_part.h"
#include "ir/kernel.h"

namespace bw::compiler {

inline constexpr char kTargetTriple[] = "amdgcn-amd-amdhsa";
inline constexpr char kTargetCpu[] = "gfx1100";
// The name of the function in every code object (its descriptor is this with ".kd"). It is always the same, so that
// equal kernels have equal code objects, whatever they are called.
inline constexpr char kKernelSymbol[] = "bw_kernel";
// Part of the key of cached code objects: to be raised with every change of the code that is generated.
inline constexpr uint32_t kCodegenVersion = 22;

// What one kernel compiled to.
struct CodeObject {
  std::vector<std::byte> elf;
  std::string llvm_ir;   // as lowered, before LLVM optimises it; empty unless asked for
  std::string assembly;  // empty unless asked for
};

enum class Keep : uint8_t { kObjectOnly, kListings };

// Lowers `kernel` to LLVM IR (amdgcn-amd-amdhsa, gfx1100, wave32), optimises, compiles and links it.
// Errors: kUnsupported for an op on a dtype that cannot be lowered (with the node). Safe to call from several threads.
Result<CodeObject> generate_code(const ir::Kernel& kernel, const KernelForm& form, Keep keep);

// The same for a launch of several parts (compiler/schedule.h). The kernel's arguments are the buffers of the launch,
// then the words of its variables; the workgroup's number along x chooses the part.
Result<CodeObject> generate_code(std::span<const KernelPart> parts, Keep keep);

// Bytes of the kernel-argument segment: 8 for each param, then 8 for each variable (the address of its word).
uint32_t kernarg_size_bytes(const ir::Kernel& kernel);
uint32_t kernarg_size_bytes(std::span<const KernelPart> parts);

}  // namespace bw::compiler
