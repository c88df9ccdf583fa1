// KFD's requests about queues.
#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include "base/bits.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

constexpr int kKernelNotSupported = 524;  // ENOTSUPP, which Linux lets through to user space

// Linux checks the address only for being one of user space.
bool is_user_address(uint64_t address) {
  return address < (1ull << 47);
}

int check_properties(uint64_t ring_address, uint32_t ring_size, uint32_t percentage, uint32_t priority) {
  // The upper bits of the percentage choose a target on partitioned cards.
  if ((percentage & 0xff) > kMaxQueuePercentage || priority > kMaxQueuePriority) return -EINVAL;
  if (ring_address != 0 && !is_user_address(ring_address)) return -EFAULT;
  if (ring_size != 0 && !std::has_single_bit(ring_size)) return -EINVAL;
  return 0;
}

}  // namespace

int create_queue(Process& process, CreateQueueArgs& args) {
  if (int status = check_properties(args.ring_base_address, args.ring_size, args.queue_percentage, args.queue_priority);
      status != 0) {
    return status;
  }
  const bool is_by_engine = args.queue_type == static_cast<uint32_t>(QueueType::kSdmaByEngineId);
  if (is_by_engine && process.minor_version() < kMinorSdmaByEngineId) return -kKernelNotSupported;
  for (uint64_t address : {args.read_pointer_address, args.write_pointer_address, args.eop_buffer_address,
                           args.ctx_save_restore_address}) {
    if (!is_user_address(address)) return -EFAULT;
  }
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (int status = process.bind(args.gpu_id, &device); status != 0) return status == -ENODEV ? -ESRCH : status;
  const int status = process.queues().create(device->card.index, process.is_runtime_enabled(), args);
  if (status == 0) process.debug().queue_created(args.queue_id, args.gpu_id);
  return status;
}

int destroy_queue(Process& process, DestroyQueueArgs& args) {
  std::lock_guard lock(process.mutex());
  const int status = process.queues().destroy(args.queue_id);
  if (!process.queues().find(args.queue_id)) {
    process.debug().queue_destroyed(args.queue_id);
    for (ProcessDevice& device : process.devices()) {
      if (device.gws_queue == args.queue_id) device.gws_queue.reset();
    }
  }
  return status;
}

int update_queue(Process& process, UpdateQueueArgs& args) {
  if (int status = check_properties(args.ring_base_address, args.ring_size, args.queue_percentage, args.queue_priority);
      status != 0) {
    return status;
  }
  // Linux 6.17 and later: no ring is smaller. The hardware holds the address in units of 256.
  if (args.ring_size != 0) args.ring_size = std::max(args.ring_size, kMinQueueRingBytes);
  args.ring_base_address = align_down(args.ring_base_address, 256);
  std::lock_guard lock(process.mutex());
  return process.queues().update(args);
}

int set_cu_mask(Process& process, SetCuMaskArgs& args) {
  constexpr uint32_t kMaxBits = 1024;  // what is beyond is not looked at
  if (args.num_cu_mask == 0 || args.num_cu_mask % 32 != 0) return -EINVAL;
  std::array<uint32_t, kMaxBits / 32> mask;
  const uint32_t words = std::min(args.num_cu_mask, kMaxBits) / 32;
  if (int status = copy_from_user(mask.data(), args.cu_mask_ptr, words * sizeof(uint32_t)); status != 0) return status;
  std::lock_guard lock(process.mutex());
  return process.queues().set_cu_mask(args.queue_id, std::span(mask).first(words));
}

// Only of a compute queue that is off the hardware. Waves are never saved here: a queue that leaves waits for its
// program, or abandons it. So both areas are empty. Linux kfd_mqd_manager_v11.c, get_wave_state().
int get_queue_wave_state(Process& process, GetQueueWaveStateArgs& args) {
  std::lock_guard lock(process.mutex());
  const auto queue = process.queues().find(args.queue_id);
  if (!queue) return -EFAULT;
  const auto type = static_cast<QueueType>(queue->args.queue_type);
  const bool is_compute = type == QueueType::kCompute || type == QueueType::kComputeAql;
  if (!is_compute || queue->is_active) return -EINVAL;
  const WaveStateHeader header{.control_stack_offset = queue->args.ctl_stack_size,
                               .control_stack_size = 0,
                               .wave_state_offset = queue->args.ctl_stack_size,
                               .wave_state_size = 0};
  args.ctl_stack_used_size = 0;
  args.save_area_used_size = 0;
  return copy_to_user(args.ctl_stack_address, &header, sizeof(header));
}

int alloc_queue_gws(Process& process, AllocQueueGwsArgs& args) {
  std::lock_guard lock(process.mutex());
  const auto queue = process.queues().find(args.queue_id);
  if (!queue) return -EINVAL;
  ProcessDevice& device = process.devices()[queue->card];
  args.first_gws = 0;
  const bool is_wanted = args.num_gws != 0;
  if (is_wanted && device.gws_queue.has_value()) return -EBUSY;
  if (!is_wanted && !device.gws_queue.has_value()) return -EINVAL;
  device.gws_queue = is_wanted ? std::optional(args.queue_id) : std::nullopt;
  return 0;
}

}  // namespace bw::emulator::ioctls
