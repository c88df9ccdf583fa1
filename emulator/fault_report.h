// Owns: what is known of a queue that stopped because of a bad packet or program, for people to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "emulator/memory/gpu_memory.h"
#include "emulator/shader/dispatch.h"

namespace bw::emulator {

enum class FaultKind : uint8_t {
  kPacket,  // malformed, unknown or not implemented by this emulator
  kMemory,  // an engine's access outside the page tables or against their rights
  kShader,  // the program that the packet dispatched
};

// How the driver tells the client, besides memory faults, which always raise the memory exception event.
enum class FaultNotice : uint8_t {
  kHwException,  // the hardware exception event
  kRuntime,      // the error reason that the header of the queue's context save area points to, and its event
  kSignal,       // the queue has told by its own signal
};

struct FaultReport {
  FaultKind kind = FaultKind::kPacket;
  uint32_t gpu_id = 0;
  uint32_t queue_id = 0;
  std::string engine;               // "compute", "aql" or "sdma"
  uint64_t packet_address = 0;      // GPU virtual address of the packet's first dword
  uint64_t ring_offset_dwords = 0;  // of the packet of the ring that led here, from the ring's start
  std::vector<uint32_t> dwords;     // of the packet
  std::optional<MemoryFault> memory;
  std::optional<ShaderFault> shader;
  std::string message;  // one line with all of the above
  FaultNotice notice = FaultNotice::kHwException;
  uint32_t exception_code = 0;        // kRuntime: see QueueError
  uint64_t context_save_address = 0;  // kRuntime
};

// The latest reports of a device. Written by the engines, read by anyone.
class FaultLog {
 public:
  void add(FaultReport report) {
    if (listener_) listener_(report);
    std::lock_guard lock(mutex_);
    reports_.push_back(std::move(report));
    if (reports_.size() > kKept) reports_.pop_front();
  }
  // Gets each report before it is kept, from the thread that adds it. Set before there is a queue.
  void set_listener(std::function<void(const FaultReport&)> listener) { listener_ = std::move(listener); }
  // Oldest first.
  std::vector<FaultReport> reports() const {
    std::lock_guard lock(mutex_);
    return {reports_.begin(), reports_.end()};
  }

 private:
  static constexpr size_t kKept = 64;
  std::function<void(const FaultReport&)> listener_;
  mutable std::mutex mutex_;
  std::deque<FaultReport> reports_;
};

}  // namespace bw::emulator
