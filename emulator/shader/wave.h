// Owns: the state of one wave and of its workgroup while a host thread executes them, and access to registers.
// Not here: instructions (the handlers), scheduling (group_runner.h), programs (program.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "amdgpu/gfx11/isa/isa.h"
#include "base/bits.h"
#include "emulator/memory/address_space.h"
#include "emulator/shader/dispatch.h"
#include "emulator/shader/mode.h"

namespace bw::emulator {

class Program;
struct Step;

// The hardware executes a wave64 as two halves of 32 lanes; so does this interpreter, with rows of 32 lanes.
constexpr unsigned kLanes = 32;

struct alignas(64) Row {
  uint32_t lane[kLanes];
};

// The scalar file: operand codes 0..127 index it directly; null is written to kTrash and read as a constant.
enum ScalarSlot : uint16_t {
  kVccSlot = amdgpu::gfx11::kCodeVccLo,
  kM0Slot = amdgpu::gfx11::kCodeM0,
  kExecSlot = amdgpu::gfx11::kCodeExecLo,
  kTrashSlot = 128,            // 16 dwords, as wide as the widest scalar load
  kSccSlot = kTrashSlot + 16,  // 0 or 1, and a dword of zero after it
  kScalarSlots = kSccSlot + 2,
};

// VGPRs behind the 256 of the program, for steps that need a place for an intermediate row.
constexpr unsigned kSpareVgpr = amdgpu::gfx11::kVgprCount;
constexpr unsigned kVgprRows = kSpareVgpr + 2;

// High words of the 64-bit addresses that reach LDS and scratch through FLAT instructions: bits 63:48, as SH_MEM_BASES
// has them. Source: the kernel driver's process apertures (LDS at 1 << 48, scratch at 2 << 48), each 4 GiB.
constexpr uint32_t kSharedApertureHi = 1;
constexpr uint32_t kPrivateApertureHi = 2;

enum class Stop : uint8_t { kNone, kYield, kBarrier, kEnd, kFault };

// What the waves of a workgroup share. One host thread executes all of them.
struct Group {
  const Dispatch* dispatch = nullptr;
  Program* program = nullptr;
  Tlb* tlb = nullptr;
  std::array<uint32_t, 3> id{};
  std::vector<std::byte> lds;  // with kLdsSlackBytes behind lds_bytes
  uint32_t lds_bytes = 0;
  std::optional<ShaderFault> fault;

  static constexpr uint32_t kLdsSlackBytes = 64;
};

struct Wave {
  const Step* next = nullptr;
  Group* group = nullptr;
  Row* vgprs = nullptr;  // register r of half h: vgprs[r * halves + h]
  uint32_t halves = 1;   // 1: wave32, 2: wave64
  Stop stop = Stop::kNone;
  bool sleeps = false;               // has executed s_sleep in this turn
  int64_t yield_after = 0;           // dwords of loops until the wave gives way to the next
  uint64_t instructions = 0;         // executed so far
  uint64_t exec_rows_value = ~0ull;  // the EXEC that exec_rows hold
  Mode mode;
  uint32_t index = 0;         // within the workgroup
  uint64_t scratch_base = 0;  // of this wave; 0: none
  uint32_t scratch_bytes = 0;
  uint32_t trap_status = 0;
  std::array<uint32_t, kScalarSlots> s{};
  std::array<Row, 2> exec_rows;  // EXEC of both halves, all ones or zero a lane

  uint32_t* vgpr(unsigned index_of_register, unsigned half) { return vgprs[index_of_register * halves + half].lane; }
  const uint32_t* exec_row(unsigned half) const { return exec_rows[half].lane; }

  uint64_t s64(unsigned slot) const { return make_u64(s[slot], s[slot + 1]); }
  void set_s64(unsigned slot, uint64_t value) {
    s[slot] = lo32(value);
    s[slot + 1] = hi32(value);
  }
  bool scc() const { return s[kSccSlot] != 0; }
  void set_scc(bool value) { s[kSccSlot] = value; }

  // Masks of one bit a lane: one dword in wave32, two in wave64.
  uint64_t mask(unsigned slot) const { return halves == 1 ? s[slot] : s64(slot); }
  void set_mask(unsigned slot, uint64_t value) {
    s[slot] = lo32(value);
    if (halves == 2) s[slot + 1] = hi32(value);
  }
  uint64_t exec() const { return mask(kExecSlot); }
  uint64_t all_lanes() const { return halves == 1 ? 0xffffffffull : ~0ull; }
  unsigned lane_count() const { return halves * kLanes; }

  // To be called by every vector instruction before it uses exec_row().
  void sync_exec() {
    if (exec() != exec_rows_value) rebuild_exec_rows();
  }
  void rebuild_exec_rows();

  // Stops the wave with a fault at the instruction being executed.
  void fail(const Step& step, ShaderFaultKind kind, std::string reason);
  void fail_memory(const Step& step, Access access, uint64_t address, unsigned lane);
};

}  // namespace bw::emulator
