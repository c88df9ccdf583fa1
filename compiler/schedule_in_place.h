// Owns: kernels that leave their result where one of their operands was. Not here: whether the operand is needed
// afterwards (compiler/schedule.cc).
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/loops.h"

namespace bw::compiler {

// The arguments of `nest`, read ones, whose memory its result could take over: as many elements of the same type, each
// loaded only by the lane that stores the element of the same index, for that element, and in no reduction. Empty for
// kernels with several results, and for those in which several lanes may store the same element.
std::vector<size_t> replaceable_arguments(const LoopNest& nest);

// The same kernel with its result in the place of that argument, which goes.
LoopNest with_result_in_place(const LoopNest& nest, size_t argument);

}  // namespace bw::compiler
