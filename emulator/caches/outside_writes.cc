#include "emulator/caches/outside_writes.h"

#include <cstring>

namespace bw::emulator {
namespace {

const PageContent kZeros{};

// Of `bits`, those at whose bytes the contents differ.
PageBits find_differences(const PageBits& bits, const PageContent& a, const PageContent& b) {
  PageBits differences{};
  for (size_t i = 0; i < kSetWords; ++i) {
    if (bits[i] == 0 || std::memcmp(a.data() + i * 64, b.data() + i * 64, 64) == 0) continue;
    uint64_t differs = 0;
    for (size_t byte = 0; byte < 64; ++byte) differs |= uint64_t{a[i * 64 + byte] != b[i * 64 + byte]} << byte;
    differences[i] = differs & bits[i];
  }
  return differences;
}

void copy_bytes(const PageBits& bits, const PageContent& from, PageContent& to) {
  for (size_t i = 0; i < kSetWords; ++i) {
    if (bits[i] == ~uint64_t{0}) {
      std::memcpy(to.data() + i * 64, from.data() + i * 64, 64);
      continue;
    }
    for (size_t byte = 0; byte < 64; ++byte) {
      if ((bits[i] >> byte & 1) != 0) to[i * 64 + byte] = from[i * 64 + byte];
    }
  }
}

}  // namespace

PageBits SeenContent::update(uint64_t page, const PageBits& lines, const PageBits& own, const PageContent& now) {
  Page& seen = pages_[page];
  PageBits compared = lines;
  for (size_t i = 0; i < kSetWords; ++i) compared[i] &= seen.known[i] & ~own[i];
  const PageBits changed = find_differences(compared, seen.content, now);
  copy_bytes(lines, now, seen.content);
  for (size_t i = 0; i < kSetWords; ++i) seen.known[i] |= lines[i];
  return changed;
}

void SeenContent::write(uint64_t page, const PageBits& bits, const PageContent& now) {
  const auto found = pages_.find(page);
  if (found != pages_.end()) copy_bytes(bits, now, found->second.content);
}

void HostDataPath::flush(MemoryView& view) {
  std::unordered_map<uint64_t, PageContent> arrived;
  view.for_each_behind_bar([&](uint64_t page, const PageContent& content) { arrived.emplace(page, content); });
  arrived_ = std::move(arrived);
}

PageBits HostDataPath::find_held_back(uint64_t page, const PageBits& bits, const PageContent& now) const {
  const auto found = arrived_.find(page);
  return find_differences(bits, found == arrived_.end() ? kZeros : found->second, now);
}

void HostDataPath::write(uint64_t page, const PageBits& bits, const PageContent& now) {
  copy_bytes(bits, now, arrived_[page]);
}

}  // namespace bw::emulator
