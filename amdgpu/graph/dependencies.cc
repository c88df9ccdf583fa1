#include "amdgpu/graph/dependencies.h"

#include <algorithm>

namespace bw::amdgpu {

void DependencyTracker::split(uint64_t address) {
  auto after = ranges_.upper_bound(address);
  if (after == ranges_.begin()) return;
  auto at = std::prev(after);
  if (at->first == address || at->second.end <= address) return;
  Range upper = at->second;
  at->second.end = address;
  ranges_.emplace_hint(after, address, upper);
}

DependencyTracker::Ranges::iterator DependencyTracker::cut(uint64_t begin, uint64_t end) {
  split(begin);
  split(end);
  uint64_t covered = begin;
  for (auto range = ranges_.lower_bound(begin); covered < end;) {
    const uint64_t next = range == ranges_.end() ? end : std::min(range->first, end);
    if (covered < next) ranges_.emplace_hint(range, covered, Range{.end = next});
    if (next == end) break;
    covered = range->second.end;
    ++range;
  }
  return ranges_.lower_bound(begin);
}

uint32_t DependencyTracker::place(std::span<const AddressUse> uses, uint32_t least_level) {
  uint32_t level = least_level;
  for (const AddressUse& use : uses) {
    if (use.begin == use.end) continue;
    for (auto range = cut(use.begin, use.end); range != ranges_.end() && range->first < use.end; ++range) {
      level = std::max(level, range->second.levels_written);
      if (writes(use.access)) level = std::max(level, range->second.levels_read);
    }
  }
  for (const AddressUse& use : uses) {
    if (use.begin == use.end) continue;
    for (auto range = cut(use.begin, use.end); range != ranges_.end() && range->first < use.end; ++range) {
      if (writes(use.access)) range->second.levels_written = std::max(range->second.levels_written, level + 1);
      if (reads(use.access)) range->second.levels_read = std::max(range->second.levels_read, level + 1);
    }
  }
  return level;
}

std::vector<bool> levels_that_acquire(std::span<const std::vector<AddressUse>> uses) {
  std::vector<bool> acquires(uses.size(), false);
  std::vector<AddressUse> written;  // since the caches forgot last
  for (size_t level = 0; level < uses.size(); ++level) {
    const auto is_stale = [&](const AddressUse& use) {
      return reads(use.access) && std::any_of(written.begin(), written.end(), [&](const AddressUse& other) {
               return other.begin < use.end && use.begin < other.end;
             });
    };
    if (std::any_of(uses[level].begin(), uses[level].end(), is_stale)) {
      acquires[level] = true;
      written.clear();
    }
    std::copy_if(uses[level].begin(), uses[level].end(), std::back_inserter(written),
                 [](const AddressUse& use) { return writes(use.access); });
  }
  return acquires;
}

}  // namespace bw::amdgpu
