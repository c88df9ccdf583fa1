// Owns: a recorded graph of kernels and copies, and the values of its parameters. Not here: recording
// (graph_recorder.h), submitting (device.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/command_buffer.h"
#include "amdgpu/graph/buffer_use.h"
#include "amdgpu/graph/graph_signals.h"
#include "amdgpu/graph/replay_series.h"
#include "amdgpu/memory.h"
#include "amdgpu/memory_footprint.h"
#include "amdgpu/submission.h"

namespace bw::amdgpu {

// When a node ran, in ticks of DeviceInfo::clock_hz. `start`: when the command processor came to it; `end`: when it and
// all before it had ended.
struct NodeTiming {
  std::string name;
  uint64_t start_ticks = 0;
  uint64_t end_ticks = 0;
};

// A replay costs one call of an indirect buffer in the ring, whatever the number of nodes, and for each parameter that
// has changed since the last replay one packet for each place that uses it. These packets are executed in order with
// the replays, so that replays with different values may be queued back to back.
//
// Move-only. It keeps the memory of all its buffers. Belongs to one thread at a time.
class CommandGraph {
 public:
  CommandGraph() = default;
  CommandGraph(CommandGraph&&) noexcept = default;
  CommandGraph& operator=(CommandGraph&&) noexcept = default;

  bool is_valid() const { return commands_.is_valid(); }
  size_t node_count() const { return node_count_; }
  // Groups of nodes that may run at the same time, one after the other.
  size_t level_count() const { return level_count_; }
  // Levels before which a packet invalidates the near caches.
  size_t acquire_count() const { return acquire_count_; }
  // Kernels that invalidate what their waves load through.
  size_t acquiring_kernel_count() const { return acquiring_kernel_count_; }
  uint64_t size_dwords() const { return commands_.size_dwords(); }

  // The value that a parameter has from the next submission on. Until then a word that advances has one more than in
  // the last replay that was submitted; submitting one with a word beyond its bounds is kInvalidArgument.
  // kInvalidArgument for a value outside the bounds it was declared with, a pointer parameter, or an unknown one.
  Status set(ParameterId parameter, uint64_t value);
  // The memory that stands in for a pointer parameter. kInvalidArgument if it is smaller than declared, or overlaps
  // memory that the graph uses otherwise, unless both are only read: the order of nodes is right only if it does not.
  // (Whether it overlaps that of other pointers shows when the graph is submitted.) Replays that are under way
  // keep the memory that they were submitted with.
  Status set(ParameterId parameter, const Buffer& buffer, uint64_t offset_bytes = 0);

  // Of the last replay that has ended; empty unless recorded with timestamps.
  std::vector<NodeTiming> timings() const;

 private:
  friend class GraphRecorder;
  friend class Device;

  struct Parameter {
    bool is_pointer = false;
    uint32_t size_bytes = 4;  // of the value, 4 or 8
    uint64_t least = 0;
    uint64_t most = 0;  // of a pointer: the size of the memory
    uint64_t value = 0;
    bool is_changed = false;
    std::vector<uint32_t> packets = {};          // one WRITE_DATA for each place
    std::vector<uint32_t> value_positions = {};  // in dwords, of the value in each
    bool is_written = false;                     // the memory of a pointer
    std::optional<GpuAddr> word = {};            // where the value is, if kernels read it in memory
  };

  void change(uint32_t index, uint64_t value);
  // The packets of all changes that were not sent yet; valid until the next change.
  std::span<const uint32_t> patches() { return changed_.empty() ? std::span<const uint32_t>() : make_patches(); }
  std::span<const uint32_t> make_patches();
  // With a replay; the next has what has changed since, and words that have advanced.
  void patches_were_sent();
  // The last patches belonged to a replay that there will not be.
  void take_replay_back();
  // The first that has advanced beyond its bounds.
  std::optional<uint32_t> find_word_past_end() const;
  // The next patches are those of all parameters.
  void send_all();
  // The packets of one more replay (replay_series.cc).
  Status append_to(ReplaySeries& series, const Replay& replay);

  CommandBuffer commands_;
  size_t node_count_ = 0;
  size_t level_count_ = 0;
  size_t acquire_count_ = 0;
  size_t acquiring_kernel_count_ = 0;
  std::vector<Parameter> parameters_;
  size_t unset_pointer_count_ = 0;
  std::vector<uint32_t> changed_;
  std::vector<uint32_t> advancing_;  // words to which each replay adds 1
  std::vector<uint32_t> patches_;
  std::shared_ptr<PointerTargets> pointers_;  // of the commands; null without pointer parameters
  Buffer timestamps_;
  std::vector<std::string> node_names_;  // with timestamps
  uint64_t recovery_count_ = 0;          // of the device, when it was last submitted
  Submission last_;                      // whose kernels may still read the patched places
};

}  // namespace bw::amdgpu
