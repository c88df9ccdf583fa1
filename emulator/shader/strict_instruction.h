// Owns: what strict mode needs to know of one instruction: the registers it reads and writes, and which unit executes
// it. Not here: what follows from that (strict_waits.h, strict_hazards.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"

namespace bw::emulator {

// One number for each register: scalar registers by their operand code, VGPRs from kCodeVgpr0 on.
using RegisterId = uint16_t;
constexpr RegisterId kFirstVgprId = amdgpu::gfx11::kCodeVgpr0;
constexpr RegisterId kRegisterIds = kFirstVgprId + amdgpu::gfx11::kVgprCount;

std::string register_name(RegisterId id);

struct RegisterSpan {
  RegisterId first;
  uint16_t count;

  bool is_vgpr() const { return first >= kFirstVgprId; }
  bool contains(RegisterId id) const { return id >= first && id < first + count; }
  bool overlaps(const RegisterSpan& other) const {
    return first < other.first + other.count && other.first < first + count;
  }
};

enum class Unit : uint8_t {
  kSalu,
  kValu,
  kSmem,
  kLds,   // DS
  kVmem,  // GLOBAL, SCRATCH, buffers
  kFlat,
  kOther,  // exports, images, direct LDS loads
};

struct StrictInstruction {
  amdgpu::gfx11::Instruction in;
  uint64_t pc = 0;
  Unit unit = Unit::kOther;
  bool returns = false;  // kVmem, kFlat: comes back with data, or is an atomic that does
  bool is_trans = false;
  bool is_wmma = false;
  bool is_permlane = false;
  bool writes_exec = false;
  bool reads_constant_bus = false;  // kValu: a scalar register other than EXEC, or a literal dword
  std::vector<RegisterSpan> reads;
  std::vector<RegisterSpan> writes;
  std::optional<RegisterSpan> mask;  // of `reads`: one bit a lane

  amdgpu::gfx11::Op op() const { return in.info->op; }
  // Registers that M0, movrel and the like choose at run time are not among reads and writes.
  static StrictInstruction make(const amdgpu::gfx11::Instruction& in, uint64_t pc, uint32_t wave_size);
};

// What strict mode has to say against an instruction.
struct StrictFinding {
  std::string reason;
  std::optional<uint64_t> cause_pc;  // the earlier instruction
};

}  // namespace bw::emulator
