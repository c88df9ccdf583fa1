// Owns: which of the test vectors, all written for wave32, mean the same in wave64.
//
// With at most 32 work-items the upper half of a wave64 is switched off (EXEC_HI = 0), and with 64 it is what the
// second wave of the wave32 form was. So a program gives the same results unless it holds what the wave size changes:
// the width of lane masks in SGPRs, instructions with a meaning of their own for each wave size, and, with more than 32
// work-items, scalar state that covers one wave.
#include <cstring>

#include "amdgpu/gfx11/isa/decode.h"
#include "tools/barewave/isa_vectors.h"

namespace bw::tools {
namespace {

using namespace amdgpu::gfx11;

constexpr uint32_t kHalfLanes = 32;
constexpr uint32_t kWave64Lanes = 64;

// Of what one instruction does with the wave size; nullptr: nothing.
const char* obstacle(const Instruction& in) {
  const std::string_view name = in.info->name;
  if (in.info->encoding == Encoding::VOPD) return "VOPD exists in wave32 only";
  if (name.starts_with("v_wmma_")) return "WMMA lays its matrices out by wave size";
  if (in.info->op == Op::v_permlane64_b32) return "v_permlane64_b32 swaps the halves of a wave64";
  if (in.info->op == Op::ds_bpermute_b32 || in.info->op == Op::ds_permute_b32)
    return "its lane numbers wrap at the wave size";
  if (in.info->op == Op::v_readlane_b32 || in.info->op == Op::v_writelane_b32)
    return "its lane numbers wrap at the wave size";
  if (in.info->op == Op::s_cbranch_vccz || in.info->op == Op::s_cbranch_vccnz) {
    return "it looks at VCC_HI too, which the programs' frame does not set";
  }
  for (const OperandInfo& operand : in.info->operands()) {
    const bool is_mask = operand.kind == OperandKind::kLaneMask;
    const uint32_t code = in[operand.field];
    if (is_mask && code != kCodeVccLo && code != kCodeNull && code != kCodeExecLo)
      return "a lane mask in SGPRs has 64 bits";
  }
  return nullptr;
}

}  // namespace

std::optional<std::string> wave64_obstacle(const IsaVector& vector) {
  if (vector.lanes > kWave64Lanes || (vector.lanes > kHalfLanes && vector.layout != IsaVector::Layout::kLanes)) {
    return fmt::format("its scalar state is that of one wave32 of {} work-items", vector.lanes);
  }
  std::vector<uint32_t> dwords((vector.body_end - vector.body_begin) / 4);
  std::memcpy(dwords.data(), vector.code.data() + vector.body_begin, dwords.size() * 4);
  std::span<const uint32_t> rest(dwords);
  while (!rest.empty()) {
    const auto in = decode(rest);
    if (!in.is_ok()) return in.status().message();
    if (const char* why = obstacle(in.value())) return std::string(in->info->mnemonic) + ": " + why;
    rest = rest.subspan(in->size_dwords);
  }
  return std::nullopt;
}

}  // namespace bw::tools
