#include "emulator/memory/range_allocator.h"

#include <iterator>

#include "base/bits.h"

namespace bw::emulator {

std::optional<uint64_t> RangeAllocator::allocate(uint64_t size_bytes, uint64_t alignment) {
  if (size_bytes == 0 || size_bytes > free_bytes_) return std::nullopt;
  for (auto it = free_.begin(); it != free_.end(); ++it) {
    const auto [begin, end] = *it;
    const uint64_t at = align_up(begin, alignment);
    if (at < begin || at > end || size_bytes > end - at) continue;
    free_.erase(it);
    if (begin < at) free_.emplace(begin, at);
    if (at + size_bytes < end) free_.emplace(at + size_bytes, end);
    free_bytes_ -= size_bytes;
    return at;
  }
  return std::nullopt;
}

void RangeAllocator::release(uint64_t begin, uint64_t size_bytes) {
  uint64_t end = begin + size_bytes;
  free_bytes_ += size_bytes;
  auto next = free_.lower_bound(begin);
  if (next != free_.end() && next->first == end) {
    end = next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin() && std::prev(next)->second == begin) {
    std::prev(next)->second = end;
  } else {
    free_.emplace(begin, end);
  }
}

}  // namespace bw::emulator
