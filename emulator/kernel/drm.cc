#include "emulator/kernel/drm.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <vector>

#include "emulator/kernel/drm_ioctls.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator {
namespace {

using drm::Call;

// Copies a string into a buffer of the caller, whose length becomes that of the string. Linux drm_copy_field().
int give_string(std::string_view text, char* destination, __kernel_size_t* length) {
  const size_t count = std::min<size_t>(text.size(), *length);
  *length = text.size();
  return destination == nullptr ? 0 : copy_to_user(reinterpret_cast<uint64_t>(destination), text.data(), count);
}

int version(const Call&, drm_version& args) {
  args.version_major = 3;
  args.version_minor = 54;  // Linux 6.6
  args.version_patchlevel = 0;
  int status = give_string("amdgpu", args.name, &args.name_len);
  if (status == 0) status = give_string("20150101", args.date, &args.date_len);
  if (status == 0) status = give_string("AMD GPU", args.desc, &args.desc_len);
  return status;
}

// Linux drm_getcap(). Of a render node without displays and synchronisation objects.
int get_cap(const Call&, drm_get_cap& args) {
  switch (args.capability) {
    case DRM_CAP_PRIME:
      args.value = DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT;
      return 0;
    case DRM_CAP_TIMESTAMP_MONOTONIC:
      args.value = 1;
      return 0;
    case DRM_CAP_SYNCOBJ:
    case DRM_CAP_SYNCOBJ_TIMELINE:
      args.value = 0;
      return 0;
    default:
      return -EOPNOTSUPP;
  }
}

struct Request {
  unsigned long number;
  int (*call)(const Call&, std::byte*);
};

template <auto Handler>
struct Entry;
template <typename Args, int (*Handler)(const Call&, Args&)>
struct Entry<Handler> {
  static int call(const Call& who, std::byte* argument) { return Handler(who, *reinterpret_cast<Args*>(argument)); }
};

constexpr Request kRequests[] = {
    {DRM_IOCTL_VERSION, Entry<version>::call},
    {DRM_IOCTL_GET_CAP, Entry<get_cap>::call},
    {DRM_IOCTL_GEM_CLOSE, Entry<drm::gem_close>::call},
    {DRM_IOCTL_PRIME_HANDLE_TO_FD, Entry<drm::prime_handle_to_fd>::call},
    {DRM_IOCTL_PRIME_FD_TO_HANDLE, Entry<drm::prime_fd_to_handle>::call},
    {DRM_IOCTL_AMDGPU_GEM_CREATE, Entry<drm::gem_create>::call},
    {DRM_IOCTL_AMDGPU_GEM_MMAP, Entry<drm::gem_mmap>::call},
    {DRM_IOCTL_AMDGPU_CTX, Entry<drm::context>::call},
    {DRM_IOCTL_AMDGPU_BO_LIST, Entry<drm::bo_list>::call},
    {DRM_IOCTL_AMDGPU_INFO, Entry<drm::info>::call},
    {DRM_IOCTL_AMDGPU_GEM_METADATA, Entry<drm::gem_metadata>::call},
    {DRM_IOCTL_AMDGPU_GEM_WAIT_IDLE, Entry<drm::gem_wait_idle>::call},
    {DRM_IOCTL_AMDGPU_GEM_VA, Entry<drm::gem_va>::call},
    {DRM_IOCTL_AMDGPU_WAIT_CS, Entry<drm::wait_cs>::call},
    {DRM_IOCTL_AMDGPU_GEM_OP, Entry<drm::gem_op>::call},
    {DRM_IOCTL_AMDGPU_GEM_USERPTR, Entry<drm::gem_userptr>::call},
    {DRM_IOCTL_AMDGPU_VM, Entry<drm::vm>::call},
};

// Requests that exist and that Linux does not let render nodes have: those of legacy drivers, of masters and of
// displays. Linux drm_ioctl.c, the table without DRM_RENDER_ALLOW.
bool is_for_primary_nodes(unsigned nr) {
  constexpr unsigned kFirstAfterLegacy = 0x2d, kSetClientCap = 0x0d, kMode = 0xa0, kModeEnd = 0xbf, kLease = 0xc6,
                     kLeaseEnd = 0xca;
  if (nr == DRM_COMMAND_BASE + DRM_AMDGPU_SCHED || nr == kSetClientCap) return true;
  if (nr >= kMode && nr < kModeEnd) return true;
  return nr < kFirstAfterLegacy || (nr >= kLease && nr < kLeaseEnd);
}

int refuse(unsigned nr) {
  constexpr unsigned kLastAmdgpu = DRM_COMMAND_BASE + DRM_AMDGPU_SCHED;
  constexpr unsigned kLastCore = 0xcf;
  if (is_for_primary_nodes(nr)) return -EACCES;
  if (nr > kLastCore || (nr > kLastAmdgpu && nr < DRM_COMMAND_END)) return -EINVAL;
  return -EOPNOTSUPP;
}

}  // namespace

// Linux drm_ioctl(): the number tells requests apart; what both sizes have is copied in, the rest is zero, and what the
// caller's size says is copied out, also of a request that failed.
int drm_ioctl(Process& process, const Card& card, uint64_t file, unsigned long request, void* argument) {
  if (_IOC_TYPE(request) != DRM_IOCTL_BASE) return -ENOTTY;
  const unsigned nr = _IOC_NR(request);
  const auto known = std::ranges::find_if(kRequests, [&](const Request& entry) { return _IOC_NR(entry.number) == nr; });
  if (known == std::end(kRequests)) return refuse(nr);
  const size_t size = _IOC_SIZE(request);
  const auto both = static_cast<unsigned>(_IOC_DIR(request) & _IOC_DIR(known->number));
  alignas(8) std::byte small[512]{};
  std::vector<std::byte> large;
  std::byte* copy = small;
  if (size > sizeof(small)) {
    large.resize(size);
    copy = large.data();
  }
  const auto user_address = reinterpret_cast<uint64_t>(argument);
  if ((both & _IOC_WRITE) != 0) {
    if (int status = copy_from_user(copy, user_address, size); status != 0) return status;
  }
  const int result = known->call({process, card, file}, copy);
  if ((both & _IOC_READ) != 0 && copy_to_user(user_address, copy, size) != 0) return -EFAULT;
  return result;
}

}  // namespace bw::emulator
