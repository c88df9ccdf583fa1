#include "compiler/kernel_resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "amdgpu/gfx11/limits.h"

namespace bw::compiler {
namespace {

namespace gfx11 = amdgpu::gfx11;

uint32_t round_up(uint32_t value, uint32_t granule) {
  return (value + granule - 1) / granule * granule;
}

}  // namespace

Occupancy occupancy(const KernelResources& resources, uint32_t workgroup_lanes) {
  // The CUs that a workgroup is spread over count as one unit here.
  const uint32_t cus = resources.mode == WorkgroupMode::kWgp ? gfx11::kCusPerWgp : 1;
  const uint32_t simds = cus * gfx11::kSimdsPerCu;
  Occupancy result;
  result.waves_per_workgroup = (workgroup_lanes + gfx11::kWaveLanes - 1) / gfx11::kWaveLanes;
  const auto groups_of = [&](uint32_t waves_per_simd) { return waves_per_simd * simds / result.waves_per_workgroup; };

  uint32_t groups = groups_of(gfx11::kMaxWavesPerSimd);
  const auto limit_to = [&](uint32_t at_most, OccupancyLimit limit) {
    if (at_most >= groups) return;
    groups = at_most;
    result.limit = limit;
  };
  const uint32_t vgprs = round_up(std::max(resources.vgprs, 1u), gfx11::kVgprGranule);
  limit_to(groups_of(std::min(gfx11::kVgprsPerSimd / vgprs, gfx11::kMaxWavesPerSimd)), OccupancyLimit::kVgprs);
  if (resources.lds_bytes > gfx11::kMaxLdsBytesPerWorkgroup) {
    limit_to(0, OccupancyLimit::kLds);
  } else if (resources.lds_bytes > 0) {
    limit_to(cus * gfx11::kLdsBytesPerCu / round_up(resources.lds_bytes, gfx11::kLdsAllocationGranuleBytes),
             OccupancyLimit::kLds);
  }
  if (result.waves_per_workgroup > 1) limit_to(cus * gfx11::kBarriersPerCu, OccupancyLimit::kBarriers);

  result.workgroups = groups * (gfx11::kCusPerWgp / cus);
  result.waves_per_simd = static_cast<double>(groups * result.waves_per_workgroup) / simds;
  return result;
}

const char* name(OccupancyLimit limit) {
  switch (limit) {
    case OccupancyLimit::kWaveSlots:
      return "wave slots";
    case OccupancyLimit::kVgprs:
      return "vector registers";
    case OccupancyLimit::kLds:
      return "LDS";
    case OccupancyLimit::kBarriers:
      break;
  }
  return "barriers";
}

std::string spill_diagnostic(const KernelResources& resources) {
  if (resources.vgpr_spills == 0 && resources.sgpr_spills == 0) {
    if (resources.scratch_bytes == 0) return "";
    return fmt::format("{} bytes of scratch per lane, none for spilled registers", resources.scratch_bytes);
  }
  return fmt::format("{} vector and {} scalar registers are spilled ({} bytes of scratch per lane)",
                     resources.vgpr_spills, resources.sgpr_spills, resources.scratch_bytes);
}

}  // namespace bw::compiler
