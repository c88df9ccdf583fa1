// Owns: a set of bytes by their addresses. Not here: who uses them and how (graph/buffer_use.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace bw::amdgpu {

class AddressSet {
 public:
  // [begin, end); nothing if that is empty.
  void add(uint64_t begin, uint64_t end) {
    if (begin >= end) return;
    auto next = ranges_.lower_bound(begin);
    if (next != ranges_.begin() && std::prev(next)->second >= begin) --next;
    while (next != ranges_.end() && next->first <= end) {
      begin = std::min(begin, next->first);
      end = std::max(end, next->second);
      next = ranges_.erase(next);
    }
    ranges_.emplace(begin, end);
  }
  bool overlaps(uint64_t begin, uint64_t end) const {
    const auto next = ranges_.lower_bound(end);
    return begin < end && next != ranges_.begin() && std::prev(next)->second > begin;
  }
  void clear() { ranges_.clear(); }

 private:
  std::map<uint64_t, uint64_t> ranges_;  // end by begin; neither overlapping nor touching
};

}  // namespace bw::amdgpu
