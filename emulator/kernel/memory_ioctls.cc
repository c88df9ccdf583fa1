// KFD's requests about memory.
#include <cerrno>
#include <vector>

#include "base/bits.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

// The gpu_ids that MAP and UNMAP are given.
int read_device_ids(uint64_t user_address, uint32_t count, uint32_t done, std::vector<uint32_t>* ids) {
  constexpr uint32_t kMaxDevices = 1u << 20;  // as many as one kernel allocation of 4 MiB holds
  if (count == 0 || done > count) return -EINVAL;
  if (count > kMaxDevices) return -ENOMEM;
  ids->resize(count);
  return copy_from_user(ids->data(), user_address, ids->size() * sizeof(uint32_t));
}

// Whether the buffer would lie over, or stand for, memory with attributes of SVM. Where the client has taken such
// memory away without the driver being told, what it may not read now is no SVM any more.
bool is_shared_virtual_memory(Process& process, const AllocMemoryArgs& args) {
  SvmTable& svm = process.svm();
  const auto overlaps = [&](uint64_t begin) {
    const uint64_t end = begin + args.size;
    if (end < begin || !svm.overlaps(begin, end)) return false;
    svm.forget_unreadable(begin, end);
    return svm.overlaps(begin, end);
  };
  return overlaps(args.va_addr) || ((args.flags & alloc_flag::kUserptr) != 0 && overlaps(args.mmap_offset));
}

// The half of a handle that says which device made it.
uint32_t gpu_id_of(uint64_t handle) {
  return hi32(handle);
}

}  // namespace

int alloc_memory_of_gpu(Process& process, AllocMemoryArgs& args) {
  if (args.size == 0) return -EINVAL;
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (is_shared_virtual_memory(process, args)) return -EADDRINUSE;
  if (int status = process.bind(args.gpu_id, &device); status != 0) return status;
  const Buffer* buffer = nullptr;
  const int status = process.buffers().allocate({.card = device->card.index,
                                                 .flags = args.flags,
                                                 .va = args.va_addr,
                                                 .size_bytes = args.size,
                                                 .user_address = args.mmap_offset},
                                                &buffer);
  if (status != 0) return status;
  args.handle = buffer->handle;
  if (buffer->arena_offset != 0) args.mmap_offset = buffer->arena_offset;
  return 0;
}

int free_memory_of_gpu(Process& process, FreeMemoryArgs& args) {
  if (process.find_device(gpu_id_of(args.handle)) == nullptr) return -EINVAL;
  // The driver itself still writes there; the process's end frees it.
  if (args.handle == process.events().page_handle()) return -EPERM;
  std::lock_guard lock(process.mutex());
  return process.buffers().release(args.handle);
}

int map_memory_to_gpu(Process& process, MapMemoryArgs& args) {
  std::vector<uint32_t> ids;
  if (process.find_device(gpu_id_of(args.handle)) == nullptr) return -EINVAL;
  if (int status = read_device_ids(args.device_ids_array_ptr, args.n_devices, args.n_success, &ids); status != 0) {
    return status;
  }
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (int status = process.bind(gpu_id_of(args.handle), &device); status != 0) return status;
  if (process.buffers().find(args.handle) == nullptr) return -ENOMEM;
  while (args.n_success < args.n_devices) {
    if (int status = process.bind(ids[args.n_success], &device); status != 0) return status;
    if (int status = process.buffers().map(args.handle, device->card.index); status != 0) return status;
    ++args.n_success;
  }
  return 0;
}

int unmap_memory_from_gpu(Process& process, UnmapMemoryArgs& args) {
  std::vector<uint32_t> ids;
  if (process.find_device(gpu_id_of(args.handle)) == nullptr) return -EINVAL;
  if (int status = read_device_ids(args.device_ids_array_ptr, args.n_devices, args.n_success, &ids); status != 0) {
    return status;
  }
  std::lock_guard lock(process.mutex());
  if (process.buffers().find(args.handle) == nullptr) return -ENOMEM;
  while (args.n_success < args.n_devices) {
    const ProcessDevice* device = process.find_device(ids[args.n_success]);
    if (device == nullptr) return -EINVAL;
    if (int status = process.buffers().unmap(args.handle, device->card.index); status != 0) return status;
    ++args.n_success;
  }
  return 0;
}

int available_memory(Process& process, AvailableMemoryArgs& args) {
  std::lock_guard lock(process.mutex());
  const ProcessDevice* device = process.find_device(args.gpu_id);
  if (device == nullptr) return -EINVAL;
  args.available = process.buffers().memory().available_vram_bytes(device->card.index);
  return 0;
}

}  // namespace bw::emulator::ioctls
