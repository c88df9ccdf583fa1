#include "compiler/attention_loops.h"

#include <algorithm>
#include <map>
#include <string>

#include "amdgpu/gfx11/limits.h"
#include "compiler/attention_graph.h"
#include "compiler/attention_pattern.h"
#include "compiler/fusion.h"
#include "compiler/loops_group.h"
#include "ir/ranges.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

constexpr int64_t kWave = amdgpu::gfx11::kWaveLanes;
constexpr int64_t kMaxColumns = 512;
// Rows, and positions: so that sums of them with what a workgroup covers fit i32.
constexpr int64_t kMaxExtent = int64_t{1} << 30;
// Sums that a workgroup keeps, rows times columns: with 4096 of them each lane of a wave has 128 in registers.
constexpr int64_t kMaxSums = 2048;
constexpr int64_t kMaxQueries = 16;
constexpr int64_t kMaxWaves = 16;
// Positions that a wave should have, at the least: what waves have found must be merged in the end.
constexpr int64_t kPositionsOfWave = 64;

// Axes of the output that one range of the kernel walks through.
struct Axes {
  std::vector<size_t> axes;
  Dim extent{1};
};

class AttentionLowering {
 public:
  AttentionLowering(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone)
      : graph_(graph), buffers_(buffers), cone_(cone), root_(cone.nodes.back()), shape_(graph.node(root_).shape) {}

  std::optional<LoopNest> run() {
    if (!deal_out_axes()) return std::nullopt;
    std::optional<LoopNest> nest = lower();
    if (!nest.has_value() || !choose_form(*nest)) return std::nullopt;
    return nest;
  }

 private:
  // Lowers with a range for each axis, and looks at what depends on which.
  bool deal_out_axes() {
    ValueLowering values(graph_, buffers_, cone_, GroupPlan{});
    Index index(shape_.size(), values.math().constant(0));
    std::vector<NodePtr> ranges(shape_.size());
    for (size_t axis = 0; axis < shape_.size(); ++axis) {
      if (shape_[axis] == Dim(1)) continue;
      index[axis] = ranges[axis] = values.builder().range(shape_[axis], RangeKind::kLoop);
    }
    const ir::Kernel kernel = kernel_of(values, index);
    const auto known = values.is_too_large() ? Result<ir::KernelRanges>(Status(StatusCode::kUnsupported, "too large"))
                                             : ir::find_ranges(kernel);
    if (!known.is_ok()) return false;
    const auto pattern = find_attention(kernel, known.value());
    if (!pattern.has_value()) return false;
    for (size_t axis = 0; axis < shape_.size(); ++axis) {
      if (ranges[axis] != nullptr && !deal_out(axis, attention_axis(*pattern, known.value(), *ranges[axis]))) {
        return false;
      }
    }
    return !columns_.axes.empty() && columns_.extent.offset <= kMaxColumns;
  }

  bool deal_out(size_t axis, AttentionAxis role) {
    switch (role) {
      case AttentionAxis::kNone:
        return false;
      case AttentionAxis::kBatch:
        return append(batch_, axis);
      case AttentionAxis::kColumn:
        return append(columns_, axis);
      case AttentionAxis::kRow:
        break;
    }
    if (rows_.extent.is_static() && shape_[axis].is_static()) return append(rows_, axis);
    // A symbolic axis is a range of its own; the other rows become batches, which read keys and values anew.
    if (shape_[axis].is_static()) return append(batch_, axis);
    if (!rows_.extent.is_static()) return false;
    for (const size_t earlier : rows_.axes) {
      if (!append(batch_, earlier)) return false;
    }
    rows_ = {{axis}, shape_[axis]};
    return true;
  }

  bool append(Axes& to, size_t axis) const {
    if (!shape_[axis].is_static()) return false;
    if (to.extent.offset > kMaxExtent / std::max<int64_t>(shape_[axis].offset, 1)) return false;
    to.axes.push_back(axis);
    to.extent.offset *= shape_[axis].offset;
    return true;
  }

  ir::Kernel kernel_of(ValueLowering& values, const Index& index) const {
    ir::Kernel kernel;
    kernel.name = "attention";
    for (const Dim& dim : shape_) {
      if (dim == Dim(1)) continue;
      kernel.name +=
          fmt::format("{}{}{}", kernel.name == "attention" ? "_" : "x", dim.is_static() ? "" : "s", dim.max());
    }
    const FlatNode& flat = graph_.nodes[root_];
    const NodePtr output = values.argument(BufferRef{false, root_}, flat.node->dtype, flat.count);
    const NodePtr position = values.math().position(index, max_extents(shape_));
    kernel.stores.push_back(values.builder().store(output, position, values.root_value(index)));
    return kernel;
  }

  std::optional<LoopNest> lower() {
    ValueLowering values(graph_, buffers_, cone_, GroupPlan{});
    LoopNest nest;
    nest.root = root_;
    Index index(shape_.size(), values.math().constant(0));
    const auto place = [&](const Axes& axes, RangeKind kind) {
      if (axes.axes.empty()) return;
      nest.grid[static_cast<size_t>(kind) - static_cast<size_t>(RangeKind::kGlobalX)] = axes.extent;
      const NodePtr range = values.builder().range(axes.extent, kind);
      std::vector<int64_t> extents;
      for (const size_t axis : axes.axes) extents.push_back(shape_[axis].max());
      const Index parts = values.math().split(range, extents);
      for (size_t i = 0; i < parts.size(); ++i) index[axes.axes[i]] = parts[i];
    };
    place(batch_, RangeKind::kGlobalZ);
    place(rows_, RangeKind::kGlobalY);
    place(columns_, RangeKind::kGlobalX);
    nest.kernel = kernel_of(values, index);
    if (values.is_too_large()) return std::nullopt;
    for (const Argument& argument : values.arguments()) {
      nest.arguments.push_back(argument.buffer);
      nest.kernel.params.push_back(argument.param);
    }
    nest.reads = values.reads();
    nest.states = values.states();
    // By name, so that equal kernels are equal however they came about.
    std::map<std::string, NodePtr> variables;
    for (const NodePtr& node : ir::topological_order(nest.kernel.stores)) {
      if (node->op == Op::kVariable) variables.emplace(node->attr<ir::VariableAttr>().name, node);
    }
    for (const auto& [name, variable] : variables) nest.kernel.variables.push_back(variable);
    return nest;
  }

  // As many rows as registers hold, in workgroups of equal size; as many waves as there is work for.
  bool choose_form(LoopNest& nest) const {
    const auto ranges = ir::find_ranges(nest.kernel);
    if (!ranges.is_ok()) return false;
    const auto pattern = find_attention(nest.kernel, ranges.value());
    if (!pattern.has_value()) return false;
    const int64_t positions = pattern->position->attr<ir::RangeAttr>().extent.max();
    const int64_t elements = pattern->element->attr<ir::RangeAttr>().extent.offset;
    const int64_t rows = std::max<int64_t>(rows_.extent.max(), 1);
    if (std::max(rows, positions) > kMaxExtent) return false;
    const int64_t most = std::clamp<int64_t>(kMaxSums / std::max(elements, columns_.extent.offset), 1, kMaxQueries);
    const int64_t tiles = (rows + most - 1) / most;
    const int64_t queries = (rows + tiles - 1) / tiles;
    int64_t waves = std::clamp<int64_t>((positions + kPositionsOfWave - 1) / kPositionsOfWave, 1, kMaxWaves);
    while (waves > 4 && waves * tiles * batch_.extent.offset > kBusyWaves) waves = (waves + 1) / 2;
    nest.form = AttentionForm{static_cast<uint32_t>(queries), static_cast<uint32_t>(waves)};
    nest.kernel.workgroup_size = static_cast<uint32_t>(waves * kWave);
    nest.group_extent = {static_cast<uint32_t>(columns_.extent.offset), static_cast<uint32_t>(queries), 1};
    return true;
  }

  const FlatGraph& graph_;
  const std::vector<bool>& buffers_;
  const Cone& cone_;
  const NodeId root_;
  const ir::Shape& shape_;
  Axes batch_;
  Axes rows_;
  Axes columns_;
};

std::optional<AttentionNodes> attention_in(const FlatGraph& graph, const Cone& cone) {
  for (const NodeId id : cone.nodes) {
    if (graph.node(id).op != Op::kReduceAdd || cone.heights.at(id) < 3) continue;
    const auto attention = find_attention(graph, id);
    if (attention.has_value()) return attention;
  }
  return std::nullopt;
}

}  // namespace

std::optional<LoopNest> lower_attention(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone) {
  const auto attention = attention_in(graph, cone);
  if (!attention.has_value() || attention->end != cone.nodes.back()) return std::nullopt;
  return AttentionLowering(graph, buffers, cone).run();
}

NodeId find_scores_to_cut(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone) {
  const auto attention = attention_in(graph, cone);
  return attention.has_value() && !is_loaded(graph, buffers, attention->score) ? attention->score : kNoNode;
}

}  // namespace bw::compiler
