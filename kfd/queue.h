// Owns: user-mode queues: asking the driver for one over given ring memory, its doorbell, changing and destroying it.
// Not here: the ring's memory, pointers and packets (amdgpu).
#pragma once

#include <cstdint>

#include "base/gpu_addr.h"
#include "base/status.h"
#include "kfd/process.h"

namespace bw::kfd {

struct QueueRequest {
  uapi::QueueType type = uapi::QueueType::kCompute;
  GpuAddr ring{};
  uint32_t ring_size_bytes = 0;  // power of two, at least uapi::kMinQueueRingBytes
  GpuAddr read_pointer{};        // 8 bytes each; the GPU writes the first, the host the second
  GpuAddr write_pointer{};
  // Compute queues only.
  GpuAddr end_of_pipe{};
  uint64_t end_of_pipe_size_bytes = 0;
  GpuAddr context_save{};
  uint32_t context_save_size_bytes = 0;  // without the debugger's share of the buffer
  uint32_t control_stack_size_bytes = 0;
  // kSdmaByEngineId only (KFD 1.17).
  uint32_t sdma_engine_id = 0;

  uint32_t percentage = uapi::kMaxQueuePercentage;
  uint32_t priority = 7;  // 0 to uapi::kMaxQueuePriority
};

struct QueueUpdate {
  GpuAddr ring{};
  uint32_t ring_size_bytes = 0;
  uint32_t percentage = uapi::kMaxQueuePercentage;  // 0 stops the queue
  uint32_t priority = 7;
};

// A hardware queue; move-only. Goes before its Gpu and before the memory it was made over.
class Queue {
 public:
  static Result<Queue> create(Gpu& gpu, const QueueRequest& request);

  Queue() = default;
  Queue(Queue&& other) noexcept;
  Queue& operator=(Queue&& other) noexcept;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  // As destroy(), without the report.
  ~Queue();

  bool is_valid() const { return gpu_ != nullptr; }
  uint32_t id() const { return id_; }

  // Tells the GPU that the write pointer has moved to `value` (dwords, bytes or packets, by type of queue). All that
  // this thread has written before, packets and pointer, is visible to the GPU when it sees the doorbell.
  void ring_doorbell(uint64_t value);

  Status update(const QueueUpdate& update);
  Status destroy();

 private:
  Gpu* gpu_ = nullptr;
  uint32_t id_ = 0;
  uint64_t* doorbell_ = nullptr;  // written by the host only, read by the GPU
};

}  // namespace bw::kfd
