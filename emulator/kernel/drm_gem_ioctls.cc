// Requests about memory on the render node.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/bits.h"
#include "emulator/kernel/drm_ioctls.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::drm {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kMaxObjectBytes = 1ull << 40;

}  // namespace

// Linux drm_prime.c, drm_prime_handle_to_fd_ioctl().
int prime_handle_to_fd(const Call& call, drm_prime_handle& args) {
  if ((args.flags & ~static_cast<uint32_t>(DRM_CLOEXEC | DRM_RDWR)) != 0) return -EINVAL;
  std::lock_guard lock(call.process.mutex());
  GemObject* object = call.gem().find(args.handle);
  if (object == nullptr) return -ENOENT;
  if (object->memory == nullptr || (object->flags & AMDGPU_GEM_CREATE_VM_ALWAYS_VALID) != 0) return -EPERM;
  DeviceMemory& memory = call.process.buffers().memory();
  if (int status = memory.share(*object->memory); status != 0) return status;
  const int fd = ::fcntl(object->memory->dmabuf(), (args.flags & DRM_CLOEXEC) != 0 ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
  if (fd < 0) return -errno;
  args.fd = fd;
  return 0;
}

int prime_fd_to_handle(const Call& call, drm_prime_handle& args) {
  std::lock_guard lock(call.process.mutex());
  std::shared_ptr<MemoryBlock> block;
  if (int status = call.process.buffers().memory().import(args.fd, &block); status != 0) return status;
  args.handle = call.gem().add_imported(std::move(block));
  return 0;
}

int gem_close(const Call& call, drm_gem_close& args) {
  std::lock_guard lock(call.process.mutex());
  return call.gem().close(args.handle) ? 0 : -EINVAL;
}

// Linux amdgpu_gem_create_ioctl(). VRAM that has no room goes to host memory.
int gem_create(const Call& call, drm_amdgpu_gem_create& args) {
  constexpr uint64_t kFlags = AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED | AMDGPU_GEM_CREATE_NO_CPU_ACCESS |
                              AMDGPU_GEM_CREATE_CPU_GTT_USWC | AMDGPU_GEM_CREATE_VRAM_CLEARED |
                              AMDGPU_GEM_CREATE_VM_ALWAYS_VALID | AMDGPU_GEM_CREATE_EXPLICIT_SYNC;
  constexpr uint64_t kOnChip = AMDGPU_GEM_DOMAIN_GDS | AMDGPU_GEM_DOMAIN_GWS | AMDGPU_GEM_DOMAIN_OA;
  const drm_amdgpu_gem_create_in in = args.in;
  if ((in.domain_flags & ~kFlags) != 0) return -EINVAL;
  if ((in.domains & ~uint64_t{AMDGPU_GEM_DOMAIN_MASK}) != 0) return -EINVAL;
  if ((in.domains & kOnChip) != 0) return -EINVAL;  // the card has none of it to give
  if (in.bo_size == 0) return -EINVAL;
  if (in.bo_size > kMaxObjectBytes) return -ENOMEM;
  std::lock_guard lock(call.process.mutex());
  DeviceMemory& memory = call.process.buffers().memory();
  GemObject object{.memory = nullptr,
                   .user_address = 0,
                   .size_bytes = align_up(in.bo_size, kPageBytes),
                   .alignment = in.alignment,
                   .domains = in.domains,
                   .flags = in.domain_flags};
  if ((in.domains & AMDGPU_GEM_DOMAIN_VRAM) != 0)
    object.memory = memory.allocate(call.card.index, true, object.size_bytes);
  if (object.memory == nullptr) object.memory = memory.allocate(call.card.index, false, object.size_bytes);
  if (object.memory == nullptr) return -ENOMEM;
  const uint32_t handle = call.gem().add(std::move(object));
  args.out = {.handle = handle, ._pad = 0};
  return 0;
}

int gem_mmap(const Call& call, drm_amdgpu_gem_mmap& args) {
  std::lock_guard lock(call.process.mutex());
  const GemObject* object = call.gem().find(args.in.handle);
  if (object == nullptr) return -ENOENT;
  if (object->memory == nullptr || (object->flags & AMDGPU_GEM_CREATE_NO_CPU_ACCESS) != 0) return -EPERM;
  args.out.addr_ptr = object->memory->arena_offset();
  return 0;
}

// Nothing is submitted through DRM, so that every object is idle.
int gem_wait_idle(const Call& call, drm_amdgpu_gem_wait_idle& args) {
  std::lock_guard lock(call.process.mutex());
  if (call.gem().find(args.in.handle) == nullptr) return -ENOENT;
  args.out = {.status = 0, .domain = 0};
  return 0;
}

// Linux amdgpu_gem_va_ioctl().
int gem_va(const Call& call, drm_amdgpu_gem_va& args) {
  constexpr uint64_t kReservedBytes = 2ull << 20, kVaEnd = 1ull << 47;
  constexpr uint32_t kFlags = AMDGPU_VM_DELAY_UPDATE | AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_WRITEABLE |
                              AMDGPU_VM_PAGE_EXECUTABLE | AMDGPU_VM_MTYPE_MASK | (1u << 9);  // 1 << 9: NOALLOC
  constexpr uint32_t kPrtFlags = AMDGPU_VM_DELAY_UPDATE | AMDGPU_VM_PAGE_PRT;
  if (args.va_address < kReservedBytes || args.va_address >= kVaEnd) return -EINVAL;
  if (args.map_size > kVaEnd - args.va_address) return -EINVAL;
  if ((args.flags & ~kFlags) != 0 && (args.flags & ~kPrtFlags) != 0) return -EINVAL;
  if (args.operation < AMDGPU_VA_OP_MAP || args.operation > AMDGPU_VA_OP_REPLACE) return -EINVAL;
  std::lock_guard lock(call.process.mutex());
  GemFile& gem = call.gem();
  if (args.operation == AMDGPU_VA_OP_CLEAR) {
    if (!is_aligned(args.va_address | args.map_size, kPageBytes)) return -EINVAL;
    gem.clear(args.va_address, args.map_size);
    return 0;
  }
  if ((args.flags & AMDGPU_VM_PAGE_PRT) != 0) return -EOPNOTSUPP;  // pages without memory behind them
  if (gem.find(args.handle) == nullptr) return -ENOENT;
  if (args.operation == AMDGPU_VA_OP_UNMAP) return gem.unmap(args.handle, args.va_address);
  const GemMapRequest request{.handle = args.handle,
                              .va = args.va_address,
                              .offset = args.offset_in_bo,
                              .size_bytes = args.map_size,
                              .writable = (args.flags & AMDGPU_VM_PAGE_WRITEABLE) != 0,
                              .executable = (args.flags & AMDGPU_VM_PAGE_EXECUTABLE) != 0};
  if (args.operation == AMDGPU_VA_OP_REPLACE) {
    if (!is_aligned(args.va_address | args.map_size, kPageBytes)) return -EINVAL;
    gem.clear(args.va_address, args.map_size);
  }
  return gem.map(request);
}

int gem_op(const Call& call, drm_amdgpu_gem_op& args) {
  std::lock_guard lock(call.process.mutex());
  GemObject* object = call.gem().find(args.handle);
  if (object == nullptr) return -ENOENT;
  if (args.op == AMDGPU_GEM_OP_GET_GEM_CREATE_INFO) {
    const drm_amdgpu_gem_create_in answer{.bo_size = object->size_bytes,
                                          .alignment = object->alignment,
                                          .domains = object->domains,
                                          .domain_flags = object->flags};
    return copy_to_user(args.value, &answer, sizeof(answer));
  }
  if (args.op != AMDGPU_GEM_OP_SET_PLACEMENT) return -EINVAL;
  if (object->memory == nullptr) return -EPERM;
  object->domains = args.value & (AMDGPU_GEM_DOMAIN_VRAM | AMDGPU_GEM_DOMAIN_GTT | AMDGPU_GEM_DOMAIN_CPU);
  return 0;
}

// Linux amdgpu_gem_metadata_ioctl(), which answers -1 to operations that it does not know.
int gem_metadata(const Call& call, drm_amdgpu_gem_metadata& args) {
  std::lock_guard lock(call.process.mutex());
  const GemObject* object = call.gem().find(args.handle);
  if (object == nullptr) return -ENOENT;
  if (args.op != AMDGPU_GEM_METADATA_OP_SET_METADATA && args.op != AMDGPU_GEM_METADATA_OP_GET_METADATA) return -EPERM;
  if (object->memory == nullptr) return -EINVAL;
  auto& metadata = object->memory->metadata;
  if (args.op == AMDGPU_GEM_METADATA_OP_GET_METADATA) {
    args.data.flags = metadata.flags;
    args.data.tiling_info = metadata.tiling_info;
    args.data.data_size_bytes = static_cast<uint32_t>(metadata.bytes.size());
    std::ranges::copy(metadata.bytes, reinterpret_cast<std::byte*>(args.data.data));
    return 0;
  }
  if (args.data.data_size_bytes > sizeof(args.data.data)) return -EINVAL;
  const auto* bytes = reinterpret_cast<const std::byte*>(args.data.data);
  metadata.flags = args.data.flags;
  metadata.tiling_info = args.data.tiling_info;
  metadata.bytes.assign(bytes, bytes + args.data.data_size_bytes);
  return 0;
}

// Linux amdgpu_gem_userptr_ioctl().
int gem_userptr(const Call& call, drm_amdgpu_gem_userptr& args) {
  constexpr uint32_t kFlags = AMDGPU_GEM_USERPTR_READONLY | AMDGPU_GEM_USERPTR_ANONONLY | AMDGPU_GEM_USERPTR_VALIDATE |
                              AMDGPU_GEM_USERPTR_REGISTER;
  if (!is_aligned(args.addr | args.size, kPageBytes) || args.size == 0) return -EINVAL;
  if ((args.flags & ~kFlags) != 0) return -EINVAL;
  if ((args.flags & (AMDGPU_GEM_USERPTR_READONLY | AMDGPU_GEM_USERPTR_REGISTER)) == 0) return -EACCES;
  if (args.size > user_memory_limit_bytes()) return -ENOMEM;
  if (args.addr + args.size < args.addr) return -EOVERFLOW;  // Linux mmu_interval_notifier_insert()
  const bool is_checked = (args.flags & AMDGPU_GEM_USERPTR_VALIDATE) != 0;
  if (is_checked && probe_user_range(args.addr, args.size) != 0) return -EFAULT;
  std::lock_guard lock(call.process.mutex());
  args.handle = call.gem().add({.memory = nullptr,
                                .user_address = args.addr,
                                .size_bytes = args.size,
                                .alignment = kPageBytes,
                                .domains = AMDGPU_GEM_DOMAIN_GTT,
                                .flags = 0});
  return 0;
}

}  // namespace bw::emulator::drm
