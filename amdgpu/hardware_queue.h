// Owns: one queue of the hardware: ring, pointers, doorbell, and its timeline, a number in memory that the GPU raises
// when a submission has ended. Not here: what the packets are (builders) and waiting (device.cc).
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "amdgpu/device_info.h"
#include "base/gpu_addr.h"
#include "base/ring_queue.h"
#include "base/status.h"
#include "kfd/memory.h"
#include "kfd/queue.h"

namespace bw::amdgpu {

// Move-only, for one thread at a time. The host writes ring and write pointer, the GPU reads them; the doorbell
// publishes both. The GPU writes the timeline, the host reads it with acquire.
class HardwareQueue {
 public:
  // `peers`: other GPUs, whose queues may wait on the timeline of this one.
  static Result<HardwareQueue> create_compute(kfd::Gpu& gpu, const DeviceInfo& info, uint32_t ring_size_bytes,
                                              std::span<kfd::Gpu* const> peers = {});
  static Result<HardwareQueue> create_sdma(kfd::Gpu& gpu, uint32_t ring_size_bytes,
                                           std::span<kfd::Gpu* const> peers = {});

  // Ends the hardware's use of the queue; nothing can be pushed any more.
  void stop() { queue_ = {}; }

  // stop(), and all that was submitted counts as ended. The memory of the timeline, on which other GPUs may wait.
  kfd::Allocation abandon();

  // Whether it was ever created; also after stop().
  bool exists() const { return ring_dwords_ != 0; }

  // Values of the timeline: the last that the GPU has reached, and the last that was handed out.
  uint64_t completed() const;
  // Whether the timeline is there, without a look at memory that the GPU writes where that was known already.
  bool has_reached(uint64_t value);
  uint64_t submitted() const { return submitted_; }
  // Lets the timeline of a queue that has done nothing yet begin after `value`.
  void start_after(uint64_t value);
  // The GPU compares timelines in 32 bits, so that is how far they go.
  static constexpr uint64_t kLastValue = 0xffff'ffff;
  GpuAddr timeline() const { return pointers_.gpu_address() + kTimelineOffset; }

  // The most dwords that one push can take.
  uint32_t capacity_dwords() const { return ring_dwords_ / 2; }
  // What has ended is forgotten when there is that much of it, or no room.
  static constexpr size_t kRetiredAtOnce = 64;

  // The most submissions that can be under way.
  size_t max_in_flight() const { return ring_dwords_ / kLeastSubmissionDwords; }
  // Whether the ring has room for that many dwords now.
  bool has_room(uint32_t count_dwords);
  // The oldest value whose end makes room.
  uint64_t oldest_pending() const;
  // Hands over packets that end by raising the timeline to submitted() + 1. There must be room.
  void push(std::span<const uint32_t> packets);

 private:
  // Places in the page of pointers, a cache line apart.
  static constexpr uint64_t kReadPointerOffset = 0;
  static constexpr uint64_t kWritePointerOffset = 64;
  static constexpr uint64_t kTimelineOffset = 128;

  // Fewer are taken for that many, so that what is kept of each submission is bounded.
  static constexpr uint32_t kLeastSubmissionDwords = 16;

  enum class Wrap : uint8_t {
    kAnywhere,   // compute: a packet may go on at the begin of the ring
    kAtPackets,  // SDMA: it may not; the rest of the ring is filled with NOPs (zeros)
  };

  struct InFlight {
    uint64_t value = 0;
    uint64_t begin_dwords = 0;  // position of its first dword, counted from the first ever written
  };

  static Result<HardwareQueue> create_memory(kfd::Gpu& gpu, uint32_t ring_size_bytes, std::span<kfd::Gpu* const> peers);
  kfd::QueueRequest request() const;
  void retire();
  // By what is known of the submissions before.
  bool fits(uint32_t count_dwords) const;
  uint32_t padding_for(uint32_t count_dwords) const;
  void write(std::span<const uint32_t> packets);
  void write_zeros(uint32_t count_dwords);

  kfd::Allocation ring_;
  kfd::Allocation pointers_;
  kfd::Allocation context_save_;
  kfd::Allocation end_of_pipe_;
  kfd::Queue queue_;  // goes first
  Wrap wrap_ = Wrap::kAnywhere;
  uint32_t doorbell_unit_bytes_ = 4;  // what the write pointer counts
  uint32_t ring_dwords_ = 0;
  uint64_t written_dwords_ = 0;
  uint64_t submitted_ = 0;
  uint64_t known_completed_ = 0;  // at least so far it had come when somebody looked
  RingQueue<InFlight> in_flight_;
};

}  // namespace bw::amdgpu
