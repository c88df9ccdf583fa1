// Owns: running a program under `barewave shim` as a user does.
#pragma once

#include <string>
#include <vector>

#include "tests/cli/command.h"

namespace bw::tests {

inline constexpr const char* kSearchPath = "PATH=/usr/local/bin:/usr/bin:/bin";

// `barewave shim OPTIONS -- PROGRAM`, with `environment` and the search path for programs.
CommandResult run_shim(const std::vector<std::string>& options, const std::vector<std::string>& program,
                       std::vector<std::string> environment = {});

}  // namespace bw::tests
