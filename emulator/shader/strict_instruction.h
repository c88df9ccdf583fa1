// Owns: what strict mode needs to know of one instruction: the registers it reads and writes, which unit executes it,
// and what it accesses in memory. Not here: what follows from that (strict_waits.h, strict_hazards.h,
// strict_undefined.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"
#include "emulator/shader/strict_flow.h"

namespace bw::emulator {

// One number for each register: scalar registers by their operand code, VGPRs from kCodeVgpr0 on.
using RegisterId = uint16_t;
constexpr RegisterId kFirstVgprId = amdgpu::gfx11::kCodeVgpr0;
constexpr RegisterId kRegisterIds = kFirstVgprId + amdgpu::gfx11::kVgprCount;
// Not registers, but where values come from as well.
constexpr RegisterId kLdsOrigin = kRegisterIds, kScratchOrigin = kRegisterIds + 1, kOverlapOrigin = kRegisterIds + 2;

std::string register_name(RegisterId id);

struct RegisterSpan {
  RegisterId first;
  uint16_t count;
  amdgpu::gfx11::Field field = amdgpu::gfx11::Field::kCount;  // that names it; kCount: none
  uint32_t bits = ~0u;                                        // of each register

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

// What each lane of a DS, FLAT or SCRATCH instruction accesses.
struct MemoryAccess {
  enum Kind : uint8_t { kNone, kLoad, kStore, kAtomic };
  Kind kind = kNone;
  bool exchanges = false;  // kAtomic: the data replaces what was there
  bool is_signed = false;  // kLoad of less than a dword
  uint8_t parts = 1;       // addresses
  uint8_t bytes = 4;       // of each part
  uint16_t offset_unit = 1;
  uint8_t data_shift = 0;
  uint8_t dst_shift = 0;
  uint32_t dst_bits = ~0u;
  RegisterId data[2] = {0, 0};  // 0: none
  RegisterId dst = 0;           // 0: none
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
  std::optional<RegisterSpan> mask;       // of `reads`: one bit a lane
  std::vector<FlowOperation> operations;  // kSalu, kValu
  MemoryAccess access;                    // kLds, kFlat, and SCRATCH of kVmem
  bool is_overlapped = false;             // v_mad_u64_u32 and its kin: the result overlaps the high dword of the addend
  bool is_relative = false;               // M0 chooses registers: see with_relative_registers()

  amdgpu::gfx11::Op op() const { return in.info->op; }
  static StrictInstruction make(const amdgpu::gfx11::Instruction& in, uint64_t pc, uint32_t wave_size);
};

// movrel and swaprel with the registers that M0 adds to. Those that do not exist are left out, as the interpreter does.
StrictInstruction with_relative_registers(const StrictInstruction& in, uint32_t m0);

// What strict mode has to say against an instruction.
struct StrictFinding {
  std::string reason;
  std::optional<uint64_t> cause_pc;  // the earlier instruction
  const char* relation = "after";    // what leads from the reason to the earlier instruction
};

}  // namespace bw::emulator
