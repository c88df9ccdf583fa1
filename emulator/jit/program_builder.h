// Owns: the translation of a whole program, as its steps lead from the entry over all branches, to one host function.
// The function takes up a wave at a resume point and leaves it, with all state in the wave, where it ends, meets a
// barrier, faults, has had its turn, or goes where the translation does not.
#pragma once

#include <llvm/IR/Module.h>

#include <cstdint>

#include "emulator/jit/code_image.h"
#include "emulator/jit/control_flow.h"

namespace bw::emulator::jit {

// One more step for the waves of a translated program: its handler is the function, which goes on where `imm` says.
struct ResumePoint {
  Step step;
  const uint64_t* table = nullptr;  // CodeImage::table, resolved
};

constexpr const char* kFunctionName = "barewave_program";

// Everything of `image` but the object code. `vector_lanes`: what the host's vectors hold.
void build_program(const ControlFlow& flow, uint32_t wave_size, unsigned vector_lanes, llvm::Module& module,
                   CodeImage& image);

}  // namespace bw::emulator::jit
