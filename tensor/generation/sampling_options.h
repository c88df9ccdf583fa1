// Owns: how a token is chosen from logits.
#pragma once

#include <cstdint>

#include "base/status.h"

namespace bw::tensor {

struct SamplingOptions {
  double temperature = 0;  // 0: always the most likely token
  uint64_t top_k = 0;      // only so many of the most likely tokens; 0: all
  double top_p = 1;        // of those, only the most likely that together reach this part of their probability
  uint64_t seed = 0;
};

// kInvalidArgument for options out of range.
Status check(const SamplingOptions& options);

}  // namespace bw::tensor
