#include "emulator/shader/buffer_access.h"

namespace bw::emulator {

using amdgpu::gfx11::OobSelect;
using Resource = amdgpu::gfx11::BufferResource;

BufferAccess::BufferAccess(const Wave& wave, const Step& step) : step_(step) {
  const uint32_t* words = &wave.s[step.src[1].index];
  base_ = make_u64(words[0], Resource::Word1::address_hi.get(words[1])) + read32(wave, step.src[2]);
  stride_ = Resource::Word1::stride.get(words[1]);
  const uint32_t swizzle = Resource::Word1::swizzle.get(words[1]);
  element_bytes_ = swizzle == 0 ? 0 : 2u << swizzle;
  records_ = words[2];
  word3_ = words[3];
  index_stride_ = 8u << Resource::Word3::index_stride.get(word3_);
}

uint32_t BufferAccess::format() const {
  return Resource::Word3::format.get(word3_);
}

uint32_t BufferAccess::select(unsigned component) const {
  constexpr BitField kSelects[] = {Resource::Word3::select_x, Resource::Word3::select_y, Resource::Word3::select_z,
                                   Resource::Word3::select_w};
  return kSelects[component].get(word3_);
}

// unverified: that the scalar offset is left out of the check; LLVM's description of the intrinsics has it so.
bool BufferAccess::in_range(uint64_t index, uint64_t offset, uint32_t size_bytes) const {
  const bool structured = index < records_ && offset + size_bytes <= stride_;
  switch (static_cast<OobSelect>(Resource::Word3::oob_select.get(word3_))) {
    case OobSelect::kStructured:
      return structured;
    case OobSelect::kIndex:
      return index < records_;
    case OobSelect::kEmpty:
      return records_ != 0;
    case OobSelect::kRaw:
      break;
  }
  return element_bytes_ != 0 && stride_ != 0 ? structured : offset + size_bytes <= records_;
}

// Swizzled buffers keep the same element of index_stride structures side by side.
uint64_t BufferAccess::place_of(uint64_t index, uint64_t offset) const {
  if (element_bytes_ == 0) return index * stride_ + offset;
  const uint64_t group = index / index_stride_, in_group = index % index_stride_;
  const uint64_t element = offset / element_bytes_, in_element = offset % element_bytes_;
  return (group * stride_ + element * element_bytes_) * index_stride_ + in_group * element_bytes_ + in_element;
}

std::optional<uint64_t> BufferAccess::address(Wave& wave, unsigned half, unsigned lane, uint32_t displacement,
                                              uint32_t size_bytes) const {
  const bool has_index = (step_.extra & kBufferIndex) != 0, has_offset = (step_.extra & kBufferOffset) != 0;
  uint64_t index = has_index ? wave.vgpr(step_.src[0].index, half)[lane] : 0;
  if (Resource::Word3::add_tid.get(word3_) != 0) index += half * kLanes + lane;
  uint64_t offset = static_cast<uint32_t>(step_.imm);
  if (has_offset) offset += wave.vgpr(step_.src[0].index + (has_index ? 1u : 0u), half)[lane];
  offset += displacement;
  if (!in_range(index, offset, size_bytes)) return std::nullopt;
  return base_ + place_of(index, offset);
}

}  // namespace bw::emulator
