#include "amdgpu/code_module.h"

#include <algorithm>

#include "amdgpu/gfx11/abi.h"
#include "amdgpu/gfx11/limits.h"
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
