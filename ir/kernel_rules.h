// Owns: the parts of the kernel verifier that others in this room use by themselves. What users call is ir/verifier.h.
#pragma once

#include "base/status.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

// Input count, dtypes, shape and attribute of one node at kernel level.
Status verify_kernel_node(const Node& node);

// All rules but the proof that indices lie within their params.
Status verify_kernel_structure(const Kernel& kernel);

}  // namespace bw::ir
