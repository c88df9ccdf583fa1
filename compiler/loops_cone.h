// Owns: the part of a graph that one kernel computes, and where to cut it if it is too much for one.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/fusion_graph.h"

namespace bw::compiler {

struct Cone {
  std::vector<NodeId> nodes;  // ascending; the root is the last one
  // Of reductions: how many reductions lie one within the other, counting this one.
  std::unordered_map<NodeId, int> heights;
  int max_height = 0;
  int64_t longest_trips = 0;  // of the reductions, at most
};

// The nodes that are computed where `root` is, given which nodes are buffers.
Cone find_cone(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId root);

// A node of the cone that should become a buffer because the kernel is too large; kNoNode if there is none to choose.
NodeId choose_cut(const FlatGraph& graph, const Cone& cone, size_t limit_nodes);

// Of the kernel for `root`: what it does last and for how many elements: "reduce_add_8x32"; symbolic extents are marked
// "s", and their largest value stands for them.
std::string kernel_name(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone, NodeId root);

}  // namespace bw::compiler
