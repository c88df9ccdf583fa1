// Owns: memory instructions for the common case - all active lanes in one mapping, within 2 GiB of each other, or in
// LDS - on host vectors. Everything else, faults included, goes to the interpreter's handler.
#pragma once

#include "emulator/shader/step.h"

namespace bw::emulator::jit {

// A handler that does what `handler` does, sooner; nullptr if there is none. It calls `handler` through the step.
Handler fast_memory_of(Handler handler);

}  // namespace bw::emulator::jit
