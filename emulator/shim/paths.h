// Owns: which paths belong to the emulated machine, and where in the tree of its files (sysfs_tree.h) they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bw::emulator::shim {

inline constexpr size_t kMaxPathBytes = 4096;

// What a descriptor or path stands for: nothing of ours, /dev/kfd, or a node below /dev/dri by its minor number.
using DeviceKind = uint16_t;
inline constexpr DeviceKind kNoDevice = 0;
inline constexpr DeviceKind kKfdDevice = 0x7fff;
inline constexpr DeviceKind drm_device(uint32_t minor) {
  return static_cast<DeviceKind>(1 + minor);
}

// The number of the device as stat() gives it.
uint64_t device_number(DeviceKind kind);

// Writes the path of the device's node, ended by '\0'; returns its length.
size_t device_path(DeviceKind kind, char* text, size_t capacity);

// A path as the kernel is to see it.
class HostPath {
 public:
  // `path` may be null: then it is passed on as it is. So are relative ones, which lead on in the tree if they begin
  // there, but for those that name a device. `folder` is what they start from.
  explicit HostPath(const char* path) : HostPath(kWorkingFolder, path) {}
  HostPath(int folder, const char* path);

  const char* get() const { return path_; }
  // Whether it leads into the tree.
  bool is_ours() const { return is_ours_; }
  DeviceKind device() const { return device_; }
  // The path that the program means, normalised; for ours only.
  const char* meant() const { return host_ + root_length_; }

 private:
  const char* path_;
  bool is_ours_ = false;
  DeviceKind device_ = kNoDevice;
  void place(const char* path);

  static constexpr int kWorkingFolder = -100;  // AT_FDCWD

  size_t root_length_ = 0;
  char host_[2 * kMaxPathBytes];
};

// Takes the tree's root off the path, in place, where it begins with that; returns the new length.
size_t strip_root(char* path, size_t length);

}  // namespace bw::emulator::shim
