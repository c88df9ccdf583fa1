// Owns: kernels that write several values: one that does the work of two over the same places of the grid, loading once
// what both need and passing on in registers what one makes of the other's result. Not here: kernels side by side in
// one launch (compiler/schedule_parts.h).
#pragma once

#include <optional>
#include <vector>

#include "compiler/schedule_order.h"

namespace bw::compiler {

// A kernel that writes what `first` and `second` write, `second` being computed from what `first` leaves in registers
// where it loads it. Nothing if their places in the grid differ, if they have nothing to share, if one of them writes
// to a param, or if `second` needs elements that other lanes compute.
std::optional<LoopNest> merge_nests(const LoopNest& first, const LoopNest& second);

// Merges kernels where that saves loads: one that writes an output with those that use it, or several that load the
// same. Returns the order of what `nests` are then.
Result<KernelOrder> merge_outputs(const FlatGraph& graph, KernelOrder order, std::vector<LoopNest>& nests);

}  // namespace bw::compiler
