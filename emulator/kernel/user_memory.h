// Owns: reading and writing memory of the caller by address, so that a wild pointer is -EFAULT and not a crash.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace bw::emulator {

// Each returns 0 or -EFAULT; on -EFAULT a part may have been copied.
int copy_from_user(void* destination, uint64_t user_address, size_t size_bytes);
int copy_to_user(uint64_t user_address, const void* source, size_t size_bytes);
// Whether every page of the range can be read.
int probe_user_range(uint64_t user_address, uint64_t size_bytes);
// How much of the client's memory the card may have at once. Linux amdgpu_amdkfd_gpuvm_init_mem_limits(): all of the
// host's memory but a 64th. Probing more would fill it, where pages appear as they are read.
uint64_t user_memory_limit_bytes();
// Whether the host lets a process do this to itself (a container's system-call filter may not).
Status check_user_memory_access();

}  // namespace bw::emulator
