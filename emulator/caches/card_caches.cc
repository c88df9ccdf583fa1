#include "emulator/caches/card_caches.h"

#include <unordered_map>

namespace bw::emulator {
namespace {

constexpr auto kKinds = [] {
  std::array<AccessKind, kAccessKinds> kinds{};
  for (size_t i = 0; i < kAccessKinds; ++i) kinds[i] = static_cast<AccessKind>(i);
  return kinds;
}();

// All that is done to one page.
struct Touch {
  PageBits read{};
  PageBits written{};
};

void add(const PageBits& bits, PageBits& to) {
  for (size_t i = 0; i < kSetWords; ++i) to[i] |= bits[i];
}

std::unordered_map<uint64_t, Touch> touches_of(const Accesses& accesses) {
  std::unordered_map<uint64_t, Touch> touches;
  for (const AccessKind kind : kKinds) {
    for (const auto& [number, page] : accesses.of(kind).pages()) {
      Touch& touch = touches[number];
      add(page->bits, is_write(kind) ? touch.written : touch.read);
    }
  }
  return touches;
}

bool is_cached_in_l2(const Mapping& mapping) {
  return !mapping.uncached;
}

bool is_exposed(const Mapping& mapping) {
  return mapping.host_sees || mapping.shared;
}

// The kind of read that has that byte.
AccessKind kind_at(const Accesses& accesses, uint64_t address) {
  for (const AccessKind kind : kKinds) {
    const AccessSet::Page* page = is_write(kind) ? nullptr : accesses.of(kind).page(address / kSetPageBytes);
    const uint64_t byte = address % kSetPageBytes;
    if (page != nullptr && (page->bits[byte / 64] >> (byte % 64) & 1) != 0) return kind;
  }
  return AccessKind::kFarLoad;
}

}  // namespace

// Through which loads go. Null: they miss it on purpose, or it is fresh.
CacheLines* CardCaches::near_of(AccessKind kind) {
  switch (kind) {
    case AccessKind::kLoad:
      return &vector_;
    case AccessKind::kScalarLoad:
      return &scalar_;
    case AccessKind::kFetch:
      return &instruction_;
    default:
      return nullptr;
  }
}

void CardCaches::mark_stale_near(uint64_t page, const PageBits& bits, WorkNumber writer) {
  vector_.mark_stale(page, bits, writer);
  scalar_.mark_stale(page, bits, writer);
  instruction_.mark_stale(page, bits, writer);
}

// What others have written, and what of that has not come through. To memory that they do not see they write nothing.
std::optional<StaleUse> CardCaches::look(const Accesses& accesses, MemoryView& view) {
  std::optional<StaleUse> held_back;
  PageContent now;
  for (auto& [number, touch] : touches_of(accesses)) {
    Mapping mapping;
    if (!view.find(number, &mapping)) l2_.drop(number);
    if (!is_exposed(mapping) || !view.read(number, &now)) continue;
    PageBits all = touch.read;
    add(touch.written, all);
    const PageBits changed = seen_.update(number, whole_lines(all), touch.written, now);
    if (!is_empty(changed)) {
      mark_stale_near(number, changed, kOutside);
      l2_.lines().mark_stale(number, changed, kOutside);
    }
    if (!mapping.through_bar) continue;
    for (size_t i = 0; i < kSetWords; ++i) touch.read[i] &= ~touch.written[i];
    const PageBits missing = host_path_.find_held_back(number, touch.read, now);
    host_path_.write(number, touch.written, now);
    if (const auto bit = find_common_bit(missing, missing); bit && !held_back) {
      const uint64_t address = number * kSetPageBytes + *bit;
      held_back = {.address = address, .access = kind_at(accesses, address), .cache = std::nullopt};
    }
  }
  return held_back;
}

std::optional<StaleUse> CardCaches::find_stale(const Accesses& accesses, MemoryView& view) {
  if (const auto held_back = look(accesses, view)) return held_back;
  for (const AccessKind kind : kKinds) {
    const AccessSet& set = accesses.of(kind);
    if (kind == AccessKind::kStore || kind == AccessKind::kFarStore || set.is_empty()) continue;
    if (const CacheLines* near = near_of(kind)) {
      const CacheKind cache = near == &vector_   ? CacheKind::kVector
                              : near == &scalar_ ? CacheKind::kScalar
                                                 : CacheKind::kInstruction;
      if (const auto found = near->find_stale(set)) {
        return StaleUse{found->address, kind, cache, found->holder, found->writer};
      }
    }
    if (const auto found = l2_.lines().find_stale(set)) {
      return StaleUse{found->address, kind, CacheKind::kL2, found->holder, found->writer};
    }
  }
  return std::nullopt;
}

void CardCaches::refill(const Accesses& accesses, const WorkStamp& work, MemoryView& view) {
  for (const AccessKind kind : kKinds) {
    CacheLines* near = near_of(kind);
    if (kind == AccessKind::kFreshLoad || kind == AccessKind::kStore) near = &vector_;
    if (kind == AccessKind::kFreshScalar) near = &scalar_;
    for (const auto& [number, page] : accesses.of(kind).pages()) {
      if (near != nullptr) near->hold(number, page->bits, work.number);
      Mapping mapping;
      if (!view.find(number, &mapping) || !is_cached_in_l2(mapping)) continue;
      l2_.lines().hold(number, page->bits, work.number);
    }
  }
  for (const AccessKind kind : kKinds) {
    if (!is_write(kind)) continue;
    for (const auto& [number, page] : accesses.of(kind).pages()) mark_stale_near(number, page->bits, work.number);
  }
}

void CardCaches::apply(const Accesses& accesses, const WorkStamp& work, MemoryView& view) {
  refill(accesses, work, view);
  for (const AccessKind kind : kKinds) {
    if (!is_write(kind)) continue;
    for (const auto& [number, page] : accesses.of(kind).pages()) {
      Mapping mapping;
      if (!view.find(number, &mapping) || !is_cached_in_l2(mapping)) continue;
      l2_.write(number, page->bits, work, is_exposed(mapping));
    }
  }
}

void CardCaches::store_signal(uint64_t address, uint64_t size_bytes, WorkNumber work, MemoryView& view) {
  AccessSet set;
  set.add(address, size_bytes, 0);
  PageContent now;
  for (const auto& [number, page] : set.pages()) {
    mark_stale_near(number, page->bits, work);
    l2_.lines().mark_fresh(number, page->bits);
    if (!view.read(number, &now)) continue;
    seen_.write(number, page->bits, now);
    host_path_.write(number, page->bits, now);
  }
}

void CardCaches::invalidate(const CacheActions& actions) {
  if (actions.invalidates_vector) vector_.invalidate();
  if (actions.invalidates_scalar) scalar_.invalidate();
  if (actions.invalidates_instructions) instruction_.invalidate();
  if (actions.invalidates_l2) l2_.lines().invalidate();
}

}  // namespace bw::emulator
