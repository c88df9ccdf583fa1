// Owns: the conversion between registers and the bytes of typed buffers. Source: RDNA3 ISA guide, "Memory buffer load
// data". Not here: where the bytes are (buffer_access.h).
#pragma once

#include <array>
#include <cstdint>

#include "amdgpu/gfx11/isa/buffer.h"

namespace bw::emulator {

// One register a component: 32-bit values, or 16-bit ones in the low half (d16).
enum class RegisterWidth : uint8_t { k32, k16 };

// nullptr: the number names no format.
const amdgpu::gfx11::BufferFormatInfo* find_buffer_format(uint32_t number);
uint32_t size_bytes(const amdgpu::gfx11::BufferFormatInfo& format);

// Components x, y, z, w of one element; those that the format lacks are 0, 0, 0, 1.
std::array<uint32_t, 4> unpack_element(const amdgpu::gfx11::BufferFormatInfo& format, RegisterWidth width,
                                       const std::byte* bytes);
// The constant 1 as the format's numbers have it.
uint32_t one_of(const amdgpu::gfx11::BufferFormatInfo& format, RegisterWidth width);

// The inverse. Values that do not fit are brought to the nearest that does.
void pack_element(const amdgpu::gfx11::BufferFormatInfo& format, RegisterWidth width,
                  const std::array<uint32_t, 4>& components, std::byte* bytes);

}  // namespace bw::emulator
