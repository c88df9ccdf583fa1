// Owns: compiling LLVM IR for gfx1100 in tests, independent of the project's own compiler.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bw::test {

struct CompiledKernel {
  std::vector<uint32_t> code;
  uint32_t user_sgprs = 0;
  bool workgroup_id_x = false;
  uint32_t scratch_bytes_per_lane = 0;
};

// The only kernel of the module; aborts with LLVM's message if the IR is wrong.
CompiledKernel compile_ir(const std::string& ir);

}  // namespace bw::test
