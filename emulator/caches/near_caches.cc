#include "emulator/caches/near_caches.h"

namespace bw::emulator {

std::optional<StaleRead> NearCaches::find_stale(const Accesses& accesses) const {
  for (const AccessKind kind : {AccessKind::kLoad, AccessKind::kScalarLoad}) {
    const bool is_scalar = kind == AccessKind::kScalarLoad;
    for (const auto& [number, loaded] : accesses.of(kind).pages()) {
      const auto found = pages_.find(number);
      if (found == pages_.end()) continue;
      const Lines& lines = is_scalar ? found->second.scalar : found->second.vector;
      if (lines.epoch != (is_scalar ? scalar_epoch_ : vector_epoch_)) continue;
      const auto bit = find_common_bit(loaded->bits, lines.stale);
      if (!bit) continue;
      const uint64_t line = *bit / kVectorLineBytes;
      return StaleRead{number * kSetPageBytes + *bit, kind, lines.holder[line], lines.writer[line]};
    }
  }
  return std::nullopt;
}

void NearCaches::hold(Lines& lines, uint64_t epoch, const PageBits& bits, uint64_t line_bytes, WorkNumber work) {
  if (lines.epoch != epoch) lines = {.epoch = epoch};
  const size_t words = line_bytes / 64;
  for (size_t begin = 0; begin < kSetWords; begin += words) {
    uint64_t touched = 0;
    for (size_t i = begin; i < begin + words; ++i) touched |= bits[i];
    if (touched == 0 || lines.cached[begin] != 0) continue;
    for (size_t i = begin; i < begin + words; ++i) lines.cached[i] = ~uint64_t{0};
    lines.holder[begin / kWordsOfLine] = work;
  }
}

void NearCaches::write(Lines& lines, uint64_t epoch, const PageBits& bits, WorkNumber work) {
  if (lines.epoch != epoch) return;
  for (size_t i = 0; i < kSetWords; ++i) {
    const uint64_t stale = bits[i] & lines.cached[i];
    if (stale == 0) continue;
    lines.stale[i] |= stale;
    lines.writer[i / kWordsOfLine] = work;
  }
}

void NearCaches::hold(const AccessSet& set, bool is_scalar, WorkNumber work) {
  for (const auto& [number, page] : set.pages()) {
    Page& cached = pages_[number];
    if (is_scalar) {
      hold(cached.scalar, scalar_epoch_, page->bits, kScalarLineBytes, work);
    } else {
      hold(cached.vector, vector_epoch_, page->bits, kVectorLineBytes, work);
    }
  }
}

void NearCaches::apply(const Accesses& accesses, WorkNumber work) {
  for (const AccessKind kind : {AccessKind::kLoad, AccessKind::kFreshLoad, AccessKind::kStore}) {
    hold(accesses.of(kind), false, work);
  }
  for (const AccessKind kind : {AccessKind::kScalarLoad, AccessKind::kFreshScalar}) {
    hold(accesses.of(kind), true, work);
  }
  for (const AccessKind kind : {AccessKind::kStore, AccessKind::kFarStore, AccessKind::kAtomic}) {
    for (const auto& [number, page] : accesses.of(kind).pages()) {
      const auto found = pages_.find(number);
      if (found == pages_.end()) continue;
      write(found->second.vector, vector_epoch_, page->bits, work);
      write(found->second.scalar, scalar_epoch_, page->bits, work);
    }
  }
}

}  // namespace bw::emulator
