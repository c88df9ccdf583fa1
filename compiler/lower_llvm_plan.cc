#include "compiler/lower_llvm_plan.h"

#include <bit>

#include "base/check.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

constexpr size_t kMaxRanges = 64;
constexpr int64_t kMaxWrittenOut = 256;  // iterations; longer kUnroll ranges stay loops

// Postorder without recursion: fused chains can be deeper than a thread's stack.
void order_nodes(const NodePtr& root, KernelPlan& plan) {
  std::vector<std::pair<NodePtr, size_t>> stack;
  if (!plan.nodes.contains(root.get())) stack.emplace_back(root, 0);
  while (!stack.empty()) {
    auto& [node, next] = stack.back();
    if (next < node->inputs.size()) {
      const NodePtr& input = node->inputs[next++];
      if (!plan.nodes.contains(input.get())) stack.emplace_back(input, 0);
      continue;
    }
    if (plan.nodes.emplace(node.get(), NodePlan{plan.order.size(), 0}).second) plan.order.push_back(node);
    stack.pop_back();
  }
}

Status check_supported(const Node& node) {
  const bool transcendental = node.op == Op::kExp2 || node.op == Op::kLog2 || node.op == Op::kSin;
  if (transcendental && node.dtype == DType::kF64) {
    return error(StatusCode::kUnsupported, "lowering {}: gfx1100 has no f64 {} (cast to f32 first)",
                 ir::print_node(node), ir::name(node.op));
  }
  if (ir::is_movement(node.op) || node.op == Op::kGather || node.op == Op::kContiguous) {
    return error(StatusCode::kInvalidArgument, "lowering {}: {} is not an op of kernels", ir::print_node(node),
                 ir::name(node.op));
  }
  return Status::ok();
}

Status add_range(const Node& node, const ir::Kernel& kernel, KernelPlan& plan) {
  const auto& attr = node.attr<ir::RangeAttr>();
  if (plan.ranges.size() == kMaxRanges) {
    return error(StatusCode::kUnsupported, "lowering kernel {}: more than {} ranges", kernel.name, kMaxRanges);
  }
  const RangeMask bit = RangeMask{1} << plan.ranges.size();
  plan.ranges.push_back(&node);
  plan.nodes[&node].free = bit;
  const Node** slot = nullptr;
  switch (attr.kind) {
    case RangeKind::kGlobalX:
      slot = &plan.global[0];
      break;
    case RangeKind::kGlobalY:
      slot = &plan.global[1];
      break;
    case RangeKind::kGlobalZ:
      slot = &plan.global[2];
      break;
    case RangeKind::kGroup:
      slot = &plan.group;
      break;
    case RangeKind::kLoop:
    case RangeKind::kUnroll:
      return Status::ok();
  }
  if (*slot != nullptr) {
    return error(StatusCode::kInvalidArgument, "lowering kernel {}: a second range of the kind of {}", kernel.name,
                 ir::print_node(node));
  }
  *slot = &node;
  plan.given |= bit;
  return Status::ok();
}

Status plan_workgroup(const ir::Kernel& kernel, KernelPlan& plan) {
  const uint32_t size = kernel.workgroup_size;
  if (size == 0 || size > ir::kMaxWorkgroupSize) {
    return error(StatusCode::kInvalidArgument, "lowering kernel {}: workgroup size {} is not within 1..{}", kernel.name,
                 size, ir::kMaxWorkgroupSize);
  }
  if (plan.group == nullptr) return Status::ok();
  const ir::Dim& extent = plan.group->attr<ir::RangeAttr>().extent;
  const bool divides = extent.is_static() && extent.offset > 0 && size % extent.offset == 0;
  if (!divides || !std::has_single_bit(static_cast<uint64_t>(extent.offset))) {
    return error(StatusCode::kInvalidArgument,
                 "lowering kernel {}: {} is not a power of two that divides the workgroup of {} lanes", kernel.name,
                 ir::print_node(*plan.group), size);
  }
  plan.group_size = static_cast<uint32_t>(extent.offset);
  return Status::ok();
}

Status note_access(const Node& node, const ir::Kernel& kernel, KernelPlan& plan) {
  if (node.op != Op::kLoad && node.op != Op::kStore) return Status::ok();
  const uint64_t position = memory_param(node).attr<ir::ParamAttr>().id;
  if (position >= plan.params.size()) {
    return error(StatusCode::kInvalidArgument, "lowering kernel {}: {} names param {} of {}", kernel.name,
                 ir::print_node(node), position, plan.params.size());
  }
  (node.op == Op::kLoad ? plan.params[position].read : plan.params[position].written) = true;
  return Status::ok();
}

}  // namespace

std::span<const NodePtr> reduction_ranges(const Node& reduction) {
  return std::span<const NodePtr>(reduction.inputs).subspan(1);
}

Status plan_groups(const ir::Kernel& kernel, const LaneForm& form, KernelPlan& plan) {
  plan.strided_groups = form.groups == LaneForm::Groups::kStrided && plan.group_size > 1;
  const uint32_t places = kernel.workgroup_size / plan.group_size;
  if (!plan.strided_groups || (places % kWaveSize == 0 && std::has_single_bit(places))) return Status::ok();
  return error(StatusCode::kUnsupported, "lowering kernel {}: strided groups with {} places to a workgroup",
               kernel.name, places);
}

bool is_written_out(const ir::RangeAttr& range) {
  return range.extent.is_static() && range.kind == RangeKind::kUnroll && range.extent.offset <= kMaxWrittenOut;
}

bool is_identity(const Node& reduction, const Node& value) {
  if (value.op != Op::kConst) return false;
  const auto is = [&value](double wanted) {
    const ir::Scalar& scalar = value.attr<ir::ConstAttr>().value;
    return std::visit([wanted](auto number) { return static_cast<double>(number) == wanted; }, scalar);
  };
  return (reduction.op == Op::kReduceAdd && is(0)) || (reduction.op == Op::kReduceMul && is(1));
}

const Node& memory_param(const Node& access) {
  const Node* param = access.inputs[0].get();
  while (param->op == Op::kBitcast) param = param->inputs[0].get();
  BW_CHECK(param->op == Op::kParam);
  return *param;
}

DType memory_dtype(const Node& access) {
  return access.inputs[0]->dtype;
}

Result<KernelPlan> plan_kernel(const ir::Kernel& kernel) {
  KernelPlan plan;
  plan.params.resize(kernel.params.size());
  for (const NodePtr& store : kernel.stores) order_nodes(store, plan);
  for (const NodePtr& node : plan.order) {
    BW_RETURN_IF_ERROR(check_supported(*node));
    BW_RETURN_IF_ERROR(note_access(*node, kernel, plan));
    if (node->op == Op::kRange) {
      BW_RETURN_IF_ERROR(add_range(*node, kernel, plan));
      continue;
    }
    RangeMask free = 0;
    for (const NodePtr& input : node->inputs) free |= plan.nodes[input.get()].free;
    if (ir::is_reduce(node->op)) {
      free = plan.nodes[node->inputs[0].get()].free;
      for (const NodePtr& range : reduction_ranges(*node)) free &= ~plan.nodes[range.get()].free;
    }
    plan.nodes[node.get()].free = free;
  }
  BW_RETURN_IF_ERROR(plan_workgroup(kernel, plan));
  return plan;
}

}  // namespace bw::compiler
