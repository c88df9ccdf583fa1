// Owns: the page tables of one emulated GPU process: which GPU virtual pages are mapped, to which host memory, with
// which rights. Not here: who allocates (emulator/driver) or what an access means (emulator/shader, emulator/queue).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/gpu_addr.h"

namespace bw::emulator {

enum class Access : uint8_t { kRead, kWrite, kExecute };

struct Mapping {
  uint64_t begin = 0;  // GPU virtual address, multiple of 4096
  uint64_t end = 0;    // one past the last byte, multiple of 4096
  std::byte* host = nullptr;
  bool writable = false;
  bool executable = false;

  bool allows(Access access) const {
    return access == Access::kRead || (access == Access::kWrite ? writable : executable);
  }
};

// Written by the ioctls, read by every engine. Readers keep copies of mappings (see Tlb) and drop them when the
// generation moves; a writer changes the table under the mutex and publishes with a release increment of the
// generation.
class AddressSpace {
 public:
  // Returns 0, or -EINVAL for misaligned, empty, wrapping or already mapped ranges.
  int map(const Mapping& mapping);
  // Removes whatever is mapped inside [begin, end); mappings that cross an edge are cut.
  void unmap(uint64_t begin, uint64_t end);
  // Copies the mapping that holds `address` to *mapping; false if there is none.
  bool find(uint64_t address, Mapping* mapping) const;
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, Mapping> by_begin_;
  std::atomic<uint64_t> generation_{1};
};

// A reader's private cache of mappings; one per thread, not shared.
class Tlb {
 public:
  explicit Tlb(const AddressSpace& space) : space_(space) {}

  // Host address of `size_bytes` bytes at `address`, all within one mapping that allows `access`; nullptr otherwise (a
  // fault).
  std::byte* translate(uint64_t address, uint32_t size_bytes, Access access) {
    const Mapping& hit = entries_[slot(address)];
    if (generation_ == space_.generation() && address >= hit.begin && address < hit.end &&
        size_bytes <= hit.end - address && hit.allows(access)) {
      return hit.host + (address - hit.begin);
    }
    return translate_slow(address, size_bytes, access);
  }

 private:
  static constexpr size_t kEntries = 64;
  // Neighbouring buffers are told apart at the 2 MiB fragment size of the card's page tables.
  static size_t slot(uint64_t address) { return (address >> 21 ^ address >> 27) % kEntries; }
  std::byte* translate_slow(uint64_t address, uint32_t size_bytes, Access access);

  const AddressSpace& space_;
  uint64_t generation_ = 0;
  Mapping entries_[kEntries];
};

}  // namespace bw::emulator
