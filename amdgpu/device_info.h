// Owns: what the driver's topology says about a GPU, in this project's terms, and the sizes that follow from it.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "kfd/memory.h"
#include "kfd/process.h"
#include "kfd/topology.h"

namespace bw::amdgpu {

struct DeviceInfo {
  std::string name;        // "AMD Radeon RX 7900 XTX"
  std::string gfx_target;  // "gfx1100"
  uint32_t gpu_id = 0;     // the driver's
  uint32_t pci_device_id = 0;
  uint32_t compute_unit_count = 0;
  uint32_t shader_engine_count = 0;
  uint32_t simd_per_cu = 0;
  uint32_t max_waves_per_simd = 0;
  uint32_t scratch_slots_per_cu = 0;
  uint32_t lds_size_bytes = 0;  // of a workgroup at most
  uint32_t max_clock_mhz = 0;
  uint64_t clock_hz = 0;  // of timestamps
  uint64_t vram_size_bytes = 0;
  bool is_vram_host_visible = false;  // large BAR
  uint32_t firmware_version = 0;      // of the command processor
  uint32_t sdma_firmware_version = 0;
  uint32_t sdma_engine_count = 0;
  // Of the hardware's blocks, by the card's discovery table; zeros where the driver does not show it.
  kfd::IpVersion gc_version;
  kfd::IpVersion sdma_version;
  kfd::IpVersion nbif_version;
  uint32_t driver_major_version = 0;  // KFD
  uint32_t driver_minor_version = 0;

  uint32_t wave_slot_count() const { return compute_unit_count * simd_per_cu * max_waves_per_simd; }
};

// kUnsupported for a GPU that is not gfx1100, kDataLoss for a topology without what is needed.
Result<DeviceInfo> read_device_info(kfd::Process& process, const kfd::Node& node);

// Sizes of a compute queue's buffer for saving waves (CWSR).
struct ContextSaveSizes {
  uint32_t control_stack_bytes = 0;
  uint32_t save_restore_bytes = 0;  // what CREATE_QUEUE takes
  uint64_t buffer_bytes = 0;        // what is allocated: with the debugger's part
};
ContextSaveSizes context_save_sizes(const DeviceInfo& info);

}  // namespace bw::amdgpu
