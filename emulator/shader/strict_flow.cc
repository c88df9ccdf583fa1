#include "emulator/shader/strict_flow.h"

#include <algorithm>
#include <string_view>

#include "base/bits.h"
#include "emulator/shader/operand_value.h"

namespace bw::emulator {
namespace {

using namespace amdgpu::gfx11;

constexpr uint64_t kAll = ~uint64_t{0};

struct FlowName {
  std::string_view prefix;  // of the mnemonic
  Flow flow;
};

// The first that fits. What is not here is kAny.
constexpr FlowName kFlows[] = {
    {"v_mov_b", Flow::kCopy},
    {"v_not_b", Flow::kCopy},
    {"s_mov_b", Flow::kCopy},
    {"s_not_b", Flow::kCopy},
    {"v_movrel", Flow::kMoveLanes},
    {"v_swap", Flow::kMoveLanes},
    {"v_permlane", Flow::kMoveLanes},
    {"v_readlane", Flow::kMoveLanes},
    {"v_readfirstlane", Flow::kMoveLanes},
    {"v_writelane", Flow::kMoveLanes},
    {"s_movrel", Flow::kCopy},
    {"v_bfrev_b32", Flow::kReverse},
    {"s_brev_b", Flow::kReverse},
    {"v_and_or_b32", Flow::kAndOr},
    {"v_and_b", Flow::kAnd},
    {"v_or_b", Flow::kOr},
    {"v_or3_b32", Flow::kXor},
    {"v_xor", Flow::kXor},
    {"v_xnor", Flow::kXor},
    {"s_and_not0_wrexec", Flow::kAny},
    {"s_and_not1_wrexec", Flow::kAny},
    {"s_and_", Flow::kAnd},
    {"s_nand_", Flow::kAnd},
    {"s_or_", Flow::kOr},
    {"s_nor_", Flow::kOr},
    {"s_xor_", Flow::kXor},
    {"s_xnor_", Flow::kXor},
    {"v_bfi_b32", Flow::kInsert},
    {"v_lshl_or_b32", Flow::kShiftLeft},
    {"v_lshlrev_b", Flow::kShiftLeft},
    {"s_lshl_b", Flow::kShiftLeft},
    {"v_lshrrev_b", Flow::kShiftRight},
    {"s_lshr_b", Flow::kShiftRight},
    {"v_ashrrev_i", Flow::kShiftRightSigned},
    {"s_ashr_i", Flow::kShiftRightSigned},
    {"v_alignbit_b32", Flow::kAlign},
    {"v_alignbyte_b32", Flow::kAlignBytes},
    {"v_perm_b32", Flow::kPermuteBytes},
    {"v_bfe_u32", Flow::kExtract},
    {"v_bfe_i32", Flow::kExtractSigned},
    {"s_bfe_u", Flow::kExtract},
    {"s_bfe_i", Flow::kExtractSigned},
    {"s_bitcmp", Flow::kTestBit},
    {"v_add3_u32", Flow::kAddition},
    {"v_add_nc_", Flow::kAddition},
    {"v_sub_nc_", Flow::kAddition},
    {"v_subrev_nc_", Flow::kAddition},
    {"v_add_co_u32", Flow::kAddition},
    {"v_sub_co_u32", Flow::kAddition},
    {"v_subrev_co_u32", Flow::kAddition},
    {"v_add_co_ci_u32", Flow::kAddition},
    {"v_sub_co_ci_u32", Flow::kAddition},
    {"v_subrev_co_ci_u32", Flow::kAddition},
    {"v_mul_lo_", Flow::kAddition},
    {"v_mul_u32_u24", Flow::kAddition},
    {"v_mul_i32_i24", Flow::kAddition},
    {"v_mad_u32_u24", Flow::kAddition},
    {"v_mad_i32_i24", Flow::kAddition},
    {"v_mad_u64_u32", Flow::kAddition},
    {"v_mad_u16", Flow::kAddition},
    {"v_mad_i16", Flow::kAddition},
    {"v_mad_u32_u16", Flow::kAddition},
    {"v_lshl_add_u32", Flow::kShiftAdd},
    {"v_add_lshl_u32", Flow::kAddShift},
    {"s_lshl1_add_u32", Flow::kShiftAdd},
    {"s_lshl2_add_u32", Flow::kShiftAdd},
    {"s_lshl3_add_u32", Flow::kShiftAdd},
    {"s_lshl4_add_u32", Flow::kShiftAdd},
    {"s_add_u32", Flow::kAddition},
    {"s_add_i32", Flow::kAddition},
    {"s_sub_u32", Flow::kAddition},
    {"s_sub_i32", Flow::kAddition},
    {"s_addc_u32", Flow::kAddition},
    {"s_subb_u32", Flow::kAddition},
    {"s_addk_i32", Flow::kAddition},
    {"s_mulk_i32", Flow::kAddition},
    {"s_mul_i32", Flow::kAddition},
    {"v_cndmask_b", Flow::kSelect},
    {"s_cselect_b", Flow::kSelect},
    {"s_cmov", Flow::kSelect},
    {"v_pk_", Flow::kHalves},
    {"v_cvt_pk_u8_f32", Flow::kAny},
    {"v_cvt_pk_", Flow::kPair},
    {"s_cvt_pk_rtz_f16_f32", Flow::kPair},
    {"v_pack_b32_f16", Flow::kPack},
    {"s_pack_", Flow::kPack},
    {"v_wmma_", Flow::kMatrix},
};

Flow flow_of(std::string_view name) {
  const auto at =
      std::find_if(std::begin(kFlows), std::end(kFlows), [&](const FlowName& f) { return name.starts_with(f.prefix); });
  return at == std::end(kFlows) ? Flow::kAny : at->flow;
}

bool has(std::string_view name, std::string_view part) {
  return name.find(part) != name.npos;
}

class Builder {
 public:
  Builder(const Instruction& in, uint32_t wave_size) : in_(in), info_(*in.info), name_(info_.name), size_(wave_size) {}

  FlowOperation single();
  FlowOperation half(const InstructionInfo& info, Field src0, Field src1, Field dst) const;

 private:
  bool is_scalar() const { return name_.starts_with("s_"); }
  bool is_e32() const {
    return info_.encoding == Encoding::VOP1 || info_.encoding == Encoding::VOP2 || info_.encoding == Encoding::VOPC;
  }
  unsigned dwords_of(const OperandInfo& operand) const;
  FlowSource source(uint32_t code, NumberFormat format, unsigned dwords) const;
  FlowSource operand_source(const OperandInfo& operand, unsigned index) const;
  void add(const FlowSource& source) { out_.sources[out_.source_count++] = source; }
  void add_sources();
  void add_implied();
  void select_halves(FlowSource* source, unsigned index) const;
  void order_sources();
  void set_destination();

  const Instruction& in_;
  const InstructionInfo& info_;
  const std::string_view name_;
  const uint32_t size_;
  FlowOperation out_;
};

unsigned Builder::dwords_of(const OperandInfo& operand) const {
  unsigned bits = operand.bits == 0 ? size_ : operand.bits;
  const bool accumulator = operand.format >= NumberFormat::kWmmaDcBf16 && operand.format <= NumberFormat::kWmmaDcI32;
  if (accumulator && size_ == 64) bits /= 2;
  return bits <= 32 ? 1 : bits / 32;
}

FlowSource Builder::source(uint32_t code, NumberFormat format, unsigned dwords) const {
  FlowSource out;
  out.code = static_cast<uint16_t>(code);
  out.dwords = static_cast<uint8_t>(dwords);
  const unsigned bits = dwords >= 2 ? 64 : 32;
  if (code == kCodeLiteral) out.constant = literal_value(in_.literal(), format, bits);
  if (code >= kCodeInlineZero && code < kCodeInlineMinusOne) out.constant = code - kCodeInlineZero;
  if (code >= kCodeInlineMinusOne && code <= kCodeInlineLast)
    out.constant = static_cast<uint64_t>(-static_cast<int64_t>(code - kCodeInlineMinusOne + 1));
  if (code >= kCodeInlineFloat && code <= kCodeInlineFloatLast) out.constant = inline_float(code, format, bits);
  if (code == kCodeNull) out.code = kCodeInlineZero;
  return out;
}

// VOP3P: the halves that op_sel and op_sel_hi choose; of fma_mix, op_sel_hi makes a source a half at all.
void Builder::select_halves(FlowSource* source, unsigned index) const {
  const uint32_t opsel_hi = in_[Field::opsel_hi] | in_[Field::opsel_hi2] << 2;
  const bool low_from_high = (in_[Field::opsel] >> index & 1) != 0, is_high = (opsel_hi >> index & 1) != 0;
  if (name_.starts_with("v_fma_mix")) {
    if (!is_high) return;
    source->shift = low_from_high ? 16 : 0;
    source->bits = 0xffff;
  } else if (out_.flow == Flow::kHalves) {
    source->shift = low_from_high ? 16 : 0;
    source->shift_hi = is_high ? 16 : 0;
  }
}

FlowSource Builder::operand_source(const OperandInfo& operand, unsigned index) const {
  FlowSource out = source(in_[operand.field], operand.format, dwords_of(operand));
  out.is_mask = operand.kind == OperandKind::kLaneMask && !is_scalar();
  constexpr uint32_t kHighHalves = kCodeVgpr0 + 128;
  if (is_16bit(operand.format) || name_ == "s_sext_i32_i16") out.bits = 0xffff;
  if (name_ == "s_sext_i32_i8") out.bits = 0xff;
  if (has(name_, "24") && index < 2) out.bits = 0xffffff;
  if (is_16bit(operand.format) && !is_scalar()) {
    if (is_e32() && out.code >= kHighHalves) {
      out.code -= 128;
      out.shift = 16;
    }
    if (info_.encoding == Encoding::VOP3 && (in_[Field::opsel] >> index & 1) != 0) out.shift = 16;
  }
  if (info_.encoding == Encoding::VOP3P) select_halves(&out, index);
  if (name_.starts_with("v_cvt_f32_ubyte")) {
    out.shift = static_cast<uint8_t>((name_.back() - '0') * 8);
    out.bits = 0xff;
  }
  if (name_.starts_with("s_pack_")) {  // s_pack_ab_b32_b16: which half of each source
    out.shift = name_[7 + index] == 'h' ? 16 : 0;
    out.bits = 0xffff;
  }
  return out;
}

void Builder::add_sources() {
  unsigned index = 0;
  const OperandInfo* accumulator = nullptr;
  for (const OperandInfo& operand : info_.operands()) {
    if (operand.kind == OperandKind::kUnused || operand.kind == OperandKind::kImmediate) continue;
    if ((operand.access & OperandInfo::kRead) == 0) continue;
    if (operand.field == Field::vdst || operand.field == Field::sdst) {
      accumulator = &operand;
    } else {
      add(operand_source(operand, index++));
    }
  }
  if (accumulator == nullptr) {
    if (info_.op == Op::v_pk_fmac_f16) add(source(in_[Field::vdst], NumberFormat::kPk2F16, 1));
    return;
  }
  constexpr unsigned kDestination = 3;
  FlowSource old = operand_source(*accumulator, kDestination);
  if (out_.width == 16) old.shift = out_.dst_shift;
  // What fma_mixlo and mixhi leave of their destination is not read.
  if (!name_.starts_with("v_fma_mix")) add(old);
}

// Sources that the encoding does not spell out, and the constants of names.
void Builder::add_implied() {
  if (info_.has(InstructionInfo::kReadsVcc) && !is_scalar()) {
    FlowSource vcc = source(kCodeVccLo, NumberFormat::kNone, size_ / 32);
    vcc.is_mask = true;
    add(vcc);
  }
  const bool shows_scc = name_.starts_with("s_c") && !name_.starts_with("s_cbranch");
  if (info_.has(InstructionInfo::kReadsScc) && (shows_scc || out_.flow == Flow::kAddition))
    add(source(kCodeScc, NumberFormat::kNone, 1));
  if (has(name_, "_saveexec_")) add(source(kCodeExecLo, NumberFormat::kNone, size_ == 64 ? 2 : 1));
}

// Puts the sources into the order that the rules of Flow have.
void Builder::order_sources() {
  auto& s = out_.sources;
  switch (out_.flow) {
    case Flow::kShiftLeft:
    case Flow::kShiftRight:
    case Flow::kShiftRightSigned:
      if (has(name_, "rev_")) std::swap(s[0], s[1]);
      break;
    case Flow::kExtract:
    case Flow::kExtractSigned:
      if (!is_scalar()) break;
      s[2] = s[1];  // offset and width in one source
      s[2].shift = 16;
      s[2].bits = 0x7f;
      s[1].bits = out_.width - 1;
      out_.source_count = 3;
      break;
    case Flow::kShiftAdd:
      if (!is_scalar()) break;
      s[2] = s[1];
      s[1] = FlowSource{};
      s[1].constant = static_cast<uint64_t>(name_[6] - '0');
      out_.source_count = 3;
      break;
    case Flow::kSelect:
      if (name_.starts_with("s_cselect")) std::swap(s[0], s[1]);
      if (name_.starts_with("s_cmov")) {
        FlowSource old = source(in_[Field::sdst], NumberFormat::kNone, out_.width / 32u);
        s[1] = info_.encoding == Encoding::SOPK ? FlowSource{} : s[0];
        s[0] = old;
        s[2] = source(kCodeScc, NumberFormat::kNone, 1);
        out_.source_count = 3;
      }
      break;
    case Flow::kAnd:
    case Flow::kOr:
      out_.inverted = name_.starts_with("s_n");
      s[0].inverted = has(name_, "_not0_");
      s[1].inverted = has(name_, "_not1_");
      break;
    default:
      break;
  }
}

void Builder::set_destination() {
  const OperandInfo* dst = info_.operand(is_scalar() ? Field::sdst : Field::vdst);
  if (dst == nullptr || (dst->access & OperandInfo::kWrite) == 0) return;
  out_.dst_dwords = static_cast<uint8_t>(dwords_of(*dst));
  const bool is_half = !is_scalar() && is_16bit(dst->format);
  out_.width = is_half ? 16 : static_cast<uint8_t>(std::min<unsigned>(out_.dst_dwords * 32u, 128));
  if (dst->kind != OperandKind::kVgpr) return;
  uint32_t code = in_[Field::vdst];
  constexpr uint32_t kHighHalves = kCodeVgpr0 + 128;
  constexpr uint32_t kDestinationBit = 3;
  if (is_half && is_e32() && code >= kHighHalves) {
    code -= 128;
    out_.dst_shift = 16;
  }
  if (is_half && info_.encoding == Encoding::VOP3 && (in_[Field::opsel] >> kDestinationBit & 1) != 0)
    out_.dst_shift = 16;
  if (info_.op == Op::v_fma_mixhi_f16) out_.dst_shift = 16;
  out_.dst = static_cast<uint16_t>(code);
}

FlowOperation Builder::single() {
  out_.flow = flow_of(name_);
  set_destination();
  add_sources();
  add_implied();
  order_sources();
  return out_;
}

FlowOperation Builder::half(const InstructionInfo& info, Field src0, Field src1, Field dst) const {
  FlowOperation out;
  const Op op = single_op(info.op);
  out.flow = flow_of(name(op));
  out.dst = static_cast<uint16_t>(in_[dst]);
  out.dst_dwords = 1;
  const auto add = [&](uint32_t code) { out.sources[out.source_count++] = source(code, NumberFormat::kF32, 1); };
  add(in_[src0]);
  if (op != Op::v_mov_b32) add(in_[src1]);
  if (op == Op::v_cndmask_b32) {
    add(kCodeVccLo);
    out.sources[2].is_mask = true;
  }
  if (op == Op::v_fmac_f32 || op == Op::v_dot2acc_f32_f16) add(in_[dst]);
  if (out.flow == Flow::kShiftLeft) std::swap(out.sources[0], out.sources[1]);
  return out;
}

uint64_t upward(uint64_t undefined) {
  return undefined | (uint64_t{0} - undefined);
}

uint64_t shift_right(const FlowOperation& op, uint64_t undefined, uint64_t amount) {
  if (op.flow == Flow::kShiftRight) return undefined >> amount;
  const unsigned width = op.width == 64 ? 64 : op.width;
  const unsigned up = 64 - width;
  return static_cast<uint64_t>(static_cast<int64_t>(undefined << up) >> up >> amount);
}

// v_perm_b32: four selectors of a byte each, of the eight bytes of a:b, of their signs (8 to 11), or constants.
uint64_t permute_bytes(const uint64_t* u, const uint64_t* v) {
  if (u[2] != 0) return kAll;
  const uint64_t bytes = u[0] << 32 | (u[1] & 0xffffffff);
  uint64_t out = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const uint64_t selector = v[2] >> (i * 8) & 0xff;
    uint64_t byte = 0;
    if (selector < 8) byte = bytes >> (selector * 8) & 0xff;
    if (selector >= 8 && selector < 12) byte = (bytes >> ((selector - 8) * 16 + 15) & 1) != 0 ? 0xff : 0;
    out |= byte << (i * 8);
  }
  return out;
}

uint64_t extract(const FlowOperation& op, const uint64_t* u, const uint64_t* v) {
  if (u[1] != 0 || u[2] != 0) return kAll;
  const uint64_t low = op.width - 1u;
  const uint64_t offset = v[1] & low;
  const uint64_t count = op.width == 32 && op.sources[2].shift == 0 ? v[2] & 31 : std::min<uint64_t>(v[2], op.width);
  if (count == 0) return 0;
  const uint64_t field = count >= 64 ? kAll : (uint64_t{1} << count) - 1;
  const uint64_t undefined = u[0] >> offset & field;
  const bool sign = (undefined >> (count - 1) & 1) != 0;
  return op.flow == Flow::kExtractSigned && sign ? undefined | ~field : undefined;
}

uint64_t halves(const FlowOperation& op, const uint64_t* u) {
  uint64_t low = 0, high = 0;
  for (unsigned i = 0; i < op.source_count; ++i) {
    low |= u[i] >> op.sources[i].shift & 0xffff;
    high |= u[i] >> op.sources[i].shift_hi & 0xffff;
  }
  return (low != 0 ? 0xffffu : 0u) | (high != 0 ? 0xffff0000u : 0u);
}

uint64_t any_of(const FlowOperation& op, const uint64_t* u) {
  uint64_t any = 0;
  for (unsigned i = 0; i < op.source_count; ++i) any |= u[i];
  return any;
}

// a & b, where each may be undefined: a defined 0 decides.
uint64_t both(uint64_t undefined_a, uint64_t a, uint64_t undefined_b, uint64_t b) {
  return (undefined_a | undefined_b) & (undefined_a | a) & (undefined_b | b);
}

uint64_t logic(const FlowOperation& op, const uint64_t* u, const uint64_t* v) {
  const uint64_t a = op.sources[0].inverted ? ~v[0] : v[0], b = op.sources[1].inverted ? ~v[1] : v[1];
  switch (op.flow) {
    case Flow::kAnd:
      return both(u[0], a, u[1], b);
    case Flow::kOr:
      return both(u[0], ~a, u[1], ~b);
    case Flow::kAndOr:
      return both(both(u[0], a, u[1], b), ~(a & b), u[2], ~v[2]);
    default:  // kInsert
      return (u[0] & ((v[1] ^ v[2]) | u[1] | u[2])) | (u[1] & (a | u[0])) | (u[2] & (~a | u[0]));
  }
}

// What depends on an amount: all of the result where that is undefined.
uint64_t shifted(const FlowOperation& op, const uint64_t* u, const uint64_t* v) {
  const uint64_t low = op.width - 1u, pair = u[0] << 32 | (u[1] & 0xffffffff);
  switch (op.flow) {
    case Flow::kShiftLeft:
      return (u[1] & low) != 0 ? kAll : u[0] << (v[1] & low) | (op.source_count > 2 ? u[2] : 0);
    case Flow::kShiftRight:
    case Flow::kShiftRightSigned:
      return (u[1] & low) != 0 ? kAll : shift_right(op, u[0], v[1] & low);
    case Flow::kAlign:
      return (u[2] & 31) != 0 ? kAll : pair >> (v[2] & 31);
    case Flow::kAlignBytes:
      return (u[2] & 3) != 0 ? kAll : pair >> (v[2] & 3) * 8;
    case Flow::kShiftAdd:
      return (u[1] & low) != 0 ? kAll : upward(u[0] << (v[1] & low) | u[2]);
    case Flow::kAddShift:
      return (u[2] & low) != 0 ? kAll : upward(u[0] | u[1]) << (v[2] & low);
    default: {  // kTestBit
      const uint64_t bit = op.sources[0].dwords * 32u - 1;
      return (u[1] & bit) != 0 ? kAll : u[0] >> (v[1] & bit) & 1;
    }
  }
}

uint64_t reversed(const FlowOperation& op, uint64_t undefined) {
  uint64_t out = 0;
  for (unsigned i = 0; i < op.width; ++i) out |= (undefined >> i & 1) << (op.width - 1u - i);
  return out;
}

}  // namespace

std::vector<FlowOperation> flow_operations(const Instruction& in, uint32_t wave_size) {
  Builder builder(in, wave_size);
  if (in.info->encoding != Encoding::VOPD) return {builder.single()};
  return {builder.half(*in.info, Field::srcx0, Field::vsrcx1, Field::vdstx),
          builder.half(*in.info_y, Field::srcy0, Field::vsrcy1, Field::vdsty)};
}

uint64_t flow_bits(const FlowOperation& op, const uint64_t* u, const uint64_t* v) {
  const uint64_t any = any_of(op, u);
  if (any == 0) return 0;
  switch (op.flow) {
    case Flow::kCopy:
      return u[0];
    case Flow::kReverse:
      return reversed(op, u[0]);
    case Flow::kXor:
      return any;
    case Flow::kAnd:
    case Flow::kOr:
    case Flow::kAndOr:
    case Flow::kInsert:
      return logic(op, u, v);
    case Flow::kShiftLeft:
    case Flow::kShiftRight:
    case Flow::kShiftRightSigned:
    case Flow::kAlign:
    case Flow::kAlignBytes:
    case Flow::kShiftAdd:
    case Flow::kAddShift:
    case Flow::kTestBit:
      return shifted(op, u, v);
    case Flow::kPermuteBytes:
      return permute_bytes(u, v);
    case Flow::kExtract:
    case Flow::kExtractSigned:
      return extract(op, u, v);
    case Flow::kAddition:
      return upward(any);
    case Flow::kSelect:
      return u[2] != 0 ? u[0] | u[1] | (v[0] ^ v[1]) : v[2] != 0 ? u[1] : u[0];
    case Flow::kHalves:
      return halves(op, u);
    case Flow::kPair:
      return (u[0] != 0 ? 0xffffu : 0u) | (u[1] != 0 ? 0xffff0000u : 0u);
    case Flow::kPack:
      return (u[0] & 0xffff) | (u[1] & 0xffff) << 16;
    case Flow::kAny:
    case Flow::kMatrix:
    case Flow::kMoveLanes:
      break;
  }
  return kAll;
}

}  // namespace bw::emulator
