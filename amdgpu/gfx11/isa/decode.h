// Owns: the decoding of one gfx1100 instruction from its dwords. Not here: the tables (isa.h), programs and control
// flow (emulator/shader/program.h).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "amdgpu/gfx11/isa/isa.h"
#include "base/status.h"

namespace bw::amdgpu::gfx11 {

enum class DppKind : uint8_t { kNone, kDpp16, kDpp8 };

// The fields of one instruction as encoded. Field values are raw, but for VGPR fields of 8 bits, which are widened to
// source codes (256 + number), and scaled scalar fields, which are multiplied out: an operand's field always holds its
// code.
struct Instruction {
  const InstructionInfo* info = nullptr;
  const InstructionInfo* info_y = nullptr;  // VOPD: the Y half
  uint8_t size_dwords = 0;
  bool has_literal = false;
  DppKind dpp = DppKind::kNone;
  bool dpp8_fetch_inactive = false;
  std::array<uint32_t, static_cast<size_t>(Field::kCount)> fields{};

  uint32_t operator[](Field field) const { return fields[static_cast<size_t>(field)]; }
  uint32_t literal() const { return (*this)[Field::literal]; }
};

constexpr size_t kMaxInstructionDwords = 5;

// The instruction at the front of `dwords` (give kMaxInstructionDwords where there are as many). kInvalidArgument with
// the reason if gfx1100 has no such instruction, an operand is not allowed in its place, or the dwords end too early.
Result<Instruction> decode(std::span<const uint32_t> dwords);

}  // namespace bw::amdgpu::gfx11
