// Owns: what two movement ops after each other, or a movement op or a reduction that moves nothing, are together.
#pragma once

#include "base/status.h"
#include "ir/builder.h"
#include "ir/node.h"

namespace bw::ir::rewrite {

// The node that replaces a movement op or a reduction, or null. Its inputs are simplified already.
Result<NodePtr> simplify_movement(Builder& builder, const NodePtr& node);

// The constant that all elements have, behind movement that keeps it so; null if there is none.
const Node* splat_of(const NodePtr& node);

}  // namespace bw::ir::rewrite
