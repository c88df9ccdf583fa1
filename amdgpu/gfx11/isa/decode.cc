#include "amdgpu/gfx11/isa/decode.h"

#include <optional>

#include "amdgpu/gfx11/isa/scalar_registers.h"
#include "base/bits.h"

namespace bw::amdgpu::gfx11 {
namespace {

// Encodings by the top 9 bits of dword 0, which hold every fixed pattern but the segment bits of FLAT.
constexpr unsigned kTopBits = 9;

using EncodingMap = std::array<Encoding, 1u << kTopBits>;

EncodingMap make_encoding_map() {
  EncodingMap map{};
  for (uint32_t top = 0; top < map.size(); ++top) {
    const uint32_t word = top << (32 - kTopBits);
    uint32_t best_mask = 0;
    map[top] = Encoding::kCount;
    for (size_t i = 0; i < static_cast<size_t>(Encoding::kCount); ++i) {
      const EncodingLayout& candidate = tables::kEncodings[i];
      const uint32_t mask = candidate.mask & (~0u << (32 - kTopBits));
      if ((word & mask) != (candidate.value & mask)) continue;
      // The narrower pattern wins: VOP1 and VOPC lie inside VOP2, SOP1/SOPC/SOPP/SOPK inside SOP2.
      if (map[top] == Encoding::kCount || mask > best_mask) {
        map[top] = static_cast<Encoding>(i);
        best_mask = mask;
      }
    }
  }
  return map;
}

uint32_t extract(std::span<const uint32_t> dwords, const FieldLayout& field) {
  const uint32_t word = dwords[field.lo / 32];
  return BitField{static_cast<uint8_t>(field.hi % 32), static_cast<uint8_t>(field.lo % 32)}.get(word);
}

uint32_t to_code(FieldKind kind, uint32_t value) {
  switch (kind) {
    case FieldKind::kVgpr8:
      return value + kCodeVgpr0;
    case FieldKind::kScalarPair:
      return value * 2;
    case FieldKind::kScalarQuad:
      return value * 4;
    default:
      return value;
  }
}

void extract_all(std::span<const FieldLayout> layouts, std::span<const uint32_t> dwords, Instruction& out) {
  for (const FieldLayout& field : layouts) {
    if (field.kind == FieldKind::kFixed) continue;
    out.fields[static_cast<size_t>(field.field)] = to_code(field.kind, extract(dwords, field));
  }
}

std::optional<Encoding> find_encoding(uint32_t word) {
  static const EncodingMap map = make_encoding_map();
  Encoding encoding = map[word >> (32 - kTopBits)];
  if (encoding == Encoding::kCount) return std::nullopt;
  for (Encoding segment : {Encoding::FLAT, Encoding::GLOBAL, Encoding::SCRATCH}) {
    if (encoding != Encoding::FLAT && encoding != Encoding::GLOBAL && encoding != Encoding::SCRATCH) break;
    if ((word & layout(segment).mask) == layout(segment).value) return segment;
  }
  const EncodingLayout& found = layout(encoding);
  if ((word & found.mask) != found.value) return std::nullopt;
  return encoding;
}

bool has_dpp_source(Encoding encoding) {
  switch (encoding) {
    case Encoding::VOP1:
    case Encoding::VOP2:
    case Encoding::VOPC:
    case Encoding::VOP3:
    case Encoding::VOP3SD:
    case Encoding::VOP3P:
      return true;
    default:
      return false;
  }
}

// Instructions whose second dword is a literal by opcode, whatever the sources are.
bool has_implied_literal(const InstructionInfo& info) {
  switch (info.op) {
    case Op::s_setreg_imm32_b32:
    case Op::v_fmaak_f32:
    case Op::v_fmamk_f32:
    case Op::v_fmaak_f16:
    case Op::v_fmamk_f16:
    case Op::v_dual_fmaak_f32:
    case Op::v_dual_fmamk_f32:
      return true;
    default:
      return false;
  }
}

Status reject(const InstructionInfo& info, const OperandInfo& operand, uint32_t code) {
  return error(StatusCode::kInvalidArgument, "{}: operand code {} is not allowed in operand {}", info.mnemonic, code,
               static_cast<int>(operand.field));
}

// Integers of 16 bits take inline floats, which the table does not say: LLVM prints them as numbers, whose text it
// assembles to literals.
bool is_half_integer(NumberFormat format) {
  return format == NumberFormat::kI16 || format == NumberFormat::kU16 || format == NumberFormat::kB16;
}

// How many registers an operand is; 1 where that is not for this function to say.
unsigned registers_of(const Instruction& in, const OperandInfo& operand) {
  const Encoding encoding = in.info->encoding;
  const bool is_buffer = encoding == Encoding::MUBUF || encoding == Encoding::MTBUF;
  const bool is_flat = encoding == Encoding::FLAT || encoding == Encoding::GLOBAL || encoding == Encoding::SCRATCH;
  if (encoding == Encoding::MIMG) return 1;  // as dmask, dim and others want
  if (encoding == Encoding::GLOBAL && operand.field == Field::addr && in[Field::saddr] != kCodeNull) return 1;
  if (is_buffer && operand.field == Field::vaddr) return in[Field::offen] + in[Field::idxen];
  // Atomics that return nothing.
  if (is_flat && operand.field == Field::vdst && in.info->operand(Field::data) != nullptr && in[Field::glc] == 0)
    return 1;
  unsigned bits = operand.bits;
  // The table gives accumulators of matrices as a wave32 has them; a wave64 spreads them over twice the lanes.
  if (operand.format >= NumberFormat::kWmmaDcBf16 && operand.format <= NumberFormat::kWmmaDcI32) bits /= 2;
  if (is_buffer && operand.field == Field::vdata && (in.info->modifiers & kModifier_tfe) != 0 && in[Field::tfe] != 0)
    bits += 32;
  return bits <= 32 ? 1 : bits / 32;
}

Status check_registers(const InstructionInfo& info, const OperandInfo& operand, const Instruction& in) {
  const uint32_t code = in[operand.field];
  const unsigned count = registers_of(in, operand);
  if (code >= kCodeVgpr0) {
    if (code - kCodeVgpr0 + count <= kVgprCount) return Status::ok();
    return error(StatusCode::kInvalidArgument, "{}: there are no {} registers from v{} on", info.mnemonic, count,
                 code - kCodeVgpr0);
  }
  const bool is_zero = code == kCodeNull && (operand.accepts & kAccept_null) != 0;  // whatever its width
  if (is_zero || code >= kCodeInlineZero || scalar_registers_exist(code, count)) return Status::ok();
  return error(StatusCode::kInvalidArgument, "{}: no {} scalar registers at code {}", info.mnemonic, count, code);
}

// Whether the codes of the operands are allowed, and whether one of them is the literal.
Status check_operands(const InstructionInfo& info, Instruction& out) {
  for (const OperandInfo& operand : info.operands()) {
    if (operand.kind == OperandKind::kUnused || operand.kind == OperandKind::kImmediate) continue;
    const uint32_t code = out[operand.field];
    const uint16_t category = code_category(code);
    const bool is_dpp = operand.field == Field::src0 && out.dpp != DppKind::kNone;
    if (is_dpp) continue;
    if (category == 0) return reject(info, operand, code);
    const uint16_t accepts = operand.accepts | (is_half_integer(operand.format) ? kAccept_if : 0);
    if (operand.accepts != 0 && (accepts & category) == 0) return reject(info, operand, code);
    BW_RETURN_IF_ERROR(check_registers(info, operand, out));
    if (category == kAccept_lit) {
      if (!info.has(InstructionInfo::kLiteral)) return reject(info, operand, code);
      out.has_literal = true;
    }
  }
  if (has_implied_literal(info)) out.has_literal = true;
  return Status::ok();
}

// VGPR destinations of VOP3 are 8-bit VGPR numbers or scalar codes, as the operand's kind says.
void settle_destinations(Instruction& out) {
  for (const OperandInfo& operand : out.info->operands()) {
    uint32_t& value = out.fields[static_cast<size_t>(operand.field)];
    const bool scalar = operand.kind == OperandKind::kScalar || operand.kind == OperandKind::kLaneMask;
    if (scalar && operand.field == Field::vdst && value >= kCodeVgpr0) value -= kCodeVgpr0;
  }
}

Status decode_vopd(Instruction& out) {
  out.info_y = find_instruction(Encoding::VOPD, out[Field::opy]);
  if (out.info_y == nullptr || !out.info->has(InstructionInfo::kVopdX)) {
    return error(StatusCode::kInvalidArgument, "VOPD has no pair of opcodes {} and {}", out[Field::opx],
                 out[Field::opy]);
  }
  const uint32_t vdstx = out[Field::vdstx];
  uint32_t& vdsty = out.fields[static_cast<size_t>(Field::vdsty)];
  vdsty = kCodeVgpr0 + vdsty * 2 + (~vdstx & 1);
  // X operations read srcx0/vsrcx1 and Y operations srcy0/vsrcy1; rows list the operands of both halves.
  for (Field field : {Field::srcx0, Field::srcy0}) {
    const uint32_t code = out[field];
    if (code_category(code) == 0) {
      return error(StatusCode::kInvalidArgument, "{}: source code {} is not allowed", out.info->mnemonic, code);
    }
    if (code == kCodeLiteral) out.has_literal = true;
  }
  if (has_implied_literal(*out.info) || has_implied_literal(*out.info_y)) out.has_literal = true;
  return Status::ok();
}

Status decode_extra_dwords(std::span<const uint32_t> dwords, Encoding encoding, Instruction& out) {
  const size_t base = out.size_dwords;
  if (encoding == Encoding::MIMG) {
    out.size_dwords += out[Field::nsa] != 0;
    if (out[Field::nsa] != 0 && base < dwords.size()) {
      extract_all(tables::kNsaLayout.fields(), dwords.subspan(base), out);
    }
  }
  if (out.has_literal || out.dpp != DppKind::kNone) out.size_dwords += 1;
  if (out.size_dwords > dwords.size()) {
    return error(StatusCode::kInvalidArgument, "{}: the code ends inside the instruction", out.info->mnemonic);
  }
  if (out.has_literal) extract_all(tables::kLiteralLayout.fields(), dwords.subspan(base), out);
  if (out.dpp == DppKind::kNone) return Status::ok();
  const bool is_dpp16 = out.dpp == DppKind::kDpp16;
  extract_all((is_dpp16 ? tables::kDpp16Layout : tables::kDpp8Layout).fields(), dwords.subspan(base), out);
  out.fields[static_cast<size_t>(Field::src0)] = out[Field::vsrc0] | kCodeVgpr0;
  return Status::ok();
}

Status check_dpp_control(const Instruction& in) {
  if (in.dpp != DppKind::kDpp16) return Status::ok();
  const uint32_t control = in[Field::dpp];
  const uint32_t row = control >> 4;
  const uint32_t amount = control & 15;
  const bool shift = (row == 0x10 || row == 0x11 || row == 0x12) && amount != 0;
  if (control < 0x100 || shift || control == 0x140 || control == 0x141 || row == 0x15 || row == 0x16)
    return Status::ok();
  return error(StatusCode::kInvalidArgument, "{}: DPP control {:#x} does not exist on gfx11", in.info->mnemonic,
               control);
}

void find_dpp(Encoding encoding, Instruction& out) {
  if (!has_dpp_source(encoding)) return;
  const uint32_t code = out[Field::src0];
  if (code == kCodeDpp16) out.dpp = DppKind::kDpp16;
  if (code == kCodeDpp8 || code == kCodeDpp8FetchInactive) out.dpp = DppKind::kDpp8;
  out.dpp8_fetch_inactive = code == kCodeDpp8FetchInactive;
}

}  // namespace

Result<Instruction> decode(std::span<const uint32_t> dwords) {
  if (dwords.empty()) return error(StatusCode::kInvalidArgument, "no code to decode");
  const std::optional<Encoding> encoding = find_encoding(dwords[0]);
  if (!encoding) return error(StatusCode::kInvalidArgument, "dword {:#010x} is in no encoding of gfx11", dwords[0]);
  const EncodingLayout& shape = layout(*encoding);
  if (dwords.size() < shape.size_dwords) {
    return error(StatusCode::kInvalidArgument, "the code ends inside a {} instruction", shape.name);
  }
  Instruction out;
  out.size_dwords = shape.size_dwords;
  extract_all(shape.fields(), dwords, out);
  const uint32_t opcode = *encoding == Encoding::VOPD ? out[Field::opx] : out[Field::op];
  out.info = find_instruction(*encoding, opcode);
  if (out.info == nullptr && *encoding == Encoding::VOP3) {
    // The same bits with another reading: some opcodes of VOP3 have a scalar destination in place of abs and opsel.
    out.info = find_instruction(Encoding::VOP3SD, opcode);
    if (out.info != nullptr) extract_all(layout(Encoding::VOP3SD).fields(), dwords, out);
  }
  if (out.info == nullptr)
    return error(StatusCode::kInvalidArgument, "{} has no opcode {} on gfx1100", shape.name, opcode);
  if (*encoding == Encoding::VOPD) {
    BW_RETURN_IF_ERROR(decode_vopd(out));
  } else {
    settle_destinations(out);
    find_dpp(*encoding, out);
    if (out.dpp != DppKind::kNone && !out.info->has(InstructionInfo::kDpp)) {
      return error(StatusCode::kInvalidArgument, "{} does not take DPP", out.info->mnemonic);
    }
    BW_RETURN_IF_ERROR(check_operands(*out.info, out));
    if (out.dpp != DppKind::kNone && out.has_literal) {
      return error(StatusCode::kInvalidArgument, "{}: DPP and a literal at the same time", out.info->mnemonic);
    }
  }
  BW_RETURN_IF_ERROR(decode_extra_dwords(dwords, *encoding, out));
  BW_RETURN_IF_ERROR(check_dpp_control(out));
  return out;
}

}  // namespace bw::amdgpu::gfx11
