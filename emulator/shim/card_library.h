// Owns: the seam between the two libraries of the shim. libbarewave-shim.so is preloaded into every program, so it is
// small and needs nothing but the C library. libbarewave-card.so holds the emulated card with all of LLVM; the first
// opens the second, out of sight of the program's own symbols, when a device is first opened.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace bw::emulator::shim {

// What the card's library can do. Calls that return int return a negative errno on failure. Safe from any thread.
struct CardLibrary {
  // Begins a machine for this process, in the place of one from before a fork. To be called before all but tree().
  // `enter_thread` is called by each thread of the emulator's own when it begins.
  int (*start)(void (*enter_thread)());
  // The root of the files that the machine shows, "" if there is no place for them.
  const char* (*tree)();
  // A descriptor of a device node, close-on-exec.
  int (*open)(const char* path, int flags);
  int (*close)(int fd);
  int (*ioctl)(int fd, unsigned long request, void* argument);
  // Also of what is no device: the machine is to know what memory goes.
  int (*mmap)(void* address, size_t length, int protection, int flags, int fd, off_t offset, void** result);
  int (*munmap)(void* address, size_t length);
  // See EmulatedDriver.
  int (*add_duplicate)(int copy, int fd);
  void (*forget)(int fd);
};

// Within libbarewave-card.so: what start() was given.
extern void (*enter_thread)();

using GetCardLibrary = const CardLibrary*();
inline constexpr const char* kGetCardLibrary = "barewave_card_library";

}  // namespace bw::emulator::shim
