#include "emulator/caches/l2_cache.h"

#include <algorithm>
#include <bit>

namespace bw::emulator {

void L2Cache::write(uint64_t page, const PageBits& bits, const WorkStamp& writer, bool exposed) {
  lines_.hold(page, bits, writer.number);
  lines_.mark_fresh(page, bits);
  DirtyPage& dirty = dirty_[page];
  dirty.exposed = exposed;
  for (size_t i = 0; i < kSetWords; ++i) {
    if (bits[i] == 0) continue;
    dirty.bits[i] |= bits[i];
    dirty.writer[i / kWordsOfLine] = writer;
  }
}

void L2Cache::write_back(const HasEnded& has_ended) {
  for (auto page = dirty_.begin(); page != dirty_.end();) {
    PageBits& bits = page->second.bits;
    for (size_t i = 0; i < kSetWords; ++i) {
      if (bits[i] != 0 && has_ended(page->second.writer[i / kWordsOfLine])) bits[i] = 0;
    }
    page = is_empty(bits) ? dirty_.erase(page) : std::next(page);
  }
}

template <typename Wanted>
std::optional<L2Cache::Dirty> L2Cache::find(const Wanted& wanted) const {
  for (const auto& [number, page] : dirty_) {
    for (size_t i = 0; i < kSetWords; ++i) {
      const WorkStamp& writer = page.writer[i / kWordsOfLine];
      if (page.bits[i] == 0 || !wanted(page, writer)) continue;
      return Dirty{number * kSetPageBytes + i * 64 + static_cast<uint64_t>(std::countr_zero(page.bits[i])), writer};
    }
  }
  return std::nullopt;
}

std::optional<L2Cache::Dirty> L2Cache::find_dirty() const {
  return find([](const DirtyPage&, const WorkStamp&) { return true; });
}

std::optional<L2Cache::Dirty> L2Cache::find_exposed(const HasEnded& has_ended) const {
  return find([&](const DirtyPage& page, const WorkStamp& writer) { return page.exposed && has_ended(writer); });
}

}  // namespace bw::emulator
