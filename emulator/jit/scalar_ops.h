// Owns: the translation of scalar arithmetic. Not here: branches (program_builder.cc).
#pragma once

#include "emulator/jit/frame.h"

namespace bw::emulator::jit {

using ScalarEmit = void (*)(Frame& frame, const Step& step);

// What a handler does to the scalar file; nullptr: it has to be called. What is emitted reads the step's sources (up to
// two slots each) and SCC, and writes up to two slots from its destination on, and SCC; nothing else.
ScalarEmit scalar_emit_of(Handler handler);

}  // namespace bw::emulator::jit
