// KFD's requests about memory that other devices and processes share.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/bits.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

uint32_t kind_of(const MemoryBlock& block) {
  // All of VRAM is visible to the host.
  return block.is_vram() ? alloc_flag::kVram | alloc_flag::kPublic : alloc_flag::kGtt;
}

}  // namespace

// Linux kfd_ioctl_get_dmabuf_info() and amdgpu_amdkfd_get_dmabuf_info().
int get_dmabuf_info(Process& process, GetDmabufInfoArgs& args) {
  constexpr uint32_t kMaxMetadataBytes = 4u << 20;  // as many as one kernel allocation holds
  if (args.metadata_ptr != 0 && args.metadata_size > kMaxMetadataBytes) return -ENOMEM;
  std::lock_guard lock(process.mutex());
  std::shared_ptr<MemoryBlock> block;
  const int fd = static_cast<int>(args.dmabuf_fd);
  if (int status = process.buffers().memory().import(fd, &block); status != 0) return status;
  const auto& metadata = block->metadata.bytes;
  if (args.metadata_ptr != 0 && args.metadata_size < metadata.size()) return -EINVAL;
  args.size = block->size_bytes();
  args.metadata_size = static_cast<uint32_t>(metadata.size());
  args.gpu_id = process.devices()[block->card()].card.gpu_id;
  args.flags = kind_of(*block);
  return args.metadata_ptr == 0 ? 0 : copy_to_user(args.metadata_ptr, metadata.data(), metadata.size());
}

int import_dmabuf(Process& process, ImportDmabufArgs& args) {
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (int status = process.bind(args.gpu_id, &device); status != 0) return status;
  const Buffer* buffer = nullptr;
  const int fd = static_cast<int>(args.dmabuf_fd);
  if (int status = process.buffers().import(fd, device->card.index, args.va_addr, &buffer); status != 0) return status;
  args.handle = buffer->handle;
  return 0;
}

int export_dmabuf(Process& process, ExportDmabufArgs& args) {
  if (process.find_device(hi32(args.handle)) == nullptr) return -EINVAL;
  std::lock_guard lock(process.mutex());
  const Buffer* buffer = process.buffers().find(args.handle);
  if (buffer == nullptr) return -EINVAL;
  // Linux amdgpu_gem_prime_export() says so of USERPTR; unverified for doorbells and registers.
  if (buffer->memory == nullptr) return -EPERM;
  if (int status = process.buffers().memory().share(*buffer->memory); status != 0) return status;
  const int request = (args.flags & O_CLOEXEC) != 0 ? F_DUPFD_CLOEXEC : F_DUPFD;
  const int fd = ::fcntl(buffer->memory->dmabuf(), request, 0);
  if (fd < 0) return -errno;
  args.dmabuf_fd = static_cast<uint32_t>(fd);
  return 0;
}

}  // namespace bw::emulator::ioctls
