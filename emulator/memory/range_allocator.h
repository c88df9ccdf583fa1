// Owns: handing out non-overlapping runs of an address range, first fit. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace bw::emulator {

class RangeAllocator {
 public:
  RangeAllocator(uint64_t begin, uint64_t size_bytes) : free_bytes_(size_bytes) {
    if (size_bytes != 0) free_.emplace(begin, begin + size_bytes);
  }

  // `alignment` is a power of two. Nothing if no free run is long enough.
  std::optional<uint64_t> allocate(uint64_t size_bytes, uint64_t alignment);
  // A run that allocate() gave out, with its size.
  void release(uint64_t begin, uint64_t size_bytes);
  uint64_t free_bytes() const { return free_bytes_; }

 private:
  std::map<uint64_t, uint64_t> free_;  // begin -> end, never touching each other
  uint64_t free_bytes_;
};

}  // namespace bw::emulator
