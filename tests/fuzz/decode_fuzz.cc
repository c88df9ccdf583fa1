#include "tests/fuzz/decode_fuzz.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"
#include "amdgpu/gfx11/isa/scalar_registers.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

using namespace amdgpu::gfx11;
using std::chrono::steady_clock;

// LLVM adds the operand forms of DPP to the mnemonic, and leaves out _e32 where there is no other form.
std::string plain(std::string mnemonic) {
  for (const std::string_view suffix : {"_e64_dpp", "_dpp", "_e64", "_e32"}) {
    if (mnemonic.size() > suffix.size() && mnemonic.ends_with(suffix)) {
      return mnemonic.substr(0, mnemonic.size() - suffix.size());
    }
  }
  return mnemonic;
}

// Why LLVM's disassembler may take what gfx11 has not; nullptr: it may not. It is lenient with operands; its assembler
// tells what it means by them.
const char* llvms_excuse(LlvmMc& llvm, const std::vector<uint32_t>& dwords, const LlvmMc::Text& text) {
  auto has = [&](const char* part) { return text.text.find(part) != std::string::npos; };
  const auto again = llvm.assemble(text.text + "\n");
  if (!again) return "LLVM: prints what its assembler refuses";
  if (again->size() * 4 != text.size_bytes || !std::equal(again->begin(), again->end(), dwords.begin())) {
    return "LLVM: prints what its assembler encodes otherwise";
  }
  for (const char* gone : {"src_vccz", "src_execz", "src_pops_exiting_wave_id", "src_lds_direct"}) {
    if (has(gone)) return "LLVM: knows sources that gfx11 has no longer";
  }
  if (text.mnemonic == "v_readfirstlane_b32" && has(" src_scc,")) return "LLVM: lets SCC be a destination";
  return nullptr;
}

// Modifiers that stand in the field of the same name.
struct ModifierField {
  ModifierBits bit;
  Field field;
};
#define BW_MODIFIER(name) \
  { kModifier_##name, Field::name }
constexpr ModifierField kModifierFields[] = {
    BW_MODIFIER(a16),   BW_MODIFIER(abs),     BW_MODIFIER(clmp),  BW_MODIFIER(d16),    BW_MODIFIER(dim),
    BW_MODIFIER(dlc),   BW_MODIFIER(dmask),   BW_MODIFIER(done),  BW_MODIFIER(gds),    BW_MODIFIER(glc),
    BW_MODIFIER(idxen), BW_MODIFIER(lwe),     BW_MODIFIER(neg),   BW_MODIFIER(nsa),    BW_MODIFIER(neg_hi),
    BW_MODIFIER(offen), BW_MODIFIER(omod),    BW_MODIFIER(opsel), BW_MODIFIER(r128),   BW_MODIFIER(opsel_hi),
    BW_MODIFIER(row),   BW_MODIFIER(saddr),   BW_MODIFIER(slc),   BW_MODIFIER(sve),    BW_MODIFIER(opsel_hi2),
    BW_MODIFIER(tfe),   BW_MODIFIER(soffset), BW_MODIFIER(unrm),  BW_MODIFIER(waitexp)};
#undef BW_MODIFIER

bool uses(const InstructionInfo& info, Field field) {
  if (const OperandInfo* operand = info.operand(field); operand != nullptr)
    return operand->kind != OperandKind::kUnused;
  return std::any_of(std::begin(kModifierFields), std::end(kModifierFields), [&](const ModifierField& modifier) {
    return modifier.field == field && (info.modifiers & modifier.bit) != 0;
  });
}
// VOPD: rows list operands of both halves.
bool uses(const Instruction& in, Field field) {
  constexpr Field kOfY[] = {Field::srcy0, Field::vsrcy1, Field::vdsty};
  const bool is_y = std::find(std::begin(kOfY), std::end(kOfY), field) != std::end(kOfY);
  return uses(is_y && in.info_y != nullptr ? *in.info_y : *in.info, field);
}
bool is_opcode(const FieldLayout& layout) {
  return layout.kind == FieldKind::kFixed || layout.kind == FieldKind::kOpcode;
}
void set_bits(std::vector<uint32_t>& dwords, const FieldLayout& layout, uint32_t value) {
  for (unsigned bit = layout.lo; bit <= layout.hi; ++bit, value >>= 1) {
    uint32_t& dword = dwords[bit / 32];
    dword = (dword & ~(1u << bit % 32)) | (value & 1) << bit % 32;
  }
}

// The second source of v_cmp_class holds bits, no number.
bool is_class_mask(const InstructionInfo& info, unsigned source) {
  return source == 1 && std::string_view(info.name).find("_class_") != std::string_view::npos;
}

// abs, neg, opsel: a bit for each source that there is, and of opsel one for the destination.
uint32_t bits_with_meaning(const Instruction& in, Field field) {
  constexpr Field kSources[] = {Field::src0, Field::src1, Field::src2};
  uint32_t mask = field == Field::opsel && in.info->encoding == Encoding::VOP3 ? 8 : 0;
  for (unsigned i = 0; i < 3; ++i) {
    const OperandInfo* source = in.info->operand(kSources[i]);
    const bool has_sign = source != nullptr && source->kind != OperandKind::kLaneMask && !is_class_mask(*in.info, i);
    mask |= (field == Field::opsel ? uses(in, kSources[i]) : has_sign) ? 1u << i : 0;
  }
  const bool per_source = field == Field::abs || field == Field::neg || field == Field::neg_hi ||
                          field == Field::opsel || field == Field::opsel_hi;
  return per_source ? mask : ~0u;
}

// Of the dword of DPP16: signs belong to float sources of e32 encodings.
uint32_t dpp_bits_with_meaning(const Instruction& in) {
  constexpr uint32_t kReserved = 1u << 17, kSigns0 = 3u << 20, kSigns1 = 3u << 22;
  const auto is_float = [&](Field field) {
    const OperandInfo* operand = in.info->operand(field);
    return operand != nullptr && (operand->format == NumberFormat::kF16 || operand->format == NumberFormat::kF32);
  };
  const bool is_e32 = in.info->encoding != Encoding::VOP3 && in.info->encoding != Encoding::VOP3P;
  const bool has_signs1 = is_float(Field::vsrc1) && !is_class_mask(*in.info, 1);
  return ~(kReserved | (is_e32 && is_float(Field::src0) ? 0 : kSigns0) | (is_e32 && has_signs1 ? 0 : kSigns1));
}
const FieldLayout& field_of(const EncodingLayout& shape, Field field) {
  const auto fields = shape.fields();
  return *std::find_if(fields.begin(), fields.end(), [&](const FieldLayout& layout) { return layout.field == field; });
}

void clear_unused(const Instruction& in, std::vector<uint32_t>& dwords) {
  const EncodingLayout& shape = layout(in.info->encoding);
  std::vector<uint32_t> known(dwords.size());
  known[0] = shape.mask;
  for (const FieldLayout& field : shape.fields()) {
    if (is_opcode(field)) set_bits(known, field, ~0u);
    if (uses(in, field.field)) set_bits(known, field, bits_with_meaning(in, field.field));
  }
  for (unsigned i = 0; i < shape.size_dwords; ++i) dwords[i] &= known[i];
  if (in.info->encoding == Encoding::FLAT) set_bits(dwords, field_of(shape, Field::saddr), kCodeNull);
  if (in.dpp == DppKind::kDpp16) dwords[shape.size_dwords] &= dpp_bits_with_meaning(in);
}

// Has each field that is an operand of `in` look at its number, and perhaps change it.
template <class Change>
void change_operands(const Instruction& in, std::vector<uint32_t>& dwords, Change change) {
  for (const FieldLayout& field : layout(in.info->encoding).fields()) {
    const OperandInfo* operand = in.info->operand(field.field);
    if (operand == nullptr || operand->kind == OperandKind::kUnused) continue;
    if (field.field == Field::src0 && in.dpp != DppKind::kNone) continue;  // stands in the dword of DPP
    const uint32_t code = in[field.field], changed = change(*operand, code);
    const uint32_t scale = field.kind == FieldKind::kScalarPair ? 2 : field.kind == FieldKind::kScalarQuad ? 4 : 1;
    if (changed != code) set_bits(dwords, field, changed / scale);
  }
}

void align_scalars(const Instruction& in, std::vector<uint32_t>& dwords) {
  change_operands(in, dwords, [](const OperandInfo& operand, uint32_t code) {
    return code < kCodeInlineZero ? aligned_scalar(code, operand.bits / 32) : code;
  });
}

void leave_vcc_alone(const Instruction& in, std::vector<uint32_t>& dwords) {
  change_operands(in, dwords, [](const OperandInfo& operand, uint32_t code) {
    const unsigned count = operand.bits / 32;
    const uint32_t first = aligned_scalar(code, count);
    const bool reaches_vcc = count > 2 && first < kCodeTtmp0 && first + count > kCodeVccLo;
    return reaches_vcc ? 0 : code;
  });
}

// 16-bit VGPR operands of e32 encodings: 128 and up are high halves. The one of DPP stands in a dword of its own.
void take_low_halves(const Instruction& in, std::vector<uint32_t>& dwords) {
  constexpr uint32_t kHalf = 128;
  change_operands(in, dwords, [](const OperandInfo& operand, uint32_t code) {
    const NumberFormat f = operand.format;
    const bool is_half = f == NumberFormat::kF16 || f == NumberFormat::kBf16 || f == NumberFormat::kI16 ||
                         f == NumberFormat::kU16 || f == NumberFormat::kB16 || f == NumberFormat::kPk2U8;
    return is_half && code >= kCodeVgpr0 ? code & ~kHalf : code;
  });
  if (in.dpp != DppKind::kNone) dwords[layout(in.info->encoding).size_dwords] &= ~kHalf;
}

void use_first_registers(const Instruction& in, std::vector<uint32_t>& dwords) {
  change_operands(in, dwords, [](const OperandInfo& operand, uint32_t code) {
    const bool is_matrix = operand.format >= NumberFormat::kWmmaDcBf16 && operand.format <= NumberFormat::kWmmaDcI32;
    return is_matrix && code >= kCodeVgpr0 ? kCodeVgpr0 + 64 : code;
  });
}

void clear_sign_of_offset(const Instruction& in, std::vector<uint32_t>& dwords) {
  constexpr uint32_t kSign = 1u << 12;
  if (in.info->encoding == Encoding::FLAT) dwords[0] &= ~kSign;
}

void set_gds(const Instruction& in, std::vector<uint32_t>& dwords) {
  constexpr uint32_t kGds = 1u << 17;
  if (in.info->encoding == Encoding::DS) dwords[0] |= kGds;
}

// Why the decoder takes what LLVM refuses: each rewrites the instruction, after those before it, so that LLVM takes it
// if that is the whole matter.
struct KnownDifference {
  const char* reason;
  void (*rewrite)(const Instruction& in, std::vector<uint32_t>& dwords);
};
constexpr KnownDifference kTaken[] = {
    {"LLVM: wants the bits that an instruction does not use to be 0, the hardware ignores them", clear_unused},
    {"LLVM: wants the sign of a FLAT offset to be 0, the manual has it ignored", clear_sign_of_offset},
    {"LLVM: wants SGPR tuples aligned, the manual has the low bits of their codes ignored", align_scalars},
    {"LLVM: has no tuples of SGPRs and VCC, for the manual they are one range", leave_vcc_alone},
    {"LLVM: knows the high halves of v0..v127 in few instructions", take_low_halves},
    {"decoder: does not know the wave size, and in wave64 accumulators are half as long", use_first_registers},
    {"LLVM: wants gds set where only the global data share is meant; they fault either way", set_gds},
};

// The reason for which LLVM refuses `dwords`; nullptr: none that is known.
const char* decoders_excuse(LlvmMc& llvm, const Instruction& in, std::vector<uint32_t> dwords) {
  if (in.info->encoding == Encoding::MIMG) return "LLVM: checks how the fields of images agree; they fault either way";
  if (in.info->op == Op::v_mov_b16 && in.info->encoding == Encoding::VOP3)
    return "LLVM: has v_mov_b16 of 64 bits only with registers of 16 bits";
  for (const KnownDifference& difference : kTaken) {
    difference.rewrite(in, dwords);
    const auto text = llvm.disassemble(dwords);
    if (text && plain(text->mnemonic) == plain(in.info->mnemonic) && text->size_bytes == in.size_dwords * 4u)
      return difference.reason;
  }
  return nullptr;
}

std::string describe(const std::vector<uint32_t>& dwords, const Result<Instruction>& ours,
                     const std::optional<LlvmMc::Text>& llvms) {
  std::string text = "dwords";
  for (const uint32_t dword : dwords) text += fmt::format(" {:08x}", dword);
  text += ours.is_ok() ? fmt::format("\n  decoder: {}, {} bytes", ours->info->mnemonic, ours->size_dwords * 4)
                       : fmt::format("\n  decoder: rejects, {}", ours.status().message());
  return text +
         (llvms ? fmt::format("\n  LLVM:    {}, {} bytes", llvms->text, llvms->size_bytes) : "\n  LLVM:    rejects");
}

}  // namespace

DecodeFuzzResult fuzz_decoder(uint32_t seed, double seconds, uint64_t most) {
  LlvmMc llvm;
  std::mt19937 random(seed);
  DecodeFuzzResult result;
  const auto end = steady_clock::now() + std::chrono::duration<double>(seconds);
  for (; result.count < most && steady_clock::now() < end; ++result.count) {
    const EncodingLayout& shape = layout(static_cast<Encoding>(random() % static_cast<unsigned>(Encoding::kCount)));
    std::vector<uint32_t> dwords(kMaxInstructionDwords);
    for (uint32_t& dword : dwords) dword = static_cast<uint32_t>(random());
    dwords[0] = (dwords[0] & ~shape.mask) | shape.value;
    const auto ours = decode(dwords);
    const auto llvms = llvm.disassemble(dwords);
    bool agree = true;
    if (ours.is_ok() && llvms) {
      ++result.both_take;
      agree = plain(ours->info->mnemonic) == plain(llvms->mnemonic) && ours->size_dwords * 4u == llvms->size_bytes;
    } else if (!ours.is_ok() && !llvms) {
      ++result.both_reject;
    } else {
      const char* excuse =
          ours.is_ok() ? decoders_excuse(llvm, ours.value(), dwords) : llvms_excuse(llvm, dwords, *llvms);
      agree = excuse != nullptr;
      if (agree) ++result.one_sided[excuse];
    }
    if (!agree) {
      result.failure = fmt::format("seed {}, number {}: {}", seed, result.count, describe(dwords, ours, llvms));
      return result;
    }
  }
  return result;
}

}  // namespace bw::test
