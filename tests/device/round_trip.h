// Owns: the shortest whole use of a card: open, load, allocate, dispatch, wait, read, free. What the tests of this
// folder do with each driver.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "kfd/driver.h"

namespace bw::tests {

// Dispatches the kernel add_one of amdgpu/testdata over 64 elements and returns what it wrote.
Result<std::vector<uint32_t>> add_one_round_trip(kfd::KernelDriver& driver);

// What add_one_round_trip() returns when all is well.
std::vector<uint32_t> expected_round_trip();

}  // namespace bw::tests
