// Owns: what a kernel takes of the hardware (registers, LDS, scratch), and how many of its waves fit beside each other.
// The one place for it: the cost model, `explain` and the runtime's messages ask here. Not here: reading these numbers
// from a code object (compiler/code_object_resources.h).
#pragma once

#include <cstdint>
#include <string>

namespace bw::compiler {

// Whether a workgroup has both CUs of a WGP (four SIMDs, LLVM's default) or one of them.
enum class WorkgroupMode : uint8_t { kWgp, kCu };

struct KernelResources {
  uint32_t vgprs = 0;          // vector registers of a wave of 32 lanes
  uint32_t sgprs = 0;          // scalar registers of a wave
  uint32_t lds_bytes = 0;      // of a workgroup
  uint32_t scratch_bytes = 0;  // of a lane
  uint32_t vgpr_spills = 0;    // vector registers that LLVM keeps in scratch memory now and then
  uint32_t sgpr_spills = 0;    // scalar registers that it keeps in lanes of vector registers, or in scratch
  uint32_t code_bytes = 0;
  WorkgroupMode mode = WorkgroupMode::kWgp;

  bool operator==(const KernelResources&) const = default;
};

// What keeps further workgroups out.
enum class OccupancyLimit : uint8_t { kWaveSlots, kVgprs, kLds, kBarriers };

struct Occupancy {
  uint32_t waves_per_workgroup = 0;
  uint32_t workgroups = 0;    // side by side on a WGP; 0: a workgroup does not fit at all
  double waves_per_simd = 0;  // on average, of at most 16
  OccupancyLimit limit = OccupancyLimit::kWaveSlots;
};

// `workgroup_lanes`: 1..1024. For a grid with enough workgroups.
Occupancy occupancy(const KernelResources& resources, uint32_t workgroup_lanes);

// "wave slots", "vector registers", "LDS", "barriers".
const char* name(OccupancyLimit limit);

// Registers that LLVM had no room for, in one line: "12 vector and 3 scalar registers are spilled (48 bytes of scratch
// per lane)"; "" if there are none and no scratch is used.
std::string spill_diagnostic(const KernelResources& resources);

}  // namespace bw::compiler
