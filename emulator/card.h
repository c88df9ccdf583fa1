// Owns: what tells one emulated card from another. What all of them share is in emulator/sysfs and emulator/kernel/drm.
#pragma once

#include <cstdint>
#include <vector>

namespace bw::emulator {

struct Card {
  uint32_t index = 0;
  uint32_t gpu_id = 0;
  uint32_t node_id = 0;       // in the topology; node 0 is the host's processor
  uint32_t render_minor = 0;  // /dev/dri/renderD<minor>
  uint32_t card_minor = 0;    // /dev/dri/card<minor>
  uint32_t location_id = 0;   // PCI bus, device and function
  uint64_t unique_id = 0;
  uint64_t vram_bytes = 0;
};

// `count` cards with `vram_bytes` each, numbered as Linux numbers them.
inline std::vector<Card> make_cards(uint32_t count, uint64_t vram_bytes) {
  // The id is a hash on Linux; user space takes it as opaque, 16 bits wide in mmap offsets.
  constexpr uint32_t kFirstGpuId = 0x6f1d;
  constexpr uint32_t kFirstRenderMinor = 128;
  constexpr uint32_t kFirstBus = 0x86;
  constexpr uint64_t kFirstUniqueId = 0x5b61'7265'7761'7600;
  std::vector<Card> cards;
  for (uint32_t i = 0; i < count; ++i) {
    cards.push_back({.index = i,
                     .gpu_id = kFirstGpuId + i * 0x101,
                     .node_id = i + 1,
                     .render_minor = kFirstRenderMinor + i,
                     .card_minor = i,
                     .location_id = (kFirstBus + i) << 8,
                     .unique_id = kFirstUniqueId + i,
                     .vram_bytes = vram_bytes});
  }
  return cards;
}

}  // namespace bw::emulator
