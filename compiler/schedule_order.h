// Owns: an order of kernels that obeys what they read and overwrite, and the sharing of memory among temporary buffers.
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/loops.h"

namespace bw::compiler {

struct KernelOrder {
  std::vector<size_t> positions;           // in the nests
  std::vector<std::vector<size_t>> after;  // for each nest, those that must come after it
  // Where there is no order: a node that reads a state of a param, which must become a buffer (so that the state is
  // read early) before there can be one.
  NodeId copy_first = kNoNode;
};

// Reorders kernels: what writes a buffer comes before what reads it, what reads a state of a param comes before what
// overwrites it. Among all such orders the one that is nearest to the order of the graph.
// Errors: kInvalidArgument where there is none, and no copy would help.
Result<KernelOrder> order_kernels(const FlatGraph& graph, const std::vector<LoopNest>& nests);

// The life of a temporary buffer, in positions of launches.
struct Lifetime {
  uint64_t size_bytes = 0;
  size_t first = 0;  // the launch that writes it
  size_t last = 0;   // the last one that reads it; an output is read after all
};

struct MemoryPlan {
  std::vector<size_t> slots;          // for each lifetime, in the order given
  std::vector<uint64_t> sizes_bytes;  // of the slots
};

// Puts lifetimes, given in ascending order of `first`, into as few bytes as a greedy choice finds: a slot is taken over
// only after the launch that reads it last.
MemoryPlan share_memory(const std::vector<Lifetime>& lifetimes);

}  // namespace bw::compiler
