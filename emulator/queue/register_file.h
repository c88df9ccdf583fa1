// Owns: the registers that the packets of one compute queue set, read and wait for. Not here: what they mean for a
// dispatch (pm4_dispatch.cc).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "amdgpu/gfx11/registers.h"

namespace bw::emulator {

// Used by the one thread that runs the queue. Registers start as zero. The card has one set of those outside the
// shader range for all queues; here each queue has its own, since none of them has an effect on another.
class RegisterFile {
 public:
  using RegOffset = amdgpu::gfx11::RegOffset;

  // False for what is no register that a compute queue may touch.
  bool write(RegOffset offset, uint32_t value);
  bool read(RegOffset offset, uint32_t* value) const;

  template <typename Register>
  uint32_t sh() const {
    return sh_[Register::kOffset - amdgpu::gfx11::kShRegBase];
  }
  // `count` shader registers from `first` on.
  std::span<const uint32_t> sh_run(RegOffset first, size_t count) const {
    return std::span(sh_).subspan(first - amdgpu::gfx11::kShRegBase, count);
  }

 private:
  // Of the registers outside the shader range; nullptr if there is none.
  const uint32_t* other(RegOffset offset) const;

  static constexpr uint32_t kShRegisters = 0x400;
  std::array<uint32_t, kShRegisters> sh_{};
  std::array<uint32_t, std::size(amdgpu::gfx11::kRegisterNames)> others_{};  // by their place in the table
};

// For reports; "no known register" for the others.
const char* register_name(amdgpu::gfx11::RegOffset offset);

}  // namespace bw::emulator
