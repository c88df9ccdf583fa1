// Owns: how work that was handed to the GPU is named.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace bw::amdgpu {

// A device's queues. The second of each sort is made when it is first used.
enum class QueueName : uint8_t {
  kCompute,
  kCompute2,
  kSdma,   // copies towards the device, fills, and copies within it
  kSdma2,  // copies from the device to memory of the host, so that both ways go on at once
};
inline constexpr std::array kQueueNames = {QueueName::kCompute, QueueName::kCompute2, QueueName::kSdma,
                                           QueueName::kSdma2};
inline constexpr bool is_compute(QueueName queue) {
  return queue == QueueName::kCompute || queue == QueueName::kCompute2;
}

inline constexpr std::string_view name_of(QueueName queue) {
  switch (queue) {
    case QueueName::kCompute:
      return "compute";
    case QueueName::kCompute2:
      return "second compute";
    case QueueName::kSdma:
      return "copy";
    case QueueName::kSdma2:
      return "download";
  }
  return "";
}

// Work of one queue ends in order. The default value is always done.
struct Submission {
  QueueName queue = QueueName::kCompute;
  uint64_t value = 0;
};

}  // namespace bw::amdgpu
