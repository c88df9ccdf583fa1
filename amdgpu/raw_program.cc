#include "amdgpu/raw_program.h"

#include "amdgpu/gfx11/limits.h"

namespace bw::amdgpu {
namespace {

using Properties = gfx11::kernel_code_properties;
using Rsrc2 = gfx11::compute_pgm_rsrc2;

// An address takes two registers.
constexpr uint32_t kAddressSgprs = 2;

Status check(const RawProgram& program) {
  if (program.code.empty() || program.code.size() % sizeof(uint32_t) != 0) {
    return error(StatusCode::kInvalidArgument, "{} bytes of code, expected a multiple of 4", program.code.size());
  }
  if (program.code.size() > CodeObject::kMaxImageBytes) {
    return error(StatusCode::kInvalidArgument, "{} bytes of code, at most {} are taken", program.code.size(),
                 CodeObject::kMaxImageBytes);
  }
  if (program.wave_size != 32 && program.wave_size != 64) {
    return error(StatusCode::kInvalidArgument, "waves of {} lanes, the device has 32 and 64", program.wave_size);
  }
  if (program.argument_size_bytes != 0 && Rsrc2::user_sgpr_count.get(program.pgm_rsrc2) < kAddressSgprs) {
    return error(StatusCode::kInvalidArgument, "it has arguments, but USER_SGPR of COMPUTE_PGM_RSRC2 {:#010x} is {}",
                 program.pgm_rsrc2, Rsrc2::user_sgpr_count.get(program.pgm_rsrc2));
  }
  const bool has_scratch = Rsrc2::enable_private_segment.get(program.pgm_rsrc2) != 0;
  if (has_scratch != (program.scratch_bytes_per_lane != 0)) {
    return error(StatusCode::kInvalidArgument,
                 "{} bytes of scratch for each lane, but SCRATCH_EN of COMPUTE_PGM_RSRC2 {:#010x} is {}",
                 program.scratch_bytes_per_lane, program.pgm_rsrc2, has_scratch ? 1 : 0);
  }
  return Status::ok();
}

}  // namespace

Result<KernelInfo> describe(const RawProgram& program) {
  BW_RETURN_IF_ERROR(check(program).with_context(fmt::format("describing program {}", program.name)));
  KernelInfo info;
  info.name = program.name;
  info.wavefront_size = program.wave_size;
  info.kernarg_size_bytes = program.argument_size_bytes;
  info.lds_size_bytes = Rsrc2::granulated_lds_size.get(program.pgm_rsrc2) * gfx11::kLdsGranuleBytes;
  info.private_segment_size_bytes = program.scratch_bytes_per_lane;
  uint32_t properties = Properties::enable_wavefront_size32.set(0, program.wave_size == 32 ? 1 : 0);
  properties = Properties::enable_sgpr_kernarg_segment_ptr.set(properties, program.argument_size_bytes != 0 ? 1 : 0);
  auto& descriptor = info.descriptor;
  descriptor.group_segment_fixed_size = info.lds_size_bytes;
  descriptor.private_segment_fixed_size = program.scratch_bytes_per_lane;
  descriptor.kernarg_size = program.argument_size_bytes;
  descriptor.compute_pgm_rsrc1 = program.pgm_rsrc1;
  descriptor.compute_pgm_rsrc2 = program.pgm_rsrc2;
  descriptor.compute_pgm_rsrc3 = program.pgm_rsrc3;
  descriptor.kernel_code_properties = static_cast<uint16_t>(properties);
  return info;
}

}  // namespace bw::amdgpu
