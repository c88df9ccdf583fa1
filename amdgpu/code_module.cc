#include "amdgpu/code_module.h"

#include <algorithm>

#include "amdgpu/gfx11/abi.h"
#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/rates.h"
#include "base/bits.h"

namespace bw::amdgpu {
namespace {

// COMPUTE_PGM_RSRC1 counts the VGPRs of a wave32 in eights.
constexpr uint32_t kVgprEncodingGranule = 8;

// As many VGPRs as a wave32 may have while as many waves fit on a SIMD as with those it needs.
uint32_t granted_vgprs(uint32_t needed) {
  const auto allocated = static_cast<uint32_t>(ceil_div(needed, gfx11::kVgprGranule)) * gfx11::kVgprGranule;
  const uint32_t waves = std::min(gfx11::kMaxWavesPerSimd, gfx11::kVgprsPerSimd / allocated);
  const uint32_t granted = gfx11::kVgprsPerSimd / waves / gfx11::kVgprGranule * gfx11::kVgprGranule;
  return std::clamp(granted, needed, gfx11::kMaxVgprsPerWave);
}

}  // namespace

uint64_t resident_workgroups(const Kernel& kernel, const std::array<uint32_t, 3>& workgroup_size) {
  using R = gfx11::compute_pgm_rsrc1;
  const bool is_wave32 = kernel.info.is_wave32();
  const uint32_t lanes = is_wave32 ? gfx11::kWaveLanes : 2 * gfx11::kWaveLanes;
  // A wave64 counts its registers in fours and takes two of 32 lanes for each.
  const uint32_t vgprs = (R::granulated_workitem_vgpr_count.get(kernel.pgm_rsrc1) + 1) * kVgprEncodingGranule;
  const int64_t allocated = ceil_div(vgprs, gfx11::kVgprGranule) * gfx11::kVgprGranule;
  const uint64_t waves_per_simd =
      std::min<uint64_t>(gfx11::kMaxWavesPerSimd, gfx11::kVgprsPerSimd / static_cast<uint64_t>(allocated));
  const uint64_t waves = static_cast<uint64_t>(
      ceil_div(static_cast<int64_t>(uint64_t{workgroup_size[0]} * workgroup_size[1] * workgroup_size[2]), lanes));
  constexpr uint64_t kWgps = gfx11::kComputeUnits / gfx11::kCusPerWgp;
  const uint64_t simds_per_wgp = gfx11::kSimdsPerCu * gfx11::kCusPerWgp;
  uint64_t per_wgp = waves_per_simd * simds_per_wgp / waves;
  const uint32_t lds = kernel.info.descriptor.group_segment_fixed_size;
  if (lds != 0) {
    const uint64_t taken = align_up(lds, gfx11::kLdsAllocationGranuleBytes);
    per_wgp = std::min<uint64_t>(per_wgp, gfx11::kCusPerWgp * gfx11::kMaxLdsBytesPerWorkgroup / taken);
  }
  return std::max<uint64_t>(1, per_wgp * kWgps);
}

uint32_t privileged_pgm_rsrc1(uint32_t word) {
  return gfx11::compute_pgm_rsrc1::priv.set(word, 1);
}

uint32_t dispatched_pgm_rsrc1(const KernelInfo& kernel) {
  using R = gfx11::compute_pgm_rsrc1;
  uint32_t word = privileged_pgm_rsrc1(kernel.descriptor.compute_pgm_rsrc1);
  // Without meaning from GFX10 on; every wave has all SGPRs (LLVM 19's user guide, "Code Object V3 Kernel Descriptor").
  word = R::granulated_wavefront_sgpr_count.set(word, 0);
  if (!kernel.is_wave32()) return word;
  const uint32_t needed = (R::granulated_workitem_vgpr_count.get(word) + 1) * kVgprEncodingGranule;
  return R::granulated_workitem_vgpr_count.set(word, granted_vgprs(needed) / kVgprEncodingGranule - 1);
}

Result<const Kernel*> CodeModule::kernel(std::string_view name) const {
  std::string names;
  for (const auto& kernel : kernels_) {
    if (kernel->info.name == name) return kernel.get();
    names += (names.empty() ? "" : ", ") + kernel->info.name;
  }
  return error(StatusCode::kNotFound, "no kernel named '{}' in the code object; it has: {}", name,
               names.empty() ? "none" : names);
}

}  // namespace bw::amdgpu
