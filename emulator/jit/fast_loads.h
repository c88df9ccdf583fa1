// Owns: loads on host vectors for the common case - all active lanes in one mapping, within 2 GiB of each other, or in
// LDS. Everything else, faults included, goes to the interpreter's handler. Loads that share a register of addresses
// share what there is to find out about it. Not here: stores (fast_memory.cc).
#pragma once

#include <cstdint>

#include "emulator/shader/step.h"

namespace bw::emulator::jit {

// The addresses in one register (or pair) of one half of a wave: the lanes' low dwords relative to the lowest of them.
// Those of lanes that are not active are those of one that is.
struct HalfOffsets {
  alignas(32) uint32_t offset[kLanes];
  uint32_t active;      // the lanes of EXEC; of the rest here there is nothing if it is 0
  uint32_t lowest;      // low dword
  uint32_t high;        // of pairs: the same in all lanes
  uint32_t size_bytes;  // from the lowest address to the highest
  uint32_t period;      // in lanes, from lane 0 on: kLanes if nothing repeats
  bool is_row;          // dwords side by side, all lanes active
  bool is_usable;       // false: too far apart
};
struct LaneOffsets {
  uint64_t exec;  // for which they were found
  HalfOffsets half[2];
};

// What it knows of `offsets` belongs to the step's address register as it is now, if `is_known`; else it finds that out
// first. Such a handler may fault, but does not send the wave elsewhere.
using LoadHandler = void (*)(Wave& wave, const Step& step, LaneOffsets* offsets, bool is_known);

// nullptr: there is none.
LoadHandler fast_load_of(Handler handler);
// Of steps that have one: how many registers they write from Step::dst on, and whether addresses are pairs of
// registers.
unsigned loaded_registers(const Step& step);
bool has_address_pair(const Step& step);

}  // namespace bw::emulator::jit
