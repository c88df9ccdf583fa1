// Owns: the packets that stand around the work of every submission of a compute queue, written once for each queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/gpu_addr.h"
#include "base/status.h"

namespace bw::amdgpu {

class ComputeFrame {
 public:
  // `timeline`: where the queue says how far it has come; `mailbox` and `event_id`: of the event that wakes sleepers.
  static Result<ComputeFrame> create(GpuAddr timeline, GpuAddr mailbox, uint32_t event_id);

  size_t size_dwords() const { return begin_.size() + signal_.size(); }

  // What goes before the work: wait() and acquire().
  std::span<const uint32_t> begin() const { return begin_; }
  // Waits for the shaders of the submissions before. Packets that change what those read go after it.
  std::span<const uint32_t> wait() const { return begin().first(wait_dwords_); }
  // Makes what the host, the copy engine and packets have written visible to the kernels that follow.
  std::span<const uint32_t> acquire() const { return begin().subspan(wait_dwords_); }
  // What goes after the work: writes the caches back when all kernels have ended, raises the timeline to the value
  // that set_value() gives it and wakes sleepers.
  std::span<const uint32_t> signal() const { return signal_; }
  // Both, to `at`.
  void put_signal(uint32_t* at, uint64_t value) const;
  // `signal` is where the packets of signal() stand.
  static void set_value(uint32_t* signal, uint64_t value);

 private:
  std::vector<uint32_t> begin_;
  size_t wait_dwords_ = 0;
  std::vector<uint32_t> signal_;  // begins with the packet that raises the timeline
};

}  // namespace bw::amdgpu
