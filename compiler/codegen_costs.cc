#include "compiler/codegen_costs.h"

#include <algorithm>
#include <vector>

#include "compiler/lower_llvm_plan.h"

namespace bw::compiler {
namespace {

using ir::Node;
using ir::Op;

// Counts stay at the largest number rather than wrap.
uint64_t times(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t plus(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t extent_of(const Node& range) {
  return static_cast<uint64_t>(std::max<int64_t>(range.attr<ir::RangeAttr>().extent.max(), 0));
}

uint64_t iterations(const KernelPlan& plan, RangeMask mask) {
  uint64_t count = 1;
  for (size_t i = 0; i < plan.ranges.size(); ++i) {
    if ((mask >> i & 1) != 0) count = times(count, extent_of(*plan.ranges[i]));
  }
  return count;
}

uint64_t flops_of(const Node& node) {
  if (node.op == Op::kMulAcc) return ir::is_float(node.dtype) ? 2 : 0;
  const bool arithmetic = ir::is_unary(node.op) || ir::is_binary(node.op) || ir::is_reduce(node.op);
  return arithmetic && ir::is_float(node.inputs[0]->dtype) ? 1 : 0;
}

uint64_t param_bytes(const Node& param) {
  return times(static_cast<uint64_t>(ir::max_element_count(param.shape)), ir::size_bytes(param.dtype));
}

}  // namespace

Result<KernelCosts> count_costs(const ir::Kernel& kernel) {
  BW_ASSIGN(const KernelPlan plan, plan_kernel(kernel));
  std::vector<uint64_t> loaded(kernel.params.size());
  std::vector<uint64_t> stored(kernel.params.size());
  KernelCosts costs;
  for (const ir::NodePtr& node : plan.order) {
    RangeMask mask = plan.of(node.get()).free;
    if (node->op == Op::kLoad || node->op == Op::kStore) {
      uint64_t& bytes = (node->op == Op::kLoad ? loaded : stored)[memory_param(*node).attr<ir::ParamAttr>().id];
      bytes = plus(bytes, times(iterations(plan, mask), ir::size_bytes(memory_dtype(*node))));
      continue;
    }
    // Work-items do not share what they compute.
    mask |= plan.given;
    if (ir::is_reduce(node->op)) {
      for (const ir::NodePtr& range : reduction_ranges(*node)) mask |= plan.bit(range.get());
    }
    costs.flops = plus(costs.flops, times(iterations(plan, mask), flops_of(*node)));
  }
  for (size_t i = 0; i < kernel.params.size(); ++i) {
    const uint64_t size = param_bytes(*kernel.params[i]);
    costs.bytes = plus(costs.bytes, plus(std::min(loaded[i], size), std::min(stored[i], size)));
  }
  return costs;
}

}  // namespace bw::compiler
