// Owns: the preloaded library's state: which thread is inside the emulator, the card's library, which descriptors are
// devices, and what fork does to them. Nothing happens before a path of the machine is touched.
//
// Threads: descriptor kinds are atomics, read without locks, since every close() and ioctl() of the program looks here;
// the rest is behind one mutex.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "emulator/shim/paths.h"

namespace bw::emulator::shim {

// While one lives, the interposed functions pass everything on: the emulator itself is calling. The thread cannot be
// cancelled meanwhile, as it cannot be in the kernel.
class Inside {
 public:
  Inside();
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  int cancel_state_ = 0;
};
bool is_inside();

// The root of the files that the machine shows; "" if there is none. The second gives it only where
// somebody has made it before.
const char* tree_root();
const char* known_tree_root();

// What a descriptor of the program is. Also right if it was closed by a bare system call and its number given to
// another file.
DeviceKind device_of_descriptor(int fd);

// The calls below return a negative errno on failure.
int open_device(const char* path, DeviceKind kind, int flags);
// For descriptors that are devices.
int device_ioctl(int fd, DeviceKind kind, unsigned long request, void* argument);
int device_mmap(int fd, DeviceKind kind, void* address, size_t length, int protection, int flags, off_t offset,
                void** result);
int close_device(int fd);
// `copy` is a fresh duplicate of `fd`, a device.
void share_device(int copy, int fd);
// Whether there is a machine that wants to know of the program's memory; for the two calls after it.
bool has_machine();
int machine_mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset, void** result);
int machine_munmap(void* address, size_t length);
// The number `fd` is about to be taken by another file.
void forget_device(int fd);

}  // namespace bw::emulator::shim
