// Owns: laying the emulated machine's files (sysfs, and an empty file for each device node) out in a real folder. The C
// library's own calls inside fopen(), opendir() and the like cannot be interposed, so the preloaded library gives them
// paths in here; folders then list, links resolve and relative openings work as everywhere else.
//
// The tree is kept in the user's cache, named by its content, and shared by all programs with the same machine: it
// costs a few milliseconds once, nothing has to be removed when a program ends, however it ends, and fork and exec need
// no thought. Content that somebody has tampered with is laid out again.
#pragma once

#include <string>

#include "base/status.h"

namespace bw::emulator::shim {

struct MachineFiles {
  std::string root;      // stands for "/"
  std::string commands;  // a folder for PATH: an `lsmod` that lists amdgpu
};

// The files of a machine with that many cards.
Result<MachineFiles> lay_out_files(uint32_t card_count, uint64_t vram_bytes);

}  // namespace bw::emulator::shim
