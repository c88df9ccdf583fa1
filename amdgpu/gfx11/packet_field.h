// Owns: where a field of a packet stands. The fields themselves are generated (pm4.h, sdma.h).
#pragma once

#include <cstdint>

#include "base/bits.h"

namespace bw::amdgpu::gfx11 {

// Bits of one dword of a packet; dword 0 is the header.
struct PacketField {
  const char* name;
  uint8_t dword;
  BitField bits;

  // `packet` must have that dword.
  constexpr uint32_t get(const uint32_t* packet) const { return bits.get(packet[dword]); }
};

}  // namespace bw::amdgpu::gfx11
