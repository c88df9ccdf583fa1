#include "emulator/shader/resolve.h"

#include <string_view>

#include "amdgpu/gfx11/isa/scalar_registers.h"
#include "emulator/shader/buffer_access.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/operand_value.h"

namespace bw::emulator {
namespace {

using namespace amdgpu::gfx11;

bool is_trap_temporary(uint32_t code) {
  return code >= kCodeTtmp0 && code < kCodeNull;
}

class Resolver {
 public:
  Resolver(const Instruction& in, uint64_t pc, uint32_t wave_size, ConstantPool& constants)
      : in_(in), wave_size_(wave_size), constants_(constants) {
    step_.pc = pc;
    step_.size_dwords = in.size_dwords;
  }

  void run(std::vector<Step>& out);

 private:
  bool is_e32() const {
    const Encoding e = in_.info->encoding;
    return e == Encoding::VOP1 || e == Encoding::VOP2 || e == Encoding::VOPC;
  }
  // Whether this is scalar arithmetic that tries to write a trap temporary.
  bool fails_to_write() const {
    const Encoding e = in_.info->encoding;
    const OperandInfo* sdst = in_.info->operand(Field::sdst);
    return (e == Encoding::SOP1 || e == Encoding::SOP2 || e == Encoding::SOPK) && sdst != nullptr &&
           (sdst->access & OperandInfo::kWrite) != 0 && is_trap_temporary(in_[Field::sdst]);
  }
  bool is_buffer() const { return in_.info->encoding == Encoding::MUBUF || in_.info->encoding == Encoding::MTBUF; }
  bool is_vop3() const { return in_.info->encoding == Encoding::VOP3 || in_.info->encoding == Encoding::VOP3SD; }
  unsigned dwords_of(const OperandInfo& operand) const {
    unsigned bits = operand.bits == 0 ? wave_size_ : operand.bits;
    // The table gives accumulators of matrices as a wave32 has them; a wave64 spreads them over twice the lanes.
    const bool accumulator = operand.format >= NumberFormat::kWmmaDcBf16 && operand.format <= NumberFormat::kWmmaDcI32;
    if (accumulator && wave_size_ == 64) bits /= 2;
    return bits <= 32 ? 1 : bits / 32;
  }

  Source constant(uint64_t value) {
    Source source;
    source.kind = SourceKind::kConstant;
    source.constant = constants_.get(value);
    return source;
  }
  Source scalar(uint32_t slot, unsigned dwords);
  Source vgpr(uint32_t number, unsigned dwords);
  Source operand_source(uint32_t code, NumberFormat format, unsigned dwords);
  enum class Halves : uint8_t { kAsTheyAre, kReplicated };  // of inline constants
  Source packed_source(uint32_t code, NumberFormat format, Halves halves);
  void apply_modifiers(Source& source, unsigned index, const OperandInfo& operand);
  void fold_modifiers(Source& source, NumberFormat format);
  uint16_t scalar_destination(uint32_t code, unsigned dwords);
  bool settle_true16(Source& source, const OperandInfo& operand);

  void resolve_source(unsigned index, const OperandInfo& operand);
  void resolve_destination(const OperandInfo& operand);
  void resolve_operands();
  void resolve_implied();
  void resolve_modifier_fields();
  void resolve_memory();
  void resolve_buffer();
  void resolve_dpp();
  void resolve_vopd(std::vector<Step>& out);
  Step vopd_half(const InstructionInfo& info, Field src0, Field src1, Field dst);

  const Instruction& in_;
  const uint32_t wave_size_;
  ConstantPool& constants_;
  Step step_;
  bool legal_ = true;
};

Source Resolver::scalar(uint32_t slot, unsigned dwords) {
  if (!scalar_registers_exist(slot, dwords)) {
    legal_ = false;
    slot = 0;
  }
  Source source;
  source.kind = SourceKind::kScalar;
  source.index = static_cast<uint16_t>(slot);
  return source;
}

Source Resolver::vgpr(uint32_t number, unsigned dwords) {
  if (number + dwords > kVgprCount) {
    legal_ = false;
    number = 0;
  }
  Source source;
  source.kind = SourceKind::kVgpr;
  source.index = static_cast<uint16_t>(number);
  return source;
}

Source Resolver::operand_source(uint32_t code, NumberFormat format, unsigned dwords) {
  const unsigned bits = dwords * 32;
  if (code >= kCodeVgpr0) return vgpr(code - kCodeVgpr0, dwords);
  if (code < kCodeInlineZero) code = aligned_scalar(code, dwords);
  if (code == kCodeNull) return constant(0);
  if (code < kCodeInlineZero) return scalar(code, dwords);
  if (code < kCodeInlineMinusOne) return constant(code - kCodeInlineZero);
  if (code <= kCodeInlineLast) {
    const int64_t value = -static_cast<int64_t>(code - kCodeInlineMinusOne + 1);
    return constant(bits == 64 ? static_cast<uint64_t>(value) : static_cast<uint32_t>(value));
  }
  if (code >= kCodeInlineFloat && code <= kCodeInlineFloatLast) return constant(inline_float(code, format, bits));
  if (code >= kCodeSharedBase && code <= kCodePrivateLimit) return constant(aperture(code));
  if (code == kCodeLiteral) return constant(literal_value(in_.literal(), format, bits));
  if (code == kCodeScc) {
    Source source;
    source.kind = SourceKind::kScalar;
    source.index = kSccSlot;
    return source;
  }
  legal_ = false;
  return constant(0);
}

// A dword of two halves. Those of bf16 are the upper half of the constant as 32 bits, of integers too.
Source Resolver::packed_source(uint32_t code, NumberFormat format, Halves halves) {
  const bool is_inline = code >= kCodeInlineZero && code <= kCodeInlineFloatLast;
  if (!is_inline || halves == Halves::kAsTheyAre) return operand_source(code, format, 1);
  const bool is_bf16 = format == NumberFormat::kPk2Bf16;
  const Source source = operand_source(code, is_bf16 ? NumberFormat::kF32 : format, 1);
  if (source.kind != SourceKind::kConstant) return source;
  const uint32_t half = source.constant[0].lane[0] >> (is_bf16 ? 16 : 0) & 0xffff;
  return constant(half | half << 16);
}

// e32 encodings name the halves of v0..v127 as v0..v127 (low) and v128..v255 (high).
bool Resolver::settle_true16(Source& source, const OperandInfo& operand) {
  constexpr uint16_t kHighHalves = 128;
  if (!is_e32() || !is_16bit(operand.format) || source.kind != SourceKind::kVgpr || source.index < kHighHalves)
    return false;
  source.index -= kHighHalves;
  return true;
}

void Resolver::fold_modifiers(Source& source, NumberFormat format) {
  const uint8_t m = source.modifiers;
  if (m == 0) return;
  if (source.kind != SourceKind::kConstant) {
    if (source.kind == SourceKind::kScalar) source.modifiers |= kFromScalar;
    if (is_16bit(format)) source.modifiers |= kSign16;
    if (is_pair(format)) source.modifiers |= kSignPair;
    if (format == NumberFormat::kF64) source.modifiers |= kSign64;
    source.kind = SourceKind::kModified;
    return;
  }
  uint64_t value = make_u64(source.constant[0].lane[0], source.constant[1].lane[0]);
  uint64_t sign = uint64_t{1} << (format == NumberFormat::kF64 ? 63 : is_16bit(format) ? 15 : 31);
  if (is_pair(format)) sign |= 0x8000;
  if ((m & kHigh) != 0) value = value >> 16 & 0xffff;
  if ((m & kAbs) != 0) value &= ~sign;
  if ((m & kNeg) != 0) value ^= sign;
  source = constant(value);
}

void Resolver::apply_modifiers(Source& source, unsigned index, const OperandInfo& operand) {
  const bool signs = takes_sign_modifiers(in_.info->op, index, operand.format);
  if (settle_true16(source, operand)) source.modifiers |= kHigh;
  if (is_vop3()) {
    const uint32_t abs = in_.info->encoding == Encoding::VOP3 ? in_[Field::abs] : 0;
    const uint32_t opsel = in_.info->encoding == Encoding::VOP3 ? in_[Field::opsel] : 0;
    if (signs && (abs >> index & 1) != 0) source.modifiers |= kAbs;
    if (signs && (in_[Field::neg] >> index & 1) != 0) source.modifiers |= kNeg;
    if (is_16bit(operand.format) && (opsel >> index & 1) != 0) source.modifiers |= kHigh;
  }
  if (in_.info->encoding == Encoding::VINTERP && signs && (in_[Field::neg] >> index & 1) != 0) source.modifiers |= kNeg;
  if (in_.dpp == DppKind::kDpp16 && is_e32() && signs && index < 2) {
    if (in_[index == 0 ? Field::src0_abs : Field::src1_abs] != 0) source.modifiers |= kAbs;
    if (in_[index == 0 ? Field::src0_neg : Field::src1_neg] != 0) source.modifiers |= kNeg;
  }
  fold_modifiers(source, operand.format);
}

void Resolver::resolve_source(unsigned index, const OperandInfo& operand) {
  const unsigned dwords = dwords_of(operand);
  const uint32_t code = in_[operand.field];
  const Halves halves = replicates_inline_constants(in_.info->op) ? Halves::kReplicated : Halves::kAsTheyAre;
  Source source = is_pair(operand.format) ? packed_source(code, operand.format, halves)
                                          : operand_source(code, operand.format, dwords);
  const bool through_dpp = index == 0 && in_.dpp != DppKind::kNone;
  if (through_dpp) {
    settle_true16(source, operand);
    step_.offset0 = static_cast<uint8_t>(source.index);
    const bool high = is_e32() && is_16bit(operand.format) && in_[operand.field] >= kCodeVgpr0 + 128;
    source.index = kSpareVgpr;
    if (high) source.modifiers |= kHigh;
  }
  apply_modifiers(source, index, operand);
  if (in_.info->encoding == Encoding::VOP3P) {
    const uint32_t opsel_hi = in_[Field::opsel_hi] | in_[Field::opsel_hi2] << 2;
    source.op_sel = (in_[Field::opsel] >> index & 1) != 0;
    source.op_sel_hi = (opsel_hi >> index & 1) != 0;
    source.neg = (in_[Field::neg] >> index & 1) != 0;
    source.neg_hi = (in_[Field::neg_hi] >> index & 1) != 0;
  }
  step_.src[index] = source;
}

// Only trap handlers write trap temporaries; since nobody does, they read as zero.
uint16_t Resolver::scalar_destination(uint32_t code, unsigned dwords) {
  code = aligned_scalar(code, dwords);
  return code == kCodeNull || is_trap_temporary(code) ? static_cast<uint16_t>(kTrashSlot) : scalar(code, dwords).index;
}

void Resolver::resolve_destination(const OperandInfo& operand) {
  const uint32_t code = in_[operand.field];
  const unsigned dwords = dwords_of(operand);
  if (operand.kind != OperandKind::kVgpr) {
    const uint16_t slot = scalar_destination(code, dwords);
    const bool second = operand.field == Field::sdst && in_.info->encoding == Encoding::VOP3SD;
    (second ? step_.sdst : step_.dst) = slot;
    return;
  }
  Source target = vgpr(code - kCodeVgpr0, dwords);
  step_.dst_high = settle_true16(target, operand);
  step_.dst = target.index;
  if (in_.info->encoding == Encoding::VOP3 && is_16bit(operand.format)) {
    constexpr uint32_t kDestinationBit = 3;
    step_.dst_high = (in_[Field::opsel] >> kDestinationBit & 1) != 0;
  }
}

// Which of the three sources a field is; -1: none.
int source_index(Field field) {
  switch (field) {
    case Field::src0:
    case Field::ssrc0:
    case Field::sbase:
    case Field::addr:
      return 0;
    case Field::src1:
    case Field::vsrc1:
    case Field::ssrc1:
    case Field::soffset:
    case Field::data:
    case Field::data0:
      return 1;
    case Field::src2:
    case Field::saddr:
    case Field::data1:
      return 2;
    default:
      return -1;
  }
}

void Resolver::resolve_operands() {
  for (const OperandInfo& operand : in_.info->operands()) {
    if (operand.kind == OperandKind::kUnused || operand.kind == OperandKind::kImmediate) continue;
    const int index = source_index(operand.field);
    if (operand.field == Field::saddr) {
      const uint32_t code = in_[Field::saddr];
      const unsigned dwords = in_.info->encoding == Encoding::SCRATCH ? 1 : 2;
      step_.src[2] = code == kCodeNull ? constant(0) : scalar(code, dwords);
    } else if (operand.field == Field::addr && in_.info->encoding == Encoding::GLOBAL) {
      step_.src[0] = vgpr(in_[Field::addr] - kCodeVgpr0, in_[Field::saddr] == kCodeNull ? 2 : 1);
    } else if (index >= 0) {
      resolve_source(static_cast<unsigned>(index), operand);
    } else {
      resolve_destination(operand);
    }
  }
}

// Sources and destinations that the encoding does not spell out.
void Resolver::resolve_implied() {
  const InstructionInfo& info = *in_.info;
  const OperandInfo* vdst = info.operand(Field::vdst);
  const OperandInfo* sdst = info.operand(Field::sdst);
  if (info.encoding == Encoding::SOPK && sdst != nullptr) {
    // The destination field is the first source of compares and arithmetic, the immediate the second.
    const bool is_unsigned = info.op >= Op::s_cmpk_eq_u32 && std::string_view(info.name).ends_with("u32");
    const uint32_t imm = is_unsigned ? in_[Field::simm16] : static_cast<uint32_t>(sign_extend(in_[Field::simm16], 16));
    const bool moves = info.op == Op::s_movk_i32 || info.op == Op::s_cmovk_i32;
    step_.src[0] = moves ? constant(imm) : operand_source(in_[Field::sdst], sdst->format, 1);
    step_.src[1] = constant(imm);
  }
  if (info.op == Op::s_setreg_imm32_b32) step_.src[0] = constant(in_.literal());
  if (info.encoding == Encoding::VOPC) step_.dst = kVccSlot;
  if (std::string_view(info.name).starts_with("v_cmpx_")) step_.dst = step_.sdst = kExecSlot;
  // The VOP2 forms of packed operations take both halves as they are.
  if (info.op == Op::v_pk_fmac_f16 || info.op == Op::v_dot2acc_f32_f16) {
    for (Source& source : step_.src) source.op_sel_hi = true;
  }
  if (info.encoding == Encoding::VOP2 && (info.flags & InstructionInfo::kReadsVcc) != 0) {
    step_.src[2] = scalar(kVccSlot, wave_size_ / 32);
    step_.sdst = kVccSlot;
  }
  const bool accumulates = info.op == Op::v_pk_fmac_f16 || (vdst != nullptr && info.operand(Field::src2) == nullptr &&
                                                            vdst->access == (OperandInfo::kRead | OperandInfo::kWrite));
  if (accumulates && vdst->kind == OperandKind::kVgpr) {
    Source old = vgpr(step_.dst, dwords_of(*vdst));
    if (step_.dst_high) old.modifiers |= kHigh;
    fold_modifiers(old, vdst->format);
    old.op_sel_hi = true;
    step_.src[2] = old;
  }
  // d = a * K + b has its constant in the middle, d = a * b + K at the end.
  if (info.op == Op::v_fmamk_f32 || info.op == Op::v_fmamk_f16) {
    step_.src[2] = step_.src[1];
    step_.src[1] = constant(in_.literal());
  }
  if (info.op == Op::v_fmaak_f32 || info.op == Op::v_fmaak_f16) step_.src[2] = constant(in_.literal());
}

void Resolver::resolve_modifier_fields() {
  const Encoding e = in_.info->encoding;
  if (e == Encoding::VOP3 || e == Encoding::VOP3SD || e == Encoding::VOP3P || e == Encoding::VINTERP)
    step_.clamp = in_[Field::clmp] != 0;
  if (e == Encoding::VOP3 || e == Encoding::VOP3SD) step_.omod = static_cast<uint8_t>(in_[Field::omod]);
  if (e == Encoding::VOP3) step_.extra = in_[Field::opsel];
  if (e == Encoding::SOPP || e == Encoding::SOPK) step_.imm = sign_extend(in_[Field::simm16], 16);
  if (in_.info->op == Op::s_sendmsg_rtn_b32 || in_.info->op == Op::s_sendmsg_rtn_b64) {
    step_.imm = static_cast<int32_t>(in_[Field::ssrc0]);
    step_.extra = in_.info->op == Op::s_sendmsg_rtn_b64 ? 2 : 1;
  }
}

// FLAT, GLOBAL, SCRATCH: extra has bit 0 if a VGPR holds (a part of) the address, bit 1 if an SGPR does.
void Resolver::resolve_memory() {
  constexpr unsigned kSmemOffsetBits = 21, kFlatOffsetBits = 13;
  switch (in_.info->encoding) {
    case Encoding::SMEM:
      step_.imm = sign_extend(in_[Field::offset], kSmemOffsetBits);
      if (const OperandInfo* sdata = in_.info->operand(Field::sdata);
          sdata != nullptr && sdata->kind == OperandKind::kScalar) {
        step_.dst = scalar_destination(in_[Field::sdata], dwords_of(*sdata));
      }
      break;
    case Encoding::DS:
      step_.offset0 = static_cast<uint8_t>(in_[Field::offset0]);
      step_.offset1 = static_cast<uint8_t>(in_[Field::offset1]);
      step_.imm = static_cast<int32_t>(in_[Field::offset0] | in_[Field::offset1] << 8);
      if (in_[Field::gds] != 0) step_.run = run_gds;
      break;
    case Encoding::FLAT:
    case Encoding::GLOBAL:
    case Encoding::SCRATCH: {
      const bool is_flat = in_.info->encoding == Encoding::FLAT;
      const bool has_saddr = !is_flat && in_[Field::saddr] != kCodeNull;
      const bool has_vaddr = in_.info->encoding != Encoding::SCRATCH || in_[Field::sve] != 0;
      step_.imm =
          is_flat ? static_cast<int32_t>(in_[Field::offset] & 0xfff) : sign_extend(in_[Field::offset], kFlatOffsetBits);
      step_.glc = in_[Field::glc] != 0;
      step_.dst = static_cast<uint16_t>(in_[Field::vdst] - kCodeVgpr0);
      step_.extra = (has_vaddr ? 1u : 0u) | (has_saddr ? 2u : 0u);
      break;
    }
    default:
      break;
  }
}

// MUBUF, MTBUF: as BufferExtra says. Cache control instructions have no operands.
void Resolver::resolve_buffer() {
  const OperandInfo* vdata = in_.info->operand(Field::vdata);
  if (in_.info->operand(Field::srsrc) == nullptr) return;
  const unsigned address_dwords = in_[Field::offen] + in_[Field::idxen];
  if (address_dwords != 0) step_.src[0] = vgpr(in_[Field::vaddr] - kCodeVgpr0, address_dwords);
  constexpr unsigned kResourceDwords = 4;
  step_.src[1] = scalar(in_[Field::srsrc], kResourceDwords);
  step_.src[2] = operand_source(in_[Field::soffset], NumberFormat::kNone, 1);
  if (vdata != nullptr) step_.dst = vgpr(in_[Field::vdata] - kCodeVgpr0, dwords_of(*vdata)).index;
  step_.imm = static_cast<int32_t>(in_[Field::offset]);
  step_.glc = in_[Field::glc] != 0;
  step_.extra = (in_[Field::offen] != 0 ? kBufferOffset : 0u) | (in_[Field::idxen] != 0 ? kBufferIndex : 0u);
  if (in_.info->encoding == Encoding::MTBUF) step_.extra |= in_[Field::format] << kBufferFormatShift;
  if (in_[Field::tfe] != 0) step_.run = run_tfe;
}

// DPP: extra holds the control as run_dpp16 and run_dpp8 say; offset0 the VGPR that is read.
void Resolver::resolve_dpp() {
  if (in_.dpp == DppKind::kNone) return;
  step_.inner = step_.run;
  if (in_.dpp == DppKind::kDpp16) {
    step_.run = run_dpp16;
    step_.extra = in_[Field::dpp] | in_[Field::fi] << 9 | in_[Field::bc] << 10 | in_[Field::bank_mask] << 12 |
                  in_[Field::row_mask] << 16;
    return;
  }
  step_.run = run_dpp8;
  step_.extra = 0;
  constexpr Field kSelectors[] = {Field::lane_sel_0, Field::lane_sel_1, Field::lane_sel_2, Field::lane_sel_3,
                                  Field::lane_sel_4, Field::lane_sel_5, Field::lane_sel_6, Field::lane_sel_7};
  for (unsigned i = 0; i < 8; ++i) step_.extra |= in_[kSelectors[i]] << (i * 3);
  step_.offset1 = in_.dpp8_fetch_inactive;
}

Step Resolver::vopd_half(const InstructionInfo& info, Field src0, Field src1, Field dst) {
  const Op op = single_op(info.op);
  const NumberFormat format = op == Op::v_dot2acc_f32_f16 ? NumberFormat::kPk2F16 : NumberFormat::kF32;
  Step half = step_;
  half.run = handlers()[op] != nullptr ? handlers()[op] : run_unimplemented;
  half.dst = static_cast<uint16_t>(in_[dst] - kCodeVgpr0);
  half.src[0] = packed_source(in_[src0], format, is_pair(format) ? Halves::kReplicated : Halves::kAsTheyAre);
  half.src[1] = operand_source(in_[src1], format, 1);
  half.src[2] = op == Op::v_cndmask_b32 ? scalar(kVccSlot, 1) : vgpr(half.dst, 1);
  for (Source& source : half.src) source.op_sel_hi = true;
  if (op == Op::v_fmamk_f32) {
    half.src[2] = half.src[1];
    half.src[1] = constant(in_.literal());
  }
  if (op == Op::v_fmaak_f32) half.src[2] = constant(in_.literal());
  return half;
}

bool reads(const Step& step, unsigned vgpr) {
  for (const Source& source : step.src) {
    if (source.kind == SourceKind::kVgpr && source.index == vgpr) return true;
  }
  return false;
}

// Both halves read before either writes. In sequence that holds if the second does not read what the first wrote; if
// neither order will do, the second reads a copy of the old value.
void Resolver::resolve_vopd(std::vector<Step>& out) {
  Step x = vopd_half(*in_.info, Field::srcx0, Field::vsrcx1, Field::vdstx);
  Step y = vopd_half(*in_.info_y, Field::srcy0, Field::vsrcy1, Field::vdsty);
  if (reads(y, x.dst)) {
    if (reads(x, y.dst)) {
      Step copy = step_;
      copy.run = run_copy_vgpr;
      copy.src[0] = vgpr(x.dst, 1);
      copy.dst = kSpareVgpr;
      copy.weight = 0;
      out.push_back(copy);
      for (Source& source : y.src) {
        if (source.kind == SourceKind::kVgpr && source.index == x.dst) source.index = kSpareVgpr;
      }
    } else {
      std::swap(x, y);
    }
  }
  y.weight = 0;
  out.push_back(x);
  out.push_back(y);
}

void Resolver::run(std::vector<Step>& out) {
  if (in_.info->encoding == Encoding::VOPD) {
    const size_t first = out.size();
    resolve_vopd(out);
    // VOPD exists in wave32 only.
    if (wave_size_ != 32) legal_ = false;
    if (!legal_) {
      out.resize(first);
      step_.run = run_illegal;
      out.push_back(step_);
    }
    return;
  }
  for (Source& source : step_.src) source = constant(0);
  const Handler handler = handlers()[in_.info->op];
  step_.run = handler != nullptr ? handler : run_unimplemented;
  if (handlers().unsupported_reason(in_.info->op) != nullptr) {
    out.push_back(step_);
    return;
  }
  if (is_buffer()) {
    resolve_buffer();
  } else {
    resolve_operands();
    resolve_modifier_fields();
    resolve_implied();
    resolve_memory();
  }
  if (handler != nullptr) resolve_dpp();
  if (fails_to_write()) {
    step_.inner = step_.run;
    step_.run = run_keeping_scc;
  }
  if (!legal_) step_.run = run_illegal;
  out.push_back(step_);
}

}  // namespace

void resolve(const Instruction& in, uint64_t pc, uint32_t wave_size, ConstantPool& constants, std::vector<Step>& out) {
  Resolver(in, pc, wave_size, constants).run(out);
}

}  // namespace bw::emulator
