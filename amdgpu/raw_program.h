// Owns: machine code without a code object around it, dispatched with registers of the caller's choice: for bringing
// hardware up, and for trying single instructions. Not here: placing it (Device::load_program), compiled kernels
// (code_object.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "amdgpu/code_object.h"
#include "base/status.h"

namespace bw::amdgpu {

struct RawProgram {
  std::string name;                 // in reports
  std::span<const std::byte> code;  // starts with its first instruction, runs at any multiple of 256
  // COMPUTE_PGM_RSRC1..3 as they go into the packets, but for PRIV of RSRC1, which is always set. LDS_SIZE of RSRC2
  // says how much LDS a workgroup gets.
  uint32_t pgm_rsrc1 = 0;
  uint32_t pgm_rsrc2 = 0;
  uint32_t pgm_rsrc3 = 0;
  uint32_t wave_size = 32;  // or 64
  // What each dispatch gives as arguments, exactly. If there are any, s[0:1] hold their address, and USER_SGPR of RSRC2
  // is at least 2.
  uint32_t argument_size_bytes = 0;
  uint32_t scratch_bytes_per_lane = 0;  // not 0: SCRATCH_EN of RSRC2 is set
};

// The description of a code object's kernel that leads to the same packets. kInvalidArgument if the parts of `program`
// contradict each other.
Result<KernelInfo> describe(const RawProgram& program);

}  // namespace bw::amdgpu
