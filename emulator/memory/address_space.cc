#include "emulator/memory/address_space.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/bits.h"

namespace bw::emulator {
namespace {
constexpr uint64_t kPageBytes = 4096;
// How often find_host() looks whether another thread has left the table.
constexpr int kPatience = 100'000;
constexpr std::chrono::microseconds kReaderPause{20};
}  // namespace

int AddressSpace::map(const Mapping& mapping) {
  if (mapping.begin >= mapping.end || !is_aligned(mapping.begin, kPageBytes) || !is_aligned(mapping.end, kPageBytes)) {
    return -EINVAL;
  }
  std::lock_guard lock(mutex_);
  auto next = by_begin_.lower_bound(mapping.begin);
  if (next != by_begin_.end() && next->first < mapping.end) return -EINVAL;
  if (next != by_begin_.begin() && std::prev(next)->second.end > mapping.begin) return -EINVAL;
  by_begin_.emplace(mapping.begin, mapping);
  generation_.fetch_add(1, std::memory_order_seq_cst);
  return 0;
}

void AddressSpace::unmap(uint64_t begin, uint64_t end) {
  std::unique_lock lock(mutex_);
  auto it = by_begin_.upper_bound(begin);
  if (it != by_begin_.begin() && std::prev(it)->second.end > begin) --it;
  while (it != by_begin_.end() && it->first < end) {
    const Mapping old = it->second;
    it = by_begin_.erase(it);
    if (old.begin < begin) {
      Mapping left = old;
      left.end = begin;
      by_begin_.emplace(left.begin, left);
    }
    if (old.end > end) {
      Mapping right = old;
      right.begin = end;
      right.host = old.host + (end - old.begin);
      by_begin_.emplace(right.begin, right);
    }
  }
  const uint64_t generation = generation_.fetch_add(1, std::memory_order_seq_cst) + 1;
  lock.unlock();
  wait_for_readers(generation);
}

void AddressSpace::add_reader(const Reader& reader) const {
  std::lock_guard lock(readers_mutex_);
  readers_.push_back(&reader);
}

void AddressSpace::remove_reader(const Reader& reader) const {
  std::lock_guard lock(readers_mutex_);
  std::erase(readers_, &reader);
}

// The list is free between two looks, so that readers can come and go.
void AddressSpace::wait_for_readers(uint64_t generation) const {
  const auto is_behind = [&](const Reader* reader) {
    const uint64_t known = reader->load(std::memory_order_seq_cst);
    return known != 0 && known < generation;
  };
  for (;;) {
    {
      std::lock_guard lock(readers_mutex_);
      if (std::none_of(readers_.begin(), readers_.end(), is_behind)) return;
    }
    std::this_thread::sleep_for(kReaderPause);
  }
}

bool AddressSpace::find(uint64_t address, Mapping* mapping) const {
  std::lock_guard lock(mutex_);
  auto next = by_begin_.upper_bound(address);
  if (next == by_begin_.begin()) return false;
  const Mapping& candidate = std::prev(next)->second;
  if (address >= candidate.end) return false;
  *mapping = candidate;
  return true;
}

void AddressSpace::share(uint64_t begin, uint64_t end) {
  std::lock_guard lock(mutex_);
  auto it = by_begin_.upper_bound(begin);
  if (it != by_begin_.begin() && std::prev(it)->second.end > begin) --it;
  for (; it != by_begin_.end() && it->first < end; ++it) it->second.shared = true;
  generation_.fetch_add(1, std::memory_order_seq_cst);
}

std::vector<Mapping> AddressSpace::mappings() const {
  std::lock_guard lock(mutex_);
  std::vector<Mapping> all;
  for (const auto& [begin, mapping] : by_begin_) all.push_back(mapping);
  return all;
}

bool AddressSpace::find_host(const std::byte* host, Mapping* mapping) const {
  std::unique_lock lock(mutex_, std::defer_lock);
  for (int i = 0; i < kPatience && !lock.try_lock(); ++i) std::this_thread::yield();
  if (!lock.owns_lock()) return false;
  for (const auto& [begin, candidate] : by_begin_) {
    // Wraps, and so is too large, where `host` is below.
    const uint64_t offset = reinterpret_cast<uintptr_t>(host) - reinterpret_cast<uintptr_t>(candidate.host);
    if (offset >= candidate.end - candidate.begin) continue;
    *mapping = candidate;
    return true;
  }
  return false;
}

const Mapping* Tlb::find_recent(uint64_t address) const {
  for (const Mapping& mapping : recent_) {
    if (address >= mapping.begin && address < mapping.end) return &mapping;
  }
  return nullptr;
}

std::byte* Tlb::translate_slow(uint64_t address, uint32_t size_bytes, Access access) {
  const uint64_t generation = space_.generation();
  if (generation_ != generation) {
    for (Mapping& entry : entries_) entry = Mapping{};
    for (Mapping& entry : recent_) entry = Mapping{};
    generation_ = generation;
  }
  Mapping found;
  if (const Mapping* recent = find_recent(address); recent != nullptr) {
    found = *recent;
  } else {
    if (!space_.find(address, &found)) return nullptr;
    recent_[next_recent_++ % kRecent] = found;
  }
  entries_[slot(address)] = found;
  if (size_bytes > found.end - address || !found.allows(access)) return nullptr;
  return found.host + (address - found.begin);
}

}  // namespace bw::emulator
