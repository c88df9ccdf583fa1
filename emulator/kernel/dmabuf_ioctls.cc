// KFD's requests about memory that other devices and processes share.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/bits.h"
#include "base/unique_fd.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

uint32_t kind_of(const MemoryBlock& block) {
  // All of VRAM is visible to the host.
  return block.is_vram() ? alloc_flag::kVram | alloc_flag::kPublic : alloc_flag::kGtt;
}

// What an IPC handle is made of: where another process of the same user finds the dma-buf, and how it knows that it is
// still the same. AMD's driver gives a random number, which it looks up.
struct IpcHandle {
  uint32_t pid;
  uint32_t fd;
  uint32_t inode_low;
  uint32_t inode_high;
};
static_assert(sizeof(IpcHandle) == sizeof(IpcExportHandleArgs::share_handle));

// Past the libc: a preloaded emulator has its own open and fstat there.
uint64_t inode_of(int fd) {
  struct stat status {};
  return ::syscall(SYS_fstat, fd, &status) == 0 ? status.st_ino : 0;
}

UniqueFd open_path(const std::string& path, int flags) {
  return UniqueFd(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC)));
}

// Whatever else the handle may name is looked at, but not opened.
UniqueFd open_shared(const IpcHandle& handle) {
  const UniqueFd named = open_path(fmt::format("/proc/{}/fd/{}", handle.pid, handle.fd), O_PATH);
  const uint64_t inode = make_u64(handle.inode_low, handle.inode_high);
  if (!named.is_valid() || inode == 0 || inode_of(named.get()) != inode) return UniqueFd();
  return open_path(fmt::format("/proc/self/fd/{}", named.get()), O_RDWR);
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

// The handle is good as long as the exporting process has the buffer.
int ipc_export_handle(Process& process, IpcExportHandleArgs& args) {
  if (process.find_device(args.gpu_id) == nullptr) return -EINVAL;
  std::lock_guard lock(process.mutex());
  const Buffer* buffer = process.buffers().find(args.handle);
  if (buffer == nullptr || buffer->memory == nullptr) return -EINVAL;
  if (int status = process.buffers().memory().share(*buffer->memory); status != 0) return status;
  const int fd = buffer->memory->dmabuf();
  const uint64_t inode = inode_of(fd);
  const IpcHandle handle{.pid = static_cast<uint32_t>(::getpid()),
                         .fd = static_cast<uint32_t>(fd),
                         .inode_low = lo32(inode),
                         .inode_high = hi32(inode)};
  std::memcpy(args.share_handle, &handle, sizeof(handle));
  return 0;
}

int ipc_import_handle(Process& process, IpcImportHandleArgs& args) {
  IpcHandle handle;
  std::memcpy(&handle, args.share_handle, sizeof(handle));
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (int status = process.bind(args.gpu_id, &device); status != 0) return status;
  const UniqueFd fd = open_shared(handle);
  if (!fd.is_valid()) return -EINVAL;
  const Buffer* buffer = nullptr;
  const int status = process.buffers().import(fd.get(), device->card.index, args.va_addr, &buffer);
  if (status != 0) return status;
  args.handle = buffer->handle;
  args.mmap_offset = buffer->arena_offset;
  args.flags = buffer->flags;
  return 0;
}

}  // namespace bw::emulator::ioctls
