// Owns: which registers of one wave wait for outstanding loads, by the counters of gfx11, and what an instruction does
// wrong that touches one. Source: RDNA3 ISA guide, "Data dependency resolution"; LLVM's SIInsertWaitcnts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "emulator/shader/strict_instruction.h"

namespace bw::emulator {

class WaitChecker {
 public:
  // For the next wave.
  void reset();
  // `scalar_operand`: for the SOPK waits, the value of their register operand, which adds to the immediate.
  std::optional<StrictFinding> before(const StrictInstruction& in, uint32_t scalar_operand);
  // LDS instructions by number: those issued so far, and those known to have ended.
  uint64_t issued_in_lds() const { return issued_[kLds]; }
  uint64_t retired_in_lds() const { return retired_[kLds]; }

 private:
  // Instructions of one kind return in the order of issue, but for kScalar and kFlat, whose order is not known. vmcnt
  // counts kVector and kFlat, lgkmcnt kLds, kScalar and kFlat, vscnt kStore, expcnt kDirect.
  enum Kind : uint8_t { kVector, kFlat, kLds, kScalar, kStore, kDirect, kKinds };
  struct Pending {
    uint64_t sequence = 0;  // 0: nothing outstanding; else the number of the load among those of its kind
    uint64_t pc = 0;
    Kind kind = kVector;
  };

  bool wait(const StrictInstruction& in, uint32_t scalar_operand);
  void wait_vmcnt(uint32_t count);
  void wait_lgkmcnt(uint32_t count);
  void wait_vscnt(uint32_t count);
  void wait_expcnt(uint32_t count);
  void retire(Kind kind, uint32_t count);
  bool is_outstanding(const Pending& pending) const;
  bool returns_in_order_after(const StrictInstruction& in, const Pending& pending) const;
  std::optional<StrictFinding> check_registers(const StrictInstruction& in) const;
  std::optional<StrictFinding> check_release(const StrictInstruction& in) const;
  void issue(const StrictInstruction& in);

  std::array<Pending, kRegisterIds> registers_;
  std::array<uint64_t, kKinds> issued_{};
  std::array<uint64_t, kKinds> retired_{};  // all up to this number have returned
  uint64_t flat_past_lgkmcnt_ = 0;          // kFlat: retired_ is by vmcnt, this by lgkmcnt
  Pending scratch_store_;                   // the last one
};

}  // namespace bw::emulator
