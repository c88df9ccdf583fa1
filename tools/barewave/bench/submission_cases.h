// Owns: what the two sides of a comparison, this runtime's and ROCr's, share about submissions, so that they do the
// same.
#pragma once

#include <cstdint>

#include "tools/barewave/bench/timed_case.h"

namespace bw::tools {

// s_endpgm: RDNA3 ISA guide, SOPP opcode 48.
inline constexpr uint32_t kEndProgram = 0xbfb00000;

int64_t host_cost_iterations(int64_t kernels);
TimedCase replay_case(int64_t kernels);

}  // namespace bw::tools
