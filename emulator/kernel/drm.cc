#include "emulator/kernel/drm.h"

#include <amdgpu_drm.h>
#include <drm.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/bits.h"
#include "emulator/card_facts.h"
#include "emulator/kernel/clock.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator {
namespace {

// Copies a string into a buffer of the caller, whose length becomes that of the string. Linux drm_copy_field().
int give_string(std::string_view text, uint64_t user_address, __kernel_size_t* length) {
  const size_t count = std::min<size_t>(text.size(), *length);
  *length = text.size();
  return user_address == 0 ? 0 : copy_to_user(user_address, text.data(), count);
}

int version(uint64_t user_address) {
  drm_version args{};
  if (int status = copy_from_user(&args, user_address, sizeof(args)); status != 0) return status;
  args.version_major = 3;
  args.version_minor = 54;  // Linux 6.6
  args.version_patchlevel = 0;
  const auto address = [](const char* pointer) { return reinterpret_cast<uint64_t>(pointer); };
  int status = give_string("amdgpu", address(args.name), &args.name_len);
  if (status == 0) status = give_string("20150101", address(args.date), &args.date_len);
  if (status == 0) status = give_string("AMD GPU", address(args.desc), &args.desc_len);
  if (status != 0) return status;
  return copy_to_user(user_address, &args, sizeof(args));
}

// What the caller has room for of an answer.
template <typename T>
int give(const drm_amdgpu_info& args, const T& answer) {
  return copy_to_user(args.return_pointer, &answer, std::min<size_t>(args.return_size, sizeof(answer)));
}

drm_amdgpu_info_device device_info() {
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
  return info;
}

int hw_ip_info(const drm_amdgpu_info& args) {
  drm_amdgpu_info_hw_ip info{};
  if (args.query_hw_ip.ip_instance >= AMDGPU_HW_IP_INSTANCE_MAX_COUNT) return -EINVAL;
  switch (args.query_hw_ip.type) {
    case AMDGPU_HW_IP_GFX:
      info.hw_ip_version_major = 11;
      info.available_rings = 0x1;
      break;
    case AMDGPU_HW_IP_COMPUTE:
      info.hw_ip_version_major = 11;
      info.available_rings = 0xf;
      break;
    case AMDGPU_HW_IP_DMA:
      info.hw_ip_version_major = 6;
      info.available_rings = 0x3;
      break;
    default:
      return -EINVAL;
  }
  info.ib_start_alignment = 32;
  info.ib_size_alignment = 32;
  return give(args, info);
}

int hw_ip_count(const drm_amdgpu_info& args) {
  uint32_t count = 1;
  if (args.query_hw_ip.type == AMDGPU_HW_IP_DMA) count = facts::kSdmaEngines;
  if (args.query_hw_ip.type > AMDGPU_HW_IP_DMA) return -EINVAL;
  return give(args, count);
}

int firmware_version(const drm_amdgpu_info& args) {
  using namespace facts;
  drm_amdgpu_info_firmware info{.ver = 0, .feature = kFirmwareFeature};
  switch (args.query_fw.fw_type) {
    case AMDGPU_INFO_FW_GFX_ME:
      info.ver = kFirmwareMe;
      break;
    case AMDGPU_INFO_FW_GFX_PFP:
      info.ver = kFirmwarePfp;
      break;
    case AMDGPU_INFO_FW_GFX_MEC:
      info.ver = kFirmwareMecDrm;
      break;
    case AMDGPU_INFO_FW_SDMA:
      info = {.ver = kFirmwareSdma, .feature = 60};
      break;
    default:
      return -EINVAL;
  }
  return give(args, info);
}

// Every register reads as 0, as it does on the real card for those that libdrm asks for.
int read_registers(const drm_amdgpu_info& args) {
  constexpr uint32_t kMaxRegisters = 128;
  const uint32_t count = args.read_mmr_reg.count;
  if (count > kMaxRegisters) return -EINVAL;
  const std::array<uint32_t, kMaxRegisters> zeros{};
  return copy_to_user(args.return_pointer, zeros.data(), std::min<size_t>(args.return_size, count * sizeof(uint32_t)));
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

int info(Process& process, const Card& card, uint64_t user_address) {
  drm_amdgpu_info args{};
  if (int status = copy_from_user(&args, user_address, sizeof(args)); status != 0) return status;
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
    case AMDGPU_INFO_NUM_BYTES_MOVED:
    case AMDGPU_INFO_NUM_EVICTIONS:
    case AMDGPU_INFO_NUM_VRAM_CPU_PAGE_FAULTS:
      return give(args, uint64_t{0});
    case AMDGPU_INFO_VRAM_LOST_COUNTER:
      return give(args, uint32_t{0});
    case AMDGPU_INFO_VRAM_USAGE:
    case AMDGPU_INFO_VIS_VRAM_USAGE:
    case AMDGPU_INFO_GTT_USAGE:
    case AMDGPU_INFO_VRAM_GTT:
    case AMDGPU_INFO_MEMORY:
      return memory_info(process, card, args);
    default:
      return -EINVAL;
  }
}

}  // namespace

int drm_ioctl(Process& process, const Card& card, unsigned long request, void* argument) {
  const auto user_address = reinterpret_cast<uint64_t>(argument);
  if (_IOC_TYPE(request) != DRM_IOCTL_BASE) return -ENOTTY;
  const unsigned nr = _IOC_NR(request);
  if (nr == _IOC_NR(DRM_IOCTL_VERSION)) return version(user_address);
  if (nr == DRM_COMMAND_BASE + DRM_AMDGPU_INFO) return info(process, card, user_address);
  // Those that Linux has are missing here; those that it has not are invalid there too.
  constexpr unsigned kLastAmdgpu = DRM_COMMAND_BASE + DRM_AMDGPU_SCHED;
  const bool exists = nr <= kLastAmdgpu || nr >= DRM_COMMAND_END;
  return exists ? -EOPNOTSUPP : -EINVAL;
}

}  // namespace bw::emulator
