// Owns: the seam between the two libraries of the shim. libbarewave-shim.so is preloaded into every program, so it is
// small and needs nothing but the C library. libbarewave-card.so holds the emulated card with all of LLVM; the first
// opens the second, out of sight of the program's own symbols, when a device is first opened.
#pragma once

namespace bw::emulator::shim {

// What the card's library can do. Calls that return int return a negative errno on failure. Safe from any thread.
struct CardLibrary {
  // Begins a machine for this process, in the place of one from before a fork. To be called before all but tree().
  int (*start)();
  // The root of the files that the machine shows, "" if there is no place for them.
  const char* (*tree)();
  // A descriptor of a device node, close-on-exec.
  int (*open)(const char* path, int flags);
  int (*close)(int fd);
  int (*ioctl)(int fd, unsigned long request, void* argument);
  // See EmulatedDriver.
  int (*add_duplicate)(int copy, int fd);
  void (*forget)(int fd);
};

using GetCardLibrary = const CardLibrary*();
inline constexpr const char* kGetCardLibrary = "barewave_card_library";

}  // namespace bw::emulator::shim
