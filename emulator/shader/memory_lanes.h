// Owns: which memory the lanes of an instruction are about to access, for who watches them: counting and strict mode.
// Not here: executing them (vmem.cc, buffer.cc, smem.cc), what the watchers make of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "emulator/shader/counted_instruction.h"
#include "emulator/shader/step.h"

namespace bw::emulator {

using LaneArray = std::array<uint64_t, kLanes>;

struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Of a scalar load, as smem.cc has it; the range check of buffers is left out.
ByteRange scalar_range(const Wave& wave, const Step& step, const CountedInstruction& in);

// Bytes of one lane's access; nullopt: a typed buffer of no known format, which the step reports.
std::optional<uint32_t> lane_bytes(const Wave& wave, const Step& step, const CountedInstruction& in);

inline uint32_t active_lanes(const Wave& wave, unsigned half) {
  return static_cast<uint32_t>(wave.exec() >> (half * kLanes));
}

// Addresses in memory of the active lanes of one half, of FLAT, GLOBAL and buffer instructions; how many. *in_aperture:
// lanes of FLAT instructions that reach LDS or scratch memory instead. The wave's EXEC rows are in place (sync_exec()).
uint32_t memory_addresses(Wave& wave, const Step& step, const CountedInstruction& in, uint32_t size_bytes,
                          unsigned half, LaneArray* addresses, uint32_t* in_aperture);

}  // namespace bw::emulator
