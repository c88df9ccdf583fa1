// Owns: what the reductions of a kernel load most of, and how that lies in memory: along what a reduction consumes, or
// along what the kernel stores. Not here: what is made of it (compiler/loops.h).
#pragma once

#include <cstdint>
#include <optional>

#include "ir/kernel.h"

namespace bw::compiler {

// What a lane loads or stores at once, at most (global_load_b128).
inline constexpr int64_t kLoadBytes = 16;

struct Traffic {
  int64_t element_bytes = 1;
  // Neighbours in memory that a lane should take at once: 16 bytes of them, or a whole block of a quantised row.
  int64_t width = 1;
  bool along_reduction = false;  // neighbours in memory are consumed one after the other
  bool along_output = false;     // neighbours in memory belong to neighbouring places of the grid along x
  int64_t reuse = 1;             // places of the grid that need the same element
};

// Of a kernel in which every lane works alone. Nothing where no reduction loads what depends on its loops.
std::optional<Traffic> find_traffic(const ir::Kernel& kernel);

}  // namespace bw::compiler
