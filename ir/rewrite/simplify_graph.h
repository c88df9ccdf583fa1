// Owns: making a graph simpler before it is scheduled: chains of movement become one, what changes nothing goes, and
// the rules of elementwise ops (ir/rewrite/rules.h) apply to tensors of constants too. Not here: what becomes a kernel
// (compiler/fusion.h).
#pragma once

#include <span>
#include <vector>

#include "base/status.h"
#include "ir/node.h"

namespace bw::ir::rewrite {

// The same outputs, each with its dtype and shape, and with the same values bit by bit (but for the payload of a NaN,
// and reductions, whose order is not specified). A value that turns out to be a param or the state that a store left
// stays a value of its own (kContiguous). `outputs` were verified. Linear in the size of the graph.
Result<std::vector<NodePtr>> simplify_graph(std::span<const NodePtr> outputs);

}  // namespace bw::ir::rewrite
