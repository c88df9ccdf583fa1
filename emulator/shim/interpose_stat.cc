// Owns: the functions that tell what a file is. Devices are told as such, though they are other files here. The kernel
// fills `struct stat` itself on x86-64, where stat64 is the same; the functions with a version (__xstat) are those of
// programs built for C libraries before 2.33.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "emulator/shim/card.h"
#include "emulator/shim/paths.h"
#include "emulator/shim/real.h"

namespace bw::emulator::shim {
namespace {

constexpr mode_t kDeviceMode = S_IFCHR | 0666;

void show_device(DeviceKind kind, struct stat* status) {
  status->st_mode = kDeviceMode;
  status->st_nlink = 1;
  status->st_rdev = device_number(kind);
  status->st_size = 0;
  status->st_blocks = 0;
}

int status_at(int folder, const char* name, struct stat* status, int flags) {
  const HostPath path(folder, name);
  const bool is_descriptor = name != nullptr && *name == '\0' && (flags & AT_EMPTY_PATH) != 0;
  const DeviceKind kind = is_descriptor ? device_of_descriptor(folder) : path.device();
  const long result = syscall(SYS_newfstatat, folder, path.get(), status, flags);
  if (result == 0 && kind != kNoDevice) show_device(kind, status);
  return static_cast<int>(result);
}

int status_of(int fd, struct stat* status) {
  const DeviceKind kind = device_of_descriptor(fd);
  const long result = syscall(SYS_fstat, fd, status);
  if (result == 0 && kind != kNoDevice) show_device(kind, status);
  return static_cast<int>(result);
}

// The versions that the C library takes for the kernel's own struct.
bool is_known(int version) {
  if (version == 0 || version == 1) return true;
  errno = EINVAL;
  return false;
}

}  // namespace

extern "C" {

int interposed_stat(const char* name, struct stat* status) BW_INTERPOSES("stat");
int interposed_stat(const char* name, struct stat* status) {
  return status_at(AT_FDCWD, name, status, 0);
}

int interposed_stat64(const char* name, struct stat* status) BW_INTERPOSES("stat64");
int interposed_stat64(const char* name, struct stat* status) {
  return status_at(AT_FDCWD, name, status, 0);
}

int interposed_lstat(const char* name, struct stat* status) BW_INTERPOSES("lstat");
int interposed_lstat(const char* name, struct stat* status) {
  return status_at(AT_FDCWD, name, status, AT_SYMLINK_NOFOLLOW);
}

int interposed_lstat64(const char* name, struct stat* status) BW_INTERPOSES("lstat64");
int interposed_lstat64(const char* name, struct stat* status) {
  return status_at(AT_FDCWD, name, status, AT_SYMLINK_NOFOLLOW);
}

int interposed_fstat(int fd, struct stat* status) BW_INTERPOSES("fstat");
int interposed_fstat(int fd, struct stat* status) {
  return status_of(fd, status);
}

int interposed_fstat64(int fd, struct stat* status) BW_INTERPOSES("fstat64");
int interposed_fstat64(int fd, struct stat* status) {
  return status_of(fd, status);
}

int interposed_fstatat(int folder, const char* name, struct stat* status, int flags) BW_INTERPOSES("fstatat");
int interposed_fstatat(int folder, const char* name, struct stat* status, int flags) {
  return status_at(folder, name, status, flags);
}

int interposed_fstatat64(int folder, const char* name, struct stat* status, int flags) BW_INTERPOSES("fstatat64");
int interposed_fstatat64(int folder, const char* name, struct stat* status, int flags) {
  return status_at(folder, name, status, flags);
}

int interposed_xstat(int version, const char* name, struct stat* status) BW_INTERPOSES("__xstat");
int interposed_xstat(int version, const char* name, struct stat* status) {
  return is_known(version) ? status_at(AT_FDCWD, name, status, 0) : -1;
}

int interposed_xstat64(int version, const char* name, struct stat* status) BW_INTERPOSES("__xstat64");
int interposed_xstat64(int version, const char* name, struct stat* status) {
  return is_known(version) ? status_at(AT_FDCWD, name, status, 0) : -1;
}

int interposed_lxstat(int version, const char* name, struct stat* status) BW_INTERPOSES("__lxstat");
int interposed_lxstat(int version, const char* name, struct stat* status) {
  return is_known(version) ? status_at(AT_FDCWD, name, status, AT_SYMLINK_NOFOLLOW) : -1;
}

int interposed_lxstat64(int version, const char* name, struct stat* status) BW_INTERPOSES("__lxstat64");
int interposed_lxstat64(int version, const char* name, struct stat* status) {
  return is_known(version) ? status_at(AT_FDCWD, name, status, AT_SYMLINK_NOFOLLOW) : -1;
}

int interposed_fxstat(int version, int fd, struct stat* status) BW_INTERPOSES("__fxstat");
int interposed_fxstat(int version, int fd, struct stat* status) {
  return is_known(version) ? status_of(fd, status) : -1;
}

int interposed_fxstat64(int version, int fd, struct stat* status) BW_INTERPOSES("__fxstat64");
int interposed_fxstat64(int version, int fd, struct stat* status) {
  return is_known(version) ? status_of(fd, status) : -1;
}

int interposed_fxstatat(int version, int folder, const char* name, struct stat* status, int flags)
    BW_INTERPOSES("__fxstatat");
int interposed_fxstatat(int version, int folder, const char* name, struct stat* status, int flags) {
  return is_known(version) ? status_at(folder, name, status, flags) : -1;
}

int interposed_fxstatat64(int version, int folder, const char* name, struct stat* status, int flags)
    BW_INTERPOSES("__fxstatat64");
int interposed_fxstatat64(int version, int folder, const char* name, struct stat* status, int flags) {
  return is_known(version) ? status_at(folder, name, status, flags) : -1;
}

int interposed_statx(int folder, const char* name, int flags, unsigned mask, struct statx* status)
    BW_INTERPOSES("statx");
int interposed_statx(int folder, const char* name, int flags, unsigned mask, struct statx* status) {
  const HostPath path(folder, name);
  const bool is_descriptor = (name == nullptr || *name == '\0') && (flags & AT_EMPTY_PATH) != 0;
  const DeviceKind kind = is_descriptor ? device_of_descriptor(folder) : path.device();
  const long result = syscall(SYS_statx, folder, path.get(), flags, mask, status);
  if (result == 0 && kind != kNoDevice) {
    status->stx_mode = kDeviceMode;
    status->stx_nlink = 1;
    status->stx_rdev_major = major(device_number(kind));
    status->stx_rdev_minor = minor(device_number(kind));
    status->stx_size = 0;
    status->stx_blocks = 0;
  }
  return static_cast<int>(result);
}

}  // extern "C"
}  // namespace bw::emulator::shim
