// Owns: the packets of the submission that a queue got last, for who submits the same commands again: one copy, and
// less to say. Not here: what they are for (compute_frame.h, recorded_commands.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "amdgpu/compute_frame.h"
#include "amdgpu/recorded_commands.h"

namespace bw::amdgpu {

// Belongs to one queue.
class SubmissionImage {
 public:
  // Larger ones are not kept.
  static constexpr size_t kMaxDwords = 128;

  SubmissionImage() { packets_.reserve(kMaxDwords); }

  // Whether the last submission was of these commands alone.
  bool is_of(const std::shared_ptr<const RecordedCommands>& commands) const {
    return is_valid_ && !commands_.owner_before(commands) && !commands.owner_before(commands_);
  }
  // Something else was submitted.
  void clear() { is_valid_ = false; }
  // These commands were, by themselves; `work` are the packets between the parts of the frame when they are submitted
  // again.
  void set(const std::shared_ptr<const RecordedCommands>& commands, const ComputeFrame& frame,
           std::span<const uint32_t> work);

  // The signal stands at the end.
  std::span<const uint32_t> packets() const { return packets_; }

 private:
  std::weak_ptr<const RecordedCommands> commands_;
  std::vector<uint32_t> packets_;
  bool is_valid_ = false;
};

}  // namespace bw::amdgpu
