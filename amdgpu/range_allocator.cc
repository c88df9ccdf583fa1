#include "amdgpu/range_allocator.h"

#include "base/bits.h"
#include "base/check.h"

namespace bw::amdgpu {

RangeAllocator::RangeAllocator(uint64_t size_bytes, uint64_t granularity) : granularity_(granularity) {
  size_bytes = align_down(size_bytes, granularity);
  if (size_bytes > 0) free_.emplace(0, size_bytes);
}

std::optional<uint64_t> RangeAllocator::take(uint64_t size_bytes) {
  const uint64_t size = align_up(size_bytes, granularity_);
  if (size == 0) return std::nullopt;
  auto best = free_.end();
  for (auto range = free_.begin(); range != free_.end(); ++range) {
    if (range->second >= size && (best == free_.end() || range->second < best->second)) best = range;
  }
  if (best == free_.end()) return std::nullopt;
  const auto [offset, free_size] = *best;
  free_.erase(best);
  if (free_size > size) free_.emplace(offset + size, free_size - size);
  taken_.emplace(offset, size);
  return offset;
}

void RangeAllocator::give_back(uint64_t offset) {
  auto taken = taken_.find(offset);
  BW_CHECK(taken != taken_.end());
  uint64_t size = taken->second;
  taken_.erase(taken);
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && next->first == offset + size) {
    size += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == offset) {
      previous->second += size;
      return;
    }
  }
  free_.emplace(offset, size);
}

uint64_t RangeAllocator::free_bytes() const {
  uint64_t sum = 0;
  for (const auto& [offset, size] : free_) sum += size;
  return sum;
}

}  // namespace bw::amdgpu
