#include "emulator/shader/access_recorder.h"

#include <algorithm>

#include "emulator/memory/client_fault.h"

namespace bw::emulator {
namespace {

using Reach = CountedInstruction::Reach;
using Direction = CountedInstruction::Direction;
using amdgpu::gfx11::Field;
using amdgpu::gfx11::Op;

bool reaches_memory(const CountedInstruction& in) {
  switch (in.reach) {
    case Reach::kScalar:
    case Reach::kGlobal:
    case Reach::kFlat:
    case Reach::kBuffer:
    case Reach::kTypedBuffer:
      return true;
    case Reach::kNothing:
    case Reach::kScratch:
    case Reach::kLds:
      return false;
  }
  return false;
}

}  // namespace

AccessRecorder::StepAccess& AccessRecorder::access_of(const Step& step) {
  if (step.number >= steps_.size()) steps_.resize(step.number + 1u);
  StepAccess& access = steps_[step.number];
  if (!access.is_known) describe(step, &access);
  return access;
}

void AccessRecorder::describe(const Step& step, StepAccess* access) {
  access->is_known = true;
  std::array<uint32_t, amdgpu::gfx11::kMaxInstructionDwords> dwords;
  size_t fetched = 0;
  for (; fetched < dwords.size(); ++fetched) {
    if (!read_client_memory(tlb_, step.pc + fetched * 4, &dwords[fetched], 4, Access::kExecute)) break;
  }
  const auto decoded = amdgpu::gfx11::decode({dwords.data(), fetched});
  if (!decoded.is_ok()) return;  // the step itself reports it
  const amdgpu::gfx11::Instruction& in = decoded.value();
  accesses_.of(AccessKind::kFetch).add(step.pc, in.size_dwords * sizeof(uint32_t), program_offset(step));
  switch (in.info->op) {
    case Op::buffer_gl0_inv:
      access->invalidates = GroupAccesses::kL0;
      break;
    case Op::buffer_gl1_inv:
    case Op::s_gl1_inv:
      access->invalidates = GroupAccesses::kL1;
      break;
    case Op::s_dcache_inv:
      access->invalidates = GroupAccesses::kConstants;
      break;
    default:
      access->instruction = CountedInstruction::make(in);
      // RDNA3 ISA guide, "Memory instruction cache control bits": a load with GLC misses L0 and L1.
      access->bypasses = in[Field::glc] != 0;
      break;
  }
  access->matters = access->invalidates != 0 || reaches_memory(access->instruction);
}

AccessKind GroupAccesses::kind_of(const Wave& wave, const AccessRecorder::StepAccess& access) const {
  const uint8_t fresh = fresh_[wave.index];
  switch (access.instruction.direction) {
    case Direction::kStore:
      return AccessKind::kStore;
    case Direction::kAtomic:
      return AccessKind::kAtomic;
    case Direction::kLoad:
      break;
  }
  if (access.bypasses) return AccessKind::kFarLoad;
  if (access.instruction.reach == Reach::kScalar) {
    return (fresh & kScalar) == kScalar ? AccessKind::kFreshScalar : AccessKind::kScalarLoad;
  }
  return (fresh & kVector) == kVector ? AccessKind::kFreshLoad : AccessKind::kLoad;
}

void GroupAccesses::note(Wave& wave, const Step& step, const AccessRecorder::StepAccess& access) {
  if (access.invalidates != 0) {
    fresh_[wave.index] |= access.invalidates;
    return;
  }
  AccessSet& set = recorder_.accesses_.of(kind_of(wave, access));
  const int32_t program_offset = recorder_.program_offset(step);
  const auto add = [&](uint64_t begin, uint64_t end) {
    if (begin < end) set.add(begin, end - begin, program_offset);  // what wraps faults
  };
  const CountedInstruction& in = access.instruction;
  if (in.reach == Reach::kScalar) {
    const ByteRange range = scalar_range(wave, step, in);
    return add(range.begin, range.end);
  }
  wave.sync_exec();
  const auto bytes = lane_bytes(wave, step, in);
  if (!bytes) return;
  for (unsigned half = 0; half < wave.halves; ++half) {
    if (active_lanes(wave, half) == 0) continue;
    LaneArray addresses;
    uint32_t in_aperture = 0;
    const uint32_t count = memory_addresses(wave, step, in, *bytes, half, &addresses, &in_aperture);
    // Neighbours are added at once.
    for (uint32_t i = 0; i < count;) {
      const uint64_t begin = addresses[i];
      uint64_t end = begin + *bytes;
      for (++i; i < count && addresses[i] == end; ++i) end += *bytes;
      add(begin, end);
    }
  }
}

}  // namespace bw::emulator
