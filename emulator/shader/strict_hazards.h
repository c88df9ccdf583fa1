// Owns: the instruction sequences that gfx1100 does not execute right unless the program breaks them up, for one wave.
// Source: LLVM 19's GCNHazardRecognizer.cpp, whose names the rules have, with the features of gfx1100 in AMDGPU.td;
// docs/emulator.md lists which of its rules apply. Not here: waits for counters (strict_waits.h).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "emulator/shader/strict_instruction.h"

namespace bw::emulator {

class HazardChecker {
 public:
  explicit HazardChecker(uint32_t wave_size) : wave_size_(wave_size) { reset(); }
  // For the next wave.
  void reset();
  std::optional<StrictFinding> before(const StrictInstruction& in);

 private:
  // Instructions of the vector ALU are numbered from 1.
  struct Write {
    uint64_t number = 0;  // 0: none
    uint64_t trans_number = 0;
    uint64_t pc = 0;
    bool is_trans = false;
  };
  struct MaskWrite {
    uint64_t read_pc = 0;  // 0: none
    uint64_t write_pc = 0;
  };
  struct Place {
    RegisterSpan span;
    uint64_t pc;
  };

  std::optional<StrictFinding> check_trans_use(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_partial_forwarding(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_mask_write(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_wmma(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_permlane(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_mad_overlap(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_direct_after_valu(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_direct_after_memory(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_release(const StrictInstruction& in) const;
  Write last_write(const RegisterSpan& span) const;
  void note_valu(const StrictInstruction& in);
  void note_memory(const StrictInstruction& in);
  void note_salu(const StrictInstruction& in);

  const uint32_t wave_size_;
  uint64_t valu_count_ = 0;  // of all waves so far
  uint64_t trans_count_ = 0;
  uint64_t settled_ = 0;  // vector instructions up to this number have written their results for sure
  std::array<Write, amdgpu::gfx11::kVgprCount> valu_writes_;
  std::array<Write, amdgpu::gfx11::kVgprCount> trans_writes_;
  std::array<Write, amdgpu::gfx11::kVgprCount> valu_reads_;
  std::array<uint64_t, amdgpu::gfx11::kVgprCount>
      memory_accesses_{};  // pc of a memory instruction that has it; 0: none
  bool has_memory_accesses_ = false;
  std::deque<uint64_t> exec_writes_;  // by the scalar ALU: valu_count_ at that time
  std::optional<Place> last_mask_;    // read by the vector ALU
  std::array<MaskWrite, kFirstVgprId> mask_writes_;
  bool has_mask_writes_ = false;
  std::optional<Place> last_wmma_;     // its result, where no vector instruction came since
  std::optional<uint64_t> last_cmpx_;  // where no vector instruction but v_nop came since
  std::optional<uint64_t> release_;    // of the VGPRs
  bool after_nop_;                     // the instruction before is s_nop
};

}  // namespace bw::emulator
