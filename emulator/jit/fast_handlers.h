// Owns: handlers that do on host vectors, for the common case, what a handler of the interpreter does for any; all else
// they leave to that handler, through the step. Such instructions may fault, but do not send the wave elsewhere.
#pragma once

#include <unordered_map>

#include "emulator/shader/step.h"

namespace bw::emulator::jit {

// nullptr: there is none.
Handler fast_handler_of(Handler handler);

// By the interpreter's handler. One function for each group, in the file of its name.
using FastHandlerTable = std::unordered_map<Handler, Handler>;
void add_memory(FastHandlerTable& table);
void add_wmma(FastHandlerTable& table);

}  // namespace bw::emulator::jit
