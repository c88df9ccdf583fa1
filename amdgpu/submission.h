// Owns: how work that was handed to the GPU is named.
#pragma once

#include <cstdint>

namespace bw::amdgpu {

enum class QueueName : uint8_t { kCompute, kSdma };

// Work of one queue ends in order. The default value is always done.
struct Submission {
  QueueName queue = QueueName::kCompute;
  uint64_t value = 0;
};

}  // namespace bw::amdgpu
