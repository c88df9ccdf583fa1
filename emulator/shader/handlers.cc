#include "emulator/shader/handlers.h"

namespace bw::emulator {
namespace {

HandlerTable make_table() {
  HandlerTable table;
  bind_sop2(table);
  bind_sop1(table);
  bind_sopp(table);
  bind_hwreg(table);
  bind_smem(table);
  bind_vop1(table);
  bind_convert(table);
  bind_vop2(table);
  bind_carry(table);
  bind_vop3_int(table);
  bind_vop3_float(table);
  bind_div(table);
  bind_vopc(table);
  bind_vop3p(table);
  bind_wmma(table);
  bind_lane(table);
  bind_ds(table);
  bind_ds_atomic(table);
  bind_vmem(table);
  bind_vmem_atomic(table);
  bind_buffer(table);
  bind_buffer_atomic(table);
  bind_unsupported(table);
  return table;
}

}  // namespace

const HandlerTable& handlers() {
  static const HandlerTable table = make_table();
  return table;
}

}  // namespace bw::emulator
