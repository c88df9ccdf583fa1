// Owns: the kernel of a node that ends an attention (compiler/attention_graph.h): its ranges and its form. Not here:
// the code (compiler/attention_emit.h).
#pragma once

#include <optional>

#include "compiler/loops.h"
#include "compiler/loops_cone.h"

namespace bw::compiler {

// Nothing where the root is no attention, or one that has no kernel of this form.
std::optional<LoopNest> lower_attention(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone);

// The scores of an attention that is part of the cone and could not become a kernel, so that they should become a
// buffer; kNoNode where there is none.
NodeId find_scores_to_cut(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone);

}  // namespace bw::compiler
