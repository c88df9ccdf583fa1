// Owns: strict mode: what looks at each instruction before the interpreter executes it and stops the wave where real
// hardware does not promise the result. Not here: the rules (strict_waits.h, strict_hazards.h).
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "emulator/memory/address_space.h"
#include "emulator/shader/step.h"
#include "emulator/shader/strict_hazards.h"
#include "emulator/shader/strict_waits.h"

namespace bw::emulator {

// For the waves of one workgroup at a time; used by one thread.
class StrictChecker {
 public:
  StrictChecker(size_t wave_count, uint32_t wave_size, Tlb& tlb);
  void start_wave(const Wave& wave);
  // Whether the wave may execute the step; if not, it has been stopped with a fault.
  bool before(Wave& wave, const Step& step);

 private:
  struct WaveState {
    explicit WaveState(uint32_t wave_size) : hazards(wave_size) {}
    WaitChecker waits;
    HazardChecker hazards;
    const Step* last = nullptr;
  };

  // nullptr: no instruction, which the step itself reports.
  const StrictInstruction* instruction_of(const Step& step);

  const uint32_t wave_size_;
  Tlb& tlb_;
  std::vector<WaveState> waves_;
  std::unordered_map<const Step*, std::optional<StrictInstruction>> instructions_;
};

}  // namespace bw::emulator
