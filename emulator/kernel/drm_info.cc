// Answers of AMDGPU_INFO: what the render node tells of the card.
#include <amdgpu_drm.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "emulator/card_facts.h"
#include "emulator/kernel/clock.h"
#include "emulator/kernel/drm_ioctls.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::drm {
namespace {

// What the caller has room for of an answer.
template <typename T>
int give(const drm_amdgpu_info& args, const T& answer) {
  return copy_to_user(args.return_pointer, &answer, std::min<size_t>(args.return_size, sizeof(answer)));
}

// What Linux 6.6 tells beyond the struct of libdrm 2.4.114.
struct DeviceInfo {
  drm_amdgpu_info_device known;
  uint64_t min_engine_clock_khz;
  uint64_t min_memory_clock_khz;
  uint32_t tcp_cache_kb;
  uint32_t num_sqc_per_wgp;
  uint32_t sqc_data_cache_kb;
  uint32_t sqc_inst_cache_kb;
  uint32_t gl1c_cache_kb;
  uint32_t gl2c_cache_kb;
  uint64_t mall_bytes;
  uint32_t enabled_rb_pipes_mask_hi;
  uint32_t shadow_size;
  uint32_t shadow_alignment;
  uint32_t csa_size;
  uint32_t csa_alignment;
};

drm_amdgpu_info_device known_device_info() {
  using namespace facts;
  drm_amdgpu_info_device info{};
  info.device_id = kDeviceId;
  info.external_rev = 1;
  info.pci_rev = kPciRevision;
  info.family = kFamily;
  info.num_shader_engines = kShaderEngines;
  info.num_shader_arrays_per_engine = kArraysPerEngine;
  info.gpu_counter_freq = kGpuCounterKhz;
  info.max_engine_clock = 2371000;
  info.max_memory_clock = kMaxMemoryClockMhz * 1000;
  info.cu_active_number = kComputeUnits;
  // Engines 4 and 5 stand in columns 2 and 3 of rows 0 and 1.
  for (uint32_t engine = 0; engine < kShaderEngines; ++engine) {
    for (uint32_t array = 0; array < kArraysPerEngine; ++array) {
      info.cu_bitmap[engine % 4][array + engine / 4 * 2] = 0xff;
    }
  }
  info.enabled_rb_pipes_mask = 0xffffff;
  info.num_rb_pipes = 24;
  info.num_hw_gfx_contexts = 8;
  info.virtual_address_offset = 0x200000;
  info.virtual_address_max = 0x800000000000;
  info.virtual_address_alignment = 4096;
  info.pte_fragment_size = 2097152;
  info.gart_page_size = 4096;
  info.vram_type = kVramType;
  info.vram_bit_width = kVramWidthBits;
  info.wave_front_size = 32;
  info.num_shader_visible_vgprs = 1536;
  info.num_cu_per_sh = kComputeUnitsPerArray;
  info.num_tcc_blocks = 24;
  info.gs_vgt_table_depth = 32;
  info.gs_prim_buffer_depth = 1792;
  info.max_gs_waves_per_vgt = 32;
  info.high_va_offset = 0xffff800000000000;
  info.high_va_max = 0xffffffffffe00000;
  info._pad = 4;    // pcie_gen since Linux 6.3
  info._pad1 = 16;  // pcie_num_lanes
  return info;
}

DeviceInfo device_info() {
  return {.known = known_device_info(),
          .min_engine_clock_khz = 500000,
          .min_memory_clock_khz = 96000,
          .tcp_cache_kb = 32,
          .num_sqc_per_wgp = 1,
          .sqc_data_cache_kb = 16,
          .sqc_inst_cache_kb = 32,
          .gl1c_cache_kb = 256,
          .gl2c_cache_kb = 6144,
          .mall_bytes = 100663296,
          .enabled_rb_pipes_mask_hi = 0,
          .shadow_size = 0,
          .shadow_alignment = 0,
          .csa_size = 0,
          .csa_alignment = 0};
}

// Blocks that this card has and the emulator has not (video) are told as absent.
int hw_ip_info(const drm_amdgpu_info& args) {
  drm_amdgpu_info_hw_ip info{};
  if (args.query_hw_ip.type >= AMDGPU_HW_IP_NUM) return -EINVAL;
  if (args.query_hw_ip.ip_instance >= AMDGPU_HW_IP_INSTANCE_MAX_COUNT) return -EINVAL;
  if (args.query_hw_ip.type > AMDGPU_HW_IP_DMA) return give(args, info);
  switch (args.query_hw_ip.type) {
    case AMDGPU_HW_IP_GFX:
      info.hw_ip_version_major = 11;
      info.available_rings = 0x1;
      break;
    case AMDGPU_HW_IP_COMPUTE:
      info.hw_ip_version_major = 11;
      info.available_rings = 0xf;
      break;
    default:
      info.hw_ip_version_major = 6;
      info.available_rings = 0x3;
  }
  info.ib_start_alignment = 32;
  info.ib_size_alignment = 32;
  return give(args, info);
}

int hw_ip_count(const drm_amdgpu_info& args) {
  if (args.query_hw_ip.type >= AMDGPU_HW_IP_NUM) return -EINVAL;
  uint32_t count = args.query_hw_ip.type <= AMDGPU_HW_IP_COMPUTE ? 1 : 0;
  if (args.query_hw_ip.type == AMDGPU_HW_IP_DMA) count = facts::kSdmaEngines;
  return give(args, count);
}

// Linux amdgpu_firmware_info(). Versions of what the emulator does without read as 0, like firmware that is not loaded.
int firmware_version(const drm_amdgpu_info& args) {
  using namespace facts;
  constexpr uint32_t kMecs = 2, kLastTrustedApplication = 5;
  drm_amdgpu_info_firmware info{};
  const uint32_t index = args.query_fw.index;
  switch (args.query_fw.fw_type) {
    case AMDGPU_INFO_FW_GFX_ME:
      info = {.ver = kFirmwareMe, .feature = kFirmwareFeature};
      break;
    case AMDGPU_INFO_FW_GFX_PFP:
      info = {.ver = kFirmwarePfp, .feature = kFirmwareFeature};
      break;
    case AMDGPU_INFO_FW_GFX_MEC:
      if (index >= kMecs) return -EINVAL;
      info = {.ver = kFirmwareMecDrm, .feature = kFirmwareFeature};
      break;
    case AMDGPU_INFO_FW_SDMA:
      if (index >= kSdmaEngines) return -EINVAL;
      info = {.ver = kFirmwareSdma, .feature = 60};
      break;
    case AMDGPU_INFO_FW_TA:
      if (index > kLastTrustedApplication) return -EINVAL;
      break;
    case AMDGPU_INFO_FW_VCE:
    case AMDGPU_INFO_FW_UVD:
    case AMDGPU_INFO_FW_GMC:
    case AMDGPU_INFO_FW_GFX_CE:
    case AMDGPU_INFO_FW_GFX_RLC:
    case AMDGPU_INFO_FW_SMC:
    case AMDGPU_INFO_FW_SOS:
    case AMDGPU_INFO_FW_ASD:
    case AMDGPU_INFO_FW_VCN:
    case AMDGPU_INFO_FW_GFX_RLC_RESTORE_LIST_CNTL:
    case AMDGPU_INFO_FW_GFX_RLC_RESTORE_LIST_GPM_MEM:
    case AMDGPU_INFO_FW_GFX_RLC_RESTORE_LIST_SRM_MEM:
    case AMDGPU_INFO_FW_DMCU:
    case AMDGPU_INFO_FW_DMCUB:
    case AMDGPU_INFO_FW_TOC:
      break;
    default:
      return -EINVAL;
  }
  return give(args, info);
}

// Linux soc21.c, soc21_read_register(): a few registers may be read, by offset in dwords; of an idle card the states
// are 0. Other registers are -EFAULT.
int read_registers(const drm_amdgpu_info& args) {
  constexpr uint32_t kMaxRegisters = 128, kMaxEngines = 4;
  const uint32_t count = args.read_mmr_reg.count;
  if (count == 0 || count > kMaxRegisters) return -EINVAL;
  const uint32_t engine = args.read_mmr_reg.instance >> AMDGPU_INFO_MMR_SE_INDEX_SHIFT & AMDGPU_INFO_MMR_SE_INDEX_MASK;
  const uint32_t array = args.read_mmr_reg.instance >> AMDGPU_INFO_MMR_SH_INDEX_SHIFT & AMDGPU_INFO_MMR_SH_INDEX_MASK;
  if (engine != AMDGPU_INFO_MMR_SE_INDEX_MASK && engine >= kMaxEngines) return -EINVAL;
  if (array != AMDGPU_INFO_MMR_SH_INDEX_MASK && array >= facts::kArraysPerEngine) return -EINVAL;
  std::array<uint32_t, kMaxRegisters> values{};
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t offset = args.read_mmr_reg.dword_offset + i;
    if (offset == facts::kGbAddrConfigOffset) {
      values[i] = facts::kGbAddrConfig;
    } else if (std::ranges::find(facts::kStatusOffsets, offset) == std::end(facts::kStatusOffsets)) {
      return -EFAULT;
    }
  }
  return copy_to_user(args.return_pointer, values.data(), std::min<size_t>(args.return_size, count * sizeof(uint32_t)));
}

int memory_info(Process& process, const Card& card, const drm_amdgpu_info& args) {
  constexpr uint64_t kGttBytes = 32ull << 30;
  uint64_t vram_used = 0;
  uint64_t gtt_used = 0;
  {
    std::lock_guard lock(process.mutex());
    vram_used = process.buffers().memory().used_vram_bytes(card.index);
    gtt_used = process.buffers().memory().used_gtt_bytes();
  }
  const drm_amdgpu_heap_info vram{card.vram_bytes, card.vram_bytes, vram_used, card.vram_bytes * 3 / 4};
  switch (args.query) {
    case AMDGPU_INFO_VRAM_USAGE:
    case AMDGPU_INFO_VIS_VRAM_USAGE:
      return give(args, vram_used);
    case AMDGPU_INFO_GTT_USAGE:
      return give(args, gtt_used);
    case AMDGPU_INFO_VRAM_GTT:
      return give(args, drm_amdgpu_info_vram_gtt{card.vram_bytes, card.vram_bytes, kGttBytes});
    default:
      break;
  }
  const drm_amdgpu_heap_info gtt{kGttBytes, kGttBytes, gtt_used, kGttBytes * 3 / 4};
  return give(args, drm_amdgpu_memory_info{vram, vram, gtt});
}

int others(const drm_amdgpu_info& args) {
  switch (args.query) {
    case AMDGPU_INFO_NUM_BYTES_MOVED:
    case AMDGPU_INFO_NUM_EVICTIONS:
    case AMDGPU_INFO_NUM_VRAM_CPU_PAGE_FAULTS:
      return give(args, uint64_t{0});
    case AMDGPU_INFO_VRAM_LOST_COUNTER:
      return give(args, uint32_t{0});
    case AMDGPU_INFO_GDS_CONFIG:
      return give(args, drm_amdgpu_info_gds{.gds_gfx_partition_size = 0,
                                            .compute_partition_size = 0,
                                            .gds_total_size = 0,
                                            .gws_per_gfx_partition = facts::kGws,
                                            .gws_per_compute_partition = facts::kGws,
                                            .oa_per_gfx_partition = 0,
                                            .oa_per_compute_partition = 0,
                                            ._pad = 0});
    case AMDGPU_INFO_VCE_CLOCK_TABLE:
      return give(args, drm_amdgpu_info_vce_clock_table{});
    case AMDGPU_INFO_NUM_HANDLES:
      return -ENODATA;
    case AMDGPU_INFO_SENSOR:
      return -ENOENT;  // as Linux where it does not manage power
    default:
      return -EINVAL;
  }
}

}  // namespace

int info(const Call& call, drm_amdgpu_info& args) {
  if (args.return_size == 0 || args.return_pointer == 0) return -EINVAL;
  switch (args.query) {
    case AMDGPU_INFO_ACCEL_WORKING:
      return give(args, uint32_t{1});
    case AMDGPU_INFO_TIMESTAMP:
      return give(args, gpu_clock());
    case AMDGPU_INFO_DEV_INFO:
      return give(args, device_info());
    case AMDGPU_INFO_HW_IP_INFO:
      return hw_ip_info(args);
    case AMDGPU_INFO_HW_IP_COUNT:
      return hw_ip_count(args);
    case AMDGPU_INFO_FW_VERSION:
      return firmware_version(args);
    case AMDGPU_INFO_READ_MMR_REG:
      return read_registers(args);
    case AMDGPU_INFO_VRAM_USAGE:
    case AMDGPU_INFO_VIS_VRAM_USAGE:
    case AMDGPU_INFO_GTT_USAGE:
    case AMDGPU_INFO_VRAM_GTT:
    case AMDGPU_INFO_MEMORY:
      return memory_info(call.process, call.card, args);
    default:
      return others(args);
  }
}

}  // namespace bw::emulator::drm
