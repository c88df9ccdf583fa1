// Owns: how work that was handed to the GPU is named.
#pragma once

#include <array>
#include <cstdint>

namespace bw::amdgpu {

// A device's queues. The second compute queue is made when it is first used.
enum class QueueName : uint8_t { kCompute, kCompute2, kSdma };
inline constexpr std::array kQueueNames = {QueueName::kCompute, QueueName::kCompute2, QueueName::kSdma};

// Work of one queue ends in order. The default value is always done.
struct Submission {
  QueueName queue = QueueName::kCompute;
  uint64_t value = 0;
};

}  // namespace bw::amdgpu
