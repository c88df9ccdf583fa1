// Owns: undefined bits in instructions of the vector ALU.
#include <algorithm>
#include <bit>

#include "emulator/shader/handlers.h"
#include "emulator/shader/strict_undefined.h"

namespace bw::emulator {

using namespace amdgpu::gfx11;

namespace {

// Whether undefined bits depend on more than undefined bits.
bool needs_values(Flow flow) {
  switch (flow) {
    case Flow::kAny:
    case Flow::kCopy:
    case Flow::kReverse:
    case Flow::kXor:
    case Flow::kAddition:
    case Flow::kHalves:
    case Flow::kPair:
    case Flow::kPack:
      return false;
    default:
      return true;
  }
}

bool is_relative(Op op) {
  return op == Op::v_movreld_b32 || op == Op::v_movrels_b32 || op == Op::v_movrelsd_b32 || op == Op::v_movrelsd_2_b32 ||
         op == Op::v_swaprel_b32;
}

}  // namespace

void UndefinedChecker::gather(const Wave& wave, const FlowOperation& op, const FlowSource& source, unsigned half,
                              Bits* undefined, Bits* values) const {
  const unsigned shift = op.flow == Flow::kHalves ? 0 : source.shift;
  if (source.is_vgpr()) {
    const size_t first = static_cast<size_t>(source.code - kCodeVgpr0) * wave.halves + half;
    for (unsigned l = 0; l < kLanes; ++l) {
      uint64_t u = 0, v = 0;
      for (unsigned i = 0; i < source.dwords; ++i) {
        const size_t row = first + static_cast<size_t>(i) * wave.halves;
        u |= static_cast<uint64_t>(shadow_.vgprs[row].lane[l]) << (i % 2 * 32);
        v |= static_cast<uint64_t>(wave.vgprs[row].lane[l]) << (i % 2 * 32);
      }
      (*undefined)[l] = u >> shift & source.bits;
      (*values)[l] = v >> shift & source.bits;
    }
    return;
  }
  const bool is_scc = source.code == kCodeScc;
  uint64_t u = 0, v = source.constant;
  if (source.is_register() || is_scc) u = scalar_bits(source.code, source.dwords);
  if (is_scc) v = wave.s[kSccSlot];
  if (source.is_register()) v = make_u64(wave.s[source.code], source.dwords > 1 ? wave.s[source.code + 1u] : 0);
  for (unsigned l = 0; l < kLanes; ++l) {
    const unsigned lane = half * kLanes + l;
    (*undefined)[l] = source.is_mask ? u >> lane & 1 : u >> shift & source.bits;
    (*values)[l] = source.is_mask ? v >> lane & 1 : v >> shift & source.bits;
  }
}

void UndefinedChecker::compute(const Wave& wave, const FlowOperation& op, uint64_t lanes, Result* out) const {
  out->is_defined = false;
  std::array<Bits, 5> undefined, values;
  const bool with_values = needs_values(op.flow);
  for (unsigned h = 0; h < wave.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(lanes >> (h * kLanes));
    for (unsigned i = 0; i < op.source_count; ++i) gather(wave, op, op.sources[i], h, &undefined[i], &values[i]);
    for (unsigned l = 0; l < kLanes; ++l) {
      uint64_t u[5], v[5] = {}, any = 0;
      for (unsigned i = 0; i < op.source_count; ++i) {
        any |= u[i] = undefined[i][l];
        if (with_values) v[i] = values[i][l];
      }
      const uint64_t result = any == 0 || (active >> l & 1) == 0 ? 0 : flow_bits(op, u, v);
      if (any != 0) out->lanes |= uint64_t{1} << (h * kLanes + l);
      out->rows[h][0].lane[l] = static_cast<uint32_t>(result) << op.dst_shift;
      out->rows[h][1].lane[l] = static_cast<uint32_t>(result >> 32);
    }
  }
}

// Source 0 as DPP delivers it, in the spare row of both waves; returns the lanes that are written.
uint64_t UndefinedChecker::through_dpp(Wave& wave, const Step& step, FlowOperation* op) {
  Step capture = step;
  capture.sdst = 0;
  capture.inner = [](Wave& w, const Step&) { w.set_s64(kTrashSlot, w.mask(kExecSlot)); };
  capture.run(wave, capture);
  run_on_shadow(wave, capture);
  const uint64_t lanes = shadow_.s64(kTrashSlot);
  note_any(kSpareVgpr);
  op->sources[0].code = static_cast<uint16_t>(kCodeVgpr0 + kSpareVgpr);
  return lanes;
}

void UndefinedChecker::write_result(const FlowOperation& op, const Result& result, uint64_t lanes) {
  if (op.dst == 0) return;
  for (unsigned i = 0; i < op.dst_dwords; ++i) {
    const unsigned vgpr = op.dst - kCodeVgpr0 + i;
    if (result.is_defined) {
      define_vgpr(vgpr, op.dst_bits(), lanes);
      continue;
    }
    for (unsigned h = 0; h < shadow_.halves; ++h) {
      write_vgpr(vgpr, h, result.rows[h][std::min(i, 1u)].lane, op.dst_bits(), lanes);
    }
    note_any(vgpr);
  }
}

// Row m of A and column n of B, whose copies in the other lanes count too, and the element of C.
void UndefinedChecker::matrix(const Wave& wave, const StrictInstruction& in) {
  constexpr unsigned kSize = 16;
  const FlowOperation& op = in.operations[0];
  const auto lines = [&](const FlowSource& source) {
    const uint64_t lanes = lanes_of({source.code, source.dwords}, ~0u);
    return static_cast<uint32_t>((lanes | lanes >> 16 | lanes >> 32 | lanes >> 48) & 0xffff);
  };
  const uint32_t a = lines(op.sources[0]), b = lines(op.sources[1]);
  const FlowSource& c = op.sources[2];
  const std::string_view name = in.in.info->name;
  const bool is_narrow = name.starts_with("v_wmma_f16_") || name.starts_with("v_wmma_bf16_");
  const bool high = (in.in[Field::opsel] >> 2 & 1) != 0;
  const uint32_t bits = is_narrow ? (high ? 0xffff0000u : 0xffffu) : ~0u;
  const unsigned rows_per_vgpr = wave.lane_count() / kSize;
  for (unsigned i = 0; i < op.dst_dwords; ++i) {
    const unsigned vgpr = op.dst - kCodeVgpr0 + i;
    for (unsigned h = 0; h < wave.halves; ++h) {
      Row row;
      for (unsigned l = 0; l < kLanes; ++l) {
        const unsigned lane = h * kLanes + l, m = i * rows_per_vgpr + lane / kSize, n = lane % kSize;
        const uint32_t old = c.is_vgpr() ? shadow_.vgpr(c.code - kCodeVgpr0 + i, h)[l] & bits : 0;
        row.lane[l] = (a >> m & 1) != 0 || (b >> n & 1) != 0 || old != 0 ? ~0u : 0;
      }
      write_vgpr(vgpr, h, row.lane, bits, ~uint64_t{0});
    }
    note_any(vgpr);
  }
}

// One bit a lane in the scalar registers that the vector ALU writes.
void UndefinedChecker::write_masks(const StrictInstruction& in, uint64_t undefined) {
  for (const RegisterSpan& span : in.writes) {
    for (unsigned i = 0; i < span.count && !span.is_vgpr(); ++i) {
      write_scalar(span.first + i, static_cast<uint32_t>(undefined >> (i * 32)));
    }
  }
}

// v_mad_u64_u32 and v_mad_i64_i32 write their low dword before they read the high dword of the addend. LLVM lets the
// two be one register only where it does not use the high dword of the result, which is then not promised.
void UndefinedChecker::overlap(const Wave& wave, const StrictInstruction& in) {
  const unsigned vgpr = in.operations[0].dst - kCodeVgpr0 + 1u;
  Row row;
  for (uint32_t& lane : row.lane) lane = ~0u;
  for (unsigned h = 0; h < wave.halves; ++h) write_vgpr(vgpr, h, row.lane, ~0u, wave.exec());
  note_any(vgpr);
  origins_[vgpr + kFirstVgprId] = {kOverlapOrigin, in.pc};
}

std::optional<StrictFinding> UndefinedChecker::vector(Wave& wave, const Step& step, const StrictInstruction& in) {
  if (in.operations[0].flow == Flow::kMoveLanes) return between_lanes(wave, step, in);
  bool any = false;
  for (const FlowOperation& op : in.operations) {
    for (unsigned i = 0; i < op.source_count; ++i) any = any || has_undefined(op.sources[i]);
  }
  const bool dpp = in.in.dpp != DppKind::kNone;
  // Which lanes DPP leaves as they are matters where those are undefined.
  const auto is_undefined = [&](const RegisterSpan& span) { return has_undefined(span); };
  const bool writes_undefined = std::any_of(in.writes.begin(), in.writes.end(), is_undefined);
  if (!any && !writes_undefined) {
    if (in.is_overlapped) overlap(wave, in);
    return std::nullopt;
  }
  const std::optional<RegisterId> from = first_undefined(in);
  pass_origins(in);
  if (in.is_wmma) {
    matrix(wave, in);
    return std::nullopt;
  }
  uint64_t lanes = wave.exec();
  std::array<Result, 2> results;
  std::array<FlowOperation, 2> operations;
  for (size_t i = 0; i < in.operations.size(); ++i) {
    operations[i] = in.operations[i];
    if (dpp) lanes = through_dpp(wave, step, &operations[i]);
    if (any) compute(wave, operations[i], lanes, &results[i]);
  }
  if (in.writes_exec && (results[0].lanes & lanes) != 0) return finding(from.value_or(0), "what EXEC is set from");
  for (size_t i = 0; i < in.operations.size(); ++i) write_result(operations[i], results[i], lanes);
  write_masks(in, results[0].lanes & lanes);
  if (in.is_overlapped) overlap(wave, in);
  return std::nullopt;
}

// The step on the shadow, with values in place of undefined bits in all sources but the first `data_sources`.
Step UndefinedChecker::shadow_step(const Wave& wave, const Step& step, unsigned data_sources) {
  static constexpr Row kZeros[2] = {};
  Step out = step;
  for (unsigned i = 0; i < 3; ++i) {
    Source& source = out.src[i];
    if (i < data_sources) {
      const bool is_exec = source.kind == SourceKind::kScalar && source.index >= kExecSlot && source.index < kTrashSlot;
      if (is_exec) source.kind = SourceKind::kConstant;
      if (source.kind == SourceKind::kConstant) source.constant = kZeros;
      // The signs that modifiers change are as undefined as they were.
      if (source.kind == SourceKind::kModified) source.modifiers &= kHigh | kFromScalar;
    } else if (source.kind == SourceKind::kScalar) {
      shadow_.s[kTrashSlot + i * 2] = wave.s[source.index];
      source.index = static_cast<uint16_t>(kTrashSlot + i * 2);
    }
  }
  return out;
}

void UndefinedChecker::run_on_shadow(Wave& wave, const Step& step) {
  shadow_.set_s64(kExecSlot, wave.s64(kExecSlot));
  step.run(shadow_, step);
  shadow_.set_s64(kExecSlot, 0);
}

// Their handlers move undefined bits as they move values. Undefined lane numbers make all undefined.
std::optional<StrictFinding> UndefinedChecker::between_lanes(Wave& wave, const Step& step,
                                                             const StrictInstruction& in) {
  bool any = false;
  for (const auto* spans : {&in.reads, &in.writes}) {
    any = any || std::any_of(spans->begin(), spans->end(), [&](const auto& span) { return has_undefined(span); });
  }
  if (!any) return std::nullopt;
  pass_origins(in);
  bool unknown_lanes = false;
  for (const RegisterSpan& span : in.reads) {
    const bool selects = (in.is_permlane || in.op() == Op::v_readlane_b32 || in.op() == Op::v_writelane_b32) &&
                         !span.is_vgpr() && (in.op() != Op::v_writelane_b32 || span.field == Field::src1);
    unknown_lanes = unknown_lanes || (selects && has_undefined(span));
  }
  // M0 chooses registers, and is not moved itself.
  const uint32_t m0 = shadow_.s[kM0Slot];
  if (is_relative(in.op())) shadow_.s[kM0Slot] = wave.s[kM0Slot];
  run_on_shadow(wave, shadow_step(wave, step, 1));
  if (is_relative(in.op())) shadow_.s[kM0Slot] = m0;
  static constexpr Row kUndefined = [] {
    Row row{};
    for (uint32_t& lane : row.lane) lane = ~0u;
    return row;
  }();
  for (const RegisterSpan& span : in.writes) {
    for (RegisterId id = span.first; id < span.first + span.count; ++id) {
      if (!span.is_vgpr()) {
        if (unknown_lanes) write_scalar(id, ~0u);
        continue;
      }
      for (unsigned h = 0; unknown_lanes && h < wave.halves; ++h)
        write_vgpr(id - kFirstVgprId, h, kUndefined.lane, ~0u, wave.all_lanes());
      note_any(id - kFirstVgprId);
    }
  }
  return std::nullopt;
}

}  // namespace bw::emulator
