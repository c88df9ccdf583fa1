// Owns: which instructions the translation does not leave to the interpreter's handlers, for tests and reports.
#pragma once

#include "emulator/shader/step.h"

namespace bw::emulator::jit {

// Whether there is host code for what `handler` does, at least in its common forms.
bool is_translated(Handler handler);

}  // namespace bw::emulator::jit
