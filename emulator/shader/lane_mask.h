// Owns: packing one truth value a lane into the bits of a mask.
#pragma once

#include <immintrin.h>

#include "emulator/shader/step.h"

namespace bw::emulator {

// Bit l is set where lane l of both rows (all ones or zero a lane) is.
inline uint32_t mask_of_rows(const uint32_t* truth, const uint32_t* exec) {
  uint32_t mask = 0;
  for (unsigned l = 0; l < kLanes; l += 8) {
    const __m256i both = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(truth + l)),
                                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(exec + l)));
    mask |= static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(both))) << l;
  }
  return mask;
}

}  // namespace bw::emulator
