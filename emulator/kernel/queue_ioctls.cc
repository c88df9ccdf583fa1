// KFD's requests about queues.
#include <bit>
#include <cerrno>

#include "emulator/kernel/handlers.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

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
  for (uint64_t address : {args.read_pointer_address, args.write_pointer_address, args.eop_buffer_address,
                           args.ctx_save_restore_address}) {
    if (!is_user_address(address)) return -EFAULT;
  }
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (int status = process.bind(args.gpu_id, &device); status != 0) return status == -ENODEV ? -ESRCH : status;
  return process.queues().create(device->card.index, args);
}

int destroy_queue(Process& process, DestroyQueueArgs& args) {
  std::lock_guard lock(process.mutex());
  return process.queues().destroy(args.queue_id);
}

int update_queue(Process& process, UpdateQueueArgs& args) {
  if (int status = check_properties(args.ring_base_address, args.ring_size, args.queue_percentage, args.queue_priority);
      status != 0) {
    return status;
  }
  std::lock_guard lock(process.mutex());
  return process.queues().update(args);
}

}  // namespace bw::emulator::ioctls
