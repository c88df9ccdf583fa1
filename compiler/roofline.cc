#include "compiler/roofline.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/rates.h"
#include "compiler/contraction_match.h"
#include "compiler/cost_model.h"
#include "compiler/lower_llvm_plan.h"
#include "ir/analysis/costs.h"

namespace bw::compiler {
namespace {

namespace gfx11 = amdgpu::gfx11;
using ir::DType;
using ir::Node;
using ir::NodePtr;
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

uint64_t iterations(const KernelPlan& plan, RangeMask mask) {
  uint64_t count = 1;
  for (size_t i = 0; i < plan.ranges.size(); ++i) {
    if ((mask >> i & 1) == 0) continue;
    count =
        times(count, static_cast<uint64_t>(std::max<int64_t>(plan.ranges[i]->attr<ir::RangeAttr>().extent.max(), 0)));
  }
  return count;
}

// Nodes that stored values are made of, without the indices of loads.
std::unordered_set<const Node*> value_nodes(const ir::Kernel& kernel) {
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> stack;
  for (const NodePtr& store : kernel.stores) stack.push_back(store->inputs[2].get());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second || node->op == Op::kLoad) continue;
    const size_t count = ir::is_reduce(node->op) ? 1 : node->inputs.size();
    for (size_t i = 0; i < count; ++i) stack.push_back(node->inputs[i].get());
  }
  return seen;
}

// Products that only sums consume: they are part of a multiply-add.
std::unordered_set<const Node*> fused_products(const KernelPlan& plan) {
  std::unordered_map<const Node*, size_t> uses;
  std::unordered_map<const Node*, size_t> sums;
  for (const NodePtr& node : plan.order) {
    for (const NodePtr& input : node->inputs) ++uses[input.get()];
    const Node* value = ir::is_reduce(node->op) ? node->inputs[0].get() : nullptr;
    if (node->op == Op::kReduceAdd && value->op == Op::kMul && ir::is_float(value->dtype)) ++sums[value];
  }
  std::unordered_set<const Node*> fused;
  for (const auto& [node, count] : sums) {
    if (uses[node] == count) fused.insert(node);
  }
  return fused;
}

// Where an elementwise op or one step of a reduction is carried out; kMemory: nowhere.
CardUnit unit_of(const Node& node) {
  const Op op = node.op;
  const bool reduces = ir::is_reduce(op);
  if (!ir::is_elementwise(op) && !reduces) return CardUnit::kMemory;
  if (op == Op::kBitcast) return CardUnit::kMemory;
  const DType dtype = node.inputs[op == Op::kWhere ? 1 : 0]->dtype;
  if (dtype == DType::kF64 || node.dtype == DType::kF64) return CardUnit::kF64;
  if (ir::is_unary(op) && op != Op::kTrunc) return CardUnit::kTranscendental;
  const bool is_product = op == Op::kMul || op == Op::kReduceMul || op == Op::kMulAcc;
  const bool is_division = op == Op::kIDiv || op == Op::kMod;
  if (ir::is_integer(dtype) && ((is_product && ir::size_bytes(dtype) >= 4) || is_division)) {
    return CardUnit::kIntegerProduct;
  }
  return CardUnit::kValu;
}

uint64_t flops_of(const Node& node) {
  if (node.op == Op::kMulAcc) return ir::is_float(node.dtype) ? 2 : 0;
  const bool arithmetic = ir::is_unary(node.op) || ir::is_binary(node.op) || ir::is_reduce(node.op);
  return arithmetic && ir::is_float(node.inputs[0]->dtype) ? 1 : 0;
}

// Those that the node's value depends on, and those that it consumes.
RangeMask ranges_of(const KernelPlan& plan, const Node& node) {
  RangeMask mask = plan.of(&node).free;
  if (!ir::is_reduce(node.op)) return mask;
  for (const NodePtr& range : reduction_ranges(node)) mask |= plan.bit(range.get());
  return mask;
}

// An attention kernel says maximum, sum and weighted sum by themselves, each with its inner products; its form goes
// over the positions once. The ranges of all but the weighted sum, which is the outermost reduction that depends on the
// columns of the values.
RangeMask repeated_ranges(const ir::Kernel& kernel, const KernelPlan& plan) {
  const Node* weighted = nullptr;
  for (const NodePtr& node : ir::topological_order(std::span(kernel.stores.data(), 1))) {
    const bool has_columns = plan.global[0] != nullptr && ir::is_reduce(node->op) &&
                             (plan.of(node.get()).free & plan.bit(plan.global[0])) != 0;
    if (has_columns) weighted = node.get();
  }
  if (weighted == nullptr) return 0;
  RangeMask own = plan.given | ranges_of(plan, *weighted);
  // Reductions inside that depend on the position belong to it; the others are on their own.
  const RangeMask position = own & ~plan.given;
  RangeMask all = own;
  for (const NodePtr& node : plan.order) {
    if (!ir::is_reduce(node->op)) continue;
    all |= ranges_of(plan, *node);
    if ((plan.of(node.get()).free & position) != 0) own |= ranges_of(plan, *node);
  }
  return all & ~own;
}

// What a form does with the sums of products of a kernel.
struct Products {
  std::unordered_set<const Node*> sums;     // that v_wmma forms
  std::unordered_set<const Node*> no_work;  // multiplied or converted by it on the way
  uint64_t lds_bytes = 0;
};

// Bytes that the waves of all workgroups read from LDS: for each step of the depth, the rows and the columns of a wave.
uint64_t lds_reads(const Contraction& contraction, const ContractionForm& form) {
  const ProductShape shape = shape_of(contraction);
  const auto blocks = [](int64_t extent, uint32_t block) {
    return (static_cast<uint64_t>(std::max<int64_t>(extent, 0)) + block - 1) / block;
  };
  // Both halves of a wave hold the same operands of a v_wmma. (GPUOpen, WMMA on RDNA 3.)
  const uint64_t copies = form.unit == ProductUnit::kFma ? 1 : 2;
  const uint64_t elements = form.wave_m * shape.row_operands + form.wave_n * shape.column_operands;
  const uint64_t waves = times(times(blocks(shape.rows, form.block_m), blocks(shape.columns, form.block_n)),
                               static_cast<uint64_t>(std::max<int64_t>(shape.batch, 0)) * form.waves());
  const uint64_t steps = blocks(shape.depth, form.block_k) * form.block_k;
  return times(times(waves, steps), elements * copies * staged_bytes(contraction, form.unit));
}

Products products_of(const ir::Kernel& kernel, const KernelForm& form) {
  Products result;
  const auto* tiles = std::get_if<ContractionForm>(&form);
  if (tiles == nullptr) return result;
  const std::optional<Contraction> contraction = match_contraction(kernel);
  if (!contraction) return result;
  result.lds_bytes = lds_reads(*contraction, *tiles);
  if (tiles->unit == ProductUnit::kFma) return result;
  for (const ContractionProduct& product : contraction->products) {
    result.sums.insert(product.reduction.get());
    result.no_work.insert(product.reduction->inputs[0].get());
  }
  for (const auto* operands : {&contraction->row_operands, &contraction->column_operands}) {
    for (const NodePtr& operand : *operands) {
      if (operand_for(operand, tiles->unit) != operand) result.no_work.insert(operand.get());
    }
  }
  return result;
}

// The longest chain of loads, each of which needs the one before for its address.
uint64_t load_chain(const KernelPlan& plan) {
  std::unordered_map<const Node*, uint64_t> depth;
  uint64_t longest = 0;
  for (const NodePtr& node : plan.order) {
    uint64_t own = 0;
    for (const NodePtr& input : node->inputs) {
      if (node->op != Op::kLoad || input != node->inputs[0]) own = std::max(own, depth[input.get()]);
    }
    if (node->op == Op::kLoad) ++own;
    depth[node.get()] = own;
    longest = std::max(longest, own);
  }
  return longest;
}

}  // namespace

const char* name(CardUnit unit) {
  switch (unit) {
    case CardUnit::kMemory:
      return "memory";
    case CardUnit::kLatency:
      return "latency";
    case CardUnit::kValu:
      return "VALU";
    case CardUnit::kTranscendental:
      return "transcendental";
    case CardUnit::kIntegerProduct:
      return "integer products";
    case CardUnit::kF64:
      return "f64";
    case CardUnit::kWmma:
      return "WMMA";
    case CardUnit::kLds:
      break;
  }
  return "LDS";
}

Result<KernelWork> count_work(const ir::Kernel& kernel, const KernelForm& form) {
  BW_ASSIGN(const KernelPlan plan, plan_kernel(kernel));
  BW_ASSIGN(const ir::analysis::KernelCosts costs, ir::analysis::count_costs(kernel, {}));
  const std::unordered_set<const Node*> values = value_nodes(kernel);
  const std::unordered_set<const Node*> fused = fused_products(plan);
  // Lanes that go through the kernel by themselves do not share what they compute; the other forms compute each value
  // once for all that need it.
  const bool is_lane_form = std::holds_alternative<LaneForm>(form);
  const RangeMask left_out = std::holds_alternative<AttentionForm>(form) ? repeated_ranges(kernel, plan) : 0;
  const Products products = products_of(kernel, form);
  KernelWork work;
  work.of(CardUnit::kLds) = products.lds_bytes;
  work.of(CardUnit::kMemory) = costs.bytes().value.max();
  work.of(CardUnit::kLatency) = load_chain(plan);
  for (const NodePtr& node : plan.order) {
    const CardUnit unit = values.contains(node.get()) ? unit_of(*node) : CardUnit::kMemory;
    if (unit == CardUnit::kMemory) continue;
    const RangeMask mask = ranges_of(plan, *node) | (is_lane_form ? plan.given : 0);
    if ((mask & left_out) != 0) continue;
    const uint64_t count = iterations(plan, mask);
    if (products.sums.contains(node.get())) work.of(CardUnit::kWmma) = plus(work.of(CardUnit::kWmma), times(count, 2));
    work.flops = plus(work.flops, times(count, flops_of(*node)));
    const bool is_free =
        fused.contains(node.get()) || products.sums.contains(node.get()) || products.no_work.contains(node.get());
    if (!is_free) work.of(unit) = plus(work.of(unit), count);
  }
  return work;
}

KernelWork together(const KernelWork& a, const KernelWork& b) {
  KernelWork both;
  for (size_t i = 0; i < kCardUnitCount; ++i) {
    const bool overlaps = static_cast<CardUnit>(i) == CardUnit::kLatency;
    both.units[i] = overlaps ? std::max(a.units[i], b.units[i]) : plus(a.units[i], b.units[i]);
  }
  both.flops = plus(a.flops, b.flops);
  return both;
}

std::optional<double> model_seconds(const ir::Kernel& kernel, const KernelForm& form) {
  const auto* tiles = std::get_if<ContractionForm>(&form);
  if (tiles == nullptr) return std::nullopt;
  const std::optional<Contraction> contraction = match_contraction(kernel);
  if (!contraction) return std::nullopt;
  return predict_clocks(*tiles, shape_of(*contraction), staged_bytes(*contraction, tiles->unit)) / gfx11::kBoostClockHz;
}

Roofline roofline(const KernelWork& work, const Occupancy& occupancy, uint64_t workgroups) {
  constexpr double kSimds = gfx11::kComputeUnits * gfx11::kSimdsPerCu;
  Roofline result;
  const double waves = static_cast<double>(workgroups) * occupancy.waves_per_workgroup;
  result.filled = std::min(waves / kSimds, 1.0);
  const double clocks = gfx11::kBoostClockHz * gfx11::kComputeUnits * std::max(result.filled, 1 / kSimds);
  std::array<double, kCardUnitCount> rates{};
  const auto rate = [&](CardUnit unit) -> double& { return rates[static_cast<size_t>(unit)]; };
  rate(CardUnit::kMemory) = gfx11::kVramBytesPerSecond;
  rate(CardUnit::kLatency) = 1 / gfx11::kVramLatencySeconds;
  rate(CardUnit::kValu) = clocks * gfx11::kF32LanesPerClock;
  rate(CardUnit::kTranscendental) = clocks * gfx11::kTranscendentalLanesPerClock;
  rate(CardUnit::kIntegerProduct) = clocks * gfx11::kIntegerProductLanesPerClock;
  rate(CardUnit::kF64) = clocks * gfx11::kF64LanesPerClock;
  rate(CardUnit::kLds) = clocks * gfx11::kLdsBytesPerClock;
  rate(CardUnit::kWmma) = clocks * gfx11::kWmmaFlopsPerClock;
  for (size_t i = 0; i < kCardUnitCount; ++i) {
    result.seconds[i] = static_cast<double>(work.units[i]) / rates[i];
    if (result.seconds[i] > result.total_seconds()) result.bound = static_cast<CardUnit>(i);
  }
  return result;
}

}  // namespace bw::compiler
