// Owns: which memory stands in for the pointer parameters of a command graph, of which submissions, and that it stays
// as long as one of those may be under way. Not here: the memory that a graph names itself (memory_footprint.h), and
// sending addresses to the GPU (command_graph.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "amdgpu/graph/buffer_use.h"
#include "amdgpu/memory.h"
#include "amdgpu/submission.h"

namespace bw::amdgpu {

// The submissions of a graph follow each other: a target belongs to those from when it was set until another took its
// place. Nothing here allocates once as many targets were there at a time as there ever are.
class PointerTargets {
 public:
  // The parameter's memory from now on; `last` is the graph's last submission so far.
  void set(uint32_t parameter, const AddressUse& use, BufferPin pin, Submission last);
  // A replay was appended to a series, with the present memory of all parameters ...
  void was_appended();
  // ... and that is the series' submission.
  void was_submitted(Submission series);
  // That submission of the graph has ended, and all before it.
  void was_ended(Submission submission);

  // Whether that submission of the graph may use memory so that it and `other` must not happen at the same time.
  bool conflicts_with(const AddressUse& other, Submission user) const;
  // Two parameters that stand for memory which overlaps and which one of them writes.
  std::optional<std::pair<uint32_t, uint32_t>> find_overlap() const;

 private:
  struct Target {
    uint32_t parameter = 0;
    AddressUse use;
    BufferPin pin;
    Submission after;  // the last submission that had another
    Submission until;  // the last one that has this; if it is not present
    bool is_present = true;
    bool is_in_series = false;  // one that was not submitted yet
  };

  bool has_ended(Submission submission) const {
    return submission.value <= ended_[static_cast<size_t>(submission.queue)];
  }

  std::vector<Target> targets_;
  std::array<uint64_t, kQueueNames.size()> ended_{};  // the last value that is known to have ended, of each queue
};

}  // namespace bw::amdgpu
