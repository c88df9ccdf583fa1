// Owns: the decision which values become buffers; all others are computed inside the kernels that use them.
// Not here: loops (compiler/loops.h).
#pragma once

#include <vector>

#include "compiler/fusion_graph.h"

namespace bw::compiler {

// For each node: whether a kernel of its own writes it to memory. kStore nodes are among them. A param can be among
// them: it is copied, because its value is needed after it was overwritten.
std::vector<bool> choose_buffers(const FlatGraph& graph);

// Whether a value is read from memory by the kernels that use it.
inline bool is_loaded(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId id) {
  return buffers[id] || is_memory(graph.node(id));
}

}  // namespace bw::compiler
