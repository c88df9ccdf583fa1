#include "tests/fuzz/random_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace bw::test {
namespace {

using namespace amdgpu::gfx11;
using Frame = RandomProgramFrame;

// What a straight line of registers cannot hold, or what no two runs need agree on: control flow, the program counter,
// hardware registers and clocks, registers chosen by M0, memory other than LDS.
bool is_wanted(const InstructionInfo& info) {
  switch (info.encoding) {
    case Encoding::SOP1:
    case Encoding::SOP2:
    case Encoding::SOPC:
    case Encoding::SOPK:
    case Encoding::VOP1:
    case Encoding::VOP2:
    case Encoding::VOP3:
    case Encoding::VOP3SD:
    case Encoding::VOP3P:
    case Encoding::VOPC:
    case Encoding::VOPD:
    case Encoding::DS:
      break;
    default:
      return false;
  }
  constexpr uint16_t kFlow =
      InstructionInfo::kBranch | InstructionInfo::kTerminator | InstructionInfo::kCall | InstructionInfo::kReturn;
  if ((info.flags & kFlow) != 0) return false;
  static constexpr std::array kUnwanted = {"s_getpc",  "s_setpc",  "s_swappc", "s_rfe",     "s_call",   "s_getreg",
                                           "s_setreg", "s_sendms", "movrel",   "swaprel",   "s_subvec", "ds_gws",
                                           "ordered",  "gs_reg",   "ds_bvh",   "s_waitcnt_"};
  const std::string_view name = info.name;
  return std::none_of(kUnwanted.begin(), kUnwanted.end(),
                      [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

uint32_t below(std::mt19937& random, uint32_t end) {
  return static_cast<uint32_t>(random() % end);
}

void set_field(std::vector<uint32_t>& dwords, const FieldLayout& field, uint32_t raw) {
  const BitField bits{static_cast<uint8_t>(field.hi % 32), static_cast<uint8_t>(field.lo % 32)};
  uint32_t& word = dwords[field.lo / 32];
  word = bits.set(word, raw);
}

std::string make_prologue(uint32_t wave_size) {
  const std::string exec = wave_size == 32 ? "exec_lo" : "exec";
  const std::string saved = wave_size == 32 ? "s86" : "s[86:87]";
  const std::string mov = wave_size == 32 ? "s_mov_b32 " : "s_mov_b64 ";
  std::string text = "s_mov_b64 s[80:81], s[0:1]\n s_mov_b64 s[82:83], s[2:3]\n";
  text +=
      fmt::format("s_mul_i32 s84, s4, {}\n s_add_u32 s82, s82, s84\n s_addc_u32 s83, s83, 0\n", Frame::kOutputBytes);
  text += mov + saved + ", " + exec + "\n " + mov + exec + ", -1\n";
  text += "v_mbcnt_lo_u32_b32 v255, -1, 0\n";
  if (wave_size == 64) text += "v_mbcnt_hi_u32_b32 v255, -1, v255\n";
  text += "v_lshlrev_b32 v254, 2, v255\n";
  for (uint32_t i = 0; i < Frame::kVgprs; ++i) {
    text += fmt::format("global_load_b32 v{}, v254, s[80:81]\n s_add_u32 s80, s80, {}\n s_addc_u32 s81, s81, 0\n", i,
                        Frame::kRowBytes);
  }
  text += "s_waitcnt vmcnt(0)\n";
  const uint32_t lane_bytes = Frame::kLdsBytes / wave_size;
  text += fmt::format("v_mul_u32_u24 v253, {}, v255\n", lane_bytes);
  for (uint32_t at = 0; at < lane_bytes; at += 16) {
    text += fmt::format("ds_store_b128 v253, v[{}:{}] offset:{}\n", at / 4, at / 4 + 3, at);
  }
  for (uint32_t i = 0; i < Frame::kSgprs; i += 16) {
    text += fmt::format("s_load_b512 s[{}:{}], s[80:81], {}\n", i, i + 15, i * 4);
  }
  text += "s_waitcnt lgkmcnt(0)\n s_mov_b64 vcc, s[10:11]\n s_mov_b32 m0, s12\n";
  return text + mov + exec + ", " + saved + "\n s_cmp_lt_u32 s13, s14\n";
}

std::string make_epilogue(uint32_t wave_size) {
  std::string text =
      "s_cselect_b32 s90, 1, 0\n s_mov_b32 s91, m0\n s_mov_b64 s[92:93], vcc\n s_mov_b64 s[94:95], exec\n";
  text += "s_mov_b64 exec, -1\n s_waitcnt vmcnt(0) expcnt(0) lgkmcnt(0)\n v_mbcnt_lo_u32_b32 v255, -1, 0\n";
  if (wave_size == 64) text += "v_mbcnt_hi_u32_b32 v255, -1, v255\n";
  text += "v_lshlrev_b32 v254, 2, v255\n";
  auto store = [&](const std::string& vgpr) {
    text += fmt::format("global_store_b32 v254, {}, s[82:83]\n s_add_u32 s82, s82, {}\n s_addc_u32 s83, s83, 0\n", vgpr,
                        Frame::kRowBytes);
  };
  for (uint32_t i = 0; i < Frame::kVgprs; ++i) store(fmt::format("v{}", i));
  auto store_scalar = [&](uint32_t number) {
    text += fmt::format("v_mov_b32 v253, s{}\n", number);
    store("v253");
  };
  for (uint32_t i = 0; i < Frame::kSgprs; ++i) store_scalar(i);
  for (const uint32_t i : {92, 93, 94, 95, 91, 90}) store_scalar(i);
  return text + "s_endpgm\n";
}

}  // namespace

std::string RandomProgramFrame::row_name(uint32_t row) {
  static constexpr const char* kSpecial[] = {"vcc_lo", "vcc_hi", "exec_lo", "exec_hi", "m0", "scc"};
  if (row < kVgprs) return fmt::format("v{}", row);
  if (row < kVgprs + kSgprs) return fmt::format("s{}", row - kVgprs);
  return kSpecial[row - kVgprs - kSgprs];
}

RandomProgramGenerator::RandomProgramGenerator(uint32_t wave_size)
    : wave_size_(wave_size),
      llvm_(wave_size == 32 ? "+wavefrontsize32,-wavefrontsize64" : "-wavefrontsize32,+wavefrontsize64") {
  for (const InstructionInfo& info : instructions()) {
    if (is_wanted(info) && (info.encoding != Encoding::VOPD || wave_size == 32)) rows_.push_back(&info);
  }
  std::string problem;
  auto prologue = llvm_.assemble(make_prologue(wave_size), &problem);
  BW_CHECK(prologue.has_value());
  auto epilogue = llvm_.assemble(make_epilogue(wave_size), &problem);
  BW_CHECK(epilogue.has_value());
  prologue_ = std::move(*prologue);
  epilogue_ = std::move(*epilogue);
}

// A code for an operand that keeps to the registers of the frame.
uint32_t RandomProgramGenerator::random_code(const InstructionInfo& info, const OperandInfo& operand,
                                             std::mt19937& random) const {
  const uint32_t bits = operand.bits == 0 ? wave_size_ : operand.bits;
  const uint32_t count = std::max(1u, (bits + 31) / 32);
  const bool is_short =
      info.encoding == Encoding::VOP1 || info.encoding == Encoding::VOP2 || info.encoding == Encoding::VOPC;
  // In the short encodings bit 7 of a 16-bit register chooses its high half.
  const uint32_t high_half = is_short && bits == 16 && below(random, 4) == 0 ? 128 : 0;
  const uint32_t vgpr = kCodeVgpr0 + below(random, Frame::kVgprs + 1 - count) + high_half;
  const uint32_t sgpr = below(random, (Frame::kSgprs + 1 - count + 3) / 4) * 4 + (count == 1 ? below(random, 4) : 0);
  if (operand.kind == OperandKind::kVgpr) return vgpr;
  const uint32_t choice = below(random, 16);
  if (operand.kind == OperandKind::kScalar || operand.kind == OperandKind::kLaneMask) {
    const uint32_t vcc_choices = operand.kind == OperandKind::kLaneMask ? 8 : 2;
    if (choice < vcc_choices) return kCodeVccLo;
    if (choice == 14) return kCodeExecLo;
    if (choice == 15) return count == 1 ? kCodeM0 : kCodeNull;
    return sgpr;
  }
  if (choice < 9 && (operand.accepts & kAccept_v) != 0) return vgpr;
  if (choice < 12) return sgpr;
  const uint32_t code = below(random, kCodeVgpr0);
  const uint16_t category = code_category(code);
  const bool is_open = (category & (kAccept_s | kAccept_ttmp)) != 0;
  return is_open ? sgpr : code;
}

std::optional<RandomProgramGenerator::Chosen> RandomProgramGenerator::try_instruction(const InstructionInfo& info,
                                                                                      std::mt19937& random) {
  const EncodingLayout& shape = layout(info.encoding);
  std::vector<uint32_t> dwords(kMaxInstructionDwords);
  for (uint32_t& dword : dwords) dword = static_cast<uint32_t>(random());
  // Modifiers are rare in real programs, and not all combinations exist.
  const bool is_plain = below(random, 2) == 0;
  for (uint32_t i = 0; i < shape.size_dwords && is_plain; ++i) dwords[i] = 0;
  dwords[0] = (dwords[0] & ~shape.mask) | shape.value;
  for (const FieldLayout& field : shape.fields()) {
    const OperandInfo* operand = info.operand(field.field);
    if (field.kind == FieldKind::kOpcode || field.field == Field::op || field.field == Field::opx) {
      const bool is_y = field.field == Field::opy;
      set_field(dwords, field, is_y ? below(random, 32) : info.opcode);
    } else if (field.kind == FieldKind::kVdstY) {
      set_field(dwords, field, below(random, Frame::kVgprs / 2));
    } else if (field.kind == FieldKind::kVgpr8 && operand == nullptr) {
      set_field(dwords, field, info.encoding == Encoding::VOPD ? below(random, Frame::kVgprs) : 0);
    } else if (operand != nullptr && operand->kind != OperandKind::kImmediate &&
               operand->kind != OperandKind::kUnused) {
      set_field(dwords, field, random_code(info, *operand, random) & BitField{field.hi, field.lo}.max());
    } else if (field.field == Field::gds) {
      set_field(dwords, field, 0);
    }
  }
  const auto in = decode(dwords);
  if (!in.is_ok() || in->info != &info) return std::nullopt;
  // What LLVM has no text for holds bits without meaning.
  const auto text = llvm_.disassemble(dwords);
  if (!text || text->size_bytes != in->size_dwords * 4u || text->text.find("/*Invalid") != std::string::npos)
    return std::nullopt;
  dwords.resize(in->size_dwords);
  return Chosen{std::move(dwords), text->text};
}

RandomProgramGenerator::Chosen RandomProgramGenerator::make_instruction(std::mt19937& random) {
  for (;;) {
    const InstructionInfo& info = *rows_[below(random, static_cast<uint32_t>(rows_.size()))];
    for (int attempt = 0; attempt < 20; ++attempt) {
      if (auto chosen = try_instruction(info, random)) return std::move(*chosen);
    }
  }
}

void RandomProgramGenerator::append(const std::string& text, Program* program) {
  const auto dwords = llvm_.assemble(text + "\n");
  BW_CHECK(dwords.has_value());
  program->code.insert(program->code.end(), dwords->begin(), dwords->end());
  program->text += text + "\n";
}

RandomProgramGenerator::Program RandomProgramGenerator::make(std::mt19937& random, size_t instruction_count) {
  Program program;
  program.code = prologue_;
  for (size_t i = 0; i < instruction_count; ++i) {
    const Chosen chosen = make_instruction(random);
    const auto in = decode(chosen.dwords);
    // Without active lanes nothing more would happen, and WMMA wants all of them.
    const bool is_wmma = std::string_view(in->info->name).starts_with("v_wmma");
    if (i % 8 == 0 || is_wmma) append("s_mov_b64 exec, -1", &program);
    if (in->info->encoding == Encoding::DS && in->info->operand(Field::addr) != nullptr) {
      append(fmt::format("v_and_b32 v{0}, {1:#x}, v{0}", in.value()[Field::addr] - kCodeVgpr0, Frame::kLdsBytes - 16),
             &program);
    }
    program.code.insert(program.code.end(), chosen.dwords.begin(), chosen.dwords.end());
    program.text += chosen.text + "\n";
  }
  program.code.insert(program.code.end(), epilogue_.begin(), epilogue_.end());
  return program;
}

}  // namespace bw::test
