// Owns: mmap() and munmap(). Most programs' mappings would do without: descriptors of devices are duplicates of the
// arena's file and the offsets that the driver gives out are its own (emulator/memory/arena.h), so the bare system call
// maps device memory, whoever makes it and how, and memory that goes away under the card is noticed when the card uses
// it (emulator/memory/client_fault.h). What these add for calls that come by here is what the system call cannot know:
// Linux's errno for mappings that are not allowed, the event page, whose offset is Linux's and not the arena's, memory
// that was exported and has its own file since, and that ranges known to the card (USERPTR, SVM) go at once.
#include <sys/mman.h>

#include "emulator/shim/card.h"
#include "emulator/shim/real.h"

namespace bw::emulator::shim {
namespace {

void* map(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  const DeviceKind kind = (flags & MAP_ANONYMOUS) != 0 ? kNoDevice : device_of_descriptor(fd);
  void* result = MAP_FAILED;
  int status = 0;
  if (kind != kNoDevice) {
    status = device_mmap(fd, kind, address, length, protection, flags, offset, &result);
  } else if ((flags & MAP_FIXED) != 0 && has_machine()) {
    status = machine_mmap(address, length, protection, flags, fd, offset, &result);
  } else {
    return reinterpret_cast<void*>(syscall(SYS_mmap, address, length, protection, flags, fd, offset));
  }
  return as_libc_result(status) == 0 ? result : MAP_FAILED;
}

}  // namespace

extern "C" {

void* interposed_mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset)
    BW_INTERPOSES("mmap");
void* interposed_mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  return map(address, length, protection, flags, fd, offset);
}

void* interposed_mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset)
    BW_INTERPOSES("mmap64");
void* interposed_mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  return map(address, length, protection, flags, fd, offset);
}

int interposed_munmap(void* address, size_t length) BW_INTERPOSES("munmap");
int interposed_munmap(void* address, size_t length) {
  if (!has_machine()) return static_cast<int>(syscall(SYS_munmap, address, length));
  return as_libc_result(machine_munmap(address, length));
}

}  // extern "C"
}  // namespace bw::emulator::shim
