// Owns: the proof that integers stay within bounds: interval arithmetic over integer expressions.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "ir/node.h"

namespace bw::ir {

// Closed interval. `overflow` is set where the exact result could leave the node's dtype (then low..high is the dtype's
// range).
struct Interval {
  int64_t low = 0;
  int64_t high = 0;
  bool overflow = false;
};

// Bounds of integer and bool nodes at kernel level, memoised. What is loaded from memory has the bounds of its dtype.
// A u64 whose interval ends at INT64_MAX may be larger still. Floating-point nodes have no bounds (all of i64 is
// returned). Does not recurse.
class Bounds {
 public:
  Interval of(const NodePtr& node);

 private:
  class Refiner;

  const Interval& known(const NodePtr& node) const { return known_.at(node); }
  Interval compute(const Node& node) const;
  Interval where_interval(const Node& node) const;
  Interval reduction_interval(const Node& node) const;

  std::unordered_map<NodePtr, Interval> known_;  // keeps the nodes alive, so that no address is used again
};

}  // namespace bw::ir
