// Owns: noting which memory the waves of a dispatch access, and in which way, for strict mode. Not here: which bytes an
// instruction reaches (memory_lanes.h), what follows from them (emulator/caches). Scratch memory is left out: caches
// cannot make it wrong between dispatches that do not share it. Of instructions those that are executed are noted, each
// once, and not what is fetched ahead.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "emulator/caches/access_set.h"
#include "emulator/shader/counted_instruction.h"
#include "emulator/shader/memory_lanes.h"

namespace bw::emulator {

// For the workgroups that one thread executes, one after the other or side by side.
class AccessRecorder {
 public:
  AccessRecorder(uint64_t program_address, Tlb& tlb) : program_address_(program_address), tlb_(tlb) {}

  const Accesses& accesses() const { return accesses_; }

 private:
  friend class GroupAccesses;

  // What there is to know of a step, found out at its first execution.
  struct StepAccess {
    bool is_known = false;
    bool matters = false;
    bool bypasses = false;    // GLC
    uint8_t invalidates = 0;  // of GroupAccesses::Fresh
    CountedInstruction instruction{};
  };
  StepAccess& access_of(const Step& step);
  void describe(const Step& step, StepAccess* access);
  int32_t program_offset(const Step& step) const { return static_cast<int32_t>(step.pc - program_address_); }

  const uint64_t program_address_;
  Tlb& tlb_;
  std::vector<StepAccess> steps_;  // by their number
  Accesses accesses_;
};

// Sees each step of a workgroup before it is executed.
class GroupAccesses {
 public:
  explicit GroupAccesses(AccessRecorder& recorder) : recorder_(recorder) {}

  // With the next workgroup.
  void start(size_t wave_count) { fresh_.assign(wave_count, 0); }
  void before(Wave& wave, const Step& step) {
    if (step.weight == 0) return;  // a part of the instruction before, or none
    AccessRecorder::StepAccess& access = recorder_.access_of(step);
    if (access.matters) note(wave, step, access);
  }

 private:
  friend class AccessRecorder;
  // Which caches a wave has invalidated itself. What it loads is fresh when both on the way are.
  enum Fresh : uint8_t { kL0 = 1, kL1 = 2, kConstants = 4, kVector = kL0 | kL1, kScalar = kConstants | kL1 };

  void note(Wave& wave, const Step& step, const AccessRecorder::StepAccess& access);
  AccessKind kind_of(const Wave& wave, const AccessRecorder::StepAccess& access) const;

  AccessRecorder& recorder_;
  std::vector<uint8_t> fresh_;  // by wave
};

}  // namespace bw::emulator
