// Owns: which bits of the registers and of the scratch memory of one wave hold no defined value, and what an
// instruction may not do with such bits. They may be moved, selected, computed with, and kept in LDS and scratch
// memory. They may not be an address, be stored to other memory, decide a branch, or become EXEC, MODE or M0's choice
// of a register.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emulator/shader/memory.h"
#include "emulator/shader/strict_instruction.h"
#include "emulator/shader/strict_lds.h"

namespace bw::emulator {

class UndefinedChecker {
 public:
  // At the start of a wave: its first `scalar_count` SGPRs, EXEC, and v0 in active lanes are defined.
  void start(const Wave& wave, uint32_t scalar_count);
  // `sequence`: the number that the instruction has among the wave's in LDS.
  std::optional<StrictFinding> before(Wave& wave, const Step& step, const StrictInstruction& in, LdsChecker& lds,
                                      uint64_t sequence);

 private:
  using Bits = std::array<uint64_t, kLanes>;  // of one half
  // Where the undefined bits of a register come from.
  struct Origin {
    RegisterId id = 0;  // never written; kLdsOrigin, kScratchOrigin: LDS, scratch memory
    uint64_t pc = 0;    // of the first instruction that read it; 0: none yet
  };
  // The result of one vector operation for all lanes.
  struct Result {
    bool is_defined = true;
    std::array<std::array<Row, 2>, 2> rows;  // by half and dword; of more dwords, the others are as the second
    uint64_t lanes = 0;                      // with an undefined bit in any source
  };

  // What is where.
  bool has_undefined(const FlowSource& source) const;
  bool has_undefined(const RegisterSpan& span) const;
  uint64_t scalar_bits(uint32_t code, unsigned dwords) const;
  uint64_t lanes_of(const RegisterSpan& span, uint32_t bits) const;
  void write_vgpr(unsigned vgpr, unsigned half, const uint32_t* undefined, uint32_t bits, uint64_t lanes);
  void define_vgpr(unsigned vgpr, uint32_t bits, uint64_t lanes);
  void write_scalar(uint32_t code, uint32_t undefined);
  void note_any(unsigned vgpr);
  void note_writes(const StrictInstruction& in);
  void define_writes(const StrictInstruction& in, uint64_t lanes);
  void pass_origin(RegisterId from, RegisterId to, uint64_t pc);
  void pass_origins(const StrictInstruction& in);
  std::optional<RegisterId> first_undefined(const StrictInstruction& in) const;

  // strict_undefined_scalar.cc
  std::optional<StrictFinding> scalar(Wave& wave, const StrictInstruction& in);
  std::optional<StrictFinding> check_control(const Wave& wave, const StrictInstruction& in) const;
  void scalar_condition(const StrictInstruction& in, const FlowOperation& op, const uint64_t* undefined,
                        const uint64_t* values, uint64_t result);

  // strict_undefined_vector.cc
  std::optional<StrictFinding> vector(Wave& wave, const Step& step, const StrictInstruction& in);
  void gather(const Wave& wave, const FlowOperation& op, const FlowSource& source, unsigned half, Bits* undefined,
              Bits* values) const;
  void compute(const Wave& wave, const FlowOperation& op, uint64_t lanes, Result* out) const;
  uint64_t through_dpp(Wave& wave, const Step& step, FlowOperation* op);
  void write_result(const FlowOperation& op, const Result& result, uint64_t lanes);
  void write_masks(const StrictInstruction& in, uint64_t undefined);
  void overlap(const Wave& wave, const StrictInstruction& in);
  void matrix(const Wave& wave, const StrictInstruction& in);
  std::optional<StrictFinding> between_lanes(Wave& wave, const Step& step, const StrictInstruction& in);
  Step shadow_step(const Wave& wave, const Step& step, unsigned data_sources);
  void run_on_shadow(Wave& wave, const Step& step);

  // strict_undefined_memory.cc
  struct Piece;
  std::optional<StrictFinding> memory(Wave& wave, const Step& step, const StrictInstruction& in, LdsChecker& lds,
                                      uint64_t sequence);
  std::optional<StrictFinding> check_operands(const Wave& wave, const StrictInstruction& in, uint64_t data_lanes) const;
  std::optional<StrictFinding> local(Wave& wave, const Step& step, const StrictInstruction& in, LdsChecker& lds,
                                     uint64_t sequence);
  std::optional<StrictFinding> flat(Wave& wave, const Step& step, const StrictInstruction& in, LdsChecker& lds,
                                    uint64_t sequence);
  std::optional<StrictFinding> access(const StrictInstruction& in, Space space, uint64_t address, unsigned part,
                                      unsigned lane, LdsChecker& lds, uint64_t sequence);
  std::optional<StrictFinding> access_lds(const StrictInstruction& in, const Piece& piece, LdsChecker& lds,
                                          uint64_t sequence);
  void access_scratch(const StrictInstruction& in, const Piece& piece);
  void deliver(const StrictInstruction& in, const Piece& piece, uint32_t undefined, RegisterId origin);
  void direct(Wave& wave, const StrictInstruction& in, const LdsChecker& lds);
  void exchange(Wave& wave, const Step& step, const StrictInstruction& in);

  StrictFinding finding(RegisterId id, std::string use) const;

  Wave shadow_;            // vgprs and s hold the undefined bits
  std::vector<Row> rows_;  // of shadow_
  // Rows with an undefined bit in any lane.
  std::array<bool, kVgprRows> any_{};
  std::array<bool, kVgprRows> changed_{};  // rows that are not as a wave starts with them
  std::array<Origin, kRegisterIds> origins_{};
  std::vector<uint8_t> scratch_;  // by lane and byte, where a scratch instruction has been executed
};

}  // namespace bw::emulator
