// Owns: the shape of the tables that packets and registers are written out with. The rows are generated
// (tools/gen/gen_packet_text.py).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "amdgpu/gfx11/reg_offset.h"
#include "base/bits.h"

namespace bw::amdgpu::gfx11 {

struct ValueName {
  uint32_t value;
  const char* name;
};

// Some bits of a value: where they stand in the packet, and by how much to shift them to the left.
struct ValuePart {
  uint8_t dword;
  BitField bits;
  uint8_t shift;
};

enum class Form : uint8_t { kHex, kDecimal, kFlag, kNamed, kRegister };
enum class Shows : uint8_t { kNonzero, kAlways };

// A reading of a dword holds where another field has one of some values; no values: always.
struct ValueCondition {
  uint8_t dword = 0;
  BitField bits{31, 0};
  uint32_t values = 0;  // bit i: the value i
};

struct ValueRow {
  const char* name;
  uint8_t part_count;
  std::array<ValuePart, 2> parts;
  uint8_t bias;  // to add to the bits: 1 for counts less one
  Form form;
  Shows shows;
  ValueCondition condition;
  std::span<const ValueName> names;
};

struct PacketRow {
  uint8_t opcode;
  uint8_t sub_opcode;  // SDMA
  const char* name;
  uint8_t dwords;      // with the header; 0: not known
  uint8_t tail_dword;  // from here on a list of values; 0: none
  std::span<const ValueRow> values;
};

struct RegisterRow {
  RegOffset offset;
  const char* name;
  std::span<const ValueRow> values;  // all of dword 0
};

// By opcode.
std::span<const PacketRow> pm4_rows();
std::span<const PacketRow> sdma_rows();
// By offset.
std::span<const RegisterRow> register_rows();

}  // namespace bw::amdgpu::gfx11
