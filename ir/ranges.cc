#include "ir/ranges.h"

#include <algorithm>

#include "ir/text.h"

namespace bw::ir {

uint64_t KernelRanges::bit(const Node* range) const {
  const auto is_range = [range](const NodePtr& node) { return node.get() == range; };
  const auto it = std::find_if(ranges.begin(), ranges.end(), is_range);
  return it == ranges.end() ? 0 : uint64_t{1} << (it - ranges.begin());
}

Result<KernelRanges> find_ranges(const Kernel& kernel) {
  KernelRanges result;
  std::unordered_map<const Node*, size_t> depths;
  for (const NodePtr& node : topological_order(kernel.stores)) {
    if (node->op == Op::kRange) {
      if (result.ranges.size() == kMaxKernelRanges) {
        return error(StatusCode::kInvalidArgument, "kernel {} has more than {} ranges", kernel.name, kMaxKernelRanges);
      }
      result.ranges.push_back(node);
    }
    uint64_t free = node->op == Op::kRange ? result.bit(node.get()) : 0;
    uint64_t consumed = 0;
    size_t depth = 0;
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      const Node* input = node->inputs[i].get();
      if (input == nullptr) continue;
      depth = std::max(depth, depths[input] + 1);
      consumed |= result.consumed[input];
      if (!is_reduce(node->op) || i == 0) free |= result.free[input];
    }
    if (depth > kMaxKernelDepth) {
      return error(StatusCode::kInvalidArgument, "kernel {} is deeper than {} nodes at {}", kernel.name,
                   kMaxKernelDepth, print_node(*node));
    }
    for (size_t i = 1; is_reduce(node->op) && i < node->inputs.size(); ++i) {
      const uint64_t range = result.bit(node->inputs[i].get());
      if (range == 0) {
        return error(StatusCode::kInvalidArgument, "{}: input {} is not a range", print_node(*node), i);
      }
      consumed |= range;
      free &= ~range;
    }
    depths[node.get()] = depth;
    result.free[node.get()] = free;
    result.consumed[node.get()] = consumed;
  }
  return result;
}

}  // namespace bw::ir
