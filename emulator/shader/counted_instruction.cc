#include "emulator/shader/counted_instruction.h"

#include <algorithm>
#include <string_view>

namespace bw::emulator {
namespace {

using namespace amdgpu::gfx11;
using Reach = CountedInstruction::Reach;
using Direction = CountedInstruction::Direction;

bool has(std::string_view name, std::string_view part) {
  return name.find(part) != name.npos;
}
template <size_t kCount>
bool starts_with_any(std::string_view name, const std::string_view (&prefixes)[kCount]) {
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_fma(std::string_view name) {
  return has(name, "_fma") && !has(name, "div_fmas");
}

// Source: LLVM's VOP1Instructions.td, the instructions with TRANS = 1.
bool is_transcendental(std::string_view name) {
  constexpr std::string_view kPrefixes[] = {"v_exp_", "v_log_", "v_rcp_", "v_rsq_", "v_sqrt_", "v_sin_", "v_cos_"};
  return starts_with_any(name, kPrefixes);
}

void classify_vopd(const Instruction& in, InstructionCounts* once) {
  once->vopd = 1;
  for (const InstructionInfo* half : {in.info, in.info_y}) {
    once->vopd_fmas += is_fma(half->name);
    once->vopd_movs += half->op == Op::v_dual_mov_b32;
  }
  once->vopd_dual_fma = once->vopd_fmas == 2;
}

void classify_valu(const Instruction& in, InstructionCounts* once) {
  const std::string_view name = in.info->name;
  once->valu = 1;
  if (in.info->encoding == Encoding::VOPD) return classify_vopd(in, once);
  if (name.starts_with("v_wmma_")) {
    once->wmma = 1;
  } else if (name.starts_with("v_dot")) {
    once->dot = 1;
  } else if (name.starts_with("v_pk_")) {
    once->packed = 1;
    once->packed_fma = is_fma(name);
  } else if (is_fma(name)) {
    once->fma = 1;
  } else if (is_transcendental(name)) {
    once->transcendental = 1;
  }
}

void classify_scalar(const InstructionInfo& info, InstructionCounts* once) {
  constexpr std::string_view kWaits[] = {"s_wait", "s_nop", "s_sleep", "s_delay_alu"};
  constexpr std::string_view kJumps[] = {"s_setpc", "s_swappc", "s_call", "s_rfe", "s_subvector_loop"};
  const std::string_view name = info.name;
  if (name == "s_barrier") {
    once->barrier = 1;
  } else if (starts_with_any(name, kWaits)) {
    once->wait = 1;
  } else if (info.has(InstructionInfo::kBranch) || starts_with_any(name, kJumps)) {
    once->branch = 1;
  } else if (name.starts_with("s_sendmsg")) {
    once->message = 1;
  } else if (info.encoding == Encoding::SOPP) {
    once->other = 1;
  } else {
    once->salu = 1;
  }
}

// Bytes of a lane's access by the name; 0: as wide as its data.
unsigned named_bytes(std::string_view name) {
  if (has(name, "_u8") || has(name, "_i8") || has(name, "_b8")) return 1;
  if (has(name, "_u16") || has(name, "_i16") || has(name, "_b16")) return 2;
  return 0;
}

unsigned data_bytes(const Instruction& in, std::initializer_list<Field> fields) {
  for (const Field field : fields) {
    const OperandInfo* operand = in.info->operand(field);
    if (operand != nullptr && operand->kind != OperandKind::kUnused) return std::max(operand->bits / 8u, 4u);
  }
  return 4;
}

Direction direction_of(const InstructionInfo& info) {
  const std::string_view name = info.name;
  if (name.starts_with("ds_load") || has(name, "_load_")) return Direction::kLoad;
  if (name.starts_with("ds_store_") || has(name, "_store_")) return Direction::kStore;
  return Direction::kAtomic;
}

void describe_lds(const Instruction& in, CountedInstruction* out) {
  const std::string_view name = in.info->name;
  out->once.lds = 1;
  out->counts_memory_lanes = true;
  out->is_exchange = has(name, "permute") || has(name, "swizzle");
  if (out->is_exchange || in.info->operand(Field::addr) == nullptr) return;
  out->reach = Reach::kLds;
  out->direction = direction_of(*in.info);
  out->addresses = has(name, "_2addr_") ? 2 : 1;
  out->is_by_lane = has(name, "_addtid");
  const bool loads = out->direction == Direction::kLoad;
  unsigned bytes = data_bytes(
      in, loads ? std::initializer_list<Field>{Field::vdst} : std::initializer_list<Field>{Field::data0, Field::vdst});
  if (loads && out->addresses == 2) bytes /= 2;
  const unsigned named = out->direction == Direction::kAtomic ? 0 : named_bytes(name);
  out->bytes = static_cast<uint8_t>(named != 0 ? named : bytes);
  out->offset_unit = static_cast<uint16_t>(out->bytes * (has(name, "_stride64_") ? 64 : 1));
}

void describe_vector_memory(const Instruction& in, Reach reach, CountedInstruction* out) {
  const std::string_view name = in.info->name;
  const bool is_buffer = reach == Reach::kBuffer;
  // Cache control has no data.
  if (is_buffer && in.info->operand(Field::srsrc) == nullptr) {
    out->once.other = 1;
    return;
  }
  out->once.vmem = 1;
  out->once.flat = reach == Reach::kFlat;
  out->counts_memory_lanes = true;
  out->reach = is_buffer && has(name, "_format_") ? Reach::kTypedBuffer : reach;
  out->direction = direction_of(*in.info);
  out->is_by_lane = has(name, "_addtid");
  unsigned bytes = 0;
  if (is_buffer) {
    bytes = data_bytes(in, {Field::vdata});
  } else if (out->direction == Direction::kLoad) {
    bytes = data_bytes(in, {Field::vdst});
  } else {
    bytes = data_bytes(in, {Field::data});
  }
  if (has(name, "_cmpswap_")) bytes /= 2;
  const unsigned named = out->direction == Direction::kAtomic ? 0 : named_bytes(name);
  out->bytes = static_cast<uint8_t>(named != 0 ? named : bytes);
}

void describe_scalar_memory(const Instruction& in, CountedInstruction* out) {
  out->once.smem = 1;
  if (!has(in.info->name, "_load_")) return;
  out->reach = Reach::kScalar;
  out->bytes = static_cast<uint8_t>(data_bytes(in, {Field::sdata}));
}

}  // namespace

CountedInstruction CountedInstruction::make(const Instruction& in) {
  CountedInstruction out;
  out.once.total = 1;
  switch (in.info->encoding) {
    case Encoding::SOP1:
    case Encoding::SOP2:
    case Encoding::SOPC:
    case Encoding::SOPK:
    case Encoding::SOPP:
      classify_scalar(*in.info, &out.once);
      break;
    case Encoding::SMEM:
      describe_scalar_memory(in, &out);
      break;
    case Encoding::DS:
      describe_lds(in, &out);
      break;
    case Encoding::LDSDIR:
      out.once.lds = 1;
      break;
    case Encoding::FLAT:
      describe_vector_memory(in, Reach::kFlat, &out);
      break;
    case Encoding::GLOBAL:
      describe_vector_memory(in, Reach::kGlobal, &out);
      break;
    case Encoding::SCRATCH:
      describe_vector_memory(in, Reach::kScratch, &out);
      break;
    case Encoding::MUBUF:
    case Encoding::MTBUF:
      describe_vector_memory(in, Reach::kBuffer, &out);
      break;
    case Encoding::MIMG:
      out.once.vmem = 1;
      break;
    case Encoding::EXP:
      out.once.message = 1;
      break;
    default:
      classify_valu(in, &out.once);
      break;
  }
  return out;
}

}  // namespace bw::emulator
