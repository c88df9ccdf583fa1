// Owns: how fast and large the parts of an RX 7900 XTX are, at best. Not here: what a kernel makes of them.
#pragma once

#include <cstdint>

namespace bw::amdgpu::gfx11 {

// 96 CUs, two SIMDs each, at the boost clock. Source: AMD's data sheet for the RX 7900 XTX.
inline constexpr uint32_t kComputeUnits = 96;
inline constexpr double kBoostClockHz = 2.5e9;

// Lanes of results that a CU brings forth in a clock.
// f32: 256 FLOP per clock with dual issue (VOPD), a multiply-add being two; f64: 4 FLOP. Source: ROCm's
// rocprofiler-compute, RDNA documentation.
inline constexpr double kF32LanesPerClock = 128;
inline constexpr double kF64LanesPerClock = 2;
// A quarter of the two SIMDs' 64 lanes; as integer products of 32 bits. Source: Chips and Cheese on RDNA 3.
inline constexpr double kTranscendentalLanesPerClock = 16;
inline constexpr double kIntegerProductLanesPerClock = 16;
// One 16x16x16 product (8192 FLOP) on a SIMD every 32 clocks; f16, bf16 and iu8 alike. Source: AMD's matrix instruction
// calculator; GPUOpen, "How to accelerate AI applications on RDNA 3 using WMMA".
inline constexpr double kWmmaFlopsPerClock = 512;
// 32 banks of 4 bytes. Source: Chips and Cheese on RDNA 3.
inline constexpr double kLdsBytesPerClock = 128;

// All of the card, as measured: 5.7 TB/s at 2.37 GHz. Source: Chips and Cheese on the H100, 2023.
inline constexpr double kL2BytesPerClock = 2400;

// What the driver reports of 24 GB (drm_amdgpu_info_vram_gtt on an RX 7900 XTX).
inline constexpr uint64_t kVramBytes = 25'753'026'560;
// 384 bits of GDDR6 at 20 Gbit/s. Source: the data sheet.
inline constexpr double kVramBytesPerSecond = 960e9;
// A load that no cache holds, as seen by a vector load. Source: Chips and Cheese, 2023-06.
inline constexpr double kVramLatencySeconds = 234.55e-9;

}  // namespace bw::amdgpu::gfx11
