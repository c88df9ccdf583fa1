#include "amdgpu/copy_work.h"

#include <algorithm>

#include "amdgpu/memory_footprint.h"

namespace bw::amdgpu {

void CopyWork::emit(SdmaBuilder& builder) const {
  if (const GpuAddr* from = std::get_if<GpuAddr>(&source)) {
    builder.emit_copy_linear(destination, *from, size_bytes);
  } else {
    builder.emit_const_fill(destination, std::get<uint32_t>(source), size_bytes);
  }
}

std::array<AddressUse, 2> CopyWork::uses() const {
  const GpuAddr* from = std::get_if<GpuAddr>(&source);
  const uint64_t begin = from == nullptr ? 0 : from->value;
  return {AddressUse{destination.value, destination.value + size_bytes, Access::kWrite},
          AddressUse{begin, from == nullptr ? begin : begin + size_bytes, Access::kRead}};
}

bool CopyWork::conflicts_with(const AddressUse& other) const {
  return std::ranges::any_of(uses(), [&](const AddressUse& use) {
    return overlap(use, other) && (writes(use.access) || writes(other.access));
  });
}

std::string CopyWork::describe() const {
  if (const GpuAddr* from = std::get_if<GpuAddr>(&source)) {
    return fmt::format("copying {} bytes from {} to {}", size_bytes, *from, destination);
  }
  return fmt::format("filling {} bytes at {}", size_bytes, destination);
}

}  // namespace bw::amdgpu
