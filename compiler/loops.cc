#include "compiler/loops.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>

#include "compiler/fusion.h"
#include "compiler/loops_cone.h"
#include "compiler/loops_lanes.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

// A workgroup works on one element together where there are few elements and much to reduce for each: fewer elements
// than this fill only two waves.
constexpr int64_t kGroupOutputs = 64;
constexpr int64_t kGroupTrips = 256;
// Steps that each lane of a group takes, about; more lanes than that spend their time on combining results.
constexpr int64_t kGroupSteps = 8;
constexpr int64_t kMinGroup = 32;
constexpr int64_t kMaxGroup = 256;

// Lanes that must be left when each computes a tile of a matrix product: a wave for every third SIMD, whose tile then
// has enough independent sums to keep it busy.
constexpr int64_t kMinTiledLanes = 2048;
// The same for four neighbouring elements of an elementwise kernel: a load of 16 bytes instead of four of 4.
constexpr int64_t kMinVectorLanes = 24576;

class RootLowering {
 public:
  RootLowering(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId root)
      : graph_(graph), buffers_(buffers), root_(root), cone_(find_cone(graph, buffers, root)) {}

  Result<LoweredRoot> run() {
    const ir::Shape& shape = output_shape();
    const uint32_t group = group_lanes();
    LanePlan plan = plan_lanes(shape, group > 0 ? Cooperation::kGroup : Cooperation::kNone);
    std::optional<LoopNest> nest = lower(plan, group);
    if (!nest.has_value()) return cut();
    if (overwrites_what_it_reads_) return copy_first();
    if (group == 0 && choose_tile(plan)) {
      std::optional<LoopNest> tiled = lower(plan, group);
      if (tiled.has_value()) nest = std::move(tiled);
    } else if (group == 0 && !reads_output_ && cone_.max_height > 0 && set_tile(plan, 2, 1, 1)) {
      // Neighbours that are made of the same reductions (a rotated pair) are computed by one lane at no extra cost.
      const size_t reductions = count_reductions(*nest);
      std::optional<LoopNest> paired = lower(plan, group);
      if (paired.has_value() && count_reductions(*paired) <= reductions) nest = std::move(paired);
    }
    return LoweredRoot{*std::move(nest), kNoNode};
  }

 private:
  // Of the elements that the kernel stores.
  const ir::Shape& output_shape() const {
    const FlatNode& flat = graph_.nodes[root_];
    return flat.node->op == Op::kStore ? graph_.node(flat.inputs[1]).shape : flat.node->shape;
  }

  Result<LoweredRoot> cut() const {
    const NodeId node = choose_cut(graph_, cone_, kMaxPoints);
    if (node != kNoNode) return LoweredRoot{{}, node};
    return error(StatusCode::kUnsupported, "scheduling {}: too much for one kernel",
                 ir::print_node(graph_.node(root_)));
  }

  // What a store writes becomes a buffer before, where it is made of what the store overwrites.
  Result<LoweredRoot> copy_first() const {
    const NodeId written = graph_.nodes[root_].inputs[1];
    if (!buffers_[written]) return LoweredRoot{{}, written};
    return error(StatusCode::kUnsupported, "scheduling {}: it moves what it overwrites (make the value contiguous)",
                 ir::print_node(graph_.node(root_)));
  }

  uint32_t group_lanes() const {
    const int64_t trips = cone_.longest_trips;
    if (ir::max_element_count(output_shape()) > kGroupOutputs || trips < kGroupTrips || cone_.max_height != 1) return 0;
    const auto lanes = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(trips / kGroupSteps)));
    return static_cast<uint32_t>(std::clamp(lanes, kMinGroup, kMaxGroup));
  }

  static size_t count_reductions(const LoopNest& nest) {
    const std::vector<NodePtr> order = ir::topological_order(nest.kernel.stores);
    return std::count_if(order.begin(), order.end(), [](const NodePtr& node) { return ir::is_reduce(node->op); });
  }

  // Nothing if the kernel would be too large.
  std::optional<LoopNest> lower(LanePlan& plan, uint32_t group) {
    ValueLowering values(graph_, buffers_, cone_, group);
    LoopNest nest;
    nest.root = root_;
    ranges_.clear();
    for (const LaneAxis& lanes : plan.ranges) {
      const Dim extent = lanes.tile == 1 ? lanes.extent : Dim(lanes.extent.offset / lanes.tile);
      ranges_.push_back(values.builder().range(extent, lanes.kind));
      if (lanes.kind != RangeKind::kLoop) nest.grid[static_cast<size_t>(lanes.kind) - 1] = extent;
    }
    const FlatNode& flat = graph_.nodes[root_];
    const bool is_store = flat.node->op == Op::kStore;
    const BufferRef target = is_store ? values.buffer_of(root_) : BufferRef{false, root_};
    const NodePtr output = values.argument(target, flat.node->dtype, flat.count);
    add_stores(values, plan, output, nest);
    overwrites_what_it_reads_ = loads_elsewhere(values, target, output, nest);
    if (values.is_too_large()) return std::nullopt;
    note_sharing(values);
    finish(values, plan, group, nest);
    return nest;
  }

  // One store for each element of the tile.
  void add_stores(ValueLowering& values, const LanePlan& plan, const NodePtr& output, LoopNest& nest) {
    int64_t count = 1;
    for (const LaneAxis& lanes : plan.ranges) count *= lanes.tile;
    for (int64_t element = 0; element < count && !values.is_too_large(); ++element) {
      const Index index = element_index(values, plan, element);
      nest.kernel.stores.push_back(
          values.builder().store(output, output_position(values, index), values.root_value(index)));
    }
  }

  // The index of an element of the tile of a lane, `element` counting along x first.
  Index element_index(ValueLowering& values, const LanePlan& plan, int64_t element) const {
    ir::KernelBuilder& builder = values.builder();
    const ir::Shape& shape = output_shape();
    Index index(shape.size(), values.math().constant(0));
    for (size_t i = 0; i < plan.ranges.size(); ++i) {
      const LaneAxis& lanes = plan.ranges[i];
      const NodePtr at = builder.add(builder.mul(ranges_[i], lanes.tile), element % lanes.tile);
      element /= lanes.tile;
      std::vector<int64_t> extents;
      for (size_t axis : lanes.axes) extents.push_back(shape[axis].max());
      const Index parts = values.math().split(at, extents);
      for (size_t j = 0; j < parts.size(); ++j) index[lanes.axes[j]] = parts[j];
    }
    return index;
  }

  // Where an element goes: for a kStore through its view to the param.
  NodePtr output_position(ValueLowering& values, Index index) {
    const ir::Node* target = &graph_.node(root_);
    if (target->op == Op::kStore) {
      for (target = target->inputs[0].get(); !is_memory(*target); target = target->inputs[0].get()) {
        index = values.math().source_index(*target, index);
      }
    }
    return values.math().position(index, max_extents(target->shape));
  }

  // Whether a lane could load what another lane overwrites.
  static bool loads_elsewhere(const ValueLowering& values, const BufferRef& target, const NodePtr& output,
                              const LoopNest& nest) {
    if (!target.is_param) return false;
    for (const Argument& argument : values.arguments()) {
      if (argument.buffer == target && argument.param != output) return true;
    }
    for (const NodePtr& load : values.loads()) {
      if (load->inputs[0] != output) continue;
      if (nest.kernel.stores.size() != 1 || nest.kernel.stores[0]->inputs[1] != load->inputs[1]) return true;
    }
    return false;
  }

  // Finds the ranges along which lanes load the same elements inside their loops.
  void note_sharing(ValueLowering& values) {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      shared_[i] = false;
      for (const NodePtr& load : values.loads()) {
        if (values.is_in_loop(load) && !depends_on(load, ranges_[i])) shared_[i] = true;
      }
    }
  }

  static bool depends_on(const NodePtr& expression, const NodePtr& range) {
    std::unordered_set<const ir::Node*> seen{expression.get()};
    std::vector<const ir::Node*> open{expression.get()};
    while (!open.empty()) {
      const ir::Node* node = open.back();
      open.pop_back();
      if (node == range.get()) return true;
      for (const NodePtr& input : node->inputs) {
        if (seen.insert(input.get()).second) open.push_back(input.get());
      }
    }
    return false;
  }

  // True if the plan has changed.
  bool choose_tile(LanePlan& plan) {
    if (reads_output_) return false;
    if (cone_.max_height == 0) return set_tile(plan, 4, 1, kMinVectorLanes);
    bool along_x = false;
    bool along_y = false;
    for (size_t i = 0; i < plan.ranges.size(); ++i) {
      along_x |= plan.ranges[i].kind == RangeKind::kGlobalX && shared_[i];
      along_y |= plan.ranges[i].kind == RangeKind::kGlobalY && shared_[i];
    }
    // Rather high than wide: along x lie the rows of a weight matrix, mostly, and dequantising them is what is shared.
    constexpr std::pair<int64_t, int64_t> kTiles[] = {{4, 4}, {2, 4}, {4, 2}, {2, 2}, {1, 4}, {4, 1}, {1, 2}, {2, 1}};
    for (const auto& [x, y] : kTiles) {
      if ((x > 1 && !along_x) || (y > 1 && !along_y)) continue;
      if (set_tile(plan, x, y, kMinTiledLanes)) return true;
    }
    return false;
  }

  void finish(ValueLowering& values, LanePlan& plan, uint32_t group, LoopNest& nest) {
    nest.kernel.workgroup_size = group > 0 ? group : choose_workgroup_size(plan);
    if (group == 0) nest.group_extent[0] = nest.kernel.workgroup_size;
    for (const Argument& argument : values.arguments()) {
      nest.arguments.push_back(argument.buffer);
      nest.kernel.params.push_back(argument.param);
    }
    reads_output_ = std::any_of(values.loads().begin(), values.loads().end(),
                                [&](const NodePtr& load) { return load->inputs[0] == nest.kernel.params[0]; });
    nest.reads = values.reads();
    nest.states = values.states();
    nest.kernel.name = kernel_name();
    // By name, so that equal kernels are equal however they came about.
    std::map<std::string, NodePtr> variables;
    for (const NodePtr& node : ir::topological_order(nest.kernel.stores)) {
      if (node->op == Op::kVariable) variables.emplace(node->attr<ir::VariableAttr>().name, node);
    }
    for (const auto& [name, variable] : variables) nest.kernel.variables.push_back(variable);
  }

  // What the kernel does last and for how many elements: "reduce_add_8x32"; symbolic extents are marked "s", and their
  // largest value stands for them.
  std::string kernel_name() const {
    NodeId id = root_;
    if (graph_.node(id).op == Op::kStore) id = graph_.nodes[id].inputs[1];
    while (!is_loaded_or_leaf(id) && (ir::is_movement(graph_.node(id).op) || graph_.node(id).op == Op::kContiguous)) {
      id = graph_.nodes[id].inputs[0];
    }
    std::string name(cone_.max_height > 0 && !ir::is_reduce(graph_.node(id).op) ? "reduce_" : "");
    name += ir::name(graph_.node(id).op);
    const char* separator = "_";
    for (const Dim& dim : output_shape()) {
      if (dim == Dim(1)) continue;
      name += fmt::format("{}{}{}", separator, dim.is_static() ? "" : "s", dim.max());
      separator = "x";
    }
    return name;
  }

  bool is_loaded_or_leaf(NodeId id) const {
    return graph_.nodes[id].inputs.empty() || (id != root_ && is_loaded(graph_, buffers_, id));
  }

  const FlatGraph& graph_;
  const std::vector<bool>& buffers_;
  const NodeId root_;
  const Cone cone_;
  std::vector<NodePtr> ranges_;  // of the last lower(), in the order of the plan
  std::map<size_t, bool> shared_;
  bool overwrites_what_it_reads_ = false;
  bool reads_output_ = false;
};

}  // namespace

Result<LoweredRoot> lower_to_loops(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId root) {
  return RootLowering(graph, buffers, root).run();
}

}  // namespace bw::compiler
