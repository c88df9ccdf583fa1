#include "compiler/loops.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_set>

#include "amdgpu/gfx11/limits.h"
#include "compiler/attention_loops.h"
#include "compiler/contraction_match.h"
#include "compiler/cost_model.h"
#include "compiler/fusion.h"
#include "compiler/fusion_shared.h"
#include "compiler/loops_cone.h"
#include "compiler/loops_group.h"
#include "compiler/loops_lanes.h"
#include "compiler/loops_traffic.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

// Lanes work on one element together where there are few elements and much to reduce for each (fewer elements than this
// fill only two waves), or where what a reduction loads lies in memory in the order in which it is consumed.
constexpr int64_t kGroupOutputs = 64;
constexpr int64_t kGroupTrips = 256;
constexpr int64_t kMinRunTrips = 16;
// Places of the grid that load the same element, at most: more than that want a tile of registers.
constexpr int64_t kMaxReuse = 2;
// Outputs of a group that share a vector.
constexpr int64_t kMaxGroupTile = 8;
// Elements of a row that a lane keeps in registers.
constexpr int64_t kMaxRowElements = 32;
// Trips of a reduction that a lane may carry out alone for each element of its row.
constexpr int64_t kMaxSerialTrips = 64;

// Waves that share the columns of a reduction, each with some rows of its own: up to kBusyWaves.
constexpr int64_t kWaveLanes = amdgpu::gfx11::kWaveLanes;
constexpr int64_t kMaxStridedLanes = 16;
constexpr int64_t kMinColumnSteps = 64;
constexpr int64_t kMaxPartialBytes = 16384;

// Lanes that must be left when each computes a tile of a matrix product: a wave for every third SIMD, whose tile then
// has enough independent sums to keep it busy.
constexpr int64_t kMinTiledLanes = 2048;
// The same for neighbouring elements of an elementwise kernel: a load of 16 bytes instead of four of 4.
constexpr int64_t kMinVectorLanes = 24576;

class RootLowering {
 public:
  RootLowering(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId root, const LoweringChoice& choice)
      : graph_(graph),
        buffers_(buffers),
        root_(root),
        way_(choice.way),
        rank_(choice.rank),
        cone_(find_cone(graph, buffers, root)) {}

  Result<LoweredRoot> run() {
    if (std::optional<LoopNest> nest = lower_attention(graph_, buffers_, cone_)) {
      return LoweredRoot{*std::move(nest), kNoNode};
    }
    if (const NodeId scores = find_scores_to_cut(graph_, buffers_, cone_); scores != kNoNode) {
      return LoweredRoot{{}, scores};
    }
    if (std::optional<Lowered> rows = lower_rows()) return LoweredRoot{std::move(rows->nest), kNoNode};
    LanePlan plan = plan_lanes(output_shape(), Cooperation::kNone);
    std::optional<Lowered> alone = lower(plan, {});
    if (!alone.has_value()) return cut();
    if (alone->overwrites_what_it_reads) return copy_first();
    if (std::optional<Lowered> product = lower_product(*alone)) return LoweredRoot{std::move(product->nest), kNoNode};
    if (std::optional<Lowered> grouped = lower_group(*alone)) return LoweredRoot{std::move(grouped->nest), kNoNode};
    if (std::optional<Lowered> columns = lower_columns(*alone)) return LoweredRoot{std::move(columns->nest), kNoNode};
    if (way_ == Way::kTiles) return LoweredRoot{};
    if (choose_tile(*alone, plan)) {
      std::optional<Lowered> tiled = lower(plan, {});
      if (tiled.has_value()) alone = std::move(tiled);
    } else if (std::optional<Lowered> paired = lower_pairs(plan, {}, *alone)) {
      alone = std::move(paired);
    }
    if (rank_ > 0) return LoweredRoot{};
    return LoweredRoot{std::move(alone->nest), kNoNode};
  }

 private:
  using Way = LoweringChoice::Way;

  // A kernel by one plan, and what is to be known of it before another is tried.
  struct Lowered {
    LoopNest nest;
    bool overwrites_what_it_reads = false;  // a lane could load what another has stored
    bool reads_output = false;
    bool is_exact = true;   // no two lanes have the same element of a row
    bool shared_x = false;  // lanes along x load the same elements inside their loops
    bool shared_y = false;
  };

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

  // The axes at the end of the output that are as long, together, as what each reduction consumes: 0 if there are none,
  // or if a reduction is one for each element of the output and more than a lane should do alone.
  size_t row_axes(int64_t* row) const {
    const ir::Shape& shape = output_shape();
    size_t axes = 0;
    *row = 1;
    while (axes < shape.size() && *row < cone_.longest_trips && shape[shape.size() - 1 - axes].is_static()) {
      *row *= shape[shape.size() - 1 - axes++].offset;
    }
    if (axes == 0 || *row != cone_.longest_trips || *row < 2) return 0;
    const int64_t rows = ir::max_element_count(shape) / *row;
    for (const auto& [id, height] : cone_.heights) {
      const FlatNode& flat = graph_.nodes[id];
      const int64_t trips = graph_.nodes[flat.inputs[0]].count / std::max<int64_t>(flat.count, 1);
      if (flat.count > rows && trips > kMaxSerialTrips) return 0;
      if (flat.count > rows && trips == *row) return 0;
    }
    return axes;
  }

  // Whether each element of the output is what becomes of a row of its own, by several reductions over it.
  bool is_of_rows() const {
    if (cone_.max_height < 2) return false;
    const int64_t outputs = ir::max_element_count(output_shape());
    return std::all_of(cone_.heights.begin(), cone_.heights.end(), [&](const auto& reduction) {
      const auto [id, height] = reduction;
      if (graph_.nodes[id].count > outputs) return trips(graph_, id) <= kMaxSerialTrips;
      return graph_.nodes[id].count == outputs && row_of(graph_, id) == cone_.longest_trips;
    });
  }

  // A group of lanes for each row, which stays in registers between the reductions over it and the stores.
  std::optional<Lowered> lower_rows() {
    int64_t row = 1;
    const size_t axes = cone_.max_height == 0 ? 0 : row_axes(&row);
    if (axes == 0) row = is_of_rows() ? cone_.longest_trips : 0;
    if (row < 2) return std::nullopt;
    const int64_t bytes = ir::size_bytes(graph_.node(root_).dtype);
    const int64_t width = std::gcd(row, kLoadBytes / std::max<int64_t>(bytes, 2));
    const GroupWork work{.outputs = std::max<int64_t>(ir::max_element_count(output_shape()) / (axes == 0 ? 1 : row), 1),
                         .trips = row,
                         .width = width,
                         .element_bytes = bytes,
                         .max_steps = kMaxRowElements / width};
    const bool fits = row <= int64_t{ir::kMaxWorkgroupSize} * kMaxRowElements;
    const std::vector<GroupChoice> choices =
        fits ? rank_groups(work) : std::vector<GroupChoice>{{ir::kMaxWorkgroupSize, 1}};
    const GroupChoice* choice = ranked(choices);
    if (choice == nullptr) return std::nullopt;
    const GroupPlan group{choice->lanes, width, fits ? row : 0};
    LanePlan plan = plan_lanes(output_shape(), Cooperation::kGroup, axes);
    row_axes_ = axes;
    std::optional<Lowered> rows = lower(plan, group);
    row_axes_ = 0;
    if (!rows.has_value() || rows->overwrites_what_it_reads) return std::nullopt;
    // What lanes at the end of a row do twice they must not do to what they read.
    if (rows->reads_output && !rows->is_exact) return std::nullopt;
    return rows;
  }

  // As a matrix product through LDS, where it is one for which that is predicted to be faster.
  std::optional<Lowered> lower_product(const Lowered& alone) {
    if (cone_.max_height != 1 || alone.reads_output || way_ == Way::kLanes) return std::nullopt;
    LanePlan each = plan_axes(output_shape());
    const std::optional<Lowered> lowered = each.ranges.size() < 2 ? std::nullopt : lower(each, {});
    if (!lowered) return std::nullopt;
    const std::optional<ContractionAxes> axes = find_contraction_axes(lowered->nest.kernel, ranges_);
    if (!axes) return std::nullopt;
    // Along x lie the axes of the operand that the fastest axis of the output belongs to.
    const bool first_is_x = (axes->first >> (each.ranges.size() - 1) & 1) != 0;
    std::optional<LanePlan> plan = plan_product(each, first_is_x ? axes->second : axes->first,
                                                first_is_x ? axes->first : axes->second, axes->both);
    std::optional<Lowered> product = plan ? lower(*plan, {}) : std::nullopt;
    const std::optional<Contraction> contraction = product ? match_contraction(product->nest.kernel) : std::nullopt;
    std::optional<ContractionForm> form = contraction ? choose_form(*contraction) : std::nullopt;
    if (contraction && way_ == Way::kTiles) {
      const std::vector<ContractionForm> forms = candidate_forms(*contraction);
      if (!forms.empty()) form = forms[0];
    }
    if (!form) return std::nullopt;
    product->nest.form = *form;
    product->nest.kernel.workgroup_size = form->lanes();
    product->nest.group_extent = {form->block_n, form->block_m, 1};
    return product;
  }

  // `alone` is the kernel in which each lane works alone.
  std::optional<Lowered> lower_group(const Lowered& alone) {
    if (cone_.max_height == 0) return std::nullopt;
    const int64_t outputs = std::max<int64_t>(ir::max_element_count(output_shape()), 1);
    const int64_t trips = cone_.longest_trips;
    const Traffic traffic = find_traffic(alone.nest.kernel).value_or(Traffic{});
    const bool is_few = outputs <= kGroupOutputs && trips >= kGroupTrips && cone_.max_height == 1;
    const bool is_run = traffic.along_reduction && !traffic.along_output && traffic.reuse <= kMaxReuse &&
                        trips >= std::max(kMinRunTrips, 2 * traffic.width);
    if (!is_few && !is_run) return std::nullopt;
    const int64_t width = traffic.along_reduction ? std::gcd(traffic.width, trips) : 1;
    std::vector<GroupChoice> choices =
        rank_groups({.outputs = outputs,
                     .trips = trips,
                     .width = width,
                     .element_bytes = traffic.element_bytes,
                     .max_tile = alone.shared_x && !alone.reads_output ? kMaxGroupTile : 1});
    if (choices.empty() || choices[0].lanes == 1) return std::nullopt;
    std::erase_if(choices, [](const GroupChoice& each) { return each.lanes == 1; });
    const GroupChoice* ranking = ranked(choices);
    if (ranking == nullptr) return std::nullopt;
    const GroupChoice choice = *ranking;
    LanePlan plan = plan_lanes(output_shape(), Cooperation::kGroup);
    set_tile(plan, choice.tile, 1, 1);
    const GroupPlan group{choice.lanes, width, 0};
    std::optional<Lowered> grouped = lower(plan, group);
    if (!grouped.has_value() || grouped->overwrites_what_it_reads) return std::nullopt;
    if (choice.tile > 1) return grouped;
    std::optional<Lowered> paired = lower_pairs(plan, group, *grouped);
    return paired.has_value() ? std::move(paired) : std::move(grouped);
  }

  // LDS in which the lanes of strided groups leave what they have of each reduction.
  static int64_t partial_bytes(const LoopNest& nest) {
    if (nest.form == KernelForm(LaneForm{})) return 0;
    int64_t bytes = 0;
    for (const NodePtr& node : ir::topological_order(nest.kernel.stores)) {
      if (ir::is_reduce(node->op)) bytes += std::max<int64_t>(ir::size_bytes(node->dtype), 4);
    }
    return bytes * nest.kernel.workgroup_size;
  }

  // Where neighbours in memory belong to neighbouring outputs (sums of columns, a vector times a matrix), lanes lie
  // along the outputs, with 16 bytes of them each, and the waves of a workgroup share the reduction if there are few.
  std::optional<Lowered> lower_columns(const Lowered& alone) {
    if (cone_.max_height != 1 || alone.reads_output) return std::nullopt;
    const Traffic traffic = find_traffic(alone.nest.kernel).value_or(Traffic{});
    if (!traffic.along_output || traffic.reuse > kMaxReuse) return std::nullopt;
    LanePlan plan = plan_lanes(output_shape(), Cooperation::kGroup);
    int64_t tile = std::max<int64_t>(kLoadBytes / traffic.element_bytes, 1);
    while (tile > 1 && !set_tile(plan, tile, 1, kWaveLanes)) tile /= 2;
    const int64_t waves = std::max<int64_t>(plan.count_lanes() / kWaveLanes, 1);
    int64_t lanes = 1;
    while (lanes < kMaxStridedLanes && waves * lanes < kBusyWaves &&
           cone_.longest_trips >= 2 * lanes * kMinColumnSteps) {
      lanes *= 2;
    }
    if (tile == 1 && lanes == 1) return std::nullopt;
    std::vector<int64_t> shares{lanes};
    for (int64_t factor = 2; factor <= kMaxStridedLanes; factor *= 2) {
      if (lanes % factor == 0) shares.push_back(lanes / factor);
      if (lanes * factor <= std::min(kMaxStridedLanes, cone_.longest_trips / 2)) shares.push_back(lanes * factor);
    }
    const int64_t* share = ranked(shares);
    if (share == nullptr) return std::nullopt;
    lanes = *share;
    std::optional<Lowered> columns;
    do {
      GroupPlan group;
      if (lanes > 1) group = {.lanes = static_cast<uint32_t>(lanes), .is_strided = true};
      columns = lower(plan, group);
      lanes /= 2;
    } while (columns.has_value() && lanes > 0 && partial_bytes(columns->nest) > kMaxPartialBytes);
    if (!columns.has_value() || columns->overwrites_what_it_reads) return std::nullopt;
    return columns;
  }

  // Neighbours that are made of the same reductions (a rotated pair) are computed together at no extra cost.
  std::optional<Lowered> lower_pairs(LanePlan& plan, const GroupPlan& group, const Lowered& single) {
    if (single.reads_output || cone_.max_height == 0 || !set_tile(plan, 2, 1, 1)) return std::nullopt;
    std::optional<Lowered> paired = lower(plan, group);
    if (!paired.has_value() || count_reductions(paired->nest) > count_reductions(single.nest)) return std::nullopt;
    return paired;
  }

  static size_t count_reductions(const LoopNest& nest) {
    const std::vector<NodePtr> order = ir::topological_order(nest.kernel.stores);
    return std::count_if(order.begin(), order.end(), [](const NodePtr& node) { return ir::is_reduce(node->op); });
  }

  // The choice that is asked for, of those of a plan, the model's first; null if it comes after all of them.
  template <typename Choice>
  const Choice* ranked(const std::vector<Choice>& choices) {
    if (rank_ < choices.size()) return &choices[rank_];
    rank_ -= choices.size();
    return nullptr;
  }

  // Nothing if the kernel would be too large.
  std::optional<Lowered> lower(LanePlan& plan, const GroupPlan& group) {
    ValueLowering values(graph_, buffers_, cone_, group);
    Lowered lowered;
    LoopNest& nest = lowered.nest;
    nest.root = root_;
    ranges_.clear();
    is_exact_ = true;
    for (const LaneAxis& lanes : plan.ranges) {
      const Dim extent = lanes.places();
      ranges_.push_back(values.builder().range(extent, lanes.kind));
      if (lanes.kind != RangeKind::kLoop) nest.grid[static_cast<size_t>(lanes.kind) - 1] = extent;
    }
    const FlatNode& flat = graph_.nodes[root_];
    const bool is_store = flat.node->op == Op::kStore;
    const BufferRef target = is_store ? values.buffer_of(root_) : BufferRef{false, root_};
    const NodePtr output = values.argument(target, flat.node->dtype, flat.count);
    add_stores(values, plan, output, nest);
    if (values.is_too_large()) return std::nullopt;
    lowered.overwrites_what_it_reads = loads_elsewhere(values, target, output, nest);
    lowered.is_exact = is_exact_;
    lowered.shared_x = is_shared_along(values, plan, RangeKind::kGlobalX);
    lowered.shared_y = is_shared_along(values, plan, RangeKind::kGlobalY);
    finish(values, plan, group, nest);
    lowered.reads_output = std::any_of(values.loads().begin(), values.loads().end(),
                                       [&](const NodePtr& load) { return load->inputs[0] == output; });
    return lowered;
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
  Index element_index(ValueLowering& values, const LanePlan& plan, int64_t element) {
    ir::KernelBuilder& builder = values.builder();
    const ir::Shape& shape = output_shape();
    Index index(shape.size(), values.math().constant(0));
    for (size_t i = 0; i < plan.ranges.size(); ++i) {
      const LaneAxis& lanes = plan.ranges[i];
      NodePtr first = builder.mul(ranges_[i], lanes.tile);
      if (lanes.is_overlapping()) first = values.math().clamp(first, lanes.extent.offset - lanes.tile + 1);
      const NodePtr at = builder.add(first, element % lanes.tile);
      element /= lanes.tile;
      std::vector<int64_t> extents;
      for (size_t axis : lanes.axes) extents.push_back(shape[axis].max());
      const Index parts = values.math().split(at, extents);
      for (size_t j = 0; j < parts.size(); ++j) index[lanes.axes[j]] = parts[j];
    }
    if (row_axes_ == 0) return index;
    std::vector<int64_t> extents;
    int64_t row = 1;
    for (size_t axis = shape.size() - row_axes_; axis < shape.size(); ++axis) {
      extents.push_back(shape[axis].offset);
      row *= shape[axis].offset;
    }
    const Index parts = values.math().split(values.row_position(row, &is_exact_), extents);
    std::copy(parts.begin(), parts.end(), index.end() - static_cast<ptrdiff_t>(row_axes_));
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

  // Whether lanes along a dimension of the grid load the same elements inside their loops.
  bool is_shared_along(ValueLowering& values, const LanePlan& plan, RangeKind kind) const {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      if (plan.ranges[i].kind != kind) continue;
      for (const NodePtr& load : values.loads()) {
        if (values.is_in_loop(load) && !depends_on(load, ranges_[i])) return true;
      }
    }
    return false;
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

  // As many neighbours a lane as make 16 bytes of the largest elements that all lanes load or store, so that what a
  // wave accesses at once is in one piece; fewer where too few lanes would be left.
  static bool choose_vector(const LoopNest& alone, LanePlan& plan) {
    const std::vector<NodePtr>& params = alone.kernel.params;
    int64_t bytes = 1;
    for (const NodePtr& param : params) {
      if (param->shape[0].offset < params[0]->shape[0].offset) continue;
      bytes = std::max<int64_t>(bytes, ir::size_bytes(param->dtype));
    }
    for (int64_t tile = kLoadBytes / bytes; tile > 1; tile /= 2) {
      if (set_tile(plan, tile, 1, kMinVectorLanes) || set_overlapping_tile(plan, tile, kMinVectorLanes)) return true;
    }
    return false;
  }

  // True if the plan has changed. `alone` is the kernel without a tile.
  bool choose_tile(const Lowered& alone, LanePlan& plan) {
    if (alone.reads_output) return false;
    if (cone_.max_height == 0) return choose_vector(alone.nest, plan);
    // Rather high than wide: along x lie the rows of a weight matrix, mostly, and dequantising them is what is shared.
    constexpr std::pair<int64_t, int64_t> kTiles[] = {{4, 4}, {2, 4}, {4, 2}, {2, 2}, {1, 4}, {4, 1}, {1, 2}, {2, 1}};
    for (const auto& [x, y] : kTiles) {
      if ((x > 1 && !alone.shared_x) || (y > 1 && !alone.shared_y)) continue;
      LanePlan tiled = plan;
      if (!set_tile(tiled, x, y, kMinTiledLanes)) continue;
      if (rank_ == 0) {
        plan = std::move(tiled);
        return true;
      }
      --rank_;
    }
    return false;
  }

  void finish(ValueLowering& values, LanePlan& plan, const GroupPlan& group, LoopNest& nest) {
    const uint32_t lanes = std::max(group.lanes, 1u);
    nest.kernel.workgroup_size = group.is_strided ? lanes * kWaveLanes : choose_workgroup_size(plan, lanes);
    if (group.is_strided) nest.form = LaneForm{LaneForm::Groups::kStrided};
    nest.group_extent[0] = nest.kernel.workgroup_size / lanes;
    for (const Argument& argument : values.arguments()) {
      nest.arguments.push_back(argument.buffer);
      nest.kernel.params.push_back(argument.param);
    }
    nest.reads = values.reads();
    nest.states = values.states();
    nest.kernel.name = kernel_name(graph_, buffers_, cone_, root_);
    // By name, so that equal kernels are equal however they came about.
    std::map<std::string, NodePtr> variables;
    for (const NodePtr& node : ir::topological_order(nest.kernel.stores)) {
      if (node->op == Op::kVariable) variables.emplace(node->attr<ir::VariableAttr>().name, node);
    }
    for (const auto& [name, variable] : variables) nest.kernel.variables.push_back(variable);
  }

  const FlatGraph& graph_;
  const std::vector<bool>& buffers_;
  const NodeId root_;
  const Way way_;
  size_t rank_;  // of those plans that were not yet looked at
  const Cone cone_;
  std::vector<NodePtr> ranges_;  // of the last lower(), in the order of the plan
  size_t row_axes_ = 0;          // of the output, dealt out to the lanes of a group
  bool is_exact_ = true;         // whether no two lanes have the same element of a row
};

}  // namespace

Result<LoweredRoot> lower_to_loops(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId root,
                                   const LoweringChoice& choice) {
  return RootLowering(graph, buffers, root, choice).run();
}

}  // namespace bw::compiler
