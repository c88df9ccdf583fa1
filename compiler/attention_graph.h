// Owns: finding attention in a graph, softmax(scores) times values, which one kernel can compute without its scores
// ever becoming a buffer. Not here: the kernel (compiler/attention_loops.h).
#pragma once

#include <optional>
#include <vector>

#include "compiler/fusion_graph.h"

namespace bw::compiler {

struct AttentionNodes {
  NodeId weighted = kNoNode;     // the sum of the weighted values
  NodeId end = kNoNode;          // the last node whose elements are those of `weighted`: what becomes a buffer
  NodeId score = kNoNode;        // what is reduced to the maximum
  std::vector<NodeId> inside;    // what becomes none; nothing else uses it
  std::vector<NodeId> operands;  // queries, keys and values, before they are moved or converted
  std::vector<NodeId> ways;      // what moves and converts them, which is done once for many rows
};

// The attention whose sum of weighted values is `weighted`, if it is one.
std::optional<AttentionNodes> find_attention(const FlatGraph& graph, NodeId weighted);

// What that means for the choice of buffers.
struct AttentionChoices {
  explicit AttentionChoices(const FlatGraph& graph);

  // By node. What is inside, or on the way there, is computed in the kernel. Operands are buffers if computing them
  // takes a reduction.
  std::vector<bool> inside;
  std::vector<bool> ends;
  std::vector<bool> operands;
};

}  // namespace bw::compiler
