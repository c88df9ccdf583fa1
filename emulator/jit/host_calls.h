// Owns: the functions of the host that translated code calls, by numbers that mean the same in any process.
#pragma once

#include <cstdint>

#include "emulator/shader/step.h"

namespace bw::emulator::jit {

enum class HostCall : uint32_t {
  kRunSteps,
  kRecoverPiece,  // strip.h
  kCount,
};

const void* address_of(HostCall call);

// Executes `count` steps from `first` on as the interpreter does. False: the wave stopped, or went elsewhere.
extern "C" bool barewave_jit_run_steps(Wave* wave, const Step* first, uint32_t count);

}  // namespace bw::emulator::jit
