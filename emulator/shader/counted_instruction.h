// Owns: under what an instruction counts, and what its lanes access; decided once for each instruction of a program.
#pragma once

#include <cstdint>

#include "amdgpu/gfx11/isa/decode.h"
#include "emulator/shader/counters.h"

namespace bw::emulator {

struct CountedInstruction {
  enum class Reach : uint8_t { kNothing, kScalar, kGlobal, kFlat, kScratch, kBuffer, kTypedBuffer, kLds };
  enum class Direction : uint8_t { kLoad, kStore, kAtomic };

  Reach reach = Reach::kNothing;
  Direction direction = Direction::kLoad;
  uint8_t bytes = 4;         // kGlobal to kLds: of one lane and address; kScalar: of the wave
  uint8_t addresses = 1;     // kLds: of one lane
  uint16_t offset_unit = 1;  // kLds: bytes for each step of the two offsets, where there are two addresses
  bool is_by_lane = false;   // *_addtid_*: the address is that of lane 0
  bool is_exchange = false;  // of LDS, without memory
  bool counts_memory_lanes = false;
  InstructionCounts once;  // what one execution adds, but for lanes

  static CountedInstruction make(const amdgpu::gfx11::Instruction& in);
};

}  // namespace bw::emulator
