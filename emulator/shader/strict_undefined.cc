#include "emulator/shader/strict_undefined.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace bw::emulator {

using amdgpu::gfx11::kCodeExecHi;
using amdgpu::gfx11::kCodeExecLo;
using amdgpu::gfx11::kCodeInlineZero;
using amdgpu::gfx11::kCodeScc;
using amdgpu::gfx11::kCodeVgpr0;

namespace {

std::string origin_name(RegisterId id) {
  if (id == kLdsOrigin) return "LDS that was never written";
  if (id == kScratchOrigin) return "scratch memory that was never written";
  if (id == kOverlapOrigin) return "a sum whose addend it overwrites in its first pass (MADIntraFwdBug)";
  return register_name(id) + ", never written,";
}

}  // namespace

// SCC is a bit of STATUS, which waves start with at zero: the recorded vectors store it, never written.
// unverified: that the hardware sets all 32 bits of v0, also where the dispatch asks for the x of work-items only.
void UndefinedChecker::start(const Wave& wave, uint32_t scalar_count) {
  shadow_.halves = wave.halves;
  shadow_.index = wave.index;
  shadow_.group = wave.group;
  const size_t rows = static_cast<size_t>(kVgprRows) * wave.halves;
  if (rows_.size() != rows) {
    rows_.resize(rows);
    changed_.fill(true);
  }
  shadow_.vgprs = rows_.data();
  for (unsigned vgpr = 0; vgpr < kVgprRows; ++vgpr) {
    for (unsigned h = 0; changed_[vgpr] && h < wave.halves; ++h) std::fill_n(shadow_.vgpr(vgpr, h), kLanes, ~0u);
  }
  changed_.fill(false);
  any_.fill(true);
  shadow_.s.fill(0);
  std::fill(shadow_.s.begin() + scalar_count, shadow_.s.begin() + amdgpu::gfx11::kCodeNull, ~0u);
  shadow_.s[kM0Slot] = ~0u;
  for (RegisterId id = 0; id < origins_.size(); ++id) origins_[id] = {id, 0};
  scratch_.clear();
  define_vgpr(0, ~0u, wave.exec());
}

uint64_t UndefinedChecker::scalar_bits(uint32_t code, unsigned dwords) const {
  if (code == kCodeScc) return shadow_.s[kSccSlot];
  if (code >= kCodeExecLo) return 0;
  return make_u64(shadow_.s[code], dwords > 1 ? shadow_.s[code + 1] : 0);
}

bool UndefinedChecker::has_undefined(const FlowSource& source) const {
  if (source.is_vgpr()) {
    const auto first = any_.begin() + (source.code - kCodeVgpr0);
    return std::find(first, first + source.dwords, true) != first + source.dwords;
  }
  if (source.dwords <= 2) return scalar_bits(source.code, source.dwords) != 0;
  return has_undefined(RegisterSpan{source.code, source.dwords});
}

bool UndefinedChecker::has_undefined(const RegisterSpan& span) const {
  for (RegisterId id = span.first; id < span.first + span.count; ++id) {
    if (span.is_vgpr() ? any_[id - kFirstVgprId] : scalar_bits(id, 1) != 0) return true;
  }
  return false;
}

// Lanes in which any of the registers has one of the bits undefined.
uint64_t UndefinedChecker::lanes_of(const RegisterSpan& span, uint32_t bits) const {
  if (!has_undefined(span)) return 0;
  if (!span.is_vgpr()) return ~uint64_t{0};
  uint64_t lanes = 0;
  for (unsigned i = 0; i < span.count; ++i) {
    for (unsigned l = 0; l < shadow_.halves * kLanes; ++l) {
      const Row& row = shadow_.vgprs[(span.first - kFirstVgprId + i) * shadow_.halves + l / kLanes];
      if ((row.lane[l % kLanes] & bits) != 0) lanes |= uint64_t{1} << l;
    }
  }
  return lanes;
}

void UndefinedChecker::note_any(unsigned vgpr) {
  changed_[vgpr] = true;
  uint32_t any = 0;
  for (unsigned h = 0; h < shadow_.halves; ++h) {
    const uint32_t* row = shadow_.vgpr(vgpr, h);
    for (unsigned l = 0; l < kLanes; ++l) any |= row[l];
  }
  any_[vgpr] = any != 0;
}

// `bits` of the lanes of one half of `lanes`; note_any() is due then.
void UndefinedChecker::write_vgpr(unsigned vgpr, unsigned half, const uint32_t* undefined, uint32_t bits,
                                  uint64_t lanes) {
  uint32_t* row = shadow_.vgpr(vgpr, half);
  const uint32_t active = static_cast<uint32_t>(lanes >> (half * kLanes));
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint32_t written = (active >> l & 1) != 0 ? bits : 0;
    row[l] = (row[l] & ~written) | (undefined[l] & written);
  }
}

void UndefinedChecker::define_vgpr(unsigned vgpr, uint32_t bits, uint64_t lanes) {
  static constexpr Row kDefined{};
  if (!any_[vgpr]) return;
  for (unsigned h = 0; h < shadow_.halves; ++h) write_vgpr(vgpr, h, kDefined.lane, bits, lanes);
  note_any(vgpr);
}

void UndefinedChecker::write_scalar(uint32_t code, uint32_t undefined) {
  if (code < kCodeExecLo) shadow_.s[code] = undefined;
}

void UndefinedChecker::note_writes(const StrictInstruction& in) {
  for (const RegisterSpan& span : in.writes) {
    for (RegisterId id = span.first; span.is_vgpr() && id < span.first + span.count; ++id) note_any(id - kFirstVgprId);
  }
}

void UndefinedChecker::define_writes(const StrictInstruction& in, uint64_t lanes) {
  for (const RegisterSpan& span : in.writes) {
    for (RegisterId id = span.first; id < span.first + span.count; ++id) {
      if (span.is_vgpr()) {
        define_vgpr(id - kFirstVgprId, span.bits, lanes);
      } else {
        write_scalar(id, 0);
      }
    }
  }
  if (in.in.info->has(amdgpu::gfx11::InstructionInfo::kWritesScc)) shadow_.s[kSccSlot] = 0;
}

void UndefinedChecker::pass_origin(RegisterId from, RegisterId to, uint64_t pc) {
  Origin origin = origins_[from];
  if (origin.pc == 0) origin.pc = pc;
  origins_[to] = origin;
}

std::optional<RegisterId> UndefinedChecker::first_undefined(const StrictInstruction& in) const {
  for (const RegisterSpan& span : in.reads) {
    for (RegisterId id = span.first; id < span.first + span.count; ++id) {
      if (has_undefined(RegisterSpan{id, 1})) return id;
    }
  }
  const bool reads_scc = in.in.info->has(amdgpu::gfx11::InstructionInfo::kReadsScc);
  return reads_scc && shadow_.s[kSccSlot] != 0 ? std::optional<RegisterId>(kCodeScc) : std::nullopt;
}

// Before the results are written: whatever of them is undefined comes from the first undefined source.
void UndefinedChecker::pass_origins(const StrictInstruction& in) {
  const std::optional<RegisterId> from = first_undefined(in);
  if (!from) return;
  const Origin origin = origins_[*from].pc != 0 ? origins_[*from] : Origin{origins_[*from].id, in.pc};
  for (const RegisterSpan& span : in.writes) std::fill_n(origins_.begin() + span.first, span.count, origin);
  if (in.in.info->has(amdgpu::gfx11::InstructionInfo::kWritesScc)) origins_[kCodeScc] = origin;
}

StrictFinding UndefinedChecker::finding(RegisterId id, std::string use) const {
  const Origin& origin = origins_[id];
  if (origin.pc == 0) {
    return {fmt::format("undefined value: {} is {}, but was never written", register_name(id), use), std::nullopt};
  }
  return {fmt::format("undefined value: {} is {}; it comes from {}", register_name(id), use, origin_name(origin.id)),
          origin.pc, "read at"};
}

std::optional<StrictFinding> UndefinedChecker::before(Wave& wave, const Step& step, const StrictInstruction& in,
                                                      LdsChecker& lds, uint64_t sequence) {
  if (in.is_relative && shadow_.s[kM0Slot] != 0) return finding(amdgpu::gfx11::kCodeM0, "what chooses a register");
  switch (in.unit) {
    case Unit::kSalu:
      return scalar(wave, in);
    case Unit::kValu:
      return vector(wave, step, in);
    default:
      return memory(wave, step, in, lds, sequence);
  }
}

}  // namespace bw::emulator
