// Owns: how undefined bits of the sources of one operation of the scalar or vector ALU reach its result. Not here:
// which bits are undefined, and what may not be undefined (strict_undefined.h).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"

namespace bw::emulator {

// The rules are those of a bit-precise definedness checker (Seward and Nethercote, "Using Valgrind to detect undefined
// value errors with bit-precision", USENIX 2005): exact where bits only move or are masked, upward where carries go,
// otherwise all of the result.
enum class Flow : uint8_t {
  kAny,               // any undefined bit of any source: all of the result
  kCopy,              // also for not
  kReverse,           // the order of the bits
  kAnd,               // a defined 0 decides
  kOr,                // a defined 1 decides
  kXor,               // of two or three
  kAndOr,             // (a & b) | c
  kInsert,            // (a & b) | (~a & c)
  kShiftLeft,         // a << b, and | c if there is one
  kShiftRight,        // a >> b
  kShiftRightSigned,  //
  kAlign,             // (a:b) >> c bits
  kAlignBytes,        // (a:b) >> c bytes
  kPermuteBytes,      // v_perm_b32
  kExtract,           // a >> b, c bits of it
  kExtractSigned,     //
  kTestBit,           // bit b of a
  kAddition,          // sums, differences and products: a result bit depends on source bits up to its own place
  kShiftAdd,          // (a << b) + c
  kAddShift,          // (a + b) << c
  kSelect,            // c != 0 ? b : a
  kHalves,            // packed: each half of the result from one half of each source
  kPair,              // the low half of the result from all of a, the high half from all of b
  kPack,              // the low half of the result is a, the high half b
  kMatrix,            // v_wmma: rows and columns
  kMoveLanes,         // moves whole registers between lanes as its handler says
};

struct FlowSource {
  uint16_t code = amdgpu::gfx11::kCodeInlineZero;  // a register, or a constant: then the next
  uint64_t constant = 0;
  uint64_t bits = ~uint64_t{0};  // that count, after the shift
  uint8_t dwords = 1;
  uint8_t shift = 0;      // kHalves: of what goes into the low half
  uint8_t shift_hi = 16;  // kHalves: of what goes into the high half
  bool is_mask = false;   // one bit a lane
  bool inverted = false;  // and, or: the operation takes the complement

  bool is_vgpr() const { return code >= amdgpu::gfx11::kCodeVgpr0; }
  bool is_register() const { return is_vgpr() || code < amdgpu::gfx11::kCodeInlineZero; }
};

struct FlowOperation {
  Flow flow = Flow::kAny;
  uint8_t width = 32;  // of the result in bits; more than 64: kAny
  uint8_t source_count = 0;
  uint16_t dst = 0;  // operand code of a VGPR; 0: none
  uint8_t dst_dwords = 0;
  uint8_t dst_shift = 0;  // of a result of 16 bits
  bool inverted = false;  // nand, nor: as for the sources
  std::array<FlowSource, 5> sources;

  uint32_t dst_bits() const { return width == 16 ? 0xffffu << dst_shift : ~0u; }
};

// The operations of an instruction of the scalar or vector ALU: one, or two of VOPD.
std::vector<FlowOperation> flow_operations(const amdgpu::gfx11::Instruction& in, uint32_t wave_size);

// Undefined bits of the result (before dst_shift), given those of the sources and their values.
uint64_t flow_bits(const FlowOperation& operation, const uint64_t* undefined, const uint64_t* values);

}  // namespace bw::emulator
