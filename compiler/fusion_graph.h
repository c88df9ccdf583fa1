// Owns: a program graph in the form that scheduling works on: nodes by number, inputs before users, with users and
// memory versions known, and long reductions split in two. Not here: which nodes become buffers (compiler/fusion.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "ir/node.h"

namespace bw::compiler {

using NodeId = uint32_t;
constexpr NodeId kNoNode = UINT32_MAX;

struct FlatNode {
  ir::NodePtr node;
  std::vector<NodeId> inputs;  // kStore: the param or store that it overwrites, and the value; else Node::inputs
  std::vector<NodeId> users;   // each once, ascending
  int64_t count = 0;           // elements, at most
  bool is_output = false;
  // For what reads memory as it is (is_memory()): the kStore that overwrites that memory next, or kNoNode.
  NodeId overwritten_by = kNoNode;
};

struct FlatGraph {
  std::vector<FlatNode> nodes;  // inputs before users
  // Nodes that hold the outputs' elements in the outputs' order (an output that only reshapes a value is that value).
  std::vector<NodeId> outputs;
  std::vector<NodeId> stores;  // the kStore nodes, ascending

  const ir::Node& node(NodeId id) const { return *nodes[id].node; }
};

// A param, a param seen as another dtype, or a param after a store.
bool is_memory(const ir::Node& node);
// The id of the param behind a node for which is_memory() holds.
uint64_t memory_param_id(const ir::Node& node);
// A shape that never has an element.
bool is_empty(const ir::Shape& shape);

// Errors: kInvalidArgument where two stores overwrite the same state of a param (neither is after the other),
// kUnsupported for extents of 2^31 and more.
Result<FlatGraph> flatten(std::span<const ir::NodePtr> outputs);

}  // namespace bw::compiler
