// Owns: replays of a command graph, one after the other with parameter values of their own, that are submitted with one
// doorbell and end early where a word in memory says so; and what the host sees of each as it ends. Not here:
// submitting and waiting (device.h).
//
//   ReplaySeries series = device->make_series(16);
//   for (each) { graph.set(parameter, value); device->append(series, graph, {.condition = &go_on, .result = &word}); }
//   device->submit(series);
//   for (size_t i = 0; i < series.size(); ++i) device->wait_replay(series, i);   // series.result(i)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "amdgpu/memory.h"
#include "amdgpu/recorded_commands.h"
#include "amdgpu/submission.h"

namespace bw::amdgpu {

class CommandGraph;

// Words of 32 bits at the begin of buffers. Kernels of the graph may write both.
struct Replay {
  // Read when all replays before have ended: if it is 0, this one is left out. Null: it never is.
  const Buffer* condition = nullptr;
  // Copied when the replay has ended. Null: nothing is.
  const Buffer* result = nullptr;
};

// Move-only. Belongs to one thread at a time. The GPU writes a replay's result and then its serial number; the host
// reads the serial number with acquire, then the result. The host alone writes the word "wanted"; the GPU reads it
// before each replay.
class ReplaySeries {
 public:
  ReplaySeries() = default;
  ReplaySeries(ReplaySeries&&) noexcept = default;
  ReplaySeries& operator=(ReplaySeries&&) noexcept = default;

  bool is_valid() const { return slots_.is_valid(); }
  size_t size() const { return count_; }
  size_t capacity() const { return (slots_.size_bytes() - kWantedBytes) / kSlotBytes; }
  uint64_t size_dwords() const { return packets_.size(); }
  // What the replay's `result` was when it had ended; only after wait_replay() has said that it has.
  uint32_t result(size_t replay) const;
  // Replays that have not begun are left out; the one under way goes on. Any time until the series is begun anew.
  void cancel();

 private:
  friend class Device;
  friend class CommandGraph;

  struct Slot {
    uint32_t result = 0;
    uint32_t serial = 0;  // 0: not yet
  };
  static constexpr size_t kSlotBytes = sizeof(Slot);
  // At the begin of the memory: 0 once cancel() was called.
  static constexpr size_t kWantedBytes = sizeof(Slot);
  static size_t memory_bytes(size_t capacity) { return kWantedBytes + capacity * kSlotBytes; }

  void set_wanted(uint32_t value);
  // All that was appended; nothing of it may be under way.
  void discard();
  Slot* slot(size_t replay) const { return reinterpret_cast<Slot*>(slots_.host().data() + kWantedBytes) + replay; }
  GpuAddr slot_address(size_t replay) const { return slots_.gpu_addr() + kWantedBytes + replay * kSlotBytes; }

  Buffer slots_;                   // the word "wanted", then one slot for each replay, for the host
  std::vector<uint32_t> packets_;  // of the replays so far
  // Submissions that are under way hold it, so that a series may be dropped before they end.
  struct Kept {
    std::shared_ptr<const RecordedCommands> commands;
    std::vector<BufferPin> pins;  // of the slots, conditions and results
  };
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
  CommandGraph* graph_ = nullptr;  // of the replays since the last submission
  size_t count_ = 0;
  Submission after_;  // the graph's last when the first replay was appended
  Submission last_;
  bool is_submitted_ = false;  // what is appended next begins a new series
};

}  // namespace bw::amdgpu
