#include "emulator/shader/strict_lds.h"

namespace bw::emulator {

void LdsChecker::start(uint32_t size_bytes, size_t wave_count) {
  undefined_.assign(size_bytes, 0xff);
  stores_.assign((size_bytes + 3) / 4, {});
  retired_.assign(wave_count, {});
}

uint32_t LdsChecker::undefined(uint64_t address, uint32_t size_bytes) const {
  if (!contains(address, size_bytes)) return 0;
  uint32_t out = 0;
  for (uint32_t i = 0; i < size_bytes; ++i) out |= static_cast<uint32_t>(undefined_[address + i]) << (i * 8);
  return out;
}

void LdsChecker::write(uint64_t address, uint32_t size_bytes, uint32_t undefined) {
  if (!contains(address, size_bytes)) return;
  for (uint32_t i = 0; i < size_bytes; ++i) undefined_[address + i] = static_cast<uint8_t>(undefined >> (i * 8));
}

std::optional<uint64_t> LdsChecker::unordered_store(uint64_t address, uint32_t size_bytes, uint32_t wave) const {
  if (!contains(address, size_bytes)) return std::nullopt;
  const size_t passed = retired_[wave].size();
  for (uint64_t dword = address / 4; dword <= (address + size_bytes - 1) / 4; ++dword) {
    const Store& store = stores_[dword];
    if (store.sequence == 0 || store.wave == wave || passed <= store.barriers) continue;
    // Both waves have passed the same barriers up to the one that this wave passed last.
    const std::vector<uint64_t>& retired = retired_[store.wave];
    if (retired.size() >= passed && retired[passed - 1] < store.sequence) return store.pc;
  }
  return std::nullopt;
}

void LdsChecker::note_store(uint64_t address, uint32_t size_bytes, uint32_t wave, uint64_t sequence, uint64_t pc) {
  if (!contains(address, size_bytes)) return;
  const Store store{sequence, pc, wave, static_cast<uint32_t>(retired_[wave].size())};
  for (uint64_t dword = address / 4; dword <= (address + size_bytes - 1) / 4; ++dword) stores_[dword] = store;
}

void LdsChecker::note_barrier(uint32_t wave, uint64_t retired) {
  retired_[wave].push_back(retired);
}

}  // namespace bw::emulator
