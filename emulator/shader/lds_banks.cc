#include "emulator/shader/lds_banks.h"

#include <algorithm>
#include <bit>
#include <span>

namespace bw::emulator {
namespace {

constexpr uint32_t kBanks = 32;
constexpr uint32_t kMaxDwordsOfPhase = 64;  // 32 lanes, each of which may straddle two dwords

constexpr uint32_t kOnePhase[] = {0xffffffff};
constexpr uint32_t kTwoPhases[] = {0x0000ffff, 0xffff0000};
constexpr uint32_t kFourLoadPhases[] = {0x00f0000f, 0x000f00f0, 0xf0000f00, 0x0f00f000};
constexpr uint32_t kFourPhases[] = {0x000000ff, 0x0000ff00, 0x00ff0000, 0xff000000};

std::span<const uint32_t> phases_of(uint32_t size_bytes, LdsAccess access) {
  if (size_bytes <= 4) return kOnePhase;
  if (size_bytes <= 8) return kTwoPhases;
  if (access == LdsAccess::kLoad) return kFourLoadPhases;
  return kFourPhases;
}

// The dwords that one phase wants, each once unless it is for an atomic.
class Phase {
 public:
  explicit Phase(LdsAccess access) : merges_(access != LdsAccess::kAtomic) {}

  void add(uint32_t dword) {
    const uint32_t bank = dword % kBanks;
    for (uint32_t i = heads_[bank]; merges_ && i != 0; i = next_[i - 1]) {
      if (dwords_[i - 1] == dword) return;
    }
    dwords_[count_] = dword;
    next_[count_] = heads_[bank];
    heads_[bank] = static_cast<uint8_t>(++count_);
    most_ = std::max<uint32_t>(most_, ++depth_[bank]);
  }
  uint32_t cycles() const { return most_; }

 private:
  const bool merges_;
  uint32_t count_ = 0;
  uint32_t most_ = 0;
  std::array<uint8_t, kBanks> heads_{};  // of a list for each bank: 1 + the place in dwords_; 0: its end
  std::array<uint8_t, kBanks> depth_{};
  std::array<uint8_t, kMaxDwordsOfPhase> next_;
  std::array<uint32_t, kMaxDwordsOfPhase> dwords_;
};

uint32_t phase_cycles(const std::array<uint32_t, 32>& address, uint32_t lanes, uint32_t size_bytes, LdsAccess access) {
  Phase phase(access);
  for (; lanes != 0; lanes &= lanes - 1) {
    const uint32_t begin = address[static_cast<size_t>(std::countr_zero(lanes))];
    for (uint32_t dword = begin / 4; dword <= (begin + size_bytes - 1) / 4; ++dword) phase.add(dword);
  }
  return phase.cycles();
}

}  // namespace

LdsCycles lds_cycles(const std::array<uint32_t, 32>& address, uint32_t active, uint32_t size_bytes, LdsAccess access) {
  LdsCycles out;
  for (const uint32_t phase : phases_of(size_bytes, access)) {
    const uint32_t lanes = phase & active;
    if (lanes == 0) continue;
    ++out.needed;
    out.conflicts += phase_cycles(address, lanes, size_bytes, access) - 1;
  }
  return out;
}

}  // namespace bw::emulator
