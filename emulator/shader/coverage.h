// Owns: which instructions of gfx1100 the shader cores execute, read from the tables that bind their handlers.
#pragma once

#include <vector>

#include "amdgpu/gfx11/isa/isa.h"

namespace bw::emulator {

enum class Support : uint8_t {
  kImplemented,
  kUnsupported,  // faults with the reason: it has no place in a compute program on this card
  kMissing,      // faults as unimplemented
};

struct InstructionCoverage {
  const amdgpu::gfx11::InstructionInfo* info = nullptr;
  Support support = Support::kMissing;
  const char* reason = nullptr;  // kUnsupported only
};

// One entry per row of the instruction table, in its order.
std::vector<InstructionCoverage> instruction_coverage();

}  // namespace bw::emulator
