// Owns: what Linux reports of a Radeon RX 7900 XTX, as the sysfs tree and the render node of the emulated card give it.
// From dumps of real cards and Linux's own tables; where dumps differ by board, one is taken. Not here: registers and
// packets (amdgpu/gfx11).
#pragma once

#include <cstdint>

namespace bw::emulator::facts {

inline constexpr uint32_t kShaderEngines = 6;
inline constexpr uint32_t kArraysPerEngine = 2;
inline constexpr uint32_t kComputeUnitsPerArray = 8;
inline constexpr uint32_t kComputeUnits = kShaderEngines * kArraysPerEngine * kComputeUnitsPerArray;
inline constexpr uint32_t kSimdsPerComputeUnit = 2;
inline constexpr uint32_t kWaveSlotsPerComputeUnit = 32;
inline constexpr uint32_t kMaxWorkgroupSize = 1024;  // work-items
inline constexpr uint32_t kMaxLdsBytes = 64 * 1024;  // of a workgroup
// LLVM's AMDGPU usage guide: COMPUTE_PGM_RSRC2's GRANULATED_LDS_SIZE; COMPUTE_TMPRING_SIZE.WAVESIZE, whose WAVES are
// per shader engine.
inline constexpr uint32_t kLdsGranuleBytes = 512;
inline constexpr uint32_t kScratchUnitBytes = 256;
inline constexpr uint32_t kMaxWavesPerSimd = 16;

inline constexpr uint32_t kVendorId = 0x1002;
inline constexpr uint32_t kDeviceId = 0x744c;
inline constexpr uint32_t kPciRevision = 0xc8;
inline constexpr uint32_t kSubsystemVendorId = 0x1002;
inline constexpr uint32_t kSubsystemDeviceId = 0x0e3b;
inline constexpr uint32_t kFamily = 145;  // AMDGPU_FAMILY_GC_11_0_0
inline constexpr uint32_t kGfxTargetVersion = 110000;
inline constexpr uint32_t kCapability = 0x2807a280;
inline constexpr uint32_t kDebugProp = 1495;
inline constexpr uint32_t kGbAddrConfig = 0x545;
// Registers that the render node lets be read, offsets in dwords: GB_ADDR_CONFIG, and GRBM_STATUS2, GRBM_STATUS,
// GRBM_STATUS_SE0, _SE1, GRBM_STATUS3, GRBM_STATUS_SE2 to _SE5. Linux gc_11_0_0_offset.h.
inline constexpr uint32_t kGbAddrConfigOffset = 0x263e;
inline constexpr uint32_t kStatusOffsets[] = {0x2002, 0x2004, 0x2005, 0x2006, 0x2007, 0x200e, 0x200f, 0x2010, 0x2011};
inline constexpr uint32_t kMaxEngineClockMhz = 2482;
inline constexpr uint32_t kMaxMemoryClockMhz = 1249;
inline constexpr uint32_t kVramWidthBits = 384;
inline constexpr uint32_t kVramType = 9;  // GDDR6

inline constexpr uint32_t kFirmwareMec = 2140;  // as the topology tells it
inline constexpr uint32_t kFirmwareSdma = 20;
inline constexpr uint32_t kFirmwareMe = 1486;
inline constexpr uint32_t kFirmwarePfp = 1525;
inline constexpr uint32_t kFirmwareMecDrm = 494;
inline constexpr uint32_t kFirmwareFeature = 29;

inline constexpr uint32_t kGws = 64;  // global wave sync resources
inline constexpr uint32_t kSdmaEngines = 2;
inline constexpr uint32_t kSdmaQueuesPerEngine = 6;
inline constexpr uint32_t kGpuCounterKhz = 100000;

// Context save area, Linux kfd_queue.c kfd_queue_ctx_save_restore_size() for this card.
inline constexpr uint32_t kControlStackBytes = 0xa000;
inline constexpr uint32_t kContextSaveBytes = 0x2bea000;
inline constexpr uint32_t kContextDebugBytes = 0x18000;
inline constexpr uint32_t kEopBufferBytes = 0x1000;

}  // namespace bw::emulator::facts
