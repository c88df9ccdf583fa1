// Owns: which parts of the file system the emulated machine has its own version of; all else is the host's. The
// preloaded library (emulator/shim) looks here too, so this knows nothing but text.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace bw::emulator {

// What the absolute path, without repeated slashes, begins with.
inline constexpr std::array<std::string_view, 8> kOwnedPaths = {"/sys/class/kfd",     "/sys/devices/virtual/kfd",
                                                                "/sys/class/drm",     "/sys/dev/char/226:",
                                                                "/sys/module/amdgpu", "/dev/kfd",
                                                                "/dev/dri",           "/dev/accel"};

inline bool is_owned_path(std::string_view path) {
  return std::any_of(kOwnedPaths.begin(), kOwnedPaths.end(),
                     [&](std::string_view part) { return path.starts_with(part); });
}

}  // namespace bw::emulator
