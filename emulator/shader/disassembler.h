// Owns: gfx1100 instructions as text for fault reports. The only file of this folder that uses LLVM.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace bw::emulator {

// The instruction at the front of `dwords` as LLVM prints it for this wave size; its dwords in hexadecimal if LLVM
// knows none. Slow (it sets LLVM up each time): for reports only. Safe to call from any thread.
std::string disassemble(std::span<const uint32_t> dwords, uint32_t wave_size);

}  // namespace bw::emulator
