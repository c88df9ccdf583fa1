#include "emulator/memory/address_space.h"

#include <cerrno>

#include "base/bits.h"

namespace bw::emulator {
namespace {
constexpr uint64_t kPageBytes = 4096;
}

int AddressSpace::map(const Mapping& mapping) {
  if (mapping.begin >= mapping.end || !is_aligned(mapping.begin, kPageBytes) || !is_aligned(mapping.end, kPageBytes)) {
    return -EINVAL;
  }
  std::lock_guard lock(mutex_);
  auto next = by_begin_.lower_bound(mapping.begin);
  if (next != by_begin_.end() && next->first < mapping.end) return -EINVAL;
  if (next != by_begin_.begin() && std::prev(next)->second.end > mapping.begin) return -EINVAL;
  by_begin_.emplace(mapping.begin, mapping);
  generation_.fetch_add(1, std::memory_order_release);
  return 0;
}

void AddressSpace::unmap(uint64_t begin, uint64_t end) {
  std::lock_guard lock(mutex_);
  auto it = by_begin_.upper_bound(begin);
  if (it != by_begin_.begin() && std::prev(it)->second.end > begin) --it;
  while (it != by_begin_.end() && it->first < end) {
    const Mapping old = it->second;
    it = by_begin_.erase(it);
    if (old.begin < begin) {
      Mapping left = old;
      left.end = begin;
      by_begin_.emplace(left.begin, left);
    }
    if (old.end > end) {
      Mapping right = old;
      right.begin = end;
      right.host = old.host + (end - old.begin);
      by_begin_.emplace(right.begin, right);
    }
  }
  generation_.fetch_add(1, std::memory_order_release);
}

bool AddressSpace::find(uint64_t address, Mapping* mapping) const {
  std::lock_guard lock(mutex_);
  auto next = by_begin_.upper_bound(address);
  if (next == by_begin_.begin()) return false;
  const Mapping& candidate = std::prev(next)->second;
  if (address >= candidate.end) return false;
  *mapping = candidate;
  return true;
}

std::byte* Tlb::translate_slow(uint64_t address, uint32_t size_bytes, Access access) {
  const uint64_t generation = space_.generation();
  if (generation_ != generation) {
    for (Mapping& entry : entries_) entry = Mapping{};
    generation_ = generation;
  }
  Mapping found;
  if (!space_.find(address, &found)) return nullptr;
  entries_[slot(address)] = found;
  if (size_bytes > found.end - address || !found.allows(access)) return nullptr;
  return found.host + (address - found.begin);
}

}  // namespace bw::emulator
