#include "amdgpu/submission_image.h"

namespace bw::amdgpu {

void SubmissionImage::set(const std::shared_ptr<const RecordedCommands>& commands, const ComputeFrame& frame,
                          std::span<const uint32_t> work) {
  is_valid_ = frame.size_dwords() + work.size() <= kMaxDwords;
  if (!is_valid_) return;
  commands_ = commands;
  packets_.clear();
  packets_.insert(packets_.end(), frame.begin().begin(), frame.begin().end());
  packets_.insert(packets_.end(), work.begin(), work.end());
  packets_.insert(packets_.end(), frame.signal().begin(), frame.signal().end());
}

}  // namespace bw::amdgpu
