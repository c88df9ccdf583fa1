// Owns: which loops the value of each node of a kernel depends on.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

constexpr size_t kMaxKernelRanges = 64;
// Nodes from a store down to a leaf; so that what walks a kernel may recurse.
constexpr size_t kMaxKernelDepth = 4000;

// The kRange nodes of a kernel, and sets of them as bits in that order.
struct KernelRanges {
  std::vector<NodePtr> ranges;
  // Ranges that the node depends on and that no reduction below or at it consumes.
  std::unordered_map<const Node*, uint64_t> free;
  // Ranges that reductions below or at the node consume.
  std::unordered_map<const Node*, uint64_t> consumed;

  // The set with only this range.
  uint64_t bit(const Node* range) const;
};

// Errors: kInvalidArgument for more than kMaxKernelRanges ranges or a depth above kMaxKernelDepth, and for a reduction
// over something other than ranges.
Result<KernelRanges> find_ranges(const Kernel& kernel);

}  // namespace bw::ir
