// Owns: the functions that open files and folders by name.
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cstring>

#include "emulator/shim/card.h"
#include "emulator/shim/paths.h"
#include "emulator/shim/real.h"

namespace bw::emulator::shim {
namespace {

using OpenFunction = int(const char*, int, ...);
using OpenAtFunction = int(int, const char*, int, ...);

Real<OpenFunction> real_open("open");
Real<OpenFunction> real_open64("open64");
Real<OpenAtFunction> real_openat("openat");
Real<OpenAtFunction> real_openat64("openat64");

// open() of a path that is ours, which sysfs allows for reading only.
int open_ours(const HostPath& path, int flags) {
  if (path.device() != kNoDevice && syscall(SYS_access, path.get(), F_OK) == 0 &&
      (flags & (O_DIRECTORY | O_PATH)) == 0) {
    return as_libc_result(open_device(path.meant(), path.device(), flags));
  }
  if ((flags & O_ACCMODE) != O_RDONLY && syscall(SYS_access, path.get(), F_OK) == 0 && (flags & O_PATH) == 0) {
    errno = EACCES;
    return -1;
  }
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.get(), flags & ~(O_CREAT | O_TRUNC), 0));
}

// fopen() of a device, which some programs do to see whether they may.
FILE* open_stream(const HostPath& path, const char* mode) {
  const bool updates = std::strchr(mode, '+') != nullptr;
  const int access = updates ? O_RDWR : (*mode == 'r' ? O_RDONLY : O_WRONLY);
  const int fd = open_ours(path, access | (std::strchr(mode, 'e') != nullptr ? O_CLOEXEC : 0));
  return fd < 0 ? nullptr : fdopen(fd, mode);
}

// The third argument, if it is one.
template <typename Arguments>
mode_t mode_of(int flags, Arguments& arguments) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

int interposed_open(const char* name, int flags, ...) BW_INTERPOSES("open");
int interposed_open(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  const HostPath path(name);
  return path.is_ours() ? open_ours(path, flags) : real_open(path.get(), flags, mode);
}

int interposed_open64(const char* name, int flags, ...) BW_INTERPOSES("open64");
int interposed_open64(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  const HostPath path(name);
  return path.is_ours() ? open_ours(path, flags) : real_open64(path.get(), flags, mode);
}

int interposed_openat(int folder, const char* name, int flags, ...) BW_INTERPOSES("openat");
int interposed_openat(int folder, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  const HostPath path(folder, name);
  return path.is_ours() ? open_ours(path, flags) : real_openat(folder, path.get(), flags, mode);
}

int interposed_openat64(int folder, const char* name, int flags, ...) BW_INTERPOSES("openat64");
int interposed_openat64(int folder, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  const HostPath path(folder, name);
  return path.is_ours() ? open_ours(path, flags) : real_openat64(folder, path.get(), flags, mode);
}

// What programs built with _FORTIFY_SOURCE call where the flags are no constant; the C library's own ends the program
// if a mode is missing.
int interposed_open_2(const char* name, int flags) BW_INTERPOSES("__open_2");
int interposed_open_2(const char* name, int flags) {
  static Real<int(const char*, int)> real("__open_2");
  const HostPath path(name);
  return path.is_ours() ? open_ours(path, flags) : real(path.get(), flags);
}

int interposed_open64_2(const char* name, int flags) BW_INTERPOSES("__open64_2");
int interposed_open64_2(const char* name, int flags) {
  static Real<int(const char*, int)> real("__open64_2");
  const HostPath path(name);
  return path.is_ours() ? open_ours(path, flags) : real(path.get(), flags);
}

int interposed_openat_2(int folder, const char* name, int flags) BW_INTERPOSES("__openat_2");
int interposed_openat_2(int folder, const char* name, int flags) {
  static Real<int(int, const char*, int)> real("__openat_2");
  const HostPath path(folder, name);
  return path.is_ours() ? open_ours(path, flags) : real(folder, path.get(), flags);
}

int interposed_openat64_2(int folder, const char* name, int flags) BW_INTERPOSES("__openat64_2");
int interposed_openat64_2(int folder, const char* name, int flags) {
  static Real<int(int, const char*, int)> real("__openat64_2");
  const HostPath path(folder, name);
  return path.is_ours() ? open_ours(path, flags) : real(folder, path.get(), flags);
}

FILE* interposed_fopen(const char* name, const char* mode) BW_INTERPOSES("fopen");
FILE* interposed_fopen(const char* name, const char* mode) {
  static Real<FILE*(const char*, const char*)> real("fopen");
  const HostPath path(name);
  return path.device() == kNoDevice ? real(path.get(), mode) : open_stream(path, mode);
}

FILE* interposed_fopen64(const char* name, const char* mode) BW_INTERPOSES("fopen64");
FILE* interposed_fopen64(const char* name, const char* mode) {
  static Real<FILE*(const char*, const char*)> real("fopen64");
  const HostPath path(name);
  return path.device() == kNoDevice ? real(path.get(), mode) : open_stream(path, mode);
}

DIR* interposed_opendir(const char* name) BW_INTERPOSES("opendir");
DIR* interposed_opendir(const char* name) {
  static Real<DIR*(const char*)> real("opendir");
  return real(HostPath(name).get());
}

// The C library's glob() opens folders by itself, unless it is told by which functions.
using GlobError = int(const char*, int);

int glob_with(Real<int(const char*, int, GlobError*, glob_t*)>& real, const char* pattern, int flags, GlobError* failed,
              glob_t* found) {
  if (is_inside() || found == nullptr || (flags & GLOB_ALTDIRFUNC) != 0) return real(pattern, flags, failed, found);
  found->gl_opendir = [](const char* name) -> void* { return ::opendir(name); };
  found->gl_readdir = [](void* folder) { return ::readdir(static_cast<DIR*>(folder)); };
  found->gl_closedir = [](void* folder) { ::closedir(static_cast<DIR*>(folder)); };
  found->gl_stat = [](const char* name, struct stat* status) { return ::stat(name, status); };
  found->gl_lstat = [](const char* name, struct stat* status) { return ::lstat(name, status); };
  return real(pattern, flags | GLOB_ALTDIRFUNC, failed, found);
}

int interposed_glob(const char* pattern, int flags, GlobError* failed, glob_t* found) BW_INTERPOSES("glob");
int interposed_glob(const char* pattern, int flags, GlobError* failed, glob_t* found) {
  static Real<int(const char*, int, GlobError*, glob_t*)> real("glob");
  return glob_with(real, pattern, flags, failed, found);
}

int interposed_glob64(const char* pattern, int flags, GlobError* failed, glob_t* found) BW_INTERPOSES("glob64");
int interposed_glob64(const char* pattern, int flags, GlobError* failed, glob_t* found) {
  static Real<int(const char*, int, GlobError*, glob_t*)> real("glob64");
  return glob_with(real, pattern, flags, failed, found);
}

// scandir64() and struct dirent64 are the same as these on 64-bit machines.
using Filter = int(const dirent*);
using Compare = int(const dirent**, const dirent**);

int interposed_scandir(const char* name, dirent*** list, Filter* filter, Compare* compare) BW_INTERPOSES("scandir");
int interposed_scandir(const char* name, dirent*** list, Filter* filter, Compare* compare) {
  static Real<int(const char*, dirent***, Filter*, Compare*)> real("scandir");
  return real(HostPath(name).get(), list, filter, compare);
}

int interposed_scandir64(const char* name, dirent*** list, Filter* filter, Compare* compare) BW_INTERPOSES("scandir64");
int interposed_scandir64(const char* name, dirent*** list, Filter* filter, Compare* compare) {
  static Real<int(const char*, dirent***, Filter*, Compare*)> real("scandir64");
  return real(HostPath(name).get(), list, filter, compare);
}

}  // extern "C"
}  // namespace bw::emulator::shim
