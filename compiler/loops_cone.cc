#include "compiler/loops_cone.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "compiler/fusion.h"

namespace bw::compiler {
namespace {

// What a kernel for `root` computes or loads from.
std::vector<NodeId> needs(const FlatGraph& graph, NodeId root) {
  const FlatNode& flat = graph.nodes[root];
  if (flat.node->op == ir::Op::kStore) return {flat.inputs[1]};
  // A param is a buffer already; one that is copied has no inputs either.
  return is_memory(*flat.node) ? std::vector<NodeId>{} : flat.inputs;
}

}  // namespace

Cone find_cone(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId root) {
  Cone cone;
  std::unordered_set<NodeId> seen{root};
  std::vector<NodeId> open{root};
  while (!open.empty()) {
    const NodeId id = open.back();
    open.pop_back();
    cone.nodes.push_back(id);
    for (const NodeId input : needs(graph, id)) {
      if (!is_loaded(graph, buffers, input) && seen.insert(input).second) open.push_back(input);
    }
  }
  std::sort(cone.nodes.begin(), cone.nodes.end());
  std::unordered_map<NodeId, int> within;
  for (const NodeId id : cone.nodes) {
    int height = 0;
    for (const NodeId input : needs(graph, id)) {
      const auto known = within.find(input);
      if (known != within.end()) height = std::max(height, known->second);
    }
    const FlatNode& flat = graph.nodes[id];
    if (ir::is_reduce(flat.node->op)) {
      cone.heights[id] = ++height;
      if (flat.count > 0) {
        cone.longest_trips = std::max(cone.longest_trips, graph.nodes[flat.inputs[0]].count / flat.count);
      }
    }
    within[id] = height;
    cone.max_height = std::max(cone.max_height, height);
  }
  return cone;
}

NodeId choose_cut(const FlatGraph& graph, const Cone& cone, size_t limit_nodes) {
  // What a value is made of, counted again on each way to it: so grows what a kernel computes at ever more indices.
  std::unordered_map<NodeId, size_t> sizes;
  NodeId best = kNoNode;
  size_t best_size = 0;
  for (const NodeId id : cone.nodes) {
    size_t size = 1;
    for (const NodeId input : needs(graph, id)) {
      const auto known = sizes.find(input);
      if (known != sizes.end()) size = std::min(size + known->second, 2 * limit_nodes);
    }
    sizes[id] = size;
    if (id == cone.nodes.back() || graph.node(id).inputs.empty()) continue;
    if (best_size < limit_nodes / 4 && size > best_size) {
      best = id;
      best_size = size;
    }
  }
  return best;
}

std::string kernel_name(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone, NodeId root) {
  const auto op_of = [&](NodeId id) { return graph.node(id).op; };
  const auto is_loaded_or_leaf = [&](NodeId id) {
    return graph.nodes[id].inputs.empty() || (id != root && is_loaded(graph, buffers, id));
  };
  NodeId id = op_of(root) == ir::Op::kStore ? graph.nodes[root].inputs[1] : root;
  const ir::Shape& shape = graph.node(id).shape;
  while (!is_loaded_or_leaf(id) && (ir::is_movement(op_of(id)) || op_of(id) == ir::Op::kContiguous)) {
    id = graph.nodes[id].inputs[0];
  }
  std::string name(cone.max_height > 0 && !ir::is_reduce(op_of(id)) ? "reduce_" : "");
  name += ir::name(op_of(id));
  const char* separator = "_";
  for (const ir::Dim& dim : shape) {
    if (dim == ir::Dim(1)) continue;
    name += fmt::format("{}{}{}", separator, dim.is_static() ? "" : "s", dim.max());
    separator = "x";
  }
  return name;
}

}  // namespace bw::compiler
