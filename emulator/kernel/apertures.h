// Owns: where the parts of a card's flat address space begin and end.
#pragma once

#include "emulator/card.h"
#include "kfd/uapi.h"

namespace bw::emulator {

// Linux kfd_flat_memory.c, kfd_init_apertures_v9(): the high words tell LDS, scratch and memory apart.
inline kfd::uapi::DeviceApertures apertures_of(const Card& card) {
  constexpr uint64_t kLdsBase = 1ull << 48;
  constexpr uint64_t kScratchBase = 2ull << 48;
  constexpr uint64_t kApertureMask = 0xffffffff;
  return {.lds_base = kLdsBase,
          .lds_limit = kLdsBase | kApertureMask,
          .scratch_base = kScratchBase,
          .scratch_limit = kScratchBase | kApertureMask,
          .gpuvm_base = 0x1000000,
          .gpuvm_limit = (1ull << 47) - 1,
          .gpu_id = card.gpu_id,
          .pad = 0};
}

}  // namespace bw::emulator
