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

void StrictChecker::start_wave(const Wave& wave) {
  WaveState& state = waves_[wave.index];
  state.waits.reset();
  state.hazards.reset();
  state.last = nullptr;
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

bool StrictChecker::before(Wave& wave, const Step& step) {
  WaveState& state = waves_[wave.index];
  const Step* last = std::exchange(state.last, &step);
  // The halves of a pair are steps of their own, but one instruction.
  if (last != nullptr && last + 1 == &step && last->pc == step.pc && last->run != run_goto) return true;
  const StrictInstruction* in = instruction_of(step);
  if (in == nullptr) return true;
  // The register operand of waits adds to the immediate; null reads as zero.
  const uint32_t operand = in->in.info->encoding == amdgpu::gfx11::Encoding::SOPK ? read32(wave, step.src[0]) : 0;
  std::optional<StrictFinding> finding = state.waits.before(*in, operand);
  if (!finding) finding = state.hazards.before(*in);
  if (!finding) return true;
  wave.fail(step, ShaderFaultKind::kHazard, std::move(finding->reason));
  wave.group->fault->cause_pc = finding->cause_pc;
  return false;
}

}  // namespace bw::emulator
