// Owns: which kernels of a schedule share a launch (horizontal fusion). Not here: their order
// (compiler/schedule_order.h) and the code that deals a launch out to its parts (compiler/lower_llvm.h).
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/schedule_order.h"

namespace bw::compiler {

// Whether a kernel can share a launch with others: lanes that need no LDS, and a grid that is known.
bool can_share_launch(const LoopNest& nest);

// The kernels of each launch, as positions in `nests`. Kernels share one where there is no way of dependencies between
// them; none is done later for it. A launch costs about 4 us, as much as many a kernel of a decode step takes.
// Workgroup sizes of `nests` are made to agree where they can be changed. The same for equal orders.
std::vector<std::vector<size_t>> share_launches(const KernelOrder& order, std::vector<LoopNest>& nests);

}  // namespace bw::compiler
