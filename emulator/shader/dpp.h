// Owns: the controls of DPP16: which lane a lane reads, and which lanes are enabled. Source: RDNA3 ISA guide, "DPP16".
// Not here: executing them (lane.cc).
#pragma once

#include <cstdint>

namespace bw::emulator {

// The fields of Step::extra; resolve.cc packs them.
struct DppControl {
  explicit DppControl(uint32_t extra)
      : control(extra & 0x1ff),
        fetch_inactive((extra >> 9 & 1) != 0),
        bound((extra >> 10 & 1) != 0),
        bank_mask(extra >> 12 & 15),
        row_mask(extra >> 16 & 15) {}
  uint32_t control;
  bool fetch_inactive, bound;
  uint32_t bank_mask, row_mask;
};

// The lane of a row of 16 that lane `l` reads, negative: none.
inline int dpp16_source(uint32_t control, unsigned l) {
  const int lane = static_cast<int>(l % 16), amount = static_cast<int>(control & 15);
  if (control < 0x100) return (lane & ~3) | static_cast<int>(control >> (lane % 4 * 2) & 3);  // quad_perm
  switch (control >> 4) {
    case 0x10:  // row_shl: from the lane above
      return lane + amount < 16 ? lane + amount : -1;
    case 0x11:  // row_shr
      return lane - amount;
    case 0x12:  // row_ror
      return (lane - amount) & 15;
    case 0x14:  // row_mirror, row_half_mirror
      return amount == 0 ? 15 - lane : (lane & 8) | (7 - (lane & 7));
    case 0x15:  // row_share
      return amount;
    default:  // row_xmask
      return lane ^ amount;
  }
}

}  // namespace bw::emulator
