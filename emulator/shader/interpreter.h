// Owns: how the interpreter of gfx1100 programs is made. Not here: what it implements (emulator/shader/dispatch.h
// says).
#pragma once

#include <cstddef>
#include <memory>

#include "base/status.h"
#include "emulator/shader/counters.h"
#include "emulator/shader/dispatch.h"
#include "emulator/shader/tiering.h"

namespace bw::emulator {

// The reference engine: every instruction of a wave for all its lanes at a time, workgroups on `threads` host threads
// (the thread that calls run() is one of them; the others sleep while there is nothing to do). kUnsupported if the host
// processor lacks AVX2, FMA or F16C. Code is decoded once per program and kept, and decoded again when its bytes
// change. A translator, if there is one, takes over the programs that are worth it; it has no place in strict mode, nor
// where there are `counters`, which get each dispatch that ends without a fault.
Result<std::unique_ptr<ShaderCores>> make_interpreter(size_t threads, Strictness strictness = Strictness::kOff,
                                                      std::unique_ptr<Tiering> tiering = nullptr,
                                                      std::shared_ptr<CounterLog> counters = nullptr);

}  // namespace bw::emulator
