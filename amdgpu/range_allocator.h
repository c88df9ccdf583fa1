// Owns: which ranges of a block of bytes are free. Best fit; neighbours that become free are joined at once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace bw::amdgpu {

class RangeAllocator {
 public:
  RangeAllocator() = default;
  // `granularity`: all offsets and sizes are rounded up to multiples of it; a power of two.
  RangeAllocator(uint64_t size_bytes, uint64_t granularity);

  // The offset of a free range, now taken; nullopt if no free range is large enough or `size_bytes` is 0.
  std::optional<uint64_t> take(uint64_t size_bytes);
  // `offset` is one that take() returned and nobody has given back since.
  void give_back(uint64_t offset);

  bool is_unused() const { return taken_.empty(); }
  uint64_t free_bytes() const;
  size_t free_range_count() const { return free_.size(); }

 private:
  uint64_t granularity_ = 1;
  std::map<uint64_t, uint64_t> free_;   // offset -> size
  std::map<uint64_t, uint64_t> taken_;  // offset -> size
};

}  // namespace bw::amdgpu
