#include "emulator/shader/strict_instruction.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "emulator/shader/operand_value.h"

namespace bw::emulator {
namespace {

using namespace amdgpu::gfx11;

Unit unit_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::SOP1:
    case Encoding::SOP2:
    case Encoding::SOPC:
    case Encoding::SOPK:
    case Encoding::SOPP:
      return Unit::kSalu;
    case Encoding::SMEM:
      return Unit::kSmem;
    case Encoding::DS:
      return Unit::kLds;
    case Encoding::FLAT:
      return Unit::kFlat;
    case Encoding::GLOBAL:
    case Encoding::SCRATCH:
    case Encoding::MUBUF:
    case Encoding::MTBUF:
      return Unit::kVmem;
    case Encoding::MIMG:
    case Encoding::EXP:
    case Encoding::LDSDIR:
    case Encoding::kCount:
      return Unit::kOther;
    default:
      return Unit::kValu;
  }
}

bool is_e32(Encoding e) {
  return e == Encoding::VOP1 || e == Encoding::VOP2 || e == Encoding::VOPC;
}
bool is_buffer(Encoding e) {
  return e == Encoding::MUBUF || e == Encoding::MTBUF;
}
bool is_atomic(std::string_view name) {
  return name.find("_atomic_") != name.npos;
}

// Source: LLVM's VOP1Instructions.td, the instructions with TRANS = 1.
bool is_transcendental(std::string_view name) {
  constexpr std::string_view kPrefixes[] = {"v_exp_", "v_log_", "v_rcp_", "v_rsq_", "v_sqrt_", "v_sin_", "v_cos_"};
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_data(Field field) {
  return field == Field::data || field == Field::data0 || field == Field::data1 || field == Field::vdata;
}

bool has(std::string_view name, std::string_view part) {
  return name.find(part) != name.npos;
}
bool is_d16(std::string_view name) {
  return has(name, "_d16");
}
bool is_d16_hi(std::string_view name) {
  return has(name, "_d16_hi");
}

// Bytes of a memory access of less than a dword by its name, otherwise 0.
unsigned sub_dword_bytes(std::string_view name) {
  for (std::string_view part : {"_u8", "_i8", "_b8"}) {
    if (has(name, part)) return 1;
  }
  for (std::string_view part : {"_u16", "_i16", "_b16"}) {
    if (has(name, part)) return 2;
  }
  return 0;
}

// Bits of the data register that a store takes.
uint32_t stored_bits(std::string_view name) {
  const unsigned bytes = has(name, "_store") ? sub_dword_bytes(name) : 0;
  const bool half = bytes == 0 && is_d16(name) && name.ends_with("format_x");
  const uint32_t bits = bytes == 1 ? 0xffu : bytes == 2 || half ? 0xffffu : ~0u;
  return is_d16_hi(name) ? bits << 16 : bits;
}
// Bits of the destination that a load writes. The formats of more than one component fill their registers.
uint32_t loaded_bits(std::string_view name) {
  const bool is_half = is_d16(name) && (sub_dword_bytes(name) != 0 || name.ends_with("format_x"));
  return is_d16_hi(name) ? 0xffff0000u : is_half ? 0xffffu : ~0u;
}

class Collector {
 public:
  Collector(StrictInstruction& out, uint32_t wave_size) : out_(out), in_(out.in), wave_size_(wave_size) {}

  void run();

 private:
  unsigned dwords_of(const OperandInfo& operand) const;
  void add_operand(const OperandInfo& operand);
  void add_memory_operand(const OperandInfo& operand);
  void add_dual();
  void add_implied();
  void add_read(uint32_t code, unsigned dwords) { add(out_.reads, code, dwords, read_bits_); }
  void add_write(uint32_t code, unsigned dwords) { add(out_.writes, code, dwords, write_bits_); }
  void add(std::vector<RegisterSpan>& spans, uint32_t code, unsigned dwords, uint32_t bits);

  StrictInstruction& out_;
  const Instruction& in_;
  const uint32_t wave_size_;
  Field field_ = Field::kCount;  // of the operand being added
  uint32_t read_bits_ = ~0u;     // of its registers
  uint32_t write_bits_ = ~0u;
};

void Collector::add(std::vector<RegisterSpan>& spans, uint32_t code, unsigned dwords, uint32_t bits) {
  const bool is_scalar = code <= kCodeExecHi && code != kCodeNull;
  const uint32_t end = code >= kCodeVgpr0 ? kRegisterIds : kCodeExecHi + 1u;
  if (dwords == 0 || (!is_scalar && code < kCodeVgpr0) || code + dwords > end) return;
  spans.push_back({static_cast<RegisterId>(code), static_cast<uint16_t>(dwords), field_, bits});
}

unsigned Collector::dwords_of(const OperandInfo& operand) const {
  unsigned bits = operand.bits == 0 ? wave_size_ : operand.bits;
  const bool accumulator = operand.format >= NumberFormat::kWmmaDcBf16 && operand.format <= NumberFormat::kWmmaDcI32;
  if (accumulator && wave_size_ == 64) bits /= 2;
  return bits <= 32 ? 1 : bits / 32;
}

void Collector::add_memory_operand(const OperandInfo& operand) {
  const Encoding e = in_.info->encoding;
  field_ = operand.field;
  read_bits_ = is_data(operand.field) ? stored_bits(in_.info->name) : ~0u;
  write_bits_ = loaded_bits(in_.info->name);
  const bool atomic = is_atomic(in_.info->name) && e != Encoding::DS;
  const bool with_return = !atomic || in_[Field::glc] != 0;
  unsigned dwords = dwords_of(operand);
  const uint32_t code = in_[operand.field];
  if (operand.field == Field::addr && e == Encoding::SCRATCH && in_[Field::sve] == 0) return;
  if (operand.field == Field::addr && e == Encoding::GLOBAL) dwords = in_[Field::saddr] == kCodeNull ? 2 : 1;
  if (operand.field == Field::vaddr) dwords = in_[Field::offen] + in_[Field::idxen];
  if (is_buffer(e) && operand.field == Field::vdata) {
    if (operand.access != OperandInfo::kWrite) add_read(code, dwords);
    const bool swaps = std::string_view(in_.info->name).find("_cmpswap_") != std::string_view::npos;
    if ((operand.access & OperandInfo::kWrite) != 0 && with_return) {
      add_write(code, (atomic && swaps ? dwords / 2 : dwords) + in_[Field::tfe]);
    }
    return;
  }
  // Loads of half a register leave the other half, but do not read it.
  if ((operand.access & OperandInfo::kRead) != 0 && operand.field != Field::vdst) add_read(code, dwords);
  if ((operand.access & OperandInfo::kWrite) != 0 && with_return) add_write(code, dwords);
}

void Collector::add_operand(const OperandInfo& operand) {
  if (operand.kind == OperandKind::kUnused || operand.kind == OperandKind::kImmediate) return;
  if (out_.unit != Unit::kSalu && out_.unit != Unit::kValu) return add_memory_operand(operand);
  field_ = operand.field;
  uint32_t code = in_[operand.field];
  // e32 encodings name the high halves of v0..v127 as v128..v255.
  constexpr uint32_t kHighHalves = kCodeVgpr0 + 128;
  if (is_e32(in_.info->encoding) && is_16bit(operand.format) && code >= kHighHalves) code -= 128;
  if ((operand.access & OperandInfo::kRead) != 0) {
    const size_t before = out_.reads.size();
    add_read(code, dwords_of(operand));
    const bool is_mask = operand.kind == OperandKind::kLaneMask && out_.unit == Unit::kValu;
    if (is_mask && out_.reads.size() > before) out_.mask = out_.reads.back();
    if (out_.unit == Unit::kValu && (code == kCodeLiteral || (code < kCodeNull || code == kCodeM0)))
      out_.reads_constant_bus = true;
  }
  if ((operand.access & OperandInfo::kWrite) != 0) add_write(code, dwords_of(operand));
}

void Collector::add_dual() {
  const auto half = [&](Op op, Field src0, Field src1, Field dst) {
    add_read(in_[src0], 1);
    if (op != Op::v_mov_b32) add_read(in_[src1], 1);
    if (op == Op::v_cndmask_b32) add_read(kCodeVccLo, 1);
    if (op == Op::v_fmac_f32 || op == Op::v_dot2acc_f32_f16) add_read(in_[dst], 1);
    if (in_[src0] < kCodeNull || in_[src0] == kCodeM0 || in_.has_literal) out_.reads_constant_bus = true;
    add_write(in_[dst], 1);
  };
  half(single_op(in_.info->op), Field::srcx0, Field::vsrcx1, Field::vdstx);
  half(single_op(in_.info_y->op), Field::srcy0, Field::vsrcy1, Field::vdsty);
}

// Registers that the encoding does not spell out.
void Collector::add_implied() {
  const InstructionInfo& info = *in_.info;
  const unsigned mask_dwords = wave_size_ / 32;
  if (info.has(InstructionInfo::kReadsVcc) && info.encoding != Encoding::VOPD) {
    add_read(kCodeVccLo, mask_dwords);
    if (out_.unit == Unit::kValu) {
      out_.mask = out_.reads.back();
      out_.reads_constant_bus = true;
    }
  }
  if (info.has(InstructionInfo::kWritesVcc)) add_write(kCodeVccLo, mask_dwords);
  // The table has M0 with all DS instructions, as older hardware wants it; gfx11 looks at it for addtid only.
  const bool by_lane = std::string_view(info.name).find("addtid") != std::string_view::npos;
  if (info.has(InstructionInfo::kReadsM0) && (out_.unit != Unit::kLds || by_lane)) add_read(kCodeM0, 1);
  if (info.op == Op::v_pk_fmac_f16) add_read(in_[Field::vdst], 1);
  const auto is_exec = [](const RegisterSpan& span) {
    return span.contains(kCodeExecLo) || span.contains(kCodeExecHi);
  };
  out_.writes_exec =
      info.has(InstructionInfo::kWritesExec) || std::any_of(out_.writes.begin(), out_.writes.end(), is_exec);
}

void Collector::run() {
  if (in_.info->encoding == Encoding::VOPD) {
    add_dual();
    return;
  }
  for (const OperandInfo& operand : in_.info->operands()) add_operand(operand);
  field_ = Field::kCount;
  read_bits_ = write_bits_ = ~0u;
  if (in_.has_literal && out_.unit == Unit::kValu) out_.reads_constant_bus = true;
  add_implied();
}

RegisterId register_of(const Instruction& in, Field field) {
  return in.info->operand(field) != nullptr ? static_cast<RegisterId>(in[field]) : RegisterId{0};
}

MemoryAccess::Kind access_kind(const InstructionInfo& info) {
  const std::string_view name = info.name;
  if (name.starts_with("ds_load")) return MemoryAccess::kLoad;
  if (name.starts_with("ds_store_")) return MemoryAccess::kStore;
  if (has(name, "permute") || has(name, "swizzle")) return MemoryAccess::kNone;
  const bool loads = info.has(InstructionInfo::kMayLoad), stores = info.has(InstructionInfo::kMayStore);
  return loads && stores ? MemoryAccess::kAtomic
         : loads         ? MemoryAccess::kLoad
         : stores        ? MemoryAccess::kStore
                         : MemoryAccess::kNone;
}

MemoryAccess access_of(const Instruction& in) {
  const std::string_view name = in.info->name;
  const bool is_ds = in.info->encoding == Encoding::DS;
  MemoryAccess out;
  out.kind = access_kind(*in.info);
  if (out.kind == MemoryAccess::kNone) return out;
  out.exchanges = has(name, "storexchg") || (has(name, "_swap_") && !has(name, "_cmpswap_"));
  out.is_signed = has(name, "_i8") || has(name, "_i16");
  out.parts = has(name, "_2addr_") ? 2 : 1;
  out.data[0] = register_of(in, is_ds ? Field::data0 : Field::data);
  out.data[1] = register_of(in, Field::data1);
  const bool returns = is_ds || out.kind != MemoryAccess::kAtomic || in[Field::glc] != 0;
  if (returns && out.kind != MemoryAccess::kStore) out.dst = register_of(in, Field::vdst);
  const Field sized = out.data[0] != 0 ? (is_ds ? Field::data0 : Field::data) : Field::vdst;
  unsigned dwords = std::max(in.info->operand(sized)->bits / 32u, 1u);
  if (out.kind == MemoryAccess::kLoad && out.parts == 2) dwords /= 2;
  if (has(name, "_cmpswap_")) dwords /= 2;
  const unsigned small = out.kind == MemoryAccess::kAtomic ? 0 : sub_dword_bytes(name);
  out.bytes = static_cast<uint8_t>(small != 0 ? small : dwords * 4);
  out.offset_unit = static_cast<uint16_t>(out.bytes * (has(name, "_stride64_") ? 64 : 1));
  out.dst_bits = loaded_bits(name);
  out.dst_shift = is_d16_hi(name) ? 16 : 0;
  out.data_shift = is_d16_hi(name) ? 16 : 0;
  return out;
}

bool chooses_registers(std::string_view name) {
  return has(name, "_movrel") || name.starts_with("v_swaprel");
}

}  // namespace

std::string register_name(RegisterId id) {
  if (id >= kFirstVgprId) return fmt::format("v{}", id - kFirstVgprId);
  if (id < kSgprCount) return fmt::format("s{}", id);
  switch (id) {
    case kCodeVccLo:
      return "vcc_lo";
    case kCodeVccHi:
      return "vcc_hi";
    case kCodeM0:
      return "m0";
    case kCodeScc:
      return "scc";
    case kCodeExecLo:
      return "exec_lo";
    case kCodeExecHi:
      return "exec_hi";
    default:
      return fmt::format("ttmp{}", id - kCodeTtmp0);
  }
}

StrictInstruction StrictInstruction::make(const Instruction& in, uint64_t pc, uint32_t wave_size) {
  StrictInstruction out;
  out.in = in;
  out.pc = pc;
  const std::string_view name = in.info->name;
  out.unit = unit_of(in.info->encoding);
  const bool atomic = is_atomic(name);
  if (out.unit == Unit::kVmem || out.unit == Unit::kFlat) {
    out.returns = atomic ? in[Field::glc] != 0 : in.info->has(InstructionInfo::kMayLoad);
  }
  out.is_trans = out.unit == Unit::kValu && is_transcendental(name);
  out.is_wmma = name.starts_with("v_wmma_");
  out.is_permlane = name.starts_with("v_permlane");
  out.is_relative = chooses_registers(name);
  Collector(out, wave_size).run();
  if (out.unit == Unit::kSalu || out.unit == Unit::kValu) out.operations = flow_operations(in, wave_size);
  if (out.op() == Op::v_mad_u64_u32 || out.op() == Op::v_mad_i64_i32)
    out.is_overlapped = in[Field::src2] >= kCodeVgpr0 && in[Field::src2] + 1 == in[Field::vdst];
  const bool reaches_lanes = out.unit == Unit::kLds || out.unit == Unit::kFlat;
  if (reaches_lanes || in.info->encoding == Encoding::SCRATCH) out.access = access_of(in);
  return out;
}

StrictInstruction with_relative_registers(const StrictInstruction& in, uint32_t m0) {
  const std::string_view name = in.in.info->name;
  const bool two = name.find("_movrelsd_2_") != name.npos || in.op() == Op::v_swaprel_b32;
  const bool moves_source = two || name.find("_movrels") != name.npos;
  const bool moves_target = two || name.find("_movreld") != name.npos || name.find("_movrelsd") != name.npos;
  constexpr uint32_t kIndexBits = 0x3ff;
  const uint32_t source = !moves_source ? 0 : two ? m0 & kIndexBits : m0;
  const uint32_t target = !moves_target ? 0 : two ? m0 >> 16 & kIndexBits : m0;
  StrictInstruction out = in;
  const auto is_target = [](const RegisterSpan& span) {
    return span.field == Field::vdst || span.field == Field::sdst;
  };
  const auto move = [&](std::vector<RegisterSpan>& spans) {
    for (RegisterSpan& span : spans) {
      const uint64_t first = uint64_t{span.first} + (is_target(span)               ? target
                                                     : span.field == Field::kCount ? 0
                                                                                   : source);
      const uint64_t end = span.is_vgpr() ? kRegisterIds : kSgprCount;
      const bool exists = span.field == Field::kCount || first + span.count <= end;
      // VGPRs that do not exist are v0.
      span.first = exists ? static_cast<RegisterId>(first) : span.is_vgpr() ? kFirstVgprId : span.first;
      if (!exists && !span.is_vgpr()) span.count = 0;
    }
  };
  move(out.reads);
  move(out.writes);
  for (FlowOperation& op : out.operations) {
    for (const RegisterSpan& span : out.reads) {
      if (span.field == Field::ssrc0) op.sources[0].code = span.count != 0 ? span.first : uint16_t{kCodeInlineZero};
    }
  }
  return out;
}

}  // namespace bw::emulator
