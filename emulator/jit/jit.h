// Owns: how shader cores are made that translate programs to code of the host. Not here: what they implement
// (emulator/shader/dispatch.h says), the interpreter that they share all but the speed with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "emulator/shader/dispatch.h"

namespace bw::emulator {

struct JitOptions {
  // Waves that a program has run interpreted before it is translated; 0: translate at once.
  uint64_t waves_before_translation = 0;
};

// Programs that are hot become one host function each; instructions that have no translation call the interpreter's
// handlers, so results are the interpreter's bit for bit. Needs of the host what make_interpreter() needs.
Result<std::unique_ptr<ShaderCores>> make_jit(size_t threads, const JitOptions& options);

}  // namespace bw::emulator
