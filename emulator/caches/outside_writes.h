// Owns: finding out what the host and other cards have written, which no packet tells: by what memory had when this
// card last used it, and what it had when the host data path was last flushed. Not here: caches (card_caches.h).
#pragma once

#include <cstdint>
#include <unordered_map>

#include "emulator/caches/access_set.h"
#include "emulator/caches/memory_view.h"

namespace bw::emulator {

// The content of the lines that a card has used.
class SeenContent {
 public:
  // Of the page, which has `now`, lines are used, and `own` bytes of it were just written by the card itself. Returns
  // which other bytes have changed since these lines were last used. From then on `now` is what they had.
  PageBits update(uint64_t page, const PageBits& lines, const PageBits& own, const PageContent& now);
  // The card has written these bytes; of lines that it has not used nothing is known yet.
  void write(uint64_t page, const PageBits& bits, const PageContent& now);

 private:
  struct Page {
    PageBits known{};
    PageContent content{};
  };
  std::unordered_map<uint64_t, Page> pages_;
};

// What the host writes into VRAM through the BAR stands in the host data path (HDP) until that is flushed. Source:
// Linux amdgpu_device.c, amdgpu_device_flush_hdp(); gfx_v11_0.c, gfx_v11_0_ring_emit_hdp_flush(). unverified: how long
// it may stay there.
class HostDataPath {
 public:
  void flush(MemoryView& view);
  // Which of these bytes have not come through yet.
  PageBits find_held_back(uint64_t page, const PageBits& bits, const PageContent& now) const;
  // The card has written these bytes.
  void write(uint64_t page, const PageBits& bits, const PageContent& now);

 private:
  std::unordered_map<uint64_t, PageContent> arrived_;  // none: zeros
};

}  // namespace bw::emulator
