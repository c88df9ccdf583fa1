// Owns: a model of how the banks of the LDS serve the 32 lanes of one access. A model, not a measurement of this card:
//
// - 32 banks, 4 bytes wide; addresses that differ by multiples of 128 share a bank. Source: measurements on gfx1100
//   (nod-ai/amd-shark-ai efa471a, docs/empirical-lds/rdna3info.md); RDNA3 ISA guide, "Data share".
// - An access takes a cycle for each phase of lanes, and more where lanes of a phase want different dwords of one bank;
//   what wants the same dword is served at once. Loads of 32 bits have one phase; of 64 bits two, lanes 0-15 and
//   16-31; of 128 bits four: 0-3 with 20-23, 4-7 with 16-19, 8-11 with 28-31, 12-15 with 24-27. Source: as above.
// - unverified: that stores of 128 bits have four phases of eight neighbours (measured on other chips only:
//   composable_kernel, "Understanding AMD GPU LDS and Bank Conflicts"); that accesses of 96 bits are as those of 128;
//   that the two addresses of an instruction are accessed one after the other; that atomics serve a dword once a cycle.
#pragma once

#include <array>
#include <cstdint>

namespace bw::emulator {

enum class LdsAccess : uint8_t { kLoad, kStore, kAtomic };

struct LdsCycles {
  uint32_t needed = 0;     // phases with active lanes
  uint32_t conflicts = 0;  // cycles beyond those
};

// `address`: of 32 lanes, in bytes; `active`: one bit a lane; `size_bytes`: of each lane's access, 1 to 16.
LdsCycles lds_cycles(const std::array<uint32_t, 32>& address, uint32_t active, uint32_t size_bytes, LdsAccess access);

}  // namespace bw::emulator
