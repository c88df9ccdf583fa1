#include "emulator/caches/access_set.h"

#include <algorithm>
#include <bit>

namespace bw::emulator {

AccessSet::Page& AccessSet::page_of(uint64_t number) {
  if (recent_number_ == number) return *recent_;
  std::unique_ptr<Page>& page = pages_[number];
  if (page == nullptr) page = std::make_unique<Page>();
  recent_number_ = number;
  recent_ = page.get();
  return *page;
}

void AccessSet::add(uint64_t address, uint64_t size_bytes, int32_t program_offset) {
  const uint64_t end = address + size_bytes;
  while (address < end) {
    Page& page = page_of(address / kSetPageBytes);
    const uint64_t in_page = address % kSetPageBytes;
    const uint64_t stop = std::min(end, (address | 63) + 1);
    const uint64_t mask = (~uint64_t{0} >> (64 - (stop - address))) << (address % 64);
    uint64_t& word = page.bits[in_page / 64];
    if ((mask & ~word) != 0) {
      word |= mask;
      page.program_offset[in_page / kVectorLineBytes] = program_offset;
    }
    address = stop;
  }
}

void AccessSet::add(const AccessSet& other) {
  for (const auto& [number, theirs] : other.pages_) {
    Page& ours = page_of(number);
    for (size_t i = 0; i < kSetWords; ++i) {
      if ((theirs->bits[i] & ~ours.bits[i]) == 0) continue;
      ours.bits[i] |= theirs->bits[i];
      ours.program_offset[i / kWordsOfLine] = theirs->program_offset[i / kWordsOfLine];
    }
  }
}

void AccessSet::clear() {
  pages_.clear();
  recent_number_ = ~uint64_t{0};
  recent_ = nullptr;
}

const AccessSet::Page* AccessSet::page(uint64_t number) const {
  const auto found = pages_.find(number);
  return found == pages_.end() ? nullptr : found->second.get();
}

std::optional<uint64_t> AccessSet::find_common(const AccessSet& other) const {
  if (pages_.size() > other.pages_.size()) return other.find_common(*this);
  for (const auto& [number, ours] : pages_) {
    const Page* theirs = other.page(number);
    if (theirs == nullptr) continue;
    if (const auto bit = find_common_bit(ours->bits, theirs->bits)) return number * kSetPageBytes + *bit;
  }
  return std::nullopt;
}

int32_t AccessSet::program_offset_at(uint64_t address) const {
  const Page* found = page(address / kSetPageBytes);
  return found == nullptr ? 0 : found->program_offset[address % kSetPageBytes / kVectorLineBytes];
}

std::optional<uint64_t> find_common_bit(const PageBits& a, const PageBits& b) {
  for (size_t i = 0; i < kSetWords; ++i) {
    const uint64_t common = a[i] & b[i];
    if (common != 0) return i * 64 + static_cast<uint64_t>(std::countr_zero(common));
  }
  return std::nullopt;
}

bool is_empty(const PageBits& bits) {
  return std::all_of(bits.begin(), bits.end(), [](uint64_t word) { return word == 0; });
}

PageBits whole_lines(const PageBits& bits) {
  PageBits lines{};
  for (size_t i = 0; i < kSetWords; i += kWordsOfLine) {
    if ((bits[i] | bits[i + 1]) != 0) lines[i] = lines[i + 1] = ~uint64_t{0};
  }
  static_assert(kWordsOfLine == 2);
  return lines;
}

}  // namespace bw::emulator
