#include "amdgpu/graph/pointer_targets.h"

#include <algorithm>

#include "amdgpu/memory_footprint.h"

namespace bw::amdgpu {
namespace {

bool is_same(Submission one, Submission other) {
  return one.queue == other.queue && one.value == other.value;
}

// Values of different queues tell nothing of each other.
bool is_known_not_later(Submission one, Submission other) {
  return one.queue == other.queue && one.value <= other.value;
}

bool conflict(const AddressUse& one, const AddressUse& other) {
  return (writes(one.access) || writes(other.access)) && overlap(one, other);
}

}  // namespace

void PointerTargets::set(uint32_t parameter, const AddressUse& use, BufferPin pin, Submission last) {
  const auto before = std::ranges::find_if(
      targets_, [&](const Target& target) { return target.is_present && target.parameter == parameter; });
  Target next{.parameter = parameter, .use = use, .pin = std::move(pin), .after = last, .until = {}};
  if (before == targets_.end()) {
    targets_.push_back(std::move(next));
  } else if (!before->is_in_series && (is_same(before->after, last) || has_ended(last))) {
    *before = std::move(next);  // no submission has it
  } else {
    before->is_present = false;
    before->until = last;
    targets_.push_back(std::move(next));
  }
}

void PointerTargets::was_appended() {
  for (Target& target : targets_) target.is_in_series |= target.is_present;
}

void PointerTargets::was_submitted(Submission series) {
  for (Target& target : targets_) {
    if (target.is_in_series) target.until = series;
    target.is_in_series = false;
  }
}

void PointerTargets::was_ended(Submission submission) {
  uint64_t& ended = ended_[static_cast<size_t>(submission.queue)];
  ended = std::max(ended, submission.value);
  std::erase_if(targets_, [&](const Target& target) {
    return !target.is_present && !target.is_in_series && has_ended(target.until);
  });
}

bool PointerTargets::conflicts_with(const AddressUse& other, Submission user) const {
  return std::ranges::any_of(targets_, [&](const Target& target) {
    if (!conflict(target.use, other) || is_known_not_later(user, target.after)) return false;
    const bool is_open = target.is_present || target.is_in_series;
    return is_open || user.queue != target.until.queue || user.value <= target.until.value;
  });
}

std::optional<std::pair<uint32_t, uint32_t>> PointerTargets::find_overlap() const {
  for (const Target& one : targets_) {
    for (const Target& other : targets_) {
      if (one.parameter >= other.parameter || !one.is_present || !other.is_present) continue;
      if (conflict(one.use, other.use)) return std::pair{one.parameter, other.parameter};
    }
  }
  return std::nullopt;
}

}  // namespace bw::amdgpu
