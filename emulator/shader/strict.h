// Owns: strict mode: what looks at each instruction before the interpreter executes it and stops the wave where real
// hardware does not promise the result. Not here: the rules (strict_waits.h, strict_hazards.h,
// strict_undefined.h).
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "emulator/memory/address_space.h"
#include "emulator/shader/step.h"
#include "emulator/shader/strict_hazards.h"
#include "emulator/shader/strict_undefined.h"
#include "emulator/shader/strict_waits.h"

namespace bw::emulator {

// For the waves of one workgroup at a time; used by one thread.
class StrictChecker {
 public:
  StrictChecker(size_t wave_count, uint32_t wave_size, Tlb& tlb);
  // The first wave of a workgroup starts first. `scalar_count`: SGPRs that hold something then.
  void start_wave(const Wave& wave, uint32_t scalar_count);
  // Whether the wave may execute the step; if not, it has been stopped with a fault.
  bool before(Wave& wave, const Step& step);

 private:
  struct WaveState {
    explicit WaveState(uint32_t wave_size) : hazards(wave_size) {}
    WaitChecker waits;
    HazardChecker hazards;
    UndefinedChecker undefined;
    const Step* last = nullptr;
  };

  std::optional<StrictFinding> check(Wave& wave, const Step& step, const StrictInstruction& in);
  // nullptr: no instruction, which the step itself reports.
  const StrictInstruction* instruction_of(const Step& step);

  const uint32_t wave_size_;
  Tlb& tlb_;
  std::vector<WaveState> waves_;
  LdsChecker lds_;
  std::unordered_map<const Step*, std::optional<StrictInstruction>> instructions_;
};

}  // namespace bw::emulator
