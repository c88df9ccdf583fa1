// Owns: sizes, granules and limits of the gfx1100 that no register table holds.
#pragma once

#include <cstdint>

namespace bw::amdgpu::gfx11 {

// gfx_target_version of the driver's topology: major * 10000 + minor * 100 + stepping.
inline constexpr uint64_t kTargetVersion = 110000;
inline constexpr const char* kTargetName = "gfx1100";
// PCI device of Navi 31 (Linux, amdgpu_drv.c; libdrm's amdgpu.ids tells the boards apart by revision).
inline constexpr uint64_t kPciDeviceNavi31 = 0x744c;

// Hardware ids of blocks in the card's discovery table (Linux, include/soc15_hw_ip.h).
inline constexpr uint32_t kHardwareIdGc = 11;
inline constexpr uint32_t kHardwareIdSdma0 = 42;
inline constexpr uint32_t kHardwareIdNbif = 108;

// The clock that RELEASE_MEM and SDMA timestamps count. (DEV_INFO's gpu_counter_freq on the card: 100000 kHz.)
inline constexpr uint64_t kClockHz = 100'000'000;

// What a context save (CWSR) stores. Source: Linux 6.12, amdkfd/kfd_queue.c, kfd_queue_ctx_save_restore_size.
inline constexpr uint32_t kVgprBytesPerCu = 0x60000;
inline constexpr uint32_t kSgprBytesPerCu = 0x4000;
inline constexpr uint32_t kLdsBytesPerCu = 0x10000;
inline constexpr uint32_t kHwregBytesPerCu = 0x1000;
inline constexpr uint32_t kControlStackBytesPerWave = 12;
inline constexpr uint32_t kControlStackHeaderBytes = 8 + 40;
inline constexpr uint32_t kDebugBytesPerWave = 32;
// The end-of-pipe buffer that RELEASE_MEM needs on a compute queue.
inline constexpr uint32_t kEndOfPipeBytes = 0x1000;

// COMPUTE_PGM_RSRC2.LDS_SIZE counts these.
inline constexpr uint32_t kLdsGranuleBytes = 512;
// COMPUTE_TMPRING_SIZE.WAVESIZE counts these, for a wave of 64 lanes.
inline constexpr uint32_t kScratchGranuleBytes = 256;
inline constexpr uint32_t kScratchLanesPerWave = 64;
// COMPUTE_PGM_* and COMPUTE_DISPATCH_SCRATCH_BASE_* hold an address without these low bits.
inline constexpr unsigned kProgramAddressShift = 8;

inline constexpr uint32_t kUserDataRegisters = 16;
inline constexpr uint32_t kMaxWorkgroupSize = 1024;

// What waves share, and so how many fit. A workgroup in WGP mode has both CUs of its WGP, in CU mode one of them.
// Sources: LLVM 19, AMDGPUBaseInfo.cpp (getVGPRAllocGranule, getTotalNumVGPRs with FeatureGFX11FullVGPRs,
// getMaxWavesPerEU, getEUsPerCU, getMaxWorkGroupsPerCU); Mesa, aco_ir.cpp (lds_alloc_granule from GFX10.3 on).
inline constexpr uint32_t kWaveLanes = 32;
inline constexpr uint32_t kSimdsPerCu = 2;
inline constexpr uint32_t kCusPerWgp = 2;
inline constexpr uint32_t kMaxWavesPerSimd = 16;
inline constexpr uint32_t kVgprsPerSimd = 1536;  // of 32 lanes
inline constexpr uint32_t kVgprGranule = 24;     // that wave32 programs are given
inline constexpr uint32_t kMaxVgprsPerWave = 256;
inline constexpr uint32_t kLdsAllocationGranuleBytes = 1024;
inline constexpr uint32_t kMaxLdsBytesPerWorkgroup = 0x10000;
// Workgroups of more than one wave: each needs a barrier of its CU.
inline constexpr uint32_t kBarriersPerCu = 16;

}  // namespace bw::amdgpu::gfx11
