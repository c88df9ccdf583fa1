// Owns: undefined bits in instructions of the scalar ALU, and in what they decide.
#include <string_view>

#include "emulator/shader/strict_undefined.h"

namespace bw::emulator {

using namespace amdgpu::gfx11;

namespace {

bool is_saveexec(const StrictInstruction& in) {
  return std::string_view(in.in.info->name).find("_saveexec_") != std::string_view::npos;
}

}  // namespace

std::optional<StrictFinding> UndefinedChecker::check_control(const Wave& wave, const StrictInstruction& in) const {
  switch (in.op()) {
    case Op::s_cbranch_scc0:
    case Op::s_cbranch_scc1:
      if (shadow_.s[kSccSlot] != 0) return finding(kCodeScc, "what a branch depends on");
      return std::nullopt;
    case Op::s_cbranch_vccz:
    case Op::s_cbranch_vccnz: {
      const uint64_t undefined = shadow_.mask(kVccSlot);
      // A lane that is set for sure decides.
      if (undefined == 0 || (wave.mask(kVccSlot) & ~undefined) != 0) return std::nullopt;
      return finding(lo32(undefined) != 0 ? kCodeVccLo : kCodeVccHi, "what a branch depends on");
    }
    case Op::s_setpc_b64:
    case Op::s_swappc_b64:
      if (const auto id = first_undefined(in)) return finding(*id, "the target of a jump");
      return std::nullopt;
    case Op::s_setreg_b32:
      if (const auto id = first_undefined(in)) return finding(*id, "written to a hardware register");
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// SCC of compares and of arithmetic, where it is a carry, depends on all there is; of bit operations it says that the
// result is not zero, so a bit that is set for sure decides.
void UndefinedChecker::scalar_condition(const StrictInstruction& in, const FlowOperation& op, const uint64_t* undefined,
                                        const uint64_t* values, uint64_t result) {
  if (!in.in.info->has(InstructionInfo::kWritesScc)) return;
  uint64_t any = 0;
  for (unsigned i = 0; i < op.source_count; ++i) any |= undefined[i];
  uint64_t value = 0;
  if (op.flow == Flow::kAnd || op.flow == Flow::kOr) {
    const uint64_t a = op.sources[0].inverted ? ~values[0] : values[0];
    const uint64_t b = op.sources[1].inverted ? ~values[1] : values[1];
    value = op.flow == Flow::kAnd ? a & b : a | b;
    if (op.inverted) value = ~value;
    if (op.width < 64) value &= 0xffffffff;
  }
  if (op.flow == Flow::kTestBit || op.flow == Flow::kAnd || op.flow == Flow::kOr) any = result;
  shadow_.s[kSccSlot] = any != 0 && (value & ~result) == 0;
}

std::optional<StrictFinding> UndefinedChecker::scalar(Wave& wave, const StrictInstruction& in) {
  if (auto found = check_control(wave, in)) return found;
  const FlowOperation& op = in.operations[0];
  uint64_t undefined[5] = {}, values[5] = {}, any = 0;
  for (unsigned i = 0; i < op.source_count; ++i) {
    const FlowSource& source = op.sources[i];
    undefined[i] = source.is_register() || source.code == kCodeScc
                       ? scalar_bits(source.code, source.dwords) >> source.shift & source.bits
                       : 0;
    any |= undefined[i];
  }
  if (any == 0) {
    define_writes(in, 0);
    return std::nullopt;
  }
  for (unsigned i = 0; i < op.source_count; ++i) {
    const FlowSource& source = op.sources[i];
    const bool wide = source.dwords > 1;
    uint64_t value = source.constant;
    if (source.code == kCodeScc) value = wave.s[kSccSlot];
    if (source.is_register()) value = make_u64(wave.s[source.code], wide ? wave.s[source.code + 1u] : 0);
    values[i] = value >> source.shift & source.bits;
  }
  const std::optional<RegisterId> from = first_undefined(in);
  pass_origins(in);
  const uint64_t all = op.width < 64 ? 0xffffffff : ~uint64_t{0};
  const uint64_t result = flow_bits(op, undefined, values) & all;
  scalar_condition(in, op, undefined, values, result);
  if (in.writes_exec && (result & wave.all_lanes()) != 0 && from) return finding(*from, "what EXEC is set from");
  for (const RegisterSpan& span : in.writes) {
    for (unsigned i = 0; i < span.count; ++i) {
      write_scalar(span.first + i, is_saveexec(in) ? 0 : static_cast<uint32_t>(result >> (i * 32 % 64)));
    }
  }
  return std::nullopt;
}

}  // namespace bw::emulator
