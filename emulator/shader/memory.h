// Owns: how the lanes of a vector instruction reach memory: addresses, translation with per-lane faults, LDS, and the
// swizzled layout of scratch memory. Not here: instructions (vmem.cc, vmem_atomic.cc, ds.cc, ds_atomic.cc).
#pragma once

#include <cstdint>

#include "emulator/shader/step.h"

namespace bw::emulator {

enum class Space : uint8_t { kGlobal, kScratch, kFlat };

struct LaneAddresses {
  alignas(64) uint64_t address[kLanes];  // kScratch: byte offset into the lane's own scratch memory
};

// Addresses of FLAT, GLOBAL and SCRATCH instructions for one half: of all lanes, active or not.
void compute_addresses(Wave& wave, const Step& step, Space space, unsigned half, LaneAddresses* out);

// Host memory of the `size_bytes` at the addresses of all active lanes if one mapping holds them: the host address of
// address *base. nullptr: take the way of each lane by itself. Only for global addresses.
std::byte* translate_span(Wave& wave, const LaneAddresses& lanes, unsigned half, uint32_t size_bytes, Access access,
                          uint64_t* base);

// True if the address of a FLAT instruction lies in the LDS or scratch aperture.
bool is_in_aperture(const Step& step, uint64_t address);

// True if any active lane's address lies in the LDS or scratch aperture.
bool any_in_aperture(const Wave& wave, const Step& step, const LaneAddresses& lanes, unsigned half);

// One lane's bytes. False: the wave has faulted. Reads beyond LDS give 0, writes there are dropped.
bool read_lane(Wave& wave, const Step& step, Space space, uint64_t address, unsigned lane, void* out,
               uint32_t size_bytes);
bool write_lane(Wave& wave, const Step& step, Space space, uint64_t address, unsigned lane, const void* in,
                uint32_t size_bytes);

// Host memory for an atomic operation of one lane on an aligned value; nullptr and *faulted = false: dropped (out of
// LDS).
std::byte* atomic_target(Wave& wave, const Step& step, Space space, uint64_t address, unsigned lane,
                         uint32_t size_bytes, bool* faulted);

// Addresses of LDS have 32 bits: a negative base with a positive offset is in range again. Compilers rely on it (LLVM,
// GCNSubtarget::hasUsableDSOffset()).
inline uint64_t lds_address(uint32_t base, uint32_t offset) {
  return base + offset;
}
// LDS bytes at `address`, nullptr if they do not all exist.
inline std::byte* lds_at(Wave& wave, uint64_t address, uint32_t size_bytes) {
  Group& group = *wave.group;
  return address + size_bytes <= group.lds_bytes ? group.lds.data() + address : nullptr;
}

}  // namespace bw::emulator
