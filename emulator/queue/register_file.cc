#include "emulator/queue/register_file.h"

#include <algorithm>

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;

const gfx11::RegisterName* find(gfx11::RegOffset offset) {
  const auto* it =
      std::lower_bound(std::begin(gfx11::kRegisterNames), std::end(gfx11::kRegisterNames), offset,
                       [](const gfx11::RegisterName& entry, gfx11::RegOffset at) { return entry.offset < at; });
  return it != std::end(gfx11::kRegisterNames) && it->offset == offset ? it : nullptr;
}

constexpr size_t kShRegisters = 0x400;

constexpr std::array<bool, kShRegisters> known_sh_registers() {
  std::array<bool, kShRegisters> known{};
  for (const gfx11::RegisterName& entry : gfx11::kRegisterNames) {
    if (entry.offset >= gfx11::kShRegBase && entry.offset - gfx11::kShRegBase < kShRegisters) {
      known[entry.offset - gfx11::kShRegBase] = true;
    }
  }
  return known;
}

// SET_SH_REG is the most frequent packet of all: no search for these.
constexpr std::array<bool, kShRegisters> kKnownSh = known_sh_registers();

bool is_sh(gfx11::RegOffset offset) {
  return offset >= gfx11::kShRegBase && offset - gfx11::kShRegBase < kShRegisters;
}

}  // namespace

const char* register_name(gfx11::RegOffset offset) {
  const gfx11::RegisterName* entry = find(offset);
  return entry == nullptr ? "no known register" : entry->name;
}

const uint32_t* RegisterFile::other(RegOffset offset) const {
  const gfx11::RegisterName* entry = find(offset);
  return entry == nullptr ? nullptr : &others_[static_cast<size_t>(entry - std::begin(gfx11::kRegisterNames))];
}

bool RegisterFile::write(RegOffset offset, uint32_t value) {
  if (is_sh(offset)) {
    if (!kKnownSh[offset - gfx11::kShRegBase]) return false;
    sh_[offset - gfx11::kShRegBase] = value;
    return true;
  }
  const uint32_t* found = other(offset);
  if (found == nullptr) return false;
  others_[static_cast<size_t>(found - others_.data())] = value;
  // Host and card see the same memory: each client that is asked to flush has done so at once.
  if (offset == gfx11::GPU_HDP_FLUSH_REQ::kOffset) return write(gfx11::GPU_HDP_FLUSH_DONE::kOffset, value);
  return true;
}

bool RegisterFile::read(RegOffset offset, uint32_t* value) const {
  if (is_sh(offset)) {
    *value = sh_[offset - gfx11::kShRegBase];
    return kKnownSh[offset - gfx11::kShRegBase];
  }
  const uint32_t* found = other(offset);
  if (found != nullptr) *value = *found;
  return found != nullptr;
}

}  // namespace bw::emulator
