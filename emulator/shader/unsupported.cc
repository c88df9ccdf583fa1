// Owns: the instructions of gfx1100 that no compute program can use on this card, and why. They decode and fault as
// unsupported.
#include <string_view>

#include "emulator/shader/handlers.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::Encoding;
using amdgpu::gfx11::InstructionInfo;

enum class Why : uint8_t { kNone, kImages, kRayTracing, kExports, kInterpolation, kGlobalDataShare, kStreamOut };

constexpr const char* reason_of(Why why) {
  switch (why) {
    case Why::kNone:
      break;
    case Why::kImages:
      return "images belong to graphics";
    case Why::kRayTracing:
      return "ray tracing belongs to graphics";
    case Why::kExports:
      return "exports belong to graphics stages";
    case Why::kInterpolation:
      return "interpolation of parameters belongs to pixel shaders";
    case Why::kGlobalDataShare:
      return "the card has no global data share (its topology reports a size of 0)";
    case Why::kStreamOut:
      return "the stream-out registers belong to geometry shaders";
  }
  return nullptr;
}

template <Why kWhy>
void run_unsupported(Wave& w, const Step& s) {
  w.fail(s, ShaderFaultKind::kUnsupported, reason_of(kWhy));
}

template <Why kWhy>
void bind(HandlerTable& t, Op op) {
  t.bind_unsupported(op, run_unsupported<kWhy>, reason_of(kWhy));
}

void bind_image(HandlerTable& t, const InstructionInfo& info) {
  const bool rays = std::string_view(info.name).starts_with("image_bvh");
  rays ? bind<Why::kRayTracing>(t, info.op) : bind<Why::kImages>(t, info.op);
}

}  // namespace

void bind_unsupported(HandlerTable& t) {
  for (const InstructionInfo& info : amdgpu::gfx11::instructions()) {
    if (info.encoding == Encoding::MIMG) bind_image(t, info);
    if (info.encoding == Encoding::EXP) bind<Why::kExports>(t, info.op);
  }
  for (Op op : {Op::lds_param_load, Op::v_interp_p10_f16_f32, Op::v_interp_p2_f16_f32, Op::v_interp_p10_rtz_f16_f32,
                Op::v_interp_p2_rtz_f16_f32}) {
    bind<Why::kInterpolation>(t, op);
  }
  for (Op op : {Op::ds_gws_sema_release_all, Op::ds_gws_init, Op::ds_gws_sema_v, Op::ds_gws_sema_br, Op::ds_gws_sema_p,
                Op::ds_gws_barrier, Op::ds_ordered_count}) {
    bind<Why::kGlobalDataShare>(t, op);
  }
  for (Op op : {Op::ds_add_gs_reg_rtn, Op::ds_sub_gs_reg_rtn}) bind<Why::kStreamOut>(t, op);
  bind<Why::kRayTracing>(t, Op::ds_bvh_stack_rtn_b32);
}

void run_tfe(Wave& w, const Step& s) {
  w.fail(s, ShaderFaultKind::kUnsupported, "tfe asks about partially resident memory, which belongs to graphics");
}

void run_gds(Wave& w, const Step& s) {
  run_unsupported<Why::kGlobalDataShare>(w, s);
}

}  // namespace bw::emulator
