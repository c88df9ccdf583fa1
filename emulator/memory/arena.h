// Owns: the memory of the emulated cards: one sparse memfd that holds VRAM, host memory given to the GPU (GTT),
// doorbells, register pages and the event page, each at a fixed offset, and the emulator's own mapping of them. The
// descriptors handed to clients are duplicates of it, so that an ordinary mmap at an offset that the driver gave out
// shows the memory. Not here: which part belongs to which buffer (emulator/kernel/buffers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bw::emulator {

// A run of the arena, with the emulator's own mapping of it. Pages appear when they are first touched.
struct ArenaRegion {
  uint64_t offset = 0;
  uint64_t size_bytes = 0;
  std::byte* host = nullptr;

  uint64_t end() const { return offset + size_bytes; }
  bool holds(uint64_t at, uint64_t bytes) const { return at >= offset && at <= end() && bytes <= end() - at; }
  std::byte* at(uint64_t arena_offset) const { return host + (arena_offset - offset); }
};

class Arena {
 public:
  // Errors: what memfd_create, ftruncate or mmap say.
  static Result<std::unique_ptr<Arena>> create(uint32_t card_count, uint64_t vram_bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  int fd() const { return fd_.get(); }
  const ArenaRegion& vram(uint32_t card) const { return cards_[card].vram; }
  const ArenaRegion& doorbells(uint32_t card) const { return cards_[card].doorbells; }
  const ArenaRegion& mmio(uint32_t card) const { return cards_[card].mmio; }
  const ArenaRegion& gtt() const { return gtt_; }
  const ArenaRegion& event_page() const { return event_page_; }
  // Offsets that no memory stands behind: for memory of other processes, which has files of its own.
  uint64_t import_offset() const;
  uint64_t import_bytes() const;
  // Gives the pages back to the host; they read as zero afterwards, in every mapping.
  void discard(uint64_t offset, uint64_t size_bytes) const;

 private:
  struct CardRegions {
    ArenaRegion vram;
    ArenaRegion doorbells;
    ArenaRegion mmio;
  };

  Arena() = default;
  Status add(ArenaRegion* region, uint64_t offset, uint64_t size_bytes);

  UniqueFd fd_;
  std::vector<CardRegions> cards_;
  ArenaRegion gtt_;
  ArenaRegion event_page_;
  std::vector<ArenaRegion> mapped_;
};

}  // namespace bw::emulator
