#include "emulator/shader/operand_value.h"

#include <bit>

#include "emulator/shader/fp.h"
#include "emulator/shader/wave.h"

namespace bw::emulator {

using namespace amdgpu::gfx11;

namespace {

// 0.5 -0.5 1 -1 2 -2 4 -4 1/(2 pi), in the order of their codes. Source: operand_codes.csv.
constexpr float kInlineFloats[] = {0.5f, -0.5f, 1.0f, -1.0f, 2.0f, -2.0f, 4.0f, -4.0f, 0.15915494f};
constexpr uint64_t kInverseTwoPi64 = 0x3fc45f306dc9c882;
constexpr uint16_t kInverseTwoPi16 = 0x3118;

bool is_float(NumberFormat f) {
  return f == NumberFormat::kF16 || f == NumberFormat::kF32 || f == NumberFormat::kF64;
}

}  // namespace

bool is_16bit(NumberFormat f) {
  switch (f) {
    case NumberFormat::kF16:
    case NumberFormat::kBf16:
    case NumberFormat::kI16:
    case NumberFormat::kU16:
    case NumberFormat::kB16:
    case NumberFormat::kPk2U8:
      return true;
    default:
      return false;
  }
}

bool is_pair(NumberFormat format) {
  return format == NumberFormat::kPk2F16 || format == NumberFormat::kPk2Bf16;
}

bool takes_sign_modifiers(Op op, unsigned index, NumberFormat format) {
  switch (op) {
    case Op::v_cndmask_b32:
    case Op::v_cndmask_b16:
      return index < 2;
    case Op::v_mov_b32:
    case Op::v_mov_b16:
    case Op::v_movreld_b32:
    case Op::v_movrels_b32:
    case Op::v_movrelsd_b32:
    case Op::v_movrelsd_2_b32:
      return true;
    case Op::v_dot2_f16_f16:
    case Op::v_dot2_bf16_bf16:
      return is_pair(format) || is_16bit(format);
    case Op::v_ldexp_f16:
    case Op::v_cmp_class_f16:
    case Op::v_cmpx_class_f16:
      // The table has the exponent and the mask as f16, since their inline constants are.
      return index == 0;
    default:
      return is_float(format);
  }
}

uint64_t inline_float(uint32_t code, NumberFormat format, unsigned bits) {
  const unsigned index = code - kCodeInlineFloat;
  const float value = kInlineFloats[index];
  const bool last = code == kCodeInlineFloatLast;
  if (bits == 64) return last ? kInverseTwoPi64 : std::bit_cast<uint64_t>(static_cast<double>(value));
  switch (format) {
    case NumberFormat::kBf16:
    case NumberFormat::kWmmaDcBf16:
      return std::bit_cast<uint32_t>(value) >> 16;
    case NumberFormat::kF16:
    case NumberFormat::kWmmaDcF16:
    case NumberFormat::kPk2F16:
      return last ? kInverseTwoPi16 : float_to_half(value);
    default:
      // Integers of 16 bits too: they take the low half of the f32 (LLVM, SIInstrInfo::isInlineConstant, bug 46302).
      return std::bit_cast<uint32_t>(value);
  }
}

bool replicates_inline_constants(Op op) {
  return op == Op::v_dot2_f32_bf16 || op == Op::v_dot2_f16_f16 || op == Op::v_dot2_bf16_bf16;
}

uint64_t literal_value(uint32_t literal, NumberFormat format, unsigned bits) {
  if (bits != 64) return literal;
  if (format == NumberFormat::kF64) return static_cast<uint64_t>(literal) << 32;
  if (format == NumberFormat::kI64) return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(literal)));
  return literal;
}

uint64_t aperture(uint32_t code) {
  const uint64_t shared = static_cast<uint64_t>(kSharedApertureHi) << 48;
  const uint64_t scratch = static_cast<uint64_t>(kPrivateApertureHi) << 48;
  switch (code) {
    case kCodeSharedBase:
      return shared;
    case kCodeSharedLimit:
      return shared | 0xffffffff;
    case kCodePrivateBase:
      return scratch;
    default:
      return scratch | 0xffffffff;
  }
}

// The operation that a half of a VOPD pair performs.
Op single_op(Op dual) {
  switch (dual) {
    case Op::v_dual_fmac_f32:
      return Op::v_fmac_f32;
    case Op::v_dual_fmaak_f32:
      return Op::v_fmaak_f32;
    case Op::v_dual_fmamk_f32:
      return Op::v_fmamk_f32;
    case Op::v_dual_mul_f32:
      return Op::v_mul_f32;
    case Op::v_dual_add_f32:
      return Op::v_add_f32;
    case Op::v_dual_sub_f32:
      return Op::v_sub_f32;
    case Op::v_dual_subrev_f32:
      return Op::v_subrev_f32;
    case Op::v_dual_mul_dx9_zero_f32:
      return Op::v_mul_dx9_zero_f32;
    case Op::v_dual_mov_b32:
      return Op::v_mov_b32;
    case Op::v_dual_cndmask_b32:
      return Op::v_cndmask_b32;
    case Op::v_dual_max_f32:
      return Op::v_max_f32;
    case Op::v_dual_min_f32:
      return Op::v_min_f32;
    case Op::v_dual_dot2acc_f32_f16:
      return Op::v_dot2acc_f32_f16;
    case Op::v_dual_add_nc_u32:
      return Op::v_add_nc_u32;
    case Op::v_dual_lshlrev_b32:
      return Op::v_lshlrev_b32;
    case Op::v_dual_and_b32:
      return Op::v_and_b32;
    default:
      return Op::invalid;
  }
}

}  // namespace bw::emulator
