// Owns: the functions that check rights to a path and follow links.
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "emulator/shim/card.h"
#include "emulator/shim/paths.h"
#include "emulator/shim/real.h"

namespace bw::emulator::shim {
namespace {

// What a link leads to, as far as there is room. Not where the kernel put it at once: a longer target of the host's
// would leave its end behind in the program's buffer.
using Target = std::array<char, kMaxPathBytes>;

// What /proc/self/fd/N of a device is a link to, in place of the file that stands for the device.
size_t show_device(const char* link, Target& target, size_t length) {
  constexpr std::array<const char*, 2> kFolders = {"/proc/self/fd/", "/dev/fd/"};
  for (const char* folder : kFolders) {
    if (std::strncmp(link, folder, std::strlen(folder)) != 0) continue;
    const DeviceKind kind = device_of_descriptor(std::atoi(link + std::strlen(folder)));
    if (kind == kNoDevice) return length;
    return device_path(kind, target.data(), target.size());
  }
  return length;
}

ssize_t read_link(int folder, const char* name, char* target, size_t capacity) {
  const HostPath path(folder, name);
  Target found;
  if (is_inside() || capacity == 0) return syscall(SYS_readlinkat, folder, path.get(), target, capacity);
  const long length = syscall(SYS_readlinkat, folder, path.get(), found.data(), found.size());
  if (length <= 0) return length;
  const size_t shown = show_device(name, found, static_cast<size_t>(length));
  const size_t given = std::min(strip_root(found.data(), shown), capacity);
  std::memcpy(target, found.data(), given);
  return static_cast<ssize_t>(given);
}

// realpath() of a path that is ours: the tree has the same links as the machine's file system.
char* resolve(const HostPath& path, char* resolved) {
  static Real<char*(const char*, char*)> real("realpath");
  char* result = real(path.get(), resolved);
  if (result == nullptr || !path.is_ours()) return result;
  result[strip_root(result, std::strlen(result))] = '\0';
  return result;
}

// The working folder where that is in the tree, as the program believes it to be; 0 elsewhere.
size_t working_folder(Target& folder) {
  if (is_inside()) return 0;
  const long size = syscall(SYS_getcwd, folder.data(), folder.size());
  if (size <= 1) return 0;
  const size_t host_length = static_cast<size_t>(size) - 1;
  const size_t length = strip_root(folder.data(), host_length);
  return length == host_length ? 0 : length;
}

// What getcwd() gives for it.
char* give_folder(const Target& found, size_t length, char* folder, size_t size) {
  if (folder == nullptr && size == 0) size = length + 1;
  if (size < length + 1) {
    errno = ERANGE;
    return nullptr;
  }
  char* given = folder != nullptr ? folder : static_cast<char*>(std::malloc(size));
  if (given == nullptr) return nullptr;
  std::memcpy(given, found.data(), length);
  given[length] = '\0';
  return given;
}

int check_access(int folder, const char* name, int mode, int flags) {
  static Real<int(int, const char*, int, int)> real("faccessat");
  return real(folder, HostPath(folder, name).get(), mode, flags);
}

}  // namespace

extern "C" {

int interposed_access(const char* name, int mode) BW_INTERPOSES("access");
int interposed_access(const char* name, int mode) {
  return static_cast<int>(syscall(SYS_access, HostPath(name).get(), mode));
}

int interposed_faccessat(int folder, const char* name, int mode, int flags) BW_INTERPOSES("faccessat");
int interposed_faccessat(int folder, const char* name, int mode, int flags) {
  return check_access(folder, name, mode, flags);
}

int interposed_eaccess(const char* name, int mode) BW_INTERPOSES("eaccess");
int interposed_eaccess(const char* name, int mode) {
  return check_access(AT_FDCWD, name, mode, AT_EACCESS);
}

int interposed_euidaccess(const char* name, int mode) BW_INTERPOSES("euidaccess");
int interposed_euidaccess(const char* name, int mode) {
  return check_access(AT_FDCWD, name, mode, AT_EACCESS);
}

ssize_t interposed_readlink(const char* name, char* target, size_t capacity) BW_INTERPOSES("readlink");
ssize_t interposed_readlink(const char* name, char* target, size_t capacity) {
  return read_link(AT_FDCWD, name, target, capacity);
}

ssize_t interposed_readlinkat(int folder, const char* name, char* target, size_t capacity) BW_INTERPOSES("readlinkat");
ssize_t interposed_readlinkat(int folder, const char* name, char* target, size_t capacity) {
  return read_link(folder, name, target, capacity);
}

// The functions of _FORTIFY_SOURCE know the buffer's size; the C library's own end the program where it is too small.
ssize_t interposed_readlink_chk(const char* name, char* target, size_t capacity, size_t size)
    BW_INTERPOSES("__readlink_chk");
ssize_t interposed_readlink_chk(const char* name, char* target, size_t capacity, size_t size) {
  static Real<ssize_t(const char*, char*, size_t, size_t)> real("__readlink_chk");
  return capacity > size ? real(name, target, capacity, size) : read_link(AT_FDCWD, name, target, capacity);
}

ssize_t interposed_readlinkat_chk(int folder, const char* name, char* target, size_t capacity, size_t size)
    BW_INTERPOSES("__readlinkat_chk");
ssize_t interposed_readlinkat_chk(int folder, const char* name, char* target, size_t capacity, size_t size) {
  static Real<ssize_t(int, const char*, char*, size_t, size_t)> real("__readlinkat_chk");
  return capacity > size ? real(folder, name, target, capacity, size) : read_link(folder, name, target, capacity);
}

int interposed_chdir(const char* name) BW_INTERPOSES("chdir");
int interposed_chdir(const char* name) {
  return static_cast<int>(syscall(SYS_chdir, HostPath(name).get()));
}

char* interposed_getcwd(char* folder, size_t size) BW_INTERPOSES("getcwd");
char* interposed_getcwd(char* folder, size_t size) {
  static Real<char*(char*, size_t)> real("getcwd");
  Target found;
  const size_t length = working_folder(found);
  return length == 0 ? real(folder, size) : give_folder(found, length, folder, size);
}

char* interposed_getcwd_chk(char* folder, size_t size, size_t capacity) BW_INTERPOSES("__getcwd_chk");
char* interposed_getcwd_chk(char* folder, size_t size, size_t capacity) {
  static Real<char*(char*, size_t, size_t)> real("__getcwd_chk");
  Target found;
  const size_t length = size > capacity ? 0 : working_folder(found);
  return length == 0 ? real(folder, size, capacity) : give_folder(found, length, folder, size);
}

char* interposed_current_dir() BW_INTERPOSES("get_current_dir_name");
char* interposed_current_dir() {
  static Real<char*()> real("get_current_dir_name");
  Target found;
  const size_t length = working_folder(found);
  return length == 0 ? real() : give_folder(found, length, nullptr, 0);
}

char* interposed_realpath(const char* name, char* resolved) BW_INTERPOSES("realpath");
char* interposed_realpath(const char* name, char* resolved) {
  return resolve(HostPath(name), resolved);
}

char* interposed_canonicalize(const char* name) BW_INTERPOSES("canonicalize_file_name");
char* interposed_canonicalize(const char* name) {
  return resolve(HostPath(name), nullptr);
}

char* interposed_realpath_chk(const char* name, char* resolved, size_t size) BW_INTERPOSES("__realpath_chk");
char* interposed_realpath_chk(const char* name, char* resolved, size_t size) {
  static Real<char*(const char*, char*, size_t)> real("__realpath_chk");
  return size < PATH_MAX ? real(name, resolved, size) : resolve(HostPath(name), resolved);
}

}  // extern "C"
}  // namespace bw::emulator::shim
