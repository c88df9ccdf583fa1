// Owns: what the operand codes of constants stand for, by the number format of the operand; and the operations of VOPD
// halves.
#pragma once

#include <cstdint>

#include "amdgpu/gfx11/isa/isa.h"

namespace bw::emulator {

// Formats whose neg and abs modifiers act on the sign of a float.
bool is_float(amdgpu::gfx11::NumberFormat format);
// Formats of 16 bits in one half of a register.
bool is_16bit(amdgpu::gfx11::NumberFormat format);

// An inline float (code 240 to 248) of an operand of 32 or 64 bits.
uint64_t inline_float(uint32_t code, amdgpu::gfx11::NumberFormat format, unsigned bits);
// A literal dword as an operand of 32 or 64 bits.
uint64_t literal_value(uint32_t literal, amdgpu::gfx11::NumberFormat format, unsigned bits);
// src_shared_base and its kin. As 32-bit operands they are the low dword, as LLVM takes it.
uint64_t aperture(uint32_t code);

// The operation that a half of a VOPD pair performs; invalid if `dual` is none.
amdgpu::gfx11::Op single_op(amdgpu::gfx11::Op dual);

}  // namespace bw::emulator
