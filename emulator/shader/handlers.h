// Owns: the table from operations to the handlers that execute them. One bind_* function per group of instructions,
// each in the file of its name; an operation without handler faults as unimplemented. What no compute program can use
// on this card is bound with the reason why not, and faults as unsupported. Coverage (coverage.h) is read from this
// table.
#pragma once

#include <array>
#include <cstddef>

#include "emulator/shader/step.h"

namespace bw::emulator {

using amdgpu::gfx11::Op;

class HandlerTable {
 public:
  void bind(Op op, Handler handler) { handlers_[static_cast<size_t>(op)] = handler; }
  // `handler` faults with the reason.
  void bind_unsupported(Op op, Handler handler, const char* reason) {
    bind(op, handler);
    reasons_[static_cast<size_t>(op)] = reason;
  }
  // nullptr: not implemented.
  Handler operator[](Op op) const { return handlers_[static_cast<size_t>(op)]; }
  // Why the operation is not supported; nullptr if it is.
  const char* unsupported_reason(Op op) const { return reasons_[static_cast<size_t>(op)]; }

 private:
  std::array<Handler, static_cast<size_t>(Op::kCount)> handlers_{};
  std::array<const char*, static_cast<size_t>(Op::kCount)> reasons_{};
};

// All handlers. Built at the first call.
const HandlerTable& handlers();

void bind_sop1(HandlerTable& table);
void bind_sop2(HandlerTable& table);
void bind_sopp(HandlerTable& table);
void bind_hwreg(HandlerTable& table);
void bind_smem(HandlerTable& table);
void bind_vop1(HandlerTable& table);
void bind_convert(HandlerTable& table);
void bind_vop2(HandlerTable& table);
void bind_carry(HandlerTable& table);
void bind_vop3_int(HandlerTable& table);
void bind_vop3_float(HandlerTable& table);
void bind_div(HandlerTable& table);
void bind_vopc(HandlerTable& table);
void bind_vop3p(HandlerTable& table);
void bind_wmma(HandlerTable& table);
void bind_lane(HandlerTable& table);
void bind_ds(HandlerTable& table);
void bind_ds_atomic(HandlerTable& table);
void bind_vmem(HandlerTable& table);
void bind_vmem_atomic(HandlerTable& table);
void bind_buffer(HandlerTable& table);
void bind_buffer_atomic(HandlerTable& table);
void bind_unsupported(HandlerTable& table);

// Handlers of steps that stand for no instruction of their own.
void run_goto(Wave& wave, const Step& step);   // to step.target
void run_dpp16(Wave& wave, const Step& step);  // source 0 through DPP, then step.inner
void run_dpp8(Wave& wave, const Step& step);
void run_copy_vgpr(Wave& wave, const Step& step);    // all lanes of src[0] to dst, whatever EXEC is
void run_keeping_scc(Wave& wave, const Step& step);  // step.inner, but for what it does to SCC
void run_unimplemented(Wave& wave, const Step& step);
void run_gds(Wave& wave, const Step& step);  // the global data share, which this card does not have
void run_tfe(Wave& wave, const Step& step);  // a load that asks whether memory is resident
void run_illegal(Wave& wave, const Step& step);
void run_undecoded(Wave& wave, const Step& step);
void run_too_large(Wave& wave, const Step& step);
void run_unmapped(Wave& wave, const Step& step);  // the code cannot be fetched

}  // namespace bw::emulator
