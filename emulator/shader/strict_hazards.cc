#include "emulator/shader/strict_hazards.h"

#include <fmt/format.h>

#include <algorithm>

namespace bw::emulator {

using amdgpu::gfx11::DepctrOperand;
using amdgpu::gfx11::Field;
using amdgpu::gfx11::kCodeM0;
using amdgpu::gfx11::Message;
using amdgpu::gfx11::Op;

namespace {

constexpr size_t kExecWritesKept = 8;  // more than there can be vector instructions in between

bool releases_vgprs(const StrictInstruction& in) {
  return in.op() == Op::s_sendmsg && in.in[Field::simm16] == static_cast<uint32_t>(Message::msg_dealloc_vgprs);
}

bool is_vgpr(const RegisterSpan& span) {
  return span.is_vgpr();
}

bool reaches_memory(Unit unit) {
  return unit == Unit::kVmem || unit == Unit::kFlat || unit == Unit::kLds;
}

// Instructions after which those of memory have read their registers.
bool settles_memory(const StrictInstruction& in) {
  if (in.op() == Op::s_waitcnt) return in.in[Field::simm16] == 0;
  if (in.op() == Op::s_waitcnt_depctr) return DepctrOperand::vm_vsrc.get(in.in[Field::simm16]) == 0;
  return in.unit == Unit::kValu || in.in.info->encoding == amdgpu::gfx11::Encoding::EXP;
}

// Instructions that are issued only once the vector ALU has written its results.
bool settles_valu(const StrictInstruction& in) {
  if (in.op() == Op::s_waitcnt_depctr) return DepctrOperand::va_vdst.get(in.in[Field::simm16]) == 0;
  return reaches_memory(in.unit) || in.in.info->encoding == amdgpu::gfx11::Encoding::EXP;
}

}  // namespace

// What is noted by number is over once all vector instructions so far have settled.
void HazardChecker::reset() {
  settled_ = valu_count_;
  if (has_mask_writes_) mask_writes_.fill({});
  if (has_memory_accesses_) memory_accesses_.fill(0);
  has_mask_writes_ = has_memory_accesses_ = false;
  exec_writes_.clear();
  last_mask_.reset();
  last_wmma_.reset();
  last_cmpx_.reset();
  release_.reset();
  after_nop_ = false;
}

// A result of the transcendental unit read by one of the next six vector instructions, with at most one more
// transcendental between.
std::optional<StrictFinding> HazardChecker::check_trans_use(const StrictInstruction& in) const {
  constexpr uint64_t kMaxBetween = 5, kMaxTransBetween = 1;
  for (const RegisterSpan& span : in.reads) {
    for (unsigned i = 0; span.is_vgpr() && i < span.count; ++i) {
      const Write& write = trans_writes_[span.first - kFirstVgprId + i];
      if (write.number <= settled_ || valu_count_ - write.number > kMaxBetween ||
          trans_count_ - write.trans_number > kMaxTransBetween)
        continue;
      return StrictFinding{fmt::format("hazard VALUTransUse: {} is read without s_waitcnt_depctr va_vdst(0)",
                                       register_name(static_cast<RegisterId>(span.first + i))),
                           write.pc};
    }
  }
  return std::nullopt;
}

// The latest write of the vector ALU to any of the registers that may not have arrived.
HazardChecker::Write HazardChecker::last_write(const RegisterSpan& span) const {
  Write last;
  for (unsigned i = 0; i < span.count; ++i) {
    const Write& write = valu_writes_[span.first - kFirstVgprId + i];
    if (write.number > settled_ && write.number > last.number) last = write;
  }
  return last;
}

// Wave64: of two sources, one was written before EXEC changed, the other after, all close together.
std::optional<StrictFinding> HazardChecker::check_partial_forwarding(const StrictInstruction& in) const {
  constexpr uint64_t kMaxBetweenWrites = 2, kMaxAfter = 4;
  if (wave_size_ != 64) return std::nullopt;
  Write after;
  for (const RegisterSpan& span : in.reads) {
    if (!span.is_vgpr()) continue;
    const Write write = last_write(span);
    if (write.number > after.number) after = write;
  }
  if (after.number == 0 || valu_count_ - after.number > kMaxAfter) return std::nullopt;
  const auto exec =
      std::find_if(exec_writes_.rbegin(), exec_writes_.rend(), [&](uint64_t count) { return count < after.number; });
  if (exec == exec_writes_.rend()) return std::nullopt;
  for (const RegisterSpan& span : in.reads) {
    if (!span.is_vgpr()) continue;
    const Write before = last_write(span);
    if (before.number == 0 || before.number > *exec) continue;
    if (after.number - 1 - before.number > kMaxBetweenWrites) continue;
    return StrictFinding{
        fmt::format("hazard VALUPartialForwarding: {} was written before EXEC changed, and another source after, "
                    "without s_waitcnt_depctr va_vdst(0)",
                    register_name(span.first)),
        before.pc};
  }
  return std::nullopt;
}

// Wave64: the vector ALU reads a mask, the scalar ALU overwrites it and then reads it.
std::optional<StrictFinding> HazardChecker::check_mask_write(const StrictInstruction& in) const {
  for (const RegisterSpan& span : in.reads) {
    for (RegisterId id = span.first; id < span.first + span.count && !span.is_vgpr(); ++id) {
      const MaskWrite& write = mask_writes_[id];
      if (write.read_pc == 0) continue;
      return StrictFinding{
          fmt::format("hazard VALUMaskWrite: {} is read by the scalar ALU without s_waitcnt_depctr sa_sdst(0), having "
                      "been a mask of the vector ALU at pc {:#x} and written",
                      register_name(id), write.read_pc),
          write.write_pc};
    }
  }
  return std::nullopt;
}

std::optional<StrictFinding> HazardChecker::check_wmma(const StrictInstruction& in) const {
  if (!in.is_wmma || !last_wmma_) return std::nullopt;
  // Matrices A and B come first; C may be the result of the one before.
  for (size_t i = 0; i < 2 && i < in.reads.size(); ++i) {
    if (!in.reads[i].overlaps(last_wmma_->span)) continue;
    return StrictFinding{fmt::format("hazard WMMA: matrix {} at {} is the result of the matrix instruction before, "
                                     "without v_nop or another vector instruction",
                                     i == 0 ? 'A' : 'B', register_name(in.reads[i].first)),
                         last_wmma_->pc};
  }
  return std::nullopt;
}

std::optional<StrictFinding> HazardChecker::check_permlane(const StrictInstruction& in) const {
  if (!in.is_permlane || !last_cmpx_) return std::nullopt;
  return StrictFinding{"hazard VcmpxPermlane: a permlane, with no vector instruction but v_nop between,", last_cmpx_};
}

// v_mad_u64_u32 and v_mad_i64_i32 execute in several passes: the result may not overlap sources. The high dword of the
// addend is another matter: the overlap makes the high dword of the result undefined (strict_undefined_vector.cc).
std::optional<StrictFinding> HazardChecker::check_mad_overlap(const StrictInstruction& in) const {
  if ((in.op() != Op::v_mad_u64_u32 && in.op() != Op::v_mad_i64_i32) || in.writes.empty()) return std::nullopt;
  for (const RegisterSpan& span : in.reads) {
    if (!span.is_vgpr() || !in.writes[0].overlaps({span.first, 1})) continue;
    return StrictFinding{fmt::format("hazard MADIntraFwdBug: the source at {} overlaps the result at {}",
                                     register_name(span.first), register_name(in.writes[0].first)),
                         std::nullopt};
  }
  return std::nullopt;
}

// LdsDirectVALUHazard: a direct LDS load does not wait by itself for the vector ALU to have read or written its
// destination before. wait_vdst says how many vector instructions may be under way; with a transcendental among them,
// which overtakes, only 0 will do.
std::optional<StrictFinding> HazardChecker::check_direct_after_valu(const StrictInstruction& in) const {
  constexpr uint64_t kMaxBetween = 14;
  if (in.in.info->encoding != amdgpu::gfx11::Encoding::LDSDIR || in.writes.empty()) return std::nullopt;
  const unsigned vgpr = in.writes[0].first - kFirstVgprId;
  for (const Write& use : {valu_reads_[vgpr], valu_writes_[vgpr]}) {
    const uint64_t between = valu_count_ - use.number;
    if (use.number <= settled_ || between > kMaxBetween) continue;
    const uint64_t allowed = trans_count_ != use.trans_number || use.is_trans ? 0 : between;
    if (in.in[Field::wait_vdst] <= allowed) continue;
    return StrictFinding{fmt::format("hazard LdsDirectVALU: {} is loaded with wait_vdst:{} where {} is needed",
                                     register_name(in.writes[0].first), in.in[Field::wait_vdst], allowed),
                         use.pc};
  }
  return std::nullopt;
}

std::optional<StrictFinding> HazardChecker::check_direct_after_memory(const StrictInstruction& in) const {
  if (in.in.info->encoding != amdgpu::gfx11::Encoding::LDSDIR || in.writes.empty()) return std::nullopt;
  const uint64_t pc = memory_accesses_[in.writes[0].first - kFirstVgprId];
  if (pc == 0) return std::nullopt;
  return StrictFinding{fmt::format("hazard LdsDirectVMEM: {} is loaded without s_waitcnt_depctr vm_vsrc(0)",
                                   register_name(in.writes[0].first)),
                       pc};
}

// Source: LLVM's SIInsertWaitcnts.cpp, requiresNopBeforeDeallocVGPRs().
std::optional<StrictFinding> HazardChecker::check_release(const StrictInstruction& in) const {
  if (releases_vgprs(in) && !after_nop_) {
    return StrictFinding{"hazard NopBeforeDeallocVGPRs: VGPRs are released without s_nop directly before",
                         std::nullopt};
  }
  const bool touches_vgprs = std::any_of(in.reads.begin(), in.reads.end(), is_vgpr) ||
                             std::any_of(in.writes.begin(), in.writes.end(), is_vgpr);
  if (!release_ || !touches_vgprs) return std::nullopt;
  return StrictFinding{"VGPRs are used when they have been released,", release_};
}

void HazardChecker::note_valu(const StrictInstruction& in) {
  valu_count_ += 1;
  trans_count_ += in.is_trans;
  const Write write{valu_count_, trans_count_, in.pc, in.is_trans};
  for (const RegisterSpan& span : in.reads) {
    if (span.is_vgpr()) std::fill_n(valu_reads_.begin() + (span.first - kFirstVgprId), span.count, write);
  }
  for (const RegisterSpan& span : in.writes) {
    if (!span.is_vgpr()) continue;
    std::fill_n(valu_writes_.begin() + (span.first - kFirstVgprId), span.count, write);
    if (in.is_trans) std::fill_n(trans_writes_.begin() + (span.first - kFirstVgprId), span.count, write);
  }
  // Any scalar operand puts an end to what a mask began.
  if (in.reads_constant_bus) last_mask_.reset();
  if (in.mask) last_mask_ = Place{*in.mask, in.pc};
  last_wmma_.reset();
  if (in.is_wmma && !in.writes.empty()) last_wmma_ = Place{in.writes[0], in.pc};
  if (in.op() != Op::v_nop) last_cmpx_.reset();
  if (in.writes_exec) last_cmpx_ = in.pc;
}

void HazardChecker::note_memory(const StrictInstruction& in) {
  for (const auto* spans : {&in.reads, &in.writes}) {
    for (const RegisterSpan& span : *spans) {
      if (!span.is_vgpr()) continue;
      std::fill_n(memory_accesses_.begin() + (span.first - kFirstVgprId), span.count, in.pc);
      has_memory_accesses_ = true;
    }
  }
}

void HazardChecker::note_salu(const StrictInstruction& in) {
  if (in.op() == Op::s_waitcnt_depctr && DepctrOperand::sa_sdst.get(in.in[Field::simm16]) == 0) {
    mask_writes_.fill({});
    last_mask_.reset();
  }
  if (in.writes_exec) {
    exec_writes_.push_back(valu_count_);
    if (exec_writes_.size() > kExecWritesKept) exec_writes_.pop_front();
  }
  for (const RegisterSpan& span : in.writes) {
    for (RegisterId id = span.first; id < span.first + span.count; ++id) {
      const bool counts = wave_size_ == 64 && id < kCodeM0 && last_mask_ && last_mask_->span.contains(id);
      if (!counts) continue;
      mask_writes_[id] = {last_mask_->pc, in.pc};
      has_mask_writes_ = true;
    }
  }
}

std::optional<StrictFinding> HazardChecker::before(const StrictInstruction& in) {
  std::optional<StrictFinding> finding = check_release(in);
  if (in.unit == Unit::kSalu && !finding) finding = check_mask_write(in);
  if (in.unit == Unit::kValu) {
    if (!finding) finding = check_trans_use(in);
    if (!finding) finding = check_partial_forwarding(in);
    if (!finding) finding = check_wmma(in);
    if (!finding) finding = check_permlane(in);
    if (!finding) finding = check_mad_overlap(in);
  }
  if (!finding) finding = check_direct_after_valu(in);
  if (!finding) finding = check_direct_after_memory(in);
  if (finding) return finding;
  if (has_memory_accesses_ && settles_memory(in)) {
    memory_accesses_.fill(0);
    has_memory_accesses_ = false;
  }
  if (reaches_memory(in.unit)) note_memory(in);
  if (settles_valu(in)) settled_ = valu_count_;
  if (in.unit == Unit::kValu) note_valu(in);
  if (in.unit == Unit::kSalu) note_salu(in);
  if (releases_vgprs(in)) release_ = in.pc;
  after_nop_ = in.op() == Op::s_nop;
  return std::nullopt;
}

}  // namespace bw::emulator
