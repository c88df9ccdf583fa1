// Owns: the type of a register's place in the card's register space, so that it is never mixed up with an offset inside
// a SET_*_REG packet.
#pragma once

#include <compare>
#include <cstdint>

namespace bw::amdgpu::gfx11 {

// Absolute, in dwords.
struct RegOffset {
  uint32_t dwords = 0;

  constexpr RegOffset operator+(uint32_t count) const { return {dwords + count}; }
  constexpr uint32_t operator-(RegOffset base) const { return dwords - base.dwords; }
  constexpr auto operator<=>(const RegOffset&) const = default;
};

}  // namespace bw::amdgpu::gfx11
