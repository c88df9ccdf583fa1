// Owns: the atomic operations of the SDMA engine's ATOMIC packet on one word of host memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "amdgpu/gfx11/enums.h"

namespace bw::emulator {

struct SdmaAtomic {
  amdgpu::gfx11::TC_OP op;
  uint64_t source = 0;
  uint64_t compare = 0;
};

// 4 or 8; 0 for operations that are not implemented.
uint32_t size_of_atomic(amdgpu::gfx11::TC_OP op);
// `word` is aligned to its size. False if a comparison did not hold and nothing was stored. Acquires and releases.
bool apply_atomic(const SdmaAtomic& operation, std::byte* word);

}  // namespace bw::emulator
