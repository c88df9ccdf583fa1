// Owns: a few instructions that run before a kernel and let the near caches of its own waves forget what they hold, in
// place of an ACQUIRE_MEM packet before it. Not here: when that is right (graph/dependencies.h).
//
// A packet stops the queue until all caches of the device have answered. A wave's invalidation reaches the caches that
// this wave loads through (vector L0, L1, scalar), which is all that its own loads need, and takes no time but the
// wave's. Sources: RDNA3 ISA guide, buffer_gl0_inv, buffer_gl1_inv, s_dcache_inv; LLVM 19's user guide, "Memory Model
// GFX10-GFX11", where the first two make up an acquire of agent scope.
// unverified: on real hardware, and that it is the faster way there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace bw::amdgpu {

// Appends the instructions to `image` at the next multiple of 256, with a branch to the kernel at `entry_offset`.
// Returns where they begin; nothing, and the image stays as it is, if a branch does not reach that far.
std::optional<uint64_t> append_acquire_stub(std::vector<std::byte>& image, uint64_t entry_offset);

}  // namespace bw::amdgpu
