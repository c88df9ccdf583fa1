#include "compiler/kernel_resources.h"

#include <gtest/gtest.h>

namespace bw::compiler {
namespace {

Occupancy of(KernelResources resources, uint32_t lanes) {
  return occupancy(resources, lanes);
}

// The steps that LLVM prints as "Occupancy" for gfx1100 and wave32 (1536 registers, granule 24).
TEST(Occupancy, VectorRegistersLimitTheWavesOfASimd) {
  const struct {
    uint32_t vgprs;
    double waves;
  } steps[] = {{1, 16},  {96, 16}, {97, 12}, {120, 12}, {121, 10}, {144, 10}, {145, 9}, {168, 9},
               {169, 8}, {192, 8}, {193, 7}, {216, 7},  {217, 6},  {240, 6},  {241, 5}, {256, 5}};
  for (const auto& step : steps) {
    const Occupancy found = of({.vgprs = step.vgprs}, 32);
    EXPECT_EQ(found.waves_per_simd, step.waves) << step.vgprs;
    EXPECT_EQ(found.limit, step.waves == 16 ? OccupancyLimit::kWaveSlots : OccupancyLimit::kVgprs) << step.vgprs;
  }
}

TEST(Occupancy, WorkgroupsCountWhole) {
  // 5 waves on each of 4 SIMDs are 20, of which workgroups of 8 waves take 16.
  const Occupancy found = of({.vgprs = 256}, 256);
  EXPECT_EQ(found.waves_per_workgroup, 8u);
  EXPECT_EQ(found.workgroups, 2u);
  EXPECT_EQ(found.waves_per_simd, 4.0);
  EXPECT_EQ(found.limit, OccupancyLimit::kVgprs);
  // A partial wave is a wave.
  EXPECT_EQ(of({.vgprs = 8}, 33).waves_per_workgroup, 2u);
}

TEST(Occupancy, LdsIsSharedByTheWorkgroupsOfAWgp) {
  EXPECT_EQ(of({.vgprs = 32, .lds_bytes = 65536}, 128).workgroups, 2u);
  EXPECT_EQ(of({.vgprs = 32, .lds_bytes = 65536}, 128).limit, OccupancyLimit::kLds);
  // Rounded up to 1 KiB: 128 / 33.
  EXPECT_EQ(of({.vgprs = 32, .lds_bytes = 32769}, 128).workgroups, 3u);
  EXPECT_EQ(of({.vgprs = 32, .lds_bytes = 65537}, 128).workgroups, 0u);
  EXPECT_EQ(of({.vgprs = 32, .lds_bytes = 65537}, 128).waves_per_simd, 0.0);
}

TEST(Occupancy, WorkgroupsOfSeveralWavesNeedABarrierEach) {
  EXPECT_EQ(of({.vgprs = 8}, 32).workgroups, 64u);
  EXPECT_EQ(of({.vgprs = 8}, 64).workgroups, 32u);
  EXPECT_EQ(of({.vgprs = 8, .mode = WorkgroupMode::kCu}, 64).workgroups, 32u);
  EXPECT_EQ(of({.vgprs = 8}, 64).limit, OccupancyLimit::kWaveSlots);
}

TEST(Occupancy, InCuModeAWorkgroupHasHalfAWgp) {
  const KernelResources resources{.vgprs = 256, .lds_bytes = 40000, .mode = WorkgroupMode::kCu};
  EXPECT_EQ(of(resources, 64).workgroups, 2u);    // one in each CU, whose 64 KiB do not hold two
  EXPECT_EQ(of(resources, 1024).workgroups, 0u);  // 32 waves for 2 * 5 places
}

TEST(SpillDiagnostic, IsSilentWithoutSpillsAndScratch) {
  EXPECT_EQ(spill_diagnostic({.vgprs = 256, .sgprs = 106, .lds_bytes = 65536}), "");
  EXPECT_EQ(spill_diagnostic({.scratch_bytes = 48, .vgpr_spills = 12, .sgpr_spills = 3}),
            "12 vector and 3 scalar registers are spilled (48 bytes of scratch per lane)");
  EXPECT_EQ(spill_diagnostic({.scratch_bytes = 16}), "16 bytes of scratch per lane, none for spilled registers");
}

}  // namespace
}  // namespace bw::compiler
