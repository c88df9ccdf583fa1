// Owns: from a verified kernel to a gfx1100 code object (ELF) in memory, through LLVM's and LLD's libraries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/kernel.h"

namespace bw::compiler {

// What one kernel compiled to.
struct CodeObject {
  std::vector<std::byte> elf;
  std::string llvm_ir;   // empty unless asked for
  std::string assembly;  // empty unless asked for
};

enum class Keep : uint8_t { kObjectOnly, kListings };

// Lowers `kernel` to LLVM IR (amdgcn-amd-amdhsa, gfx1100, wave32), optimises, compiles and links it.
// Errors: kUnsupported for an op on a dtype that cannot be lowered (with the node). Safe to call from several threads.
Result<CodeObject> generate_code(const ir::Kernel& kernel, Keep keep);

}  // namespace bw::compiler
