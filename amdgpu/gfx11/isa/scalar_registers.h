// Owns: which scalar registers a code and a number of registers name.
#pragma once

#include <cstdint>

#include "amdgpu/gfx11/isa/isa.h"

namespace bw::amdgpu::gfx11 {

// Pairs of scalar registers begin at even numbers, more at multiples of 4: lower bits of the code are ignored. Source:
// RDNA3 ISA guide, "SGPR Alignment".
constexpr uint32_t aligned_scalar(uint32_t code, unsigned count) {
  return count <= 1 ? code : code & ~(count == 2 ? 1u : 3u);
}
// Whether the `count` registers that scalar operand `code` names lie in one of the ranges: SGPRs with VCC, trap
// temporaries, EXEC; or the code is NULL or M0. Source: RDNA3 ISA guide, "SGPR Out of Range Behavior".
constexpr bool scalar_registers_exist(uint32_t code, unsigned count) {
  code = aligned_scalar(code, count);
  const uint32_t end = code + count;
  return end <= kCodeTtmp0 || (code >= kCodeTtmp0 && end <= kCodeNull) ||
         (code >= kCodeExecLo && end <= kCodeInlineZero) || (code == kCodeNull && count <= 2) ||
         (code == kCodeM0 && count == 1);
}

}  // namespace bw::amdgpu::gfx11
