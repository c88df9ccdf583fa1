// Owns: the functions on descriptors. Those that fail on what is not ours fail as the kernel has it.
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "emulator/shim/card.h"
#include "emulator/shim/real.h"

namespace bw::emulator::shim {
namespace {

// `copy` is what the kernel answered for a duplicate of `fd`.
int shared(long copy, int fd) {
  if (copy >= 0 && device_of_descriptor(fd) != kNoDevice) share_device(static_cast<int>(copy), fd);
  return static_cast<int>(copy);
}

// dup3(), or dup2() for flags of -1.
int duplicate_to(int fd, int to, int flags) {
  if (fd != to && !is_inside() && device_of_descriptor(to) != kNoDevice && syscall(SYS_fcntl, fd, F_GETFD) >= 0) {
    forget_device(to);
  }
  const long copy = flags < 0 ? syscall(SYS_dup2, fd, to) : syscall(SYS_dup3, fd, to, flags);
  return fd == to ? static_cast<int>(copy) : shared(copy, fd);
}

using FcntlFunction = int(int, int, ...);

int control(FcntlFunction* real, int fd, int command, void* argument) {
  if (command != F_DUPFD && command != F_DUPFD_CLOEXEC) return real(fd, command, argument);
  return shared(syscall(SYS_fcntl, fd, command, argument), fd);
}

}  // namespace

extern "C" {

int interposed_ioctl(int fd, unsigned long request, ...) BW_INTERPOSES("ioctl");
int interposed_ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  const DeviceKind kind = device_of_descriptor(fd);
  if (kind == kNoDevice) return static_cast<int>(syscall(SYS_ioctl, fd, request, argument));
  return as_libc_result(device_ioctl(fd, kind, request, argument));
}

int interposed_close(int fd) BW_INTERPOSES("close");
int interposed_close(int fd) {
  static Real<int(int)> real("close");
  if (device_of_descriptor(fd) == kNoDevice) return real(fd);
  return as_libc_result(close_device(fd));
}

int interposed_dup(int fd) BW_INTERPOSES("dup");
int interposed_dup(int fd) {
  return shared(syscall(SYS_dup, fd), fd);
}

int interposed_dup2(int fd, int to) BW_INTERPOSES("dup2");
int interposed_dup2(int fd, int to) {
  return duplicate_to(fd, to, -1);
}

int interposed_dup3(int fd, int to, int flags) BW_INTERPOSES("dup3");
int interposed_dup3(int fd, int to, int flags) {
  return duplicate_to(fd, to, flags);
}

int interposed_fcntl(int fd, int command, ...) BW_INTERPOSES("fcntl");
int interposed_fcntl(int fd, int command, ...) {
  static Real<FcntlFunction> real("fcntl");
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  return control(real.get(), fd, command, argument);
}

int interposed_fcntl64(int fd, int command, ...) BW_INTERPOSES("fcntl64");
int interposed_fcntl64(int fd, int command, ...) {
  static Real<FcntlFunction> real("fcntl64");
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  return control(real.get(), fd, command, argument);
}

}  // extern "C"
}  // namespace bw::emulator::shim
