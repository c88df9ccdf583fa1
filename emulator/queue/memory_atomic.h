// Owns: the atomic operations that packets (PM4's ATOMIC_MEM, the SDMA engine's ATOMIC) ask the cache for, on one word
// of host memory. Not here: those of programs (emulator/shader).
#pragma once

#include <cstddef>
#include <cstdint>

#include "amdgpu/gfx11/enums.h"

namespace bw::emulator {

struct MemoryAtomic {
  amdgpu::gfx11::TC_OP op;
  uint64_t source = 0;
  uint64_t compare = 0;
};

// 4 or 8; 0 for what is no atomic operation.
uint32_t size_of_atomic(amdgpu::gfx11::TC_OP op);
// Whether it asks for the value from before.
bool returns_old_value(amdgpu::gfx11::TC_OP op);

struct AtomicResult {
  uint64_t old = 0;
  bool stored = true;  // false if a comparison did not hold
};

// `word` is aligned to its size. Acquires and releases.
AtomicResult apply_atomic(const MemoryAtomic& operation, std::byte* word);

}  // namespace bw::emulator
