// Owns: splitting a reduction that is too long for one workgroup into two.
#pragma once

#include "base/status.h"
#include "ir/builder.h"

namespace bw::compiler {

// The same value, computed as many partial reductions, which become a buffer, and a reduction of these; `node` itself
// where it is anything but a long reduction to few elements or a matrix product of few tiles and long depth.
Result<ir::NodePtr> split_long_reduction(ir::Builder& builder, const ir::NodePtr& node);

}  // namespace bw::compiler
