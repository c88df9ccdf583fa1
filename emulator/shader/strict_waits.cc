#include "emulator/shader/strict_waits.h"

#include <fmt/format.h>

#include <algorithm>

namespace bw::emulator {

using amdgpu::gfx11::Encoding;
using amdgpu::gfx11::Field;
using amdgpu::gfx11::Message;
using amdgpu::gfx11::Op;
using amdgpu::gfx11::WaitcntOperand;

// Numbers go on, and what the wave before left outstanding is over.
void WaitChecker::reset() {
  retired_ = issued_;
  flat_past_lgkmcnt_ = issued_[kFlat];
}

// With at most `count` outstanding, all but the last `count` of a kind that returns in order are back. What returns out
// of order is back only when nothing is outstanding.
void WaitChecker::retire(Kind kind, uint32_t count) {
  const bool in_order = kind != kScalar && kind != kFlat;
  if (count != 0 && (!in_order || issued_[kind] < count)) return;
  retired_[kind] = std::max(retired_[kind], issued_[kind] - count);
}

void WaitChecker::wait_vmcnt(uint32_t count) {
  retire(kVector, count);
  retire(kFlat, count);
}

void WaitChecker::wait_lgkmcnt(uint32_t count) {
  retire(kLds, count);
  retire(kScalar, count);
  if (count == 0) flat_past_lgkmcnt_ = issued_[kFlat];
}

void WaitChecker::wait_vscnt(uint32_t count) {
  retire(kStore, count);
}

void WaitChecker::wait_expcnt(uint32_t count) {
  retire(kDirect, count);
}

// Whether `in` is a wait; performs it.
bool WaitChecker::wait(const StrictInstruction& in, uint32_t scalar_operand) {
  const uint32_t imm = in.in[Field::simm16] + scalar_operand;
  switch (in.op()) {
    case Op::s_waitcnt:
      wait_expcnt(WaitcntOperand::expcnt.get(imm));
      wait_vmcnt(WaitcntOperand::vmcnt.get(imm));
      wait_lgkmcnt(WaitcntOperand::lgkmcnt.get(imm));
      return true;
    case Op::s_waitcnt_vmcnt:
      wait_vmcnt(imm);
      return true;
    case Op::s_waitcnt_lgkmcnt:
      wait_lgkmcnt(imm);
      return true;
    case Op::s_waitcnt_vscnt:
      wait_vscnt(imm);
      return true;
    case Op::s_waitcnt_expcnt:
      wait_expcnt(imm);
      return true;
    case Op::s_wait_idle:
      wait_vmcnt(0);
      wait_lgkmcnt(0);
      wait_vscnt(0);
      wait_expcnt(0);
      return true;
    default:
      return false;
  }
}

bool WaitChecker::is_outstanding(const Pending& pending) const {
  if (pending.sequence == 0) return false;
  if (pending.sequence > retired_[pending.kind]) return true;
  return pending.kind == kFlat && pending.sequence > flat_past_lgkmcnt_;
}

// A second load to the same register is fine where loads return in the order of issue.
bool WaitChecker::returns_in_order_after(const StrictInstruction& in, const Pending& pending) const {
  return (pending.kind == kVector && in.unit == Unit::kVmem) || (pending.kind == kLds && in.unit == Unit::kLds) ||
         (pending.kind == kDirect && in.in.info->encoding == Encoding::LDSDIR);
}

std::optional<StrictFinding> WaitChecker::check_registers(const StrictInstruction& in) const {
  constexpr const char* kCounters[] = {"vmcnt", "vmcnt and lgkmcnt", "lgkmcnt", "lgkmcnt", "vscnt", "expcnt"};
  const auto finding = [&](RegisterId id, const char* verb) {
    const Pending& load = registers_[id];
    return StrictFinding{fmt::format("missing wait for {}: {} is {} while its load is outstanding,",
                                     kCounters[load.kind], register_name(id), verb),
                         load.pc};
  };
  for (const RegisterSpan& span : in.reads) {
    for (RegisterId id = span.first; id < span.first + span.count; ++id) {
      if (is_outstanding(registers_[id])) return finding(id, "read");
    }
  }
  for (const RegisterSpan& span : in.writes) {
    for (RegisterId id = span.first; id < span.first + span.count; ++id) {
      const Pending& load = registers_[id];
      if (is_outstanding(load) && !returns_in_order_after(in, load)) return finding(id, "overwritten");
    }
  }
  return std::nullopt;
}

// Source: LLVM's SIInsertWaitcnts: scratch memory goes with the VGPRs, so stores to it must have ended.
std::optional<StrictFinding> WaitChecker::check_release(const StrictInstruction& in) const {
  if (in.op() != Op::s_sendmsg || in.in[Field::simm16] != static_cast<uint32_t>(Message::msg_dealloc_vgprs))
    return std::nullopt;
  if (!is_outstanding(scratch_store_)) return std::nullopt;
  return StrictFinding{"missing wait for vscnt: VGPRs are released while a scratch store is outstanding,",
                       scratch_store_.pc};
}

void WaitChecker::issue(const StrictInstruction& in) {
  Kind kind = kVector;
  switch (in.unit) {
    case Unit::kSmem:
      kind = kScalar;
      break;
    case Unit::kLds:
      if (in.op() == Op::ds_nop) return;
      kind = kLds;
      break;
    case Unit::kFlat:
      kind = in.returns ? kFlat : kStore;
      break;
    case Unit::kVmem:
      // Neither loads nor stores: cache invalidations, which no counter counts.
      if (!in.in.info->has(amdgpu::gfx11::InstructionInfo::kMayLoad) &&
          !in.in.info->has(amdgpu::gfx11::InstructionInfo::kMayStore))
        return;
      kind = in.returns ? kVector : kStore;
      break;
    default:
      if (in.in.info->encoding == Encoding::LDSDIR) {
        kind = kDirect;
        break;
      }
      if (in.op() != Op::s_sendmsg_rtn_b32 && in.op() != Op::s_sendmsg_rtn_b64) return;
      kind = kScalar;
      break;
  }
  const Pending pending{++issued_[kind], in.pc, kind};
  if (kind == kStore) {
    if (in.in.info->encoding == Encoding::SCRATCH) scratch_store_ = pending;
    return;
  }
  for (const RegisterSpan& span : in.writes) {
    std::fill_n(registers_.begin() + span.first, span.count, pending);
  }
}

std::optional<StrictFinding> WaitChecker::before(const StrictInstruction& in, uint32_t scalar_operand) {
  // Interpolation waits before it reads.
  if (in.in.info->encoding == Encoding::VINTERP) wait_expcnt(in.in[Field::waitexp]);
  std::optional<StrictFinding> finding = check_registers(in);
  if (!finding) finding = check_release(in);
  if (finding) return finding;
  if (!wait(in, scalar_operand)) issue(in);
  return std::nullopt;
}

}  // namespace bw::emulator
