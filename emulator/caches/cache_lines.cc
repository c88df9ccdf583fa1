#include "emulator/caches/cache_lines.h"

namespace bw::emulator {

CacheLines::Lines* CacheLines::find(uint64_t page) {
  const auto found = pages_.find(page);
  return found == pages_.end() || found->second.epoch != epoch_ ? nullptr : &found->second;
}

void CacheLines::hold(uint64_t page, const PageBits& bits, WorkNumber work) {
  Lines& lines = pages_[page];
  if (lines.epoch != epoch_) lines = {.epoch = epoch_};
  for (size_t begin = 0; begin < kSetWords; begin += words_of_line_) {
    uint64_t touched = 0;
    for (size_t i = begin; i < begin + words_of_line_; ++i) touched |= bits[i];
    if (touched == 0 || lines.held[begin] != 0) continue;
    for (size_t i = begin; i < begin + words_of_line_; ++i) lines.held[i] = ~uint64_t{0};
    lines.holder[begin / kWordsOfLine] = work;
  }
}

void CacheLines::mark_stale(uint64_t page, const PageBits& bits, WorkNumber writer) {
  Lines* lines = find(page);
  if (lines == nullptr) return;
  for (size_t i = 0; i < kSetWords; ++i) {
    const uint64_t stale = bits[i] & lines->held[i];
    if (stale == 0) continue;
    lines->stale[i] |= stale;
    lines->writer[i / kWordsOfLine] = writer;
  }
}

void CacheLines::mark_fresh(uint64_t page, const PageBits& bits) {
  Lines* lines = find(page);
  if (lines == nullptr) return;
  for (size_t i = 0; i < kSetWords; ++i) lines->stale[i] &= ~bits[i];
}

std::optional<CacheLines::Stale> CacheLines::find_stale(const AccessSet& set) const {
  for (const auto& [number, accessed] : set.pages()) {
    const auto found = pages_.find(number);
    if (found == pages_.end() || found->second.epoch != epoch_) continue;
    const Lines& lines = found->second;
    const auto bit = find_common_bit(accessed->bits, lines.stale);
    if (!bit) continue;
    const uint64_t line = *bit / kVectorLineBytes;
    return Stale{number * kSetPageBytes + *bit, lines.holder[line], lines.writer[line]};
  }
  return std::nullopt;
}

}  // namespace bw::emulator
