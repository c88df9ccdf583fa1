// Owns: one queue of the hardware: ring, pointers, doorbell, and its timeline, a number in memory that the GPU raises
// when a submission has ended. Not here: what the packets are (builders) and waiting (device.cc).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "amdgpu/device_info.h"
#include "base/gpu_addr.h"
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
  bool has_reached(uint64_t value) {
    if (known_completed_ < value) known_completed_ = completed();
    return known_completed_ >= value;
  }
  uint64_t submitted() const { return submitted_; }
  // Lets the timeline of a queue that has done nothing yet begin after `value`.
  void start_after(uint64_t value);
  // The GPU compares timelines in 32 bits, so that is how far they go.
  static constexpr uint64_t kLastValue = 0xffff'ffff;
  GpuAddr timeline() const { return pointers_.gpu_address() + kTimelineOffset; }

  // The most dwords that one submission can take.
  uint32_t capacity_dwords() const { return ring_dwords_ / 2; }
  // The most submissions that can be under way; a power of two.
  size_t max_in_flight() const { return ring_dwords_ / kLeastSubmissionDwords; }
  // The oldest value whose end makes room.
  uint64_t oldest_pending() const { return std::min(known_completed_ + 1, submitted_); }
  // Where the packets of the next submission go, all `count_dwords` of them, which end by raising the timeline to
  // submitted() + 1. Null if the ring has no room for so many now.
  uint32_t* begin(size_t count_dwords) {
    if (!fits(count_dwords)) {
      // The timeline is looked at only where it must be: each look takes its cache line from the GPU.
      known_completed_ = completed();
      if (!fits(count_dwords)) return nullptr;
    }
    return place(count_dwords);
  }
  // Hands over the packets that stand there now.
  void push();

 private:
  // Places in the page of pointers, so far apart that a processor which fetches lines in pairs or ahead does not take
  // the one that the other side writes.
  static constexpr uint64_t kReadPointerOffset = 0;
  static constexpr uint64_t kWritePointerOffset = 512;
  static constexpr uint64_t kTimelineOffset = 1024;

  // Fewer are taken for that many, so that what is kept of each submission is bounded.
  static constexpr uint32_t kLeastSubmissionDwords = 16;

  enum class Wrap : uint8_t {
    kAnywhere,   // compute: a packet may go on at the begin of the ring
    kAtPackets,  // SDMA: it may not; the rest of the ring is filled with NOPs (zeros)
  };

  static Result<HardwareQueue> create_memory(kfd::Gpu& gpu, uint32_t ring_size_bytes, std::span<kfd::Gpu* const> peers);
  kfd::QueueRequest request() const;
  // By what is known of the submissions before.
  bool fits(size_t count_dwords) const {
    const uint64_t in_flight = submitted_ - known_completed_;
    if (in_flight == begins_dwords_.size() || count_dwords > capacity_dwords()) return false;
    const uint64_t used = in_flight == 0 ? 0 : written_dwords_ - begin_of(known_completed_ + 1);
    // A ring that is quite full would look empty to the GPU.
    return used + padding_for(count_dwords) + count_dwords < ring_dwords_;
  }
  uint32_t padding_for(size_t count_dwords) const {
    const auto until_end = static_cast<uint32_t>(ring_dwords_ - ring_position(written_dwords_));
    return wrap_ == Wrap::kAtPackets && count_dwords > until_end ? until_end : 0;
  }
  uint32_t* place(size_t count_dwords);
  uint32_t* ring() const { return reinterpret_cast<uint32_t*>(ring_.host_data()); }
  uint64_t ring_position(uint64_t dwords) const { return dwords & (ring_dwords_ - 1); }
  uint64_t& begin_of(uint64_t value) { return begins_dwords_[value & (begins_dwords_.size() - 1)]; }
  uint64_t begin_of(uint64_t value) const { return begins_dwords_[value & (begins_dwords_.size() - 1)]; }

  kfd::Allocation ring_;
  kfd::Allocation pointers_;
  kfd::Allocation context_save_;
  kfd::Allocation end_of_pipe_;
  kfd::Queue queue_;  // goes first
  Wrap wrap_ = Wrap::kAnywhere;
  uint32_t doorbell_unit_bytes_ = 4;  // what the write pointer counts
  uint32_t ring_dwords_ = 0;          // a power of two
  uint64_t written_dwords_ = 0;
  uint64_t submitted_ = 0;
  uint64_t known_completed_ = 0;  // at least so far it had come when somebody looked
  // Of each submission under way the position of its first dword, counted from the first ever written.
  std::vector<uint64_t> begins_dwords_;
  size_t next_dwords_ = 0;        // of the submission that is being written
  std::vector<uint32_t> across_;  // in place of ring memory where that would go over the end
};

}  // namespace bw::amdgpu
