#include "amdgpu/scratch_pool.h"

#include <algorithm>

#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/registers.h"
#include "base/bits.h"

namespace bw::amdgpu {

// Room for every wave that the card can hold, each of 64 lanes; COMPUTE_TMPRING_SIZE counts the waves of one shader
// engine. (As a runtime known to work computes it: tinygrad a9069c1, runtime/ops_amd.py.)
Result<std::shared_ptr<const Scratch>> ScratchPool::scratch(uint32_t bytes_per_lane) {
  using R = gfx11::COMPUTE_TMPRING_SIZE;
  // A first size that serves most kernels, so that growing stays rare.
  constexpr uint64_t kLeastBytesPerLane = 128;
  const uint64_t wanted = std::max<uint64_t>(bytes_per_lane, kLeastBytesPerLane);
  if (current_ != nullptr && current_->bytes_per_lane >= wanted) return current_;

  const uint64_t granules =
      align_up(wanted * gfx11::kScratchLanesPerWave, gfx11::kScratchGranuleBytes) / gfx11::kScratchGranuleBytes;
  const uint64_t waves = uint64_t{info_.compute_unit_count} * info_.scratch_slots_per_cu;
  const uint64_t waves_per_engine = std::min<uint64_t>(waves / info_.shader_engine_count, R::waves.max());
  if (!R::wavesize.fits(granules)) {
    return error(StatusCode::kUnsupported, "{} bytes of private memory for each work-item, the device has at most {}",
                 bytes_per_lane,
                 uint64_t{R::wavesize.max()} * gfx11::kScratchGranuleBytes / gfx11::kScratchLanesPerWave);
  }
  auto scratch = std::make_shared<Scratch>();
  BW_ASSIGN(scratch->memory, memory_->allocate(MemoryKind::kVram, waves * granules * gfx11::kScratchGranuleBytes));
  scratch->tmpring_size =
      R::wavesize.set(R::waves.set(0, static_cast<uint32_t>(waves_per_engine)), static_cast<uint32_t>(granules));
  scratch->bytes_per_lane = static_cast<uint32_t>(granules * gfx11::kScratchGranuleBytes / gfx11::kScratchLanesPerWave);
  current_ = std::move(scratch);
  return current_;
}

}  // namespace bw::amdgpu
