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
class Bounds {
 public:
  Interval of(const NodePtr& node);

 private:
  std::unordered_map<const Node*, Interval> known_;
};

}  // namespace bw::ir
