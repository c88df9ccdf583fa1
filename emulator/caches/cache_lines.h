// Owns: the lines that one kind of cache of a card may hold, and which of their bytes are out of date. Not here: which
// accesses go through it, and what becomes of what is stored to it (card_caches.h).
//
// A line that is held may be there until all are invalidated: caches evict lines when they like.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "emulator/caches/access_set.h"
#include "emulator/caches/work_order.h"

namespace bw::emulator {

class CacheLines {
 public:
  struct Stale {
    uint64_t address = 0;
    WorkNumber holder = 0;  // since whose access the line may be there
    WorkNumber writer = 0;  // of what was written since; kOutside: nobody on this card
  };

  // Multiples of 64, up to kVectorLineBytes.
  explicit CacheLines(uint64_t line_bytes) : words_of_line_(line_bytes / 64) {}

  // Of the page with that number (address / kSetPageBytes), the lines that have these bytes.
  void hold(uint64_t page, const PageBits& bits, WorkNumber work);
  // As far as they are held.
  void mark_stale(uint64_t page, const PageBits& bits, WorkNumber writer);
  // These bytes were written in the cache itself.
  void mark_fresh(uint64_t page, const PageBits& bits);
  // The first byte of the set that is held and out of date.
  std::optional<Stale> find_stale(const AccessSet& set) const;
  void invalidate() { ++epoch_; }

 private:
  struct Lines {
    uint64_t epoch = 0;  // what an earlier one holds was invalidated
    PageBits held{};     // whole lines
    PageBits stale{};
    std::array<WorkNumber, kSetLines> holder{};
    std::array<WorkNumber, kSetLines> writer{};
  };

  // Those of the page that were not invalidated; null: none.
  Lines* find(uint64_t page);

  const size_t words_of_line_;
  std::unordered_map<uint64_t, Lines> pages_;
  uint64_t epoch_ = 1;
};

}  // namespace bw::emulator
