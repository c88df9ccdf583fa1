#include "compiler/schedule_in_place.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace bw::compiler {
namespace {

using ir::Node;
using ir::NodePtr;
using ir::Op;

bool depends_on_group(const Node& node, std::unordered_map<const Node*, bool>& known) {
  if (const auto it = known.find(&node); it != known.end()) return it->second;
  bool depends = node.op == Op::kRange && node.attr<ir::RangeAttr>().kind == ir::RangeKind::kGroup;
  // A reduction over the group has the same result in all its lanes.
  const bool consumes =
      ir::is_reduce(node.op) && std::any_of(node.inputs.begin() + 1, node.inputs.end(), [](const NodePtr& range) {
        return range->attr<ir::RangeAttr>().kind == ir::RangeKind::kGroup;
      });
  for (const NodePtr& input : node.inputs) depends |= !consumes && depends_on_group(*input, known);
  known[&node] = depends;
  return depends;
}

// Params that an expression loads from in another way than at `index` outside of reductions.
void note_other_loads(const NodePtr& value, const Node* index, std::unordered_set<const Node*>& params) {
  std::vector<std::pair<const Node*, bool>> open{{value.get(), false}};
  std::unordered_set<const Node*> seen[2];
  while (!open.empty()) {
    const auto [node, in_reduction] = open.back();
    open.pop_back();
    if (!seen[in_reduction ? 1 : 0].insert(node).second) continue;
    if (node->op == Op::kLoad && (in_reduction || node->inputs[1].get() != index)) params.insert(node->inputs[0].get());
    const bool within = in_reduction || ir::is_reduce(node->op);
    for (const NodePtr& input : node->inputs) open.emplace_back(input.get(), within);
  }
}

NodePtr copy(ir::KernelBuilder& builder, const Node& node, std::vector<NodePtr> inputs) {
  switch (node.op) {
    case Op::kConst:
      return builder.constant(node.dtype, node.attr<ir::ConstAttr>().value);
    case Op::kRange:
      return builder.range(node.attr<ir::RangeAttr>().extent, node.attr<ir::RangeAttr>().kind);
    case Op::kLoad:
      return builder.load(inputs[0], inputs[1]);
    case Op::kStore:
      return builder.store(inputs[0], inputs[1], inputs[2]);
    default:
      return builder.op(node.op, node.dtype, std::move(inputs));
  }
}

}  // namespace

std::vector<size_t> replaceable_arguments(const LoopNest& nest) {
  if (nest.written != 1 || !std::holds_alternative<LaneForm>(nest.form)) return {};
  // Vectors that overlap: what one lane stores another one may still have to load.
  int64_t stored = std::ssize(nest.kernel.stores);
  for (const ir::Dim& dim : nest.grid) stored *= std::max<int64_t>(dim.max(), 1);
  if (stored > nest.kernel.params[0]->shape[0].max()) return {};
  std::unordered_map<const Node*, bool> of_group;
  std::unordered_set<const Node*> elsewhere;
  for (const NodePtr& store : nest.kernel.stores) {
    if (depends_on_group(*store->inputs[1], of_group)) return {};
    note_other_loads(store->inputs[2], store->inputs[1].get(), elsewhere);
    note_other_loads(store->inputs[1], nullptr, elsewhere);
  }
  const Node& result = *nest.kernel.params[0];
  std::vector<size_t> arguments;
  for (size_t i = 1; i < nest.arguments.size(); ++i) {
    const Node& param = *nest.kernel.params[i];
    if (param.dtype != result.dtype || param.shape != result.shape || elsewhere.contains(&param)) continue;
    // The same memory seen as another type would be a third view of it.
    if (std::count(nest.arguments.begin(), nest.arguments.end(), nest.arguments[i]) == 1) arguments.push_back(i);
  }
  return arguments;
}

LoopNest with_result_in_place(const LoopNest& nest, size_t argument) {
  ir::KernelBuilder builder;
  LoopNest result = nest;
  result.arguments.erase(result.arguments.begin() + static_cast<ptrdiff_t>(argument));
  result.kernel.params.clear();
  result.kernel.variables.clear();
  std::unordered_map<const Node*, NodePtr> made;
  for (size_t i = 0; i < nest.kernel.params.size(); ++i) {
    const Node& param = *nest.kernel.params[i];
    if (i == argument) {
      made[&param] = result.kernel.params[0];
      continue;
    }
    const size_t position = result.kernel.params.size();
    result.kernel.params.push_back(
        builder.param(position, fmt::format("b{}", position), param.dtype, {param.shape[0].offset}));
    made[&param] = result.kernel.params.back();
  }
  for (const NodePtr& variable : nest.kernel.variables) {
    result.kernel.variables.push_back(builder.variable(variable));
    made[variable.get()] = result.kernel.variables.back();
  }
  result.kernel.stores.clear();
  for (const NodePtr& node : ir::topological_order(nest.kernel.stores)) {
    if (made.contains(node.get())) continue;
    std::vector<NodePtr> inputs;
    for (const NodePtr& input : node->inputs) inputs.push_back(made.at(input.get()));
    made[node.get()] = copy(builder, *node, std::move(inputs));
  }
  for (const NodePtr& store : nest.kernel.stores) result.kernel.stores.push_back(made.at(store.get()));
  return result;
}

}  // namespace bw::compiler
