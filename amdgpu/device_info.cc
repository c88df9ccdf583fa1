#include "amdgpu/device_info.h"

#include <limits>

#include "amdgpu/gfx11/limits.h"
#include "base/bits.h"

namespace bw::amdgpu {
namespace {

// Heap types of a memory bank (Linux, kfd_crat.h).
constexpr uint64_t kHeapVramHostVisible = 1;
constexpr uint64_t kHeapVramPrivate = 2;

Status require_u32(const kfd::Node& node, std::string_view name, uint32_t& value) {
  BW_ASSIGN(uint64_t wide, node.require(name));
  // Far above any real card; keeps the products below from overflowing.
  constexpr uint64_t kMost = 65536;
  if (wide == 0 || wide > kMost) {
    return error(StatusCode::kDataLoss, "node {}: {} is {}, expected 1 to {}", node.index, name, wide, kMost);
  }
  value = static_cast<uint32_t>(wide);
  return Status::ok();
}

uint32_t u32_of(const kfd::Node& node, std::string_view name) {
  return static_cast<uint32_t>(node.property(name));
}

Status read_memory(kfd::KernelDriver& driver, const kfd::Node& node, DeviceInfo& info) {
  BW_ASSIGN(auto banks, kfd::read_memory_banks(driver, node));
  for (const kfd::MemoryBank& bank : banks) {
    if (bank.heap_type != kHeapVramHostVisible && bank.heap_type != kHeapVramPrivate) continue;
    info.vram_size_bytes += bank.size_bytes;
    info.is_vram_host_visible |= bank.heap_type == kHeapVramHostVisible;
  }
  return Status::ok();
}

Status read_versions(kfd::KernelDriver& driver, const kfd::Node& node, DeviceInfo& info) {
  const uint32_t ids[] = {gfx11::kHardwareIdGc, gfx11::kHardwareIdSdma0, gfx11::kHardwareIdNbif};
  BW_ASSIGN(auto versions, kfd::read_ip_versions(driver, node, ids));
  info.gc_version = versions[gfx11::kHardwareIdGc];
  info.sdma_version = versions[gfx11::kHardwareIdSdma0];
  info.nbif_version = versions[gfx11::kHardwareIdNbif];
  return Status::ok();
}

}  // namespace

Result<DeviceInfo> read_device_info(kfd::Process& process, const kfd::Node& node) {
  const uint64_t target = node.property("gfx_target_version");
  if (target != gfx11::kTargetVersion) {
    return error(StatusCode::kUnsupported, "node {}: GPU of gfx_target_version {}, expected {} ({})", node.index,
                 target, gfx11::kTargetVersion, gfx11::kTargetName);
  }
  DeviceInfo info;
  info.gfx_target = gfx11::kTargetName;
  info.gpu_id = node.gpu_id;
  info.pci_device_id = u32_of(node, "device_id");
  info.name = info.pci_device_id == gfx11::kPciDeviceNavi31
                  ? "AMD Radeon RX 7900 XTX"
                  : fmt::format("AMD {} (PCI device {:#x})", gfx11::kTargetName, info.pci_device_id);
  uint32_t simd_count = 0;
  uint32_t array_count = 0;
  uint32_t arrays_per_engine = 0;
  uint32_t lds_kib = 0;
  BW_RETURN_IF_ERROR(require_u32(node, "simd_count", simd_count));
  BW_RETURN_IF_ERROR(require_u32(node, "simd_per_cu", info.simd_per_cu));
  BW_RETURN_IF_ERROR(require_u32(node, "array_count", array_count));
  BW_RETURN_IF_ERROR(require_u32(node, "simd_arrays_per_engine", arrays_per_engine));
  BW_RETURN_IF_ERROR(require_u32(node, "max_waves_per_simd", info.max_waves_per_simd));
  BW_RETURN_IF_ERROR(require_u32(node, "max_slots_scratch_cu", info.scratch_slots_per_cu));
  BW_RETURN_IF_ERROR(require_u32(node, "lds_size_in_kb", lds_kib));
  info.compute_unit_count = simd_count / info.simd_per_cu;
  info.shader_engine_count = array_count / arrays_per_engine;
  // The largest sizes computed from these are the context save's; they must fit the driver's 32 bits.
  if (info.compute_unit_count == 0 || info.shader_engine_count == 0 ||
      uint64_t{info.compute_unit_count} * info.simd_per_cu * info.max_waves_per_simd > 65536 ||
      info.compute_unit_count > 1024 || info.scratch_slots_per_cu > 1024 || lds_kib > 1024) {
    return error(StatusCode::kDataLoss, "node {}: {} SIMDs, {} per CU, {} arrays, {} per engine, {} waves per SIMD",
                 node.index, simd_count, info.simd_per_cu, array_count, arrays_per_engine, info.max_waves_per_simd);
  }
  info.lds_size_bytes = lds_kib * 1024;
  info.max_clock_mhz = u32_of(node, "max_engine_clk_fcompute");
  info.clock_hz = gfx11::kClockHz;
  info.firmware_version = u32_of(node, "fw_version");
  info.sdma_firmware_version = u32_of(node, "sdma_fw_version");
  info.sdma_engine_count = u32_of(node, "num_sdma_engines");
  info.driver_major_version = process.version().major;
  info.driver_minor_version = process.version().minor;
  BW_RETURN_IF_ERROR(read_memory(process.driver(), node, info));
  BW_RETURN_IF_ERROR(read_versions(process.driver(), node, info));
  return info;
}

ContextSaveSizes context_save_sizes(const DeviceInfo& info) {
  const uint32_t waves = info.wave_slot_count();
  const uint64_t data = align_up(uint64_t{info.compute_unit_count} * (gfx11::kVgprBytesPerCu + gfx11::kSgprBytesPerCu +
                                                                      gfx11::kLdsBytesPerCu + gfx11::kHwregBytesPerCu),
                                 kfd::kPageBytes);
  ContextSaveSizes sizes;
  sizes.control_stack_bytes = static_cast<uint32_t>(
      align_up(gfx11::kControlStackBytesPerWave * waves + gfx11::kControlStackHeaderBytes, kfd::kPageBytes));
  sizes.save_restore_bytes = static_cast<uint32_t>(data + sizes.control_stack_bytes);
  const uint64_t debug = align_up(uint64_t{waves} * gfx11::kDebugBytesPerWave, 64);
  sizes.buffer_bytes = align_up(sizes.save_restore_bytes + debug, kfd::kPageBytes);
  return sizes;
}

}  // namespace bw::amdgpu
