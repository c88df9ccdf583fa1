// Owns: the rules that every program obeys. The compiler verifies before and after it transforms.
#pragma once

#include <span>

#include "base/status.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

// Input counts, dtypes, shapes and attributes of every node reachable from `outputs`.
// Error: kInvalidArgument; the message has the offending node in text form and what is wrong with it.
Status verify_graph(std::span<const NodePtr> outputs);

// The same for a kernel, and:
// - params and variables are all listed, params with their position as id;
// - at most one range of each grid dimension and one kGroup range, whose extent is a power of two that divides the
//   workgroup size; kUnroll ranges are static and at most 1024 long; at most 64 ranges in all, and no node deeper than
//   4000;
// - a kLoop range is either consumed by reductions (several may share it, but not one inside another) or free in the
//   stores; kGroup and kUnroll ranges may be both, and consumed one inside another; those of the grid are free in all
//   stores alike;
// - each load and store index is proven within its param (ir/analysis/access_proof.h). The error shows the expression,
//   its bounds, the size, and values for which the index lies outside.
Status verify_kernel(const Kernel& kernel);

}  // namespace bw::ir
