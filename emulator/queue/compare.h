// Owns: the comparisons that packets wait for and decide by: one list of codes for PM4 and SDMA.
#pragma once

#include <cstdint>

namespace bw::emulator {

// Without sign. False for codes that do not exist; `holds` is the result.
bool compare(uint32_t function, uint64_t value, uint64_t reference, bool* holds);

}  // namespace bw::emulator
