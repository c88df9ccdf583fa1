#include "emulator/shader/touched_bytes.h"

#include <algorithm>
#include <bit>

namespace bw::emulator {

TouchedBytes::Page& TouchedBytes::page(uint64_t number) {
  Recent& recent = recent_[number % kRecent];
  if (recent.number != number) {
    std::unique_ptr<Page>& owned = pages_[number];
    if (owned == nullptr) owned = std::make_unique<Page>();
    recent = {number, owned.get()};
  }
  if (recent.page->epoch != epoch_) {
    recent.page->bits.fill(0);
    recent.page->epoch = epoch_;
  }
  return *recent.page;
}

// Bytes begin..end-1 of a page.
uint64_t TouchedBytes::add_in_page(Page& page, uint64_t begin, uint64_t end) {
  uint64_t fresh = 0;
  while (begin < end) {
    const uint64_t stop = std::min(end, (begin | 63) + 1);
    const uint64_t mask = (~uint64_t{0} >> (64 - (stop - begin))) << (begin % 64);
    uint64_t& word = page.bits[begin / 64];
    fresh += static_cast<uint64_t>(std::popcount(mask & ~word));
    word |= mask;
    begin = stop;
  }
  return fresh;
}

uint64_t TouchedBytes::add(uint64_t address, uint64_t size_bytes) {
  uint64_t fresh = 0;
  const uint64_t end = address + size_bytes;
  while (address < end) {
    const uint64_t number = address / kPageBytes;
    const uint64_t stop = std::min(end, (number + 1) * kPageBytes);
    fresh += add_in_page(page(number), address % kPageBytes, (stop - 1) % kPageBytes + 1);
    address = stop;
  }
  count_ += fresh;
  return fresh;
}

void TouchedBytes::add(const TouchedBytes& other) {
  for (const auto& [number, theirs] : other.pages_) {
    if (theirs->epoch != other.epoch_) continue;
    Page& ours = page(number);
    for (size_t i = 0; i < kWords; ++i) {
      count_ += static_cast<uint64_t>(std::popcount(theirs->bits[i] & ~ours.bits[i]));
      ours.bits[i] |= theirs->bits[i];
    }
  }
}

void TouchedBytes::clear() {
  count_ = 0;
  ++epoch_;
  if (pages_.size() <= kMaxSparePages) return;
  pages_.clear();
  recent_.fill({});
}

}  // namespace bw::emulator
