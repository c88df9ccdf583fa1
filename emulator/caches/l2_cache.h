// Owns: what a card's L2 may hold: lines that may be out of date, and bytes that memory does not have yet. Not here:
// who goes through it (card_caches.h).
//
// All that the card does to memory goes through L2, the shaders, the command processor and the copy engine alike, and
// only the host and other cards go past it. Sources: Mesa, ac_gpu_info.h and si_barrier.c (from GFX12 on, and not
// before, command processor and SDMA work on system memory past L2); ac_cmdbuf.c, "The L2 cache ops are" (an
// invalidation leaves what was overwritten, a write-back what was loaded).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "emulator/caches/cache_lines.h"
#include "emulator/caches/work_order.h"

namespace bw::emulator {

class L2Cache {
 public:
  struct Dirty {
    uint64_t address = 0;
    WorkStamp writer;
  };
  // Whether that work is known to have ended.
  using HasEnded = std::function<bool(const WorkStamp&)>;

  CacheLines& lines() { return lines_; }
  const CacheLines& lines() const { return lines_; }

  // `exposed`: the host or another card looks at that memory.
  void write(uint64_t page, const PageBits& bits, const WorkStamp& writer, bool exposed);
  // What work that has ended has written goes to memory.
  void write_back(const HasEnded& has_ended);
  // Some byte that is not in memory yet.
  std::optional<Dirty> find_dirty() const;
  // The same, of exposed memory, written by work that has ended.
  std::optional<Dirty> find_exposed(const HasEnded& has_ended) const;
  // The memory has gone.
  void drop(uint64_t page) { dirty_.erase(page); }

 private:
  struct DirtyPage {
    bool exposed = false;
    PageBits bits{};
    std::array<WorkStamp, kSetLines> writer{};  // the last
  };
  template <typename Wanted>
  std::optional<Dirty> find(const Wanted& wanted) const;

  CacheLines lines_{kVectorLineBytes};
  std::map<uint64_t, DirtyPage> dirty_;  // by page number
};

}  // namespace bw::emulator
