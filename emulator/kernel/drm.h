// Owns: ioctls on the emulated card's render node: which there are, their arguments' way in and out, and the requests
// of the drm core. Not here: what those of amdgpu do (emulator/kernel/drm_ioctls.h). Command submission is not there:
// -EOPNOTSUPP, like all of the drm core that Linux refuses to drivers without such features (synchronisation objects).
#pragma once

#include "emulator/kernel/process.h"

namespace bw::emulator {

// `file` is the id of the opening. 0 or a negative errno.
int drm_ioctl(Process& process, const Card& card, uint64_t file, unsigned long request, void* argument);

}  // namespace bw::emulator
