// Owns: how shader cores are made that translate programs to code of the host. Not here: what they implement
// (emulator/shader/dispatch.h says), the interpreter that they share all but the speed with, and when a program is
// translated (emulator/shader/tiering.h).
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"
#include "emulator/shader/dispatch.h"
#include "emulator/shader/tiering.h"

namespace bw::emulator {

struct JitOptions {
  TieringOptions tiering;
  // Of translated programs; "": none on disk. See default_cache_dir() (base/file_cache.h). It need not exist yet.
  std::string cache_dir;
};

// Programs that are hot become one host function each; instructions that have no translation call the interpreter's
// handlers, so results are the interpreter's bit for bit. Needs of the host what make_interpreter() needs.
Result<std::unique_ptr<ShaderCores>> make_jit(size_t threads, JitOptions options);

}  // namespace bw::emulator
