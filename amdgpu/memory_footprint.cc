#include "amdgpu/memory_footprint.h"

namespace bw::amdgpu {

MemoryFootprint MemoryFootprint::of(std::span<const AddressUse> uses) {
  MemoryFootprint footprint;
  footprint.is_known_ = true;
  for (const AddressUse& use : uses) {
    footprint.used_.add(use.begin, use.end);
    if (writes(use.access)) footprint.written_.add(use.begin, use.end);
  }
  return footprint;
}

bool MemoryFootprint::conflicts_with(const AddressUse& other) const {
  return !is_known_ || (writes(other.access) ? used_ : written_).overlaps(other.begin, other.end);
}

}  // namespace bw::amdgpu
