// Owns: random programs on two engines of shader cores, and the comparison of what they leave behind.
#pragma once

#include <cstdint>
#include <string>

#include "tests/isa/gpu.h"

namespace bw::test {

struct ProgramFuzzResult {
  uint64_t programs = 0;
  uint64_t instructions = 0;  // chosen at random
  uint64_t faults = 0;        // programs that fault, on both engines at the same place
  std::string failure;        // seed, program and both states of the first that differs; empty: none
};

// What the two have to agree on.
enum class FaultReports : uint8_t {
  // That there is one; of the same workgroup, kind and pc. With several threads, any of the workgroups that fault may
  // be
  // the one that is told of, and each may do so at another place.
  kSamePlace,
  kIdentical,  // every word, and memory as the fault left it
};

// Runs programs of `wave_size` on both until `seconds` have passed or there were `most` programs, or the first
// difference. Each program depends on `seed` and its number alone. The two must not have been used before.
ProgramFuzzResult fuzz_programs(Gpu& a, Gpu& b, FaultReports reports, uint32_t wave_size, uint32_t seed, double seconds,
                                uint64_t most);

}  // namespace bw::test
