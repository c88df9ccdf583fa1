#include "amdgpu/graph/dependencies.h"

#include <algorithm>

#include "amdgpu/address_set.h"
#include "base/bits.h"

namespace bw::amdgpu {
namespace {

constexpr uint64_t kLineBytes = 128;  // of the vector caches: RDNA3 ISA guide, "Memory hierarchy"

// Marks which lines the nodes of a level leave near the shaders, and which bytes it makes out of date there.
void apply_level(std::span<const CachedReader> level, AddressSet& held, AddressSet& stale) {
  for (const CachedReader& node : level) {
    if (!node.is_kernel) continue;
    for (const AddressUse& use : node.uses) {
      if (use.begin < use.end) held.add(align_down(use.begin, kLineBytes), align_up(use.end, kLineBytes));
    }
  }
  for (const CachedReader& node : level) {
    for (const AddressUse& use : node.uses) {
      if (!writes(use.access) || use.begin == use.end) continue;
      if (node.is_kernel || held.overlaps(use.begin, use.end)) stale.add(use.begin, use.end);
    }
  }
}

bool reads_any(std::span<const AddressUse> uses, const AddressSet& set) {
  return std::any_of(uses.begin(), uses.end(),
                     [&](const AddressUse& use) { return reads(use.access) && set.overlaps(use.begin, use.end); });
}

}  // namespace

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

std::vector<Freshness> freshness_of(std::span<const CachedReader> nodes) {
  std::vector<Freshness> freshness(nodes.size(), Freshness::kNothingStale);
  // Since the whole device was invalidated.
  AddressSet held, stale;
  for (size_t begin = 0, end = 0; begin < nodes.size(); begin = end) {
    bool needs_packet = false;
    for (end = begin; end < nodes.size() && nodes[end].level == nodes[begin].level; ++end) {
      const CachedReader& node = nodes[end];
      if (!node.is_kernel || !reads_any(node.uses, stale)) continue;
      freshness[end] = node.can_acquire_by_itself ? Freshness::kByItself : Freshness::kByPacket;
      needs_packet |= !node.can_acquire_by_itself;
    }
    if (needs_packet) {
      held.clear();
      stale.clear();
      // One for the level serves all of it.
      for (size_t i = begin; i < end; ++i) {
        if (freshness[i] == Freshness::kByItself) freshness[i] = Freshness::kByPacket;
      }
    }
    const auto level = nodes.subspan(begin, end - begin);
    apply_level(level, held, stale);
    if (std::ranges::any_of(level, [](const CachedReader& node) { return node.waits_for_others; })) {
      held.clear();
      stale.clear();
    }
  }
  return freshness;
}

}  // namespace bw::amdgpu
