#include "tests/fuzz/random_instruction.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "emulator/jit/translated.h"
#include "emulator/shader/handlers.h"

namespace bw::test {
namespace {

using namespace amdgpu::gfx11;
using Frame = RandomProgramFrame;

// Not what decides where the wave goes, what no two runs need agree on (the program counter, hardware registers,
// clocks), what the emulator refuses, and v_mov_b16, for which LLVM 19 has no text.
bool is_wanted(const InstructionInfo& info) {
  if (info.encoding == Encoding::SOPP || info.encoding == Encoding::MIMG || info.encoding == Encoding::EXP)
    return false;
  const emulator::HandlerTable& handlers = emulator::handlers();
  // Pairs are drawn by their X half.
  const bool is_vopd = info.encoding == Encoding::VOPD;
  if (is_vopd && !info.has(InstructionInfo::kVopdX)) return false;
  if (!is_vopd && (handlers[info.op] == nullptr || handlers.unsupported_reason(info.op) != nullptr)) return false;
  constexpr uint16_t kFlow =
      InstructionInfo::kBranch | InstructionInfo::kTerminator | InstructionInfo::kCall | InstructionInfo::kReturn;
  if ((info.flags & kFlow) != 0) return false;
  static constexpr std::array kUnwanted = {"s_getpc",  "s_setpc",  "s_swappc", "s_rfe",      "s_call",   "s_getreg",
                                           "s_setreg", "s_sendms", "s_subvec", "s_waitcnt_", "v_mov_b16"};
  const std::string_view name = info.name;
  return std::none_of(kUnwanted.begin(), kUnwanted.end(),
                      [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

bool has_field(const EncodingLayout& shape, Field field) {
  const auto fields = shape.fields();
  return std::any_of(fields.begin(), fields.end(), [&](const FieldLayout& f) { return f.field == field; });
}

void set_bits(std::vector<uint32_t>& dwords, const FieldLayout& field, uint32_t raw) {
  const BitField bits{static_cast<uint8_t>(field.hi % 32), static_cast<uint8_t>(field.lo % 32)};
  uint32_t& word = dwords[field.lo / 32];
  word = bits.set(word, raw & BitField{field.hi, field.lo}.max());
}
// A field that the encoding need not have.
void set_field(std::vector<uint32_t>& dwords, const EncodingLayout& shape, Field field, uint32_t raw) {
  for (const FieldLayout& f : shape.fields()) {
    if (f.field == field) set_bits(dwords, f, raw);
  }
}

bool is_dpp_encoding(Encoding e) {
  return e == Encoding::VOP1 || e == Encoding::VOP2 || e == Encoding::VOPC || e == Encoding::VOP3 ||
         e == Encoding::VOP3SD || e == Encoding::VOP3P;
}
bool is_short(Encoding e) {
  return e == Encoding::VOP1 || e == Encoding::VOP2 || e == Encoding::VOPC;
}
bool is_flat(Encoding e) {
  return e == Encoding::FLAT || e == Encoding::GLOBAL || e == Encoding::SCRATCH;
}
bool is_buffer(Encoding e) {
  return e == Encoding::MUBUF || e == Encoding::MTBUF;
}
// Those fault where they are not aligned.
bool is_atomic(const InstructionInfo& info) {
  const bool is_of_lds =
      info.encoding == Encoding::DS && info.has(InstructionInfo::kMayLoad) && info.has(InstructionInfo::kMayStore);
  return is_of_lds || std::string_view(info.name).find("_atomic_") != std::string_view::npos;
}

// The dword of DPP16 or DPP8 that follows; bit positions as in the ISA guide, "DPP16".
void add_dpp(std::vector<uint32_t>& dwords, const EncodingLayout& shape, std::mt19937& random) {
  static constexpr uint32_t kCodes[] = {kCodeDpp16, kCodeDpp16, kCodeDpp16, kCodeDpp8, kCodeDpp8FetchInactive};
  const uint32_t code = kCodes[below(random, std::size(kCodes))];
  set_field(dwords, shape, Field::src0, code);
  uint32_t dword = static_cast<uint32_t>(random());
  if (code == kCodeDpp16) {
    static constexpr uint32_t kControls[] = {0x00,  0xe4,  0x1b,  0x101, 0x10f, 0x111, 0x118, 0x121,
                                             0x12f, 0x140, 0x141, 0x150, 0x15a, 0x161, 0x168};
    dword &= 0xfffe'00ff;
    dword |= kControls[below(random, std::size(kControls))] << 8;
    if (below(random, 2) == 0) dword |= 0xff00'0000;    // all rows and banks
    if (below(random, 2) == 0) dword &= ~0x00f0'0000u;  // no signs
  }
  dwords[shape.size_dwords] = (dword & ~0xffu) | below(random, Frame::kVgprs);
}

// Fields that decide which memory is accessed.
void settle_memory(const InstructionInfo& info, std::vector<uint32_t>& dwords, std::mt19937& random) {
  const EncodingLayout& shape = layout(info.encoding);
  const auto set = [&](Field field, uint32_t raw) { set_field(dwords, shape, field, raw); };
  const auto scalar_offset = [&] { return below(random, 2) == 0 ? uint32_t{kCodeNull} : below(random, Frame::kSgprs); };
  set(Field::gds, 0);
  if (info.encoding == Encoding::DS) {
    if (below(random, 4) != 0) set(Field::offset1, 0);
    if (is_atomic(info)) set(Field::offset0, 8 * below(random, 32));
  } else if (info.encoding == Encoding::SMEM) {
    const OperandInfo* base = info.operand(Field::sbase);
    if (base != nullptr) set(Field::sbase, (base->bits == 128 ? Frame::kResourceSgpr : Frame::kMemorySgpr) / 2);
    set(Field::soffset, scalar_offset());
    set(Field::offset, below(random, 2) == 0 ? 0 : below(random, 0x1000));
  } else if (is_flat(info.encoding)) {
    const bool is_scratch = info.encoding == Encoding::SCRATCH;
    if (is_scratch) {
      set(Field::offset, below(random, Frame::kScratchBytesPerLane / 4));
      set(Field::saddr, scalar_offset());
    } else if (info.encoding == Encoding::GLOBAL) {
      const bool has_base = below(random, 3) != 0 || info.operand(Field::addr) == nullptr;
      set(Field::saddr, has_base ? Frame::kMemorySgpr : uint32_t{kCodeNull});
      if (is_atomic(info)) set(Field::offset, below(random, 512) * 8);
    } else {
      set(Field::saddr, kCodeNull);
      if (is_atomic(info)) set(Field::offset, below(random, 512) * 8);
    }
  } else if (is_buffer(info.encoding)) {
    set(Field::srsrc, Frame::kResourceSgpr / 4);
    set(Field::soffset, below(random, 2) == 0 ? uint32_t{kCodeNull} : kCodeInlineZero + 8 * below(random, 8));
    set(Field::tfe, 0);
    if (is_atomic(info) || below(random, 2) == 0) set(Field::offset, 8 * below(random, 16));
  }
}

std::string mask_vgpr(uint32_t vgpr, uint32_t mask) {
  return fmt::format("v_and_b32 v{0}, {1:#x}, v{0}\n", vgpr, mask);
}
std::string mask_sgpr(uint32_t code, uint32_t mask) {
  return code < Frame::kSgprs ? fmt::format("s_and_b32 s{0}, s{0}, {1:#x}\n", code, mask) : "";
}

// 64-bit addresses: in the memory at s[88:89], or for FLAT also in LDS and scratch memory.
std::string make_address(const Instruction& in, uint32_t vgpr, uint32_t mask, std::mt19937& random) {
  const uint32_t aperture = in.info->encoding == Encoding::FLAT ? below(random, 4) : 0;
  // The high dwords are those of the apertures (emulator/shader/wave.h).
  if (aperture == 1) return mask_vgpr(vgpr, mask) + fmt::format("v_mov_b32 v{}, {:#x}\n", vgpr + 1, 1 << 16);
  if (aperture == 2) {
    return mask_vgpr(vgpr, mask & (Frame::kScratchBytesPerLane / 2 - 1)) +
           fmt::format("v_mov_b32 v{}, {:#x}\n", vgpr + 1, 2 << 16);
  }
  return mask_vgpr(vgpr, mask) + fmt::format("v_or_b32 v{0}, s{1}, v{0}\n v_mov_b32 v{2}, s{3}\n", vgpr,
                                             Frame::kMemorySgpr, vgpr + 1, Frame::kMemorySgpr + 1);
}

// Code that brings the registers of the address into range. Now and then there is none, and the program may fault.
std::string guard(const Instruction& in, std::mt19937& random) {
  const InstructionInfo& info = *in.info;
  const std::string_view name = info.name;
  if (name.find("movrel") != std::string_view::npos || name.find("swaprel") != std::string_view::npos) {
    const bool has_two = name == "v_movrelsd_2_b32" || name == "v_swaprel_b32";
    return fmt::format("s_and_b32 m0, m0, {:#x}\n", has_two ? 0xf'000f : 0xf);
  }
  const bool is_address = info.operand(Field::addr) != nullptr;
  static constexpr uint32_t kMasks[] = {0xff0, 0xffc, 0xfff};
  const uint32_t mask = is_atomic(info) ? 0xff8 : kMasks[below(random, std::size(kMasks))];
  const uint32_t vgpr = in[Field::addr] - kCodeVgpr0;
  if (info.encoding == Encoding::DS) return is_address ? mask_vgpr(vgpr, mask & (Frame::kLdsBytes - 1)) : "";
  if (below(random, 64) == 0) return "";
  if (info.encoding == Encoding::SMEM) return mask_sgpr(in[Field::soffset], 0xfff);
  if (info.encoding == Encoding::SCRATCH) {
    constexpr uint32_t kPart = Frame::kScratchBytesPerLane / 4 - 1;
    return (in[Field::sve] != 0 ? mask_vgpr(vgpr, mask & kPart) : "") + mask_sgpr(in[Field::saddr], mask & kPart);
  }
  if (is_flat(info.encoding) && is_address) {
    const bool has_base = info.encoding == Encoding::GLOBAL && in[Field::saddr] != kCodeNull;
    return has_base ? mask_vgpr(vgpr, mask) : make_address(in, vgpr, mask, random);
  }
  if (is_buffer(info.encoding) && info.operand(Field::srsrc) != nullptr) {
    const uint32_t first = in[Field::vaddr] - kCodeVgpr0;
    const bool has_two = in[Field::idxen] != 0 && in[Field::offen] != 0;
    return mask_vgpr(first, in[Field::idxen] != 0 ? 0x3f : 0x7f8) + (has_two ? mask_vgpr(first + 1, 0x3c) : "");
  }
  return "";
}

}  // namespace

RandomInstructions::RandomInstructions(uint32_t wave_size, LlvmMc& llvm) : wave_size_(wave_size), llvm_(llvm) {
  for (const InstructionInfo& info : instructions()) {
    const bool is_vopd = info.encoding == Encoding::VOPD;
    if (!is_wanted(info) || (is_vopd && wave_size != 32)) continue;
    rows_.push_back(&info);
    if (is_vopd || emulator::jit::is_translated(emulator::handlers()[info.op])) translated_rows_.push_back(&info);
  }
}

// A code for an operand that keeps to the registers of the frame.
uint32_t RandomInstructions::random_code(const InstructionInfo& info, const OperandInfo& operand,
                                         std::mt19937& random) const {
  const uint32_t bits = operand.bits == 0 ? wave_size_ : operand.bits;
  const uint32_t count = std::max(1u, (bits + 31) / 32);
  // In the short encodings bit 7 of a 16-bit register chooses its high half.
  const uint32_t high_half = is_short(info.encoding) && bits == 16 && below(random, 4) == 0 ? 128 : 0;
  // GLOBAL's address has two registers in some forms.
  const uint32_t extra = operand.field == Field::addr || operand.field == Field::vaddr ? 1 : 0;
  const uint32_t vgpr = kCodeVgpr0 + below(random, Frame::kVgprs + 1 - count - extra) + high_half;
  const uint32_t sgpr = below(random, (Frame::kSgprs + 1 - count + 3) / 4) * 4 + (count == 1 ? below(random, 4) : 0);
  if (operand.kind == OperandKind::kVgpr) return vgpr;
  const uint32_t choice = below(random, 20);
  if (operand.kind == OperandKind::kScalar || operand.kind == OperandKind::kLaneMask) {
    const uint32_t vcc_choices = operand.kind == OperandKind::kLaneMask ? 8 : 2;
    if (choice < vcc_choices) return count <= 2 ? uint32_t{kCodeVccLo} : sgpr;
    if (choice == 18) return count <= 2 ? uint32_t{kCodeExecLo} : sgpr;
    if (choice == 19) return count == 1 ? kCodeM0 : kCodeNull;
    return sgpr;
  }
  if (choice < 11 && (operand.accepts & kAccept_v) != 0) return vgpr;
  if (choice < 14) return sgpr;
  if (choice < 16 && (operand.accepts & kAccept_lit) != 0) return kCodeLiteral;
  if (choice < 17 && (operand.accepts & kAccept_if) != 0) return kCodeInlineFloat + below(random, 9);
  const uint32_t code = below(random, kCodeVgpr0);
  const bool is_open = (code_category(code) & (kAccept_s | kAccept_ttmp)) != 0;
  return is_open ? sgpr : code;
}

std::vector<uint32_t> RandomInstructions::random_dwords(const InstructionInfo& info, std::mt19937& random) const {
  const EncodingLayout& shape = layout(info.encoding);
  std::vector<uint32_t> dwords(kMaxInstructionDwords);
  for (uint32_t& dword : dwords) dword = random_value(random);
  // Modifiers are rare in real programs, and not all combinations exist.
  const bool is_plain = below(random, 2) == 0;
  for (uint32_t i = 0; i < shape.size_dwords; ++i) dwords[i] = is_plain ? 0 : static_cast<uint32_t>(random());
  dwords[0] = (dwords[0] & ~shape.mask) | shape.value;
  for (const FieldLayout& field : shape.fields()) {
    const OperandInfo* operand = info.operand(field.field);
    if (field.kind == FieldKind::kOpcode || field.field == Field::op || field.field == Field::opx) {
      const bool is_y = field.field == Field::opy;
      set_bits(dwords, field, is_y ? below(random, 32) : info.opcode);
    } else if (field.kind == FieldKind::kVdstY) {
      set_bits(dwords, field, below(random, Frame::kVgprs / 2));
    } else if (field.kind == FieldKind::kVgpr8 && operand == nullptr) {
      set_bits(dwords, field, info.encoding == Encoding::VOPD ? below(random, Frame::kVgprs) : 0);
    } else if (operand != nullptr && operand->kind != OperandKind::kImmediate &&
               operand->kind != OperandKind::kUnused) {
      set_bits(dwords, field, random_code(info, *operand, random));
    }
  }
  // Packed operations take both halves unless told otherwise.
  if (is_plain && has_field(shape, Field::opsel_hi) && below(random, 2) == 0) {
    set_field(dwords, shape, Field::opsel_hi, 3);
    set_field(dwords, shape, Field::opsel_hi2, 1);
  }
  settle_memory(info, dwords, random);
  if (is_dpp_encoding(info.encoding) && info.has(InstructionInfo::kDpp) && below(random, 5) == 0)
    add_dpp(dwords, shape, random);
  return dwords;
}

std::optional<RandomInstructions::Chosen> RandomInstructions::try_row(const InstructionInfo& info,
                                                                      std::mt19937& random) {
  std::vector<uint32_t> dwords = random_dwords(info, random);
  const auto in = decode(dwords);
  if (!in.is_ok() || in->info != &info) return std::nullopt;
  // What LLVM has no text for holds bits without meaning.
  const auto text = llvm_.disassemble(dwords);
  if (!text || text->size_bytes != in->size_dwords * 4u || text->text.find("/*Invalid") != std::string::npos)
    return std::nullopt;
  dwords.resize(in->size_dwords);
  return Chosen{&info, std::move(dwords), text->text, guard(in.value(), random)};
}

std::optional<RandomInstructions::Chosen> RandomInstructions::make_of(const InstructionInfo& info,
                                                                      std::mt19937& random) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (auto chosen = try_row(info, random)) return chosen;
  }
  return std::nullopt;
}

RandomInstructions::Chosen RandomInstructions::make(From from, std::mt19937& random) {
  const auto& rows = from == From::kAll ? rows_ : translated_rows_;
  for (;;) {
    if (auto chosen = make_of(*rows[below(random, static_cast<uint32_t>(rows.size()))], random)) return *chosen;
  }
}

}  // namespace bw::test
