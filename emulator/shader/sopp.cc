// Owns: program control (SOPP, branches of SOP1 and SOPK), hardware registers, messages.
// Source of the semantics: RDNA3 ISA guide, "SOPP", "SOPK", "Hardware registers".
#include <chrono>

#include "emulator/shader/handlers.h"
#include "emulator/shader/program.h"
#include "emulator/shader/salu.h"

namespace bw::emulator {
namespace {

// Each turn of a loop is charged with the length of the loop, so that the wave gives way in time: a wave that spins on
// memory does not keep the others of its workgroup out, and one that never ends can be cancelled.
void take_branch(Wave& w, const Step& s, const Step* target) {
  w.next = target;
  w.yield_after -= 1 + (s.pc > target->pc ? static_cast<int64_t>((s.pc - target->pc) / 4) : 0);
  if (w.yield_after <= 0) w.stop = Stop::kYield;
}

// Loops over the halves of a wave64: each pass has the other half of EXEC cleared, and kept in the scalar register.
// Source: RDNA3 ISA guide, "S_SUBVECTOR_LOOP_BEGIN", "S_SUBVECTOR_LOOP_END".
void run_subvector_begin(Wave& w, const Step& s) {
  uint32_t& lo = w.s[kExecSlot];
  uint32_t& hi = w.s[kExecSlot + 1];
  if (lo == 0 && hi == 0) return take_branch(w, s, s.target);
  if (lo == 0) {
    w.s[s.dst] = 0;  // the high pass only
    return;
  }
  w.s[s.dst] = hi;
  hi = 0;
}
void run_subvector_end(Wave& w, const Step& s) {
  uint32_t& lo = w.s[kExecSlot];
  uint32_t& hi = w.s[kExecSlot + 1];
  if (hi != 0) {
    lo = w.s[s.dst];  // the high pass has ended
  } else if (w.s[s.dst] != 0) {
    hi = w.s[s.dst];
    w.s[s.dst] = lo;
    lo = 0;
    take_branch(w, s, s.target);
  }
}

template <class F>
void run_branch_if(Wave& w, const Step& s) {
  if (F{}(w)) take_branch(w, s, s.target);
}
template <class F>
Handler branch_if(F) {
  return &run_branch_if<F>;
}

void run_nothing(Wave&, const Step&) {}

void jump_to(Wave& w, const Step& s, uint64_t address) {
  const Step* target = w.group->program->step_at(address, *w.group->tlb);
  if (target == nullptr)
    return w.fail(s, ShaderFaultKind::kIllegal, fmt::format("jump to misaligned address {:#x}", address));
  take_branch(w, s, target);
}

void bind_branches(HandlerTable& t) {
  t.bind(Op::s_branch, branch_if([](const Wave&) { return true; }));
  t.bind(Op::s_cbranch_scc0, branch_if([](const Wave& w) { return !w.scc(); }));
  t.bind(Op::s_cbranch_scc1, branch_if([](const Wave& w) { return w.scc(); }));
  t.bind(Op::s_cbranch_vccz, branch_if([](const Wave& w) { return w.mask(kVccSlot) == 0; }));
  t.bind(Op::s_cbranch_vccnz, branch_if([](const Wave& w) { return w.mask(kVccSlot) != 0; }));
  t.bind(Op::s_cbranch_execz, branch_if([](const Wave& w) { return w.exec() == 0; }));
  t.bind(Op::s_cbranch_execnz, branch_if([](const Wave& w) { return w.exec() != 0; }));
  // No debugger is attached: the debug status bits are clear.
  for (Op op :
       {Op::s_cbranch_cdbgsys, Op::s_cbranch_cdbguser, Op::s_cbranch_cdbgsys_or_user, Op::s_cbranch_cdbgsys_and_user}) {
    t.bind(op, run_nothing);
  }
  t.bind(Op::s_getpc_b64, [](Wave& w, const Step& s) { w.set_s64(s.dst, s.next_pc()); });
  t.bind(Op::s_setpc_b64, [](Wave& w, const Step& s) { jump_to(w, s, read64(w, s.src[0])); });
  t.bind(Op::s_swappc_b64, [](Wave& w, const Step& s) {
    const uint64_t to = read64(w, s.src[0]);
    w.set_s64(s.dst, s.next_pc());
    jump_to(w, s, to);
  });
  t.bind(Op::s_subvector_loop_begin, run_subvector_begin);
  t.bind(Op::s_subvector_loop_end, run_subvector_end);
  t.bind(Op::s_call_b64, [](Wave& w, const Step& s) {
    w.set_s64(s.dst, s.next_pc());
    take_branch(w, s, s.target);
  });
}

void bind_waits_and_hints(HandlerTable& t) {
  // Every effect is complete when an instruction ends, so waits have nothing to wait for; hints have no effect to show.
  for (Op op : {Op::s_nop,
                Op::s_sleep,
                Op::s_set_inst_prefetch_distance,
                Op::s_clause,
                Op::s_delay_alu,
                Op::s_waitcnt_depctr,
                Op::s_waitcnt,
                Op::s_wait_idle,
                Op::s_wait_event,
                Op::s_waitcnt_vscnt,
                Op::s_waitcnt_vmcnt,
                Op::s_waitcnt_expcnt,
                Op::s_waitcnt_lgkmcnt,
                Op::s_wakeup,
                Op::s_setprio,
                Op::s_incperflevel,
                Op::s_decperflevel,
                Op::s_ttracedata,
                Op::s_ttracedata_imm,
                Op::s_icache_inv,
                Op::s_version,
                Op::s_gl1_inv,
                Op::s_dcache_inv,
                Op::s_atc_probe,
                Op::s_atc_probe_buffer,
                Op::v_nop,
                Op::v_pipeflush,
                Op::ds_nop}) {
    t.bind(op, run_nothing);
  }
}

void halt(Wave& w, const Step& s) {
  w.fail(s, ShaderFaultKind::kTrap, "the wave halts itself and nobody can resume it");
}

void bind_ends(HandlerTable& t) {
  t.bind(Op::s_endpgm, [](Wave& w, const Step&) { w.stop = Stop::kEnd; });
  t.bind(Op::s_endpgm_saved, t[Op::s_endpgm]);
  t.bind(Op::s_barrier, [](Wave& w, const Step&) { w.stop = Stop::kBarrier; });
  t.bind(Op::s_code_end, [](Wave& w, const Step& s) {
    w.fail(s, ShaderFaultKind::kIllegal, "the program runs past its end into s_code_end");
  });
  t.bind(Op::s_trap,
         [](Wave& w, const Step& s) { w.fail(s, ShaderFaultKind::kTrap, fmt::format("s_trap {}", s.imm & 0xff)); });
  t.bind(Op::s_sethalt, [](Wave& w, const Step& s) {
    if ((s.imm & 1) != 0) halt(w, s);
  });
  // unverified: a wave whose KILL bit is set ends before its next instruction.
  t.bind(Op::s_setkill, [](Wave& w, const Step& s) {
    if ((s.imm & 1) != 0) w.stop = Stop::kEnd;
  });
  // The guide allows it within trap handlers only, of which there are none.
  t.bind(Op::s_rfe_b64,
         [](Wave& w, const Step& s) { w.fail(s, ShaderFaultKind::kIllegal, "s_rfe_b64 outside a trap handler"); });
}

using amdgpu::gfx11::HwReg;
using amdgpu::gfx11::Message;
using amdgpu::gfx11::RtnMessage;

void run_sendmsg(Wave& w, const Step& s) {
  const uint32_t message = static_cast<uint32_t>(s.imm) & 0xff;
  switch (static_cast<Message>(message)) {
    case Message::msg_dealloc_vgprs:  // the VGPRs will not be used again
      return;
    case Message::msg_hs_tessfactor:
    case Message::msg_gs_alloc_req:
      return w.fail(s, ShaderFaultKind::kUnsupported, fmt::format("message {} is for graphics stages", message));
    case Message::msg_stall_wave_gen:
    case Message::msg_halt_waves:
      return w.fail(s, ShaderFaultKind::kUnsupported, fmt::format("message {} is for trap handlers", message));
    default:
      return w.fail(s, ShaderFaultKind::kUnimplemented, fmt::format("s_sendmsg of message {}", message));
  }
}

// Ticks of the card's 100 MHz counter.
uint64_t realtime() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()) / 10;
}

void run_sendmsg_rtn(Wave& w, const Step& s) {
  const auto message = static_cast<RtnMessage>(s.imm);
  uint64_t value = 0;  // no trap handler is installed: its addresses are zero
  if (message == RtnMessage::msg_rtn_get_realtime) {
    value = realtime();
  } else if (message != RtnMessage::msg_rtn_get_tma && message != RtnMessage::msg_rtn_get_tba) {
    return w.fail(s, ShaderFaultKind::kUnimplemented, fmt::format("s_sendmsg_rtn of message {}", s.imm));
  }
  w.s[s.dst] = lo32(value);
  if (s.extra == 2) w.s[s.dst + 1] = hi32(value);
}

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

std::optional<uint32_t> read_hwreg(const Wave& w, const Step& s, HwReg id) {
  switch (id) {
    case HwReg::hw_reg_mode:
      return w.mode.bits;
    case HwReg::hw_reg_status:
      return w.s[kSccSlot] | (w.mask(kExecSlot) == 0 ? 1u << 9 : 0) | (w.mask(kVccSlot) == 0 ? 1u << 10 : 0);
    case HwReg::hw_reg_trapsts:
      return w.trap_status;
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
    case HwReg::hw_reg_hw_id2:
      return w.index;
    case HwReg::hw_reg_shader_cycles:
      return static_cast<uint32_t>(w.instructions) & 0xfffff;
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
  if (field.id == HwReg::hw_reg_mode) {
    set_mode(w, (w.mode.bits & ~mask) | (value << field.offset & mask));
  } else if (field.id == HwReg::hw_reg_trapsts) {
    w.trap_status = (w.trap_status & ~mask) | (value << field.offset & mask);
  } else {
    w.fail(s, ShaderFaultKind::kUnimplemented,
           fmt::format("writing hardware register {}", static_cast<uint32_t>(field.id)));
  }
}

void bind_registers(HandlerTable& t) {
  t.bind(Op::s_getreg_b32, run_getreg);
  t.bind(Op::s_setreg_b32, [](Wave& w, const Step& s) { write_hwreg(w, s, read32(w, s.src[0])); });
  t.bind(Op::s_setreg_imm32_b32, t[Op::s_setreg_b32]);
  t.bind(Op::s_round_mode, [](Wave& w, const Step& s) { set_mode_nibble(w, s, 0); });
  t.bind(Op::s_denorm_mode, [](Wave& w, const Step& s) { set_mode_nibble(w, s, 4); });
}

}  // namespace

void bind_sopp(HandlerTable& table) {
  bind_branches(table);
  bind_waits_and_hints(table);
  bind_ends(table);
  bind_registers(table);
  table.bind(Op::s_sendmsg, run_sendmsg);
  table.bind(Op::s_sendmsghalt, [](Wave& w, const Step& s) {
    run_sendmsg(w, s);
    if (w.stop != Stop::kFault) halt(w, s);
  });
  table.bind(Op::s_sendmsg_rtn_b32, run_sendmsg_rtn);
  table.bind(Op::s_sendmsg_rtn_b64, run_sendmsg_rtn);
}

void run_goto(Wave& w, const Step& s) {
  w.next = s.target;
}

void run_unimplemented(Wave& w, const Step& s) {
  w.fail(s, ShaderFaultKind::kUnimplemented, "this emulator does not execute the instruction yet");
}

void run_illegal(Wave& w, const Step& s) {
  w.fail(s, ShaderFaultKind::kIllegal, "not an instruction of gfx1100, or with operands it does not take");
}

// Stands for an instruction that was left undecoded because there was so much before it.
void run_undecoded(Wave& w, const Step& s) {
  jump_to(w, s, s.pc);
}

void run_too_large(Wave& w, const Step& s) {
  w.fail(s, ShaderFaultKind::kUnimplemented, "the program has more instructions than this emulator keeps");
}

void run_unmapped(Wave& w, const Step& s) {
  w.fail_memory(s, Access::kExecute, s.pc, 0);
}

}  // namespace bw::emulator
