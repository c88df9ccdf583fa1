// Owns: program control (SOPP, branches of SOP1 and SOPK), messages. Not here: hardware registers (hwreg.cc).
// Source of the semantics: RDNA3 ISA guide, "SOPP", "SOPK".
#include <algorithm>
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
  // Who sleeps in a loop waits for others: the wave gives way where the loop turns.
  t.bind(Op::s_sleep, [](Wave& w, const Step&) {
    w.sleeps = true;
    w.yield_after = std::min<int64_t>(w.yield_after, 1);
  });
}

void halt(Wave& w, const Step& s) {
  w.fail(s, ShaderFaultKind::kTrap, "the wave halts itself and nobody can resume it");
}

// LLVM AMDGPUUsage, "Trap Handler ABI": llvm.debugtrap. Without a debugger, which there never is, trap handlers return
// from it (ROCr, trap_handler.s).
constexpr uint32_t kDebugTrap = 3;

void bind_ends(HandlerTable& t) {
  t.bind(Op::s_endpgm, [](Wave& w, const Step&) { w.stop = Stop::kEnd; });
  t.bind(Op::s_endpgm_saved, t[Op::s_endpgm]);
  t.bind(Op::s_barrier, [](Wave& w, const Step&) { w.stop = Stop::kBarrier; });
  t.bind(Op::s_code_end, [](Wave& w, const Step& s) {
    w.fail(s, ShaderFaultKind::kIllegal, "the program runs past its end into s_code_end");
  });
  t.bind(Op::s_trap, [](Wave& w, const Step& s) {
    if ((s.imm & 0xff) == kDebugTrap) return;
    w.fail(s, ShaderFaultKind::kTrap, fmt::format("s_trap {}", s.imm & 0xff));
  });
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

using amdgpu::gfx11::Message;
using amdgpu::gfx11::RtnMessage;

// What of M0 an interrupt carries. Source: Linux, kfd_int_process_v11.c, SQ_INTERRUPT_WORD_WAVE_CTXID0.DATA.
constexpr uint32_t kInterruptDataMask = 0xffffff;

void run_sendmsg(Wave& w, const Step& s) {
  const uint32_t message = static_cast<uint32_t>(s.imm) & 0xff;
  switch (static_cast<Message>(message)) {
    case Message::msg_dealloc_vgprs:  // the VGPRs will not be used again
      return;
    case Message::msg_interrupt:
      if (w.group->dispatch->interrupt) w.group->dispatch->interrupt(w.s[kM0Slot] & kInterruptDataMask);
      return;
    case Message::msg_hs_tessfactor:
    case Message::msg_gs_alloc_req:
      return w.fail(s, ShaderFaultKind::kUnsupported, fmt::format("message {} is for graphics stages", message));
    case Message::msg_stall_wave_gen:
    case Message::msg_halt_waves:
      return w.fail(s, ShaderFaultKind::kUnsupported, fmt::format("message {} is for trap handlers", message));
    default:
      return w.fail(s, ShaderFaultKind::kIllegal, fmt::format("message {} does not exist", message));
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

}  // namespace

void bind_sopp(HandlerTable& table) {
  bind_branches(table);
  bind_waits_and_hints(table);
  bind_ends(table);
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

void run_keeping_scc(Wave& w, const Step& s) {
  const bool scc = w.scc();
  s.inner(w, s);
  w.set_scc(scc);
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
  w.fail_memory(s, Access::kExecute, s.pc + static_cast<uint32_t>(s.imm), 0);
}

}  // namespace bw::emulator
