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

// The same for a kernel, and: loops have bounded trip counts, every range is used in one way only, each load and store
// index is proven within its param. The error for an index shows the expression, its bounds and the size it breaks.
Status verify_kernel(const Kernel& kernel);

}  // namespace bw::ir
