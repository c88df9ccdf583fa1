// Owns: the form in which the interpreter executes an instruction: a handler with its operands resolved.
// Not here: how instructions become steps (resolve.h) and what handlers do.
#pragma once

#include <cstdint>

#include "emulator/shader/wave.h"

namespace bw::emulator {

using Handler = void (*)(Wave& wave, const Step& step);

enum class SourceKind : uint8_t {
  kVgpr,      // `index` is the register
  kConstant,  // `constant` points to a row of low dwords and a row of high dwords
  kScalar,    // `index` is the slot of the scalar file
  kModified,  // a VGPR or scalar that goes through modifiers
};

// How abs, neg and half selection act on a source.
enum SourceModifier : uint8_t {
  kAbs = 1 << 0,
  kNeg = 1 << 1,
  kHigh = 1 << 2,        // the high half of the dword is the (16-bit) value
  kFromScalar = 1 << 3,  // kModified: `index` is a scalar slot, otherwise a VGPR
  kSign16 = 1 << 4,      // the sign is bit 15 (after half selection)
  kSign64 = 1 << 5,      // the sign is bit 31 of the high dword
  kSignPair = 1 << 6,    // two halves with a sign each; none of these: bit 31 of the only dword
};

struct Source {
  const Row* constant = nullptr;
  uint16_t index = 0;
  SourceKind kind = SourceKind::kConstant;
  uint8_t modifiers = 0;
  // VOP3P, fma_mix: bits as encoded for this source.
  bool op_sel = false;
  bool op_sel_hi = false;
  bool neg = false;     // neg_lo of VOP3P
  bool neg_hi = false;  // abs of fma_mix
};

struct Step {
  Handler run = nullptr;
  Source src[3];
  uint16_t dst = 0;    // VGPR number or scalar slot, as the operation wants
  uint16_t sdst = 0;   // second destination: a scalar slot
  uint8_t weight = 1;  // instructions that this step counts for
  uint8_t omod = 0;
  bool clamp = false;
  bool dst_high = false;  // 16-bit result goes to the high half
  uint8_t size_dwords = 0;
  bool glc = false;     // atomics: return the value before
  uint8_t offset0 = 0;  // DS
  uint8_t offset1 = 0;
  int32_t imm = 0;      // simm16 or memory offset
  uint32_t extra = 0;   // what the handler's comment says
  uint32_t number = 0;  // among the steps of its program
  uint64_t pc = 0;
  const Step* target = nullptr;  // branches
  Handler inner = nullptr;       // DPP: the handler of the operation itself

  uint64_t next_pc() const { return pc + size_dwords * 4u; }
};

// A scalar source.
inline uint32_t read32(const Wave& wave, const Source& source) {
  return source.kind == SourceKind::kScalar ? wave.s[source.index] : source.constant[0].lane[0];
}
inline uint64_t read64(const Wave& wave, const Source& source) {
  if (source.kind == SourceKind::kScalar) return wave.s64(source.index);
  return make_u64(source.constant[0].lane[0], source.constant[1].lane[0]);
}
// A source of one bit a lane.
inline uint64_t read_mask(const Wave& wave, const Source& source) {
  return wave.halves == 1 ? read32(wave, source) : read64(wave, source);
}

// Writes one dword of a row where EXEC is set.
inline void store_lanes(Wave& wave, unsigned vgpr, unsigned half, const uint32_t* values) {
  uint32_t* out = wave.vgpr(vgpr, half);
  const uint32_t* exec = wave.exec_row(half);
#pragma GCC ivdep
  for (unsigned l = 0; l < kLanes; ++l) out[l] = exec[l] != 0 ? values[l] : out[l];
}

// Dword `dword` of source `source` for the 32 lanes of `half`: a pointer into registers or constants, or to `spare`.
const uint32_t* fetch_modified(Wave& wave, const Source& source, unsigned dword, unsigned half, Row& spare);

inline const uint32_t* fetch(Wave& wave, const Source& source, unsigned dword, unsigned half, Row& spare) {
  switch (source.kind) {
    case SourceKind::kVgpr:
      return wave.vgpr(source.index + dword, half);
    case SourceKind::kConstant:
      return source.constant[dword].lane;
    case SourceKind::kScalar: {
      const uint32_t value = wave.s[source.index + dword];
      for (uint32_t& lane : spare.lane) lane = value;
      return spare.lane;
    }
    case SourceKind::kModified:
      break;
  }
  return fetch_modified(wave, source, dword, half, spare);
}

}  // namespace bw::emulator
