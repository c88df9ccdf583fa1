// Owns: hardware registers: s_getreg, s_setreg, and what sets parts of MODE. Source: RDNA3 ISA guide, "Mode register",
// "Hardware Internal Registers", and Linux, cwsr_trap_handler_gfx10.asm, for GPR_ALLOC, LDS_ALLOC and IB_STS2.
#include <chrono>

#include "amdgpu/gfx11/registers.h"
#include "emulator/card_facts.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/step.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::HwReg;

struct HwRegField {
  HwReg id;
  uint32_t offset;
  uint32_t mask;
};
HwRegField hwreg_of(int32_t simm16) {
  using Operand = amdgpu::gfx11::HwRegOperand;
  const uint32_t imm = static_cast<uint32_t>(simm16);
  const uint32_t width = Operand::width_minus_1.get(imm) + 1;
  return {static_cast<HwReg>(Operand::id.get(imm)), Operand::offset.get(imm), width == 32 ? ~0u : (1u << width) - 1};
}

uint32_t read_status(const Wave& w) {
  constexpr unsigned kTrapEn = 6, kExecz = 9, kVccz = 10, kInWorkgroup = 11, kValid = 16;
  const Dispatch& dispatch = *w.group->dispatch;
  const uint32_t lanes = dispatch.workgroup_size[0] * dispatch.workgroup_size[1] * dispatch.workgroup_size[2];
  // The kernel driver always installs a trap handler.
  return w.s[kSccSlot] | 1u << kTrapEn | (w.exec() == 0 ? 1u << kExecz : 0) |
         (w.mask(kVccSlot) == 0 ? 1u << kVccz : 0) | (lanes > w.lane_count() ? 1u << kInWorkgroup : 0) | 1u << kValid;
}

// Where a wave runs is not predictable on the hardware either.
uint32_t read_hw_id1(const Wave& w) {
  constexpr unsigned kWaveIdMask = 31, kDpRate = 29;
  constexpr uint32_t kOneThirtySecond = 1;
  return (w.index & kWaveIdMask) | kOneThirtySecond << kDpRate;
}
uint32_t read_hw_id2() {
  constexpr unsigned kMeId = 8;
  constexpr uint32_t kFirstComputeEngine = 1;
  return kFirstComputeEngine << kMeId;
}

// 20 bits of a counter that runs with the shader clock: here as fast as at the card's highest, of the host's time.
uint32_t shader_cycles() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto ns = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  return static_cast<uint32_t>(ns * facts::kMaxEngineClockMhz / 1000) & 0xfffff;
}

// Sizes in the granules of the dispatch registers; where the registers lie is not predictable.
uint32_t read_gpr_alloc(const Wave& w) {
  constexpr unsigned kVgprSize = 12;
  return amdgpu::gfx11::COMPUTE_PGM_RSRC1::vgprs.get(w.group->dispatch->pgm_rsrc1) << kVgprSize;
}
uint32_t read_lds_alloc(const Wave& w) {
  constexpr unsigned kLdsSize = 12;
  return amdgpu::gfx11::COMPUTE_PGM_RSRC2::lds_size.get(w.group->dispatch->pgm_rsrc2) << kLdsSize;
}

std::optional<uint32_t> read_hwreg(const Wave& w, const Step& s, HwReg id) {
  constexpr unsigned kWave64 = 11;  // of IB_STS2
  switch (id) {
    case HwReg::hw_reg_mode:
      return w.mode.bits;
    case HwReg::hw_reg_status:
      return read_status(w);
    case HwReg::hw_reg_trapsts:
      return w.trap_status;
    case HwReg::hw_reg_gpr_alloc:
      return read_gpr_alloc(w);
    case HwReg::hw_reg_lds_alloc:
      return read_lds_alloc(w);
    case HwReg::hw_reg_pc_lo:
      return lo32(s.pc);
    case HwReg::hw_reg_pc_hi:
      return hi32(s.pc);
    case HwReg::hw_reg_sh_mem_bases:
      return kSharedApertureHi << 16 | kPrivateApertureHi;
    case HwReg::hw_reg_shader_flat_scratch_lo:
      return lo32(w.scratch_base);
    case HwReg::hw_reg_shader_flat_scratch_hi:
      return hi32(w.scratch_base);
    case HwReg::hw_reg_hw_id1:
      return read_hw_id1(w);
    case HwReg::hw_reg_hw_id2:
      return read_hw_id2();
    case HwReg::hw_reg_ib_sts2:
      return w.halves == 2 ? 1u << kWave64 : 0;
    case HwReg::hw_reg_shader_cycles:
      return shader_cycles();
    case HwReg::hw_reg_ib_sts:         // nothing is ever outstanding
    case HwReg::hw_reg_shader_tba_lo:  // for trap handlers only
    case HwReg::hw_reg_shader_tba_hi:
    case HwReg::hw_reg_sched_mode:
      return 0;
    default:
      return std::nullopt;
  }
}

void run_getreg(Wave& w, const Step& s) {
  const HwRegField field = hwreg_of(s.imm);
  const std::optional<uint32_t> value = read_hwreg(w, s, field.id);
  if (!value)
    return w.fail(s, ShaderFaultKind::kUnimplemented,
                  fmt::format("reading hardware register {}", static_cast<uint32_t>(field.id)));
  w.s[s.dst] = *value >> field.offset & field.mask;
}

void set_mode(Wave& w, uint32_t bits) {
  w.mode.set(bits);
  load_csr(w.mode.csr32);
}

// s_round_mode and s_denorm_mode: four bits of MODE.
void set_mode_nibble(Wave& w, const Step& s, unsigned shift) {
  set_mode(w, (w.mode.bits & ~(0xfu << shift)) | (static_cast<uint32_t>(s.imm) & 0xf) << shift);
}

void write_hwreg(Wave& w, const Step& s, uint32_t value) {
  const HwRegField field = hwreg_of(s.imm);
  const uint32_t mask = field.mask << field.offset;
  switch (field.id) {
    case HwReg::hw_reg_mode:
      return set_mode(w, (w.mode.bits & ~mask) | (value << field.offset & mask));
    case HwReg::hw_reg_trapsts:
      w.trap_status = (w.trap_status & ~mask) | (value << field.offset & mask);
      return;
    case HwReg::hw_reg_flush_ib:  // code is fetched when it is decoded, and stays
      return;
    default:
      // The others can be written by trap handlers at most; for programs their mask of writable bits is 0.
      if (!read_hwreg(w, s, field.id))
        w.fail(s, ShaderFaultKind::kUnimplemented,
               fmt::format("writing hardware register {}", static_cast<uint32_t>(field.id)));
  }
}

}  // namespace

void bind_hwreg(HandlerTable& t) {
  t.bind(Op::s_getreg_b32, run_getreg);
  t.bind(Op::s_setreg_b32, [](Wave& w, const Step& s) { write_hwreg(w, s, read32(w, s.src[0])); });
  t.bind(Op::s_setreg_imm32_b32, t[Op::s_setreg_b32]);
  t.bind(Op::s_round_mode, [](Wave& w, const Step& s) { set_mode_nibble(w, s, 0); });
  t.bind(Op::s_denorm_mode, [](Wave& w, const Step& s) { set_mode_nibble(w, s, 4); });
}

}  // namespace bw::emulator
