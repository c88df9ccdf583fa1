// Owns: which states of params' memory the values of a graph read, and which stores they come after.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/fusion_graph.h"

namespace bw::compiler {

// Filled in the order of the nodes, as it is decided which of them become buffers.
class MemoryVersions {
 public:
  explicit MemoryVersions(const FlatGraph& graph);

  // Call for each node in order, once it is known whether it and its inputs are buffers; again if that changes.
  void note(NodeId id, const std::vector<bool>& buffers);
  // Whether computing `input` inside `user` could read memory that a store before `user` has overwritten. A store does
  // not come before itself.
  bool is_overwritten_before(NodeId input, NodeId user) const;

 private:
  using StoreSet = std::vector<uint64_t>;  // one bit per kStore of the graph; empty: none

  bool intersects(const StoreSet& a, const StoreSet& b) const;
  void add(StoreSet& to, const StoreSet& from) const;
  void add_store(StoreSet& to, NodeId store) const;

  const FlatGraph& graph_;
  std::vector<uint32_t> position_;  // of a kStore among the stores
  std::vector<StoreSet> after_;     // stores that have been carried out when the value is there
  std::vector<StoreSet> ended_by_;  // stores that overwrite what computing the value inside a kernel reads
};

}  // namespace bw::compiler
