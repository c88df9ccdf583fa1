#include "emulator/shader/strict.h"

#include <array>
#include <utility>

#include "emulator/memory/client_fault.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator {
namespace {

// Steps that stand for no instruction: the one that they lead to comes next.
bool stands_for_nothing(const Step& step) {
  return step.run == run_goto || step.run == run_undecoded || step.run == run_too_large || step.run == run_unmapped ||
         step.run == run_illegal;
}

}  // namespace

StrictChecker::StrictChecker(size_t wave_count, uint32_t wave_size, Tlb& tlb)
    : wave_size_(wave_size), tlb_(tlb), waves_(wave_count, WaveState(wave_size)) {}

void StrictChecker::start_wave(const Wave& wave, uint32_t scalar_count) {
  WaveState& state = waves_[wave.index];
  state.waits.reset();
  state.hazards.reset();
  state.undefined.start(wave, scalar_count);
  state.last = nullptr;
  if (wave.index == 0) lds_.start(wave.group->lds_bytes, waves_.size());
}

const StrictInstruction* StrictChecker::instruction_of(const Step& step) {
  const auto [at, is_new] = instructions_.try_emplace(&step);
  if (is_new && !stands_for_nothing(step)) {
    std::array<uint32_t, amdgpu::gfx11::kMaxInstructionDwords> dwords;
    size_t count = 0;
    for (; count < dwords.size(); ++count) {
      if (!read_client_memory(tlb_, step.pc + count * 4, &dwords[count], 4, Access::kExecute)) break;
    }
    const auto in = amdgpu::gfx11::decode({dwords.data(), count});
    if (in.is_ok()) at->second = StrictInstruction::make(in.value(), step.pc, wave_size_);
  }
  return at->second ? &*at->second : nullptr;
}

std::optional<StrictFinding> StrictChecker::check(Wave& wave, const Step& step, const StrictInstruction& in) {
  WaveState& state = waves_[wave.index];
  // The register operand of waits adds to the immediate; null reads as zero.
  const uint32_t operand = in.in.info->encoding == amdgpu::gfx11::Encoding::SOPK ? read32(wave, step.src[0]) : 0;
  if (auto finding = state.waits.before(in, operand)) return finding;
  if (auto finding = state.hazards.before(in)) return finding;
  if (in.op() == amdgpu::gfx11::Op::s_barrier) lds_.note_barrier(wave.index, state.waits.retired_in_lds());
  return state.undefined.before(wave, step, in, lds_, state.waits.issued_in_lds());
}

bool StrictChecker::before(Wave& wave, const Step& step) {
  WaveState& state = waves_[wave.index];
  const Step* last = std::exchange(state.last, &step);
  // The halves of a pair are steps of their own, but one instruction.
  if (last != nullptr && last + 1 == &step && last->pc == step.pc && last->run != run_goto) return true;
  const StrictInstruction* in = instruction_of(step);
  if (in == nullptr) return true;
  std::optional<StrictFinding> finding =
      in->is_relative ? check(wave, step, with_relative_registers(*in, wave.s[kM0Slot])) : check(wave, step, *in);
  if (!finding) return true;
  wave.fail(step, ShaderFaultKind::kHazard, std::move(finding->reason));
  wave.group->fault->cause_pc = finding->cause_pc;
  wave.group->fault->cause_relation = finding->relation;
  return false;
}

}  // namespace bw::emulator
