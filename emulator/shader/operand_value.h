// Owns: what the operand codes of constants stand for, by the number format of the operand; and the operations of VOPD
// halves.
#pragma once

#include <cstdint>

#include "amdgpu/gfx11/isa/isa.h"

namespace bw::emulator {

// Formats of two floats in one register.
bool is_pair(amdgpu::gfx11::NumberFormat format);
// Operands whose sign abs and neg act on: floats, and what moves and selections take for floats. Source: RDNA3 ISA
// guide, "Input Operand Modifiers".
bool takes_sign_modifiers(amdgpu::gfx11::Op op, unsigned index, amdgpu::gfx11::NumberFormat format);
// Formats of 16 bits in one half of a register.
bool is_16bit(amdgpu::gfx11::NumberFormat format);

// An inline float (code 240 to 248) of an operand of 32 or 64 bits.
uint64_t inline_float(uint32_t code, amdgpu::gfx11::NumberFormat format, unsigned bits);
// Operations whose packed sources have an inline constant in both halves of the dword; VOPD has it so too, and others
// have it in the low half. Source: RDNA3 ISA guide, "Non-Standard Uses of Operand Fields"; captures of a W7900 in
// ROCm/rocm-systems, emulation/rocjitsu, gfx11_dot2_test.cpp, which differ from the guide for v_dot2_f32_f16 and
// v_dot2acc_f32_f16.
bool replicates_inline_constants(amdgpu::gfx11::Op op);
// A literal dword as an operand of 32 or 64 bits.
uint64_t literal_value(uint32_t literal, amdgpu::gfx11::NumberFormat format, unsigned bits);
// src_shared_base and its kin. As 32-bit operands they are the low dword, as LLVM takes it.
uint64_t aperture(uint32_t code);

// The operation that a half of a VOPD pair performs; invalid if `dual` is none.
amdgpu::gfx11::Op single_op(amdgpu::gfx11::Op dual);

}  // namespace bw::emulator
