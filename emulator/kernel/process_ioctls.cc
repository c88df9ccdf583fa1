// KFD's requests about the process and the device as a whole.
#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "emulator/card_facts.h"
#include "emulator/files.h"
#include "emulator/kernel/apertures.h"
#include "emulator/kernel/clock.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

bool is_cache_policy(uint32_t policy) {
  return policy == static_cast<uint32_t>(CachePolicy::kCoherent) ||
         policy == static_cast<uint32_t>(CachePolicy::kNonCoherent);
}

}  // namespace

int get_version(Process& process, GetVersionArgs& args) {
  args.major_version = kMajorVersion;
  args.minor_version = process.minor_version();
  return 0;
}

int acquire_vm(Process& process, AcquireVmArgs& args) {
  const auto file = process.files().find(static_cast<int>(args.drm_fd));
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = process.find_device(args.gpu_id);
  if (device == nullptr || !file || file->kind != FileKind::kRender || file->card != device->card.index) {
    return -EINVAL;
  }
  if (device->drm_file.has_value()) return *device->drm_file == file->id ? 0 : -EBUSY;
  return process.acquire(*device, file->id);
}

int set_memory_policy(Process& process, SetMemoryPolicyArgs& args) {
  if (!is_cache_policy(args.default_policy) || !is_cache_policy(args.alternate_policy)) return -EINVAL;
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  const int status = process.bind(args.gpu_id, &device);
  return status == -ENODEV ? -ESRCH : status;
}

int get_clock_counters(Process& process, GetClockCountersArgs& args) {
  args.gpu_clock_counter = process.find_device(args.gpu_id) != nullptr ? gpu_clock() : 0;
  args.cpu_clock_counter = host_clock_ns(CLOCK_MONOTONIC_RAW);
  args.system_clock_counter = host_clock_ns(CLOCK_BOOTTIME);
  args.system_clock_freq = 1'000'000'000;
  return 0;
}

int get_process_apertures(Process& process, GetProcessAperturesOldArgs& args) {
  args.num_of_nodes = 0;
  for (const ProcessDevice& device : process.devices()) {
    if (args.num_of_nodes == std::size(args.process_apertures)) break;
    args.process_apertures[args.num_of_nodes++] = apertures_of(device.card);
  }
  return 0;
}

int get_process_apertures_new(Process& process, GetProcessAperturesArgs& args) {
  const auto count = static_cast<uint32_t>(process.devices().size());
  if (args.num_of_nodes == 0) {
    args.num_of_nodes = count;
    return 0;
  }
  std::vector<DeviceApertures> apertures;
  for (const ProcessDevice& device : process.devices()) apertures.push_back(apertures_of(device.card));
  const uint32_t filled = std::min(args.num_of_nodes, count);
  args.num_of_nodes = filled;
  return copy_to_user(args.kfd_process_device_apertures_ptr, apertures.data(), filled * sizeof(DeviceApertures));
}

int set_scratch_backing_va(Process& process, SetScratchBackingVaArgs& args) {
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (int status = process.bind(args.gpu_id, &device); status != 0) return status;
  device->scratch_backing = args.va_addr;
  return 0;
}

int set_trap_handler(Process& process, SetTrapHandlerArgs& args) {
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (int status = process.bind(args.gpu_id, &device); status != 0) return status == -ENODEV ? -ESRCH : status;
  device->trap_handler = args.tba_addr;
  device->trap_memory = args.tma_addr;
  return 0;
}

// gfx9 and later have no tables of tile modes, so that only the numbers are told. Linux amdgpu_amdkfd.c,
// amdgpu_amdkfd_get_tile_config(): banks and ranks come from registers that gfx11 lacks, and are 0.
int get_tile_config(Process& process, GetTileConfigArgs& args) {
  constexpr uint32_t kTileModes = 32, kMacroTileModes = 16;
  constexpr std::array<uint32_t, kTileModes> kZeros{};
  if (process.find_device(args.gpu_id) == nullptr) return -EINVAL;
  args.gb_addr_config = facts::kGbAddrConfig;
  args.num_banks = 0;
  args.num_ranks = 0;
  args.num_tile_configs = std::min(args.num_tile_configs, kTileModes);
  if (copy_to_user(args.tile_config_ptr, kZeros.data(), args.num_tile_configs * sizeof(uint32_t)) != 0) {
    args.num_tile_configs = 0;
    return -EFAULT;
  }
  args.num_macro_tile_configs = std::min(args.num_macro_tile_configs, kMacroTileModes);
  if (copy_to_user(args.macro_tile_config_ptr, kZeros.data(), args.num_macro_tile_configs * sizeof(uint32_t)) != 0) {
    args.num_macro_tile_configs = 0;
    return -EFAULT;
  }
  return 0;
}

int set_xnack_mode(Process& process, SetXnackModeArgs& args) {
  std::lock_guard lock(process.mutex());
  if (args.xnack_enabled < 0) {
    args.xnack_enabled = 0;
    return 0;
  }
  if (!process.queues().empty()) return -EBUSY;
  return args.xnack_enabled == 0 ? 0 : -EPERM;  // gfx11 cannot retry a faulting access
}

// A debugger hears of it, but the runtime does not wait for it.
int runtime_enable(Process& process, RuntimeEnableArgs& args) {
  std::lock_guard lock(process.mutex());
  if ((args.mode_mask & kRuntimeModeEnable) == 0) {
    process.runtime = {};
    process.debug().runtime_changed();
    return 0;
  }
  if (process.is_runtime_enabled()) return -EBUSY;
  if (!process.queues().empty()) return -EEXIST;
  process.runtime = {.r_debug = args.r_debug,
                     .runtime_state = static_cast<uint32_t>(RuntimeState::kEnabled),
                     .ttmp_setup = (args.mode_mask & kRuntimeModeTtmpSave) != 0};
  process.debug().runtime_changed();
  return 0;
}

// Checkpoints take rights that Linux asks for before anything else, and that no client of the emulator has.
int criu_op(Process&, CriuArgs&) {
  return -EACCES;
}

int smi_events(Process& process, SmiEventsArgs& args) {
  const ProcessDevice* device = process.find_device(args.gpu_id);
  if (device == nullptr) return -EINVAL;
  const int fd = process.smi().open(device->card.index);
  if (fd < 0) return fd;
  args.anon_fd = static_cast<uint32_t>(fd);
  return 0;
}

}  // namespace bw::emulator::ioctls
