// Owns: making a loadable code object (shared ELF) of a relocatable object, in memory, through LLD's library.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/status.h"

namespace bw::compiler {

// Safe to call from several threads; they take turns, since LLD has global state.
// Errors: kInvalidArgument with LLD's words if it refuses the object, kIo if a descriptor cannot be had.
Result<std::vector<std::byte>> link_code_object(std::span<const std::byte> object);

}  // namespace bw::compiler
