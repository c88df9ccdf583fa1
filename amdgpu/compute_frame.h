// Owns: the packets that stand around the work of every submission of a compute queue, written once for each queue.
#pragma once

#include <cstdint>
#include <vector>

#include "base/gpu_addr.h"
#include "base/status.h"

namespace bw::amdgpu {

class ComputeFrame {
 public:
  // `timeline`: where the queue says how far it has come; `mailbox` and `event_id`: of the event that wakes sleepers.
  static Result<ComputeFrame> create(GpuAddr timeline, GpuAddr mailbox, uint32_t event_id);

  // Waits for the shaders of the submissions before. Packets that change what those read go after it.
  void append_wait(std::vector<uint32_t>& packets) const { append(wait_, packets); }
  // Makes what the host, the copy engine and packets have written visible to the kernels that follow.
  void append_acquire(std::vector<uint32_t>& packets) const { append(acquire_, packets); }
  // Writes the caches back when all kernels have ended, raises the timeline to `value` and wakes sleepers.
  void append_signal(std::vector<uint32_t>& packets, uint64_t value) const;

 private:
  static void append(const std::vector<uint32_t>& from, std::vector<uint32_t>& packets) {
    packets.insert(packets.end(), from.begin(), from.end());
  }

  std::vector<uint32_t> wait_;
  std::vector<uint32_t> acquire_;
  std::vector<uint32_t> signal_;  // begins with the packet that raises the timeline
};

}  // namespace bw::amdgpu
