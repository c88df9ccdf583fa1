// Owns: the numbers that make an ELF file a gfx1100 code object. Source: LLVM 19, BinaryFormat/ELF.h, and its user
// guide for the AMDGPU backend ("Code Object", "Relocation Records", "Note Records").
#pragma once

#include <cstdint>

namespace bw::amdgpu::gfx11 {

inline constexpr uint16_t kElfMachineAmdgpu = 224;
inline constexpr uint8_t kElfOsabiHsa = 64;
// EI_ABIVERSION of code object versions 4 to 6.
inline constexpr uint8_t kElfAbiVersionFirst = 2;
inline constexpr uint8_t kElfAbiVersionLast = 4;
// e_flags: the processor.
inline constexpr uint32_t kElfFlagsMachMask = 0xff;
inline constexpr uint32_t kElfFlagsMachGfx1100 = 0x41;
// Relocations that a loaded image may still need: 64-bit base plus addend.
inline constexpr uint32_t kRelocationNone = 0;
inline constexpr uint32_t kRelocationRelative64 = 13;
// The note with the metadata (MessagePack).
inline constexpr uint32_t kNoteTypeMetadata = 32;
inline constexpr const char* kNoteName = "AMDGPU";

// Instructions of a kernel start at such addresses (COMPUTE_PGM_LO/HI hold address >> 8).
inline constexpr uint64_t kKernelEntryAlignment = 256;

}  // namespace bw::amdgpu::gfx11
