// Owns: the translation of a whole program, as its steps lead from the entry over all branches, to one host function.
// The function takes up a wave at a resume point and leaves it, with all state in the wave, where it ends, meets a
// barrier, faults, has had its turn, or goes where the translation does not.
#pragma once

#include <llvm/IR/Module.h>

#include <deque>
#include <memory>
#include <vector>

#include "emulator/jit/strip.h"

namespace bw::emulator::jit {

// What the code of one program refers to. Does not move.
struct ProgramData {
  std::deque<Step> resume_points;  // `imm` tells them apart; the first is the entry. `run` is the function
  std::deque<StripRecord> strips;
};

constexpr const char* kFunctionName = "barewave_program";

// False: the program is too large to be translated. `vector_lanes`: what the host's vectors hold.
bool build_program(const Step* entry, uint32_t wave_size, unsigned vector_lanes, llvm::Module& module,
                   ProgramData& data);

}  // namespace bw::emulator::jit
