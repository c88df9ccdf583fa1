// Owns: the page tables of one emulated GPU process: which GPU virtual pages are mapped, to which host memory, with
// which rights; and that nobody still uses host memory once it is unmapped. Not here: who allocates (emulator/kernel),
// memory that goes away without being unmapped (client_fault.h), what an access means (emulator/shader,
// emulator/queue).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "base/gpu_addr.h"

namespace bw::emulator {

enum class Access : uint8_t { kRead, kWrite, kExecute };

struct Mapping {
  uint64_t begin = 0;  // GPU virtual address, multiple of 4096
  uint64_t end = 0;    // one past the last byte, multiple of 4096
  std::byte* host = nullptr;
  bool writable = false;
  bool executable = false;
  // For strict mode (emulator/caches):
  bool uncached = false;     // the card's L2 does not keep it (MTYPE UC)
  bool host_sees = false;    // the host may read and write it
  bool through_bar = false;  // what the host writes comes over PCIe, by the host data path (HDP)
  bool shared = false;       // other cards map it too

  bool allows(Access access) const {
    return access == Access::kRead || (access == Access::kWrite ? writable : executable);
  }
};

// Written by the ioctls, read by every engine. Readers keep copies of mappings (see Tlb) and drop them when the
// generation moves; a writer changes the table under the mutex and publishes with an increment of the generation.
class AddressSpace {
 public:
  // The generation that a reader knew when it last began to use host addresses; 0 while it uses none. Written by the
  // reader, read by who unmaps. Both order it against the generation sequentially consistently: either the one who
  // unmaps sees the reader, or the reader sees the new generation.
  using Reader = std::atomic<uint64_t>;

  // Returns 0, or -EINVAL for misaligned, empty, wrapping or already mapped ranges.
  int map(const Mapping& mapping);
  // Removes whatever is mapped inside [begin, end); mappings that cross an edge are cut. Returns when no reader uses
  // what it knew before, as Linux waits for the flush of the card's TLBs; at the latest after a wave's turn.
  // Not to be called by a thread that uses host addresses.
  void unmap(uint64_t begin, uint64_t end);
  // Copies the mapping that holds `address` to *mapping; false if there is none.
  bool find(uint64_t address, Mapping* mapping) const;
  // Marks what is mapped in [begin, end) as shared.
  void share(uint64_t begin, uint64_t end);
  // All that is mapped.
  std::vector<Mapping> mappings() const;
  // As find(), by host address, for signal handlers: gives up when the table is being changed for long, or was when the
  // signal came.
  bool find_host(const std::byte* host, Mapping* mapping) const;
  uint64_t generation() const { return generation_.load(std::memory_order_seq_cst); }

  void add_reader(const Reader& reader) const;
  void remove_reader(const Reader& reader) const;

 private:
  void wait_for_readers(uint64_t generation) const;

  mutable std::mutex mutex_;
  std::map<uint64_t, Mapping> by_begin_;
  mutable std::mutex readers_mutex_;
  mutable std::vector<const Reader*> readers_;  // guarded by readers_mutex_
  std::atomic<uint64_t> generation_{1};
};

// A reader's private cache of mappings; one per thread, not shared.
class Tlb {
 public:
  explicit Tlb(const AddressSpace& space) : space_(space) { space.add_reader(reader_); }
  ~Tlb() { space_.remove_reader(reader_); }
  Tlb(const Tlb&) = delete;
  Tlb& operator=(const Tlb&) = delete;

  // Host address of `size_bytes` bytes at `address`, all within one mapping that allows `access`; nullptr otherwise (a
  // fault). To be used within the Use, or since the renew(), in which it was asked for.
  std::byte* translate(uint64_t address, uint32_t size_bytes, Access access) {
    const Mapping& hit = entries_[slot(address)];
    if (generation_ == space_.generation() && address >= hit.begin && address < hit.end &&
        size_bytes <= hit.end - address && hit.allows(access)) {
      return hit.host + (address - hit.begin);
    }
    return translate_slow(address, size_bytes, access);
  }

  // While one lives, what is unmapped stays in place for this thread. They nest.
  class Use {
   public:
    explicit Use(Tlb& tlb) : tlb_(tlb) {
      if (tlb_.uses_++ == 0) tlb_.reader_.store(tlb_.space_.generation(), std::memory_order_seq_cst);
    }
    ~Use() {
      if (--tlb_.uses_ == 0) tlb_.reader_.store(0, std::memory_order_release);
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Tlb& tlb_;
  };
  // Within a Use: host addresses from before are not used any more.
  void renew() {
    const uint64_t generation = space_.generation();
    if (reader_.load(std::memory_order_relaxed) != generation) reader_.store(generation, std::memory_order_seq_cst);
  }

  const AddressSpace& space() const { return space_; }

 private:
  static constexpr size_t kEntries = 64;
  // Neighbouring buffers are told apart at the 2 MiB fragment size of the card's page tables.
  static size_t slot(uint64_t address) { return (address >> 21 ^ address >> 27) % kEntries; }
  const Mapping* find_recent(uint64_t address) const;
  std::byte* translate_slow(uint64_t address, uint32_t size_bytes, Access access);

  const AddressSpace& space_;
  AddressSpace::Reader reader_{0};
  uint32_t uses_ = 0;
  uint64_t generation_ = 0;
  Mapping entries_[kEntries];
  // Those found last, in turn: large mappings fill many slots, and push each other out of them.
  static constexpr size_t kRecent = 4;
  Mapping recent_[kRecent];
  size_t next_recent_ = 0;
};

}  // namespace bw::emulator
