// Owns: ioctls on the emulated card's render node, as far as libdrm's initialisation and `info` tools ask:
// DRM_IOCTL_VERSION and AMDGPU_INFO. Not here: buffers and command submission through DRM, which -EOPNOTSUPP says are
// not there.
#pragma once

#include "emulator/kernel/process.h"

namespace bw::emulator {

// 0 or a negative errno.
int drm_ioctl(Process& process, const Card& card, unsigned long request, void* argument);

}  // namespace bw::emulator
