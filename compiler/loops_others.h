// Owns: the other ways of computing what a kernel computes: what there is to choose from where forms are timed
// (compiler/tuning.h). Not here: how each is lowered (compiler/loops.h).
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/loops.h"

namespace bw::compiler {

// At most `count` nests with the same arguments as `nest`, each another plan of lanes or another form of a matrix
// product, the best by the models first. None for kernels that reduce nothing, have several outputs or do attention.
// Lanes are among those of a matrix product where they are not predicted to be far slower.
std::vector<LoopNest> other_nests(const FlatGraph& graph, const std::vector<bool>& buffers, const LoopNest& nest,
                                  size_t count);

}  // namespace bw::compiler
