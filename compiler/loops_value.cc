#include "compiler/loops_value.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "compiler/fusion.h"
#include "ir/infer.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

// Of loops of stores, in place of a reduction's height.
constexpr int kStoreHeight = std::numeric_limits<int>::max();
// Stands for the ranges that deal elements out to a group's lanes, in a set of loops; above kMaxLoops.
constexpr uint64_t kSharedRanges = uint64_t{1} << 63;
static_assert(kMaxLoops < 63);

// The axes of a reduction that lanes share: all as one, or the longest where that cannot be.
std::vector<size_t> axes_to_share(const ir::Shape& shape, const std::vector<size_t>& axes) {
  int64_t total = 1;
  bool as_one = true;
  for (size_t axis : axes) {
    as_one = as_one && shape[axis].is_static();
    total *= shape[axis].max();
  }
  if (as_one && total <= std::numeric_limits<int32_t>::max()) return axes;
  return {
      *std::max_element(axes.begin(), axes.end(), [&](size_t a, size_t b) { return shape[a].max() < shape[b].max(); })};
}

}  // namespace

size_t ValueLowering::PointHash::operator()(const Point& point) const {
  size_t hash = point.id;
  for (const NodePtr& part : point.index) {
    hash = (hash ^ (reinterpret_cast<uintptr_t>(part.get()) >> 4)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

ValueLowering::ValueLowering(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone,
                             const GroupPlan& group)
    : graph_(graph), buffers_(buffers), cone_(cone), group_(group) {
  if (group_.lanes == 0) return;
  group_range_ = builder_.range(group_.lanes, RangeKind::kGroup);
  loops_of_[group_range_.get()].around = kSharedRanges;
}

BufferRef ValueLowering::buffer_of(NodeId id) const {
  const Node& node = graph_.node(id);
  if (node.op == Op::kStore || (is_memory(node) && !buffers_[id])) return {true, memory_param_id(node)};
  return {false, id};
}

NodePtr ValueLowering::argument(const BufferRef& buffer, DType dtype, int64_t count) {
  for (const Argument& known : arguments_) {
    if (known.buffer == buffer && known.param->dtype == dtype && known.param->shape[0].offset == count) {
      return known.param;
    }
  }
  const size_t position = arguments_.size();
  arguments_.push_back({buffer, builder_.param(position, fmt::format("b{}", position), dtype, {count})});
  too_large_ |= arguments_.size() > kMaxArguments;
  return arguments_.back().param;
}

NodePtr ValueLowering::zero(DType dtype) {
  return builder_.constant(dtype, ir::is_float(dtype) ? ir::Scalar(0.0) : ir::Scalar(int64_t{0}));
}

NodePtr ValueLowering::identity(Op op, DType dtype) {
  const bool real = ir::is_float(dtype);
  if (op == Op::kReduceAdd) return zero(dtype);
  if (op == Op::kReduceMul) return builder_.constant(dtype, real ? ir::Scalar(1.0) : ir::Scalar(int64_t{1}));
  if (real) return builder_.constant(dtype, -std::numeric_limits<double>::infinity());
  return builder_.constant(dtype, dtype == DType::kBool ? 0 : ir::min_integer(dtype));
}

NodePtr ValueLowering::root_value(const Index& index) {
  const NodeId root = cone_.nodes.back();
  if (graph_.node(root).op == Op::kStore) return value(graph_.nodes[root].inputs[1], index);
  Index normal = index;
  for (size_t axis = 0; axis < normal.size(); ++axis) {
    if (graph_.node(root).shape[axis] == Dim(1)) normal[axis] = math_.constant(0);
  }
  return compute(root, normal);
}

// Recursion is as deep as the fusion lets a kernel be.
NodePtr ValueLowering::value(NodeId id, Index index) {
  const Node& node = graph_.node(id);
  BW_CHECK(index.size() == node.shape.size());
  if (too_large_ || is_empty(node.shape)) return zero(node.dtype);
  for (size_t axis = 0; axis < index.size(); ++axis) {
    if (node.shape[axis] == Dim(1)) index[axis] = math_.constant(0);
  }
  Point point{id, std::move(index)};
  const auto known = known_.find(point);
  if (known != known_.end()) return known->second;
  NodePtr result = is_loaded(graph_, buffers_, id) ? load(id, point.index) : compute(id, point.index);
  too_large_ |= known_.size() >= kMaxPoints;
  known_.emplace(std::move(point), result);
  return result;
}

NodePtr ValueLowering::compute(NodeId id, const Index& index) {
  const Node& node = graph_.node(id);
  const std::vector<NodeId>& inputs = graph_.nodes[id].inputs;
  if (is_memory(node)) return load(id, index);
  if (ir::is_elementwise(node.op)) return elementwise(id, index);
  if (ir::is_reduce(node.op)) return reduce(id, index);
  switch (node.op) {
    case Op::kConst:
      return builder_.constant(node.dtype, node.attr<ir::ConstAttr>().value);
    case Op::kVariable:
      return builder_.variable(graph_.nodes[id].node);
    case Op::kRange:
      return builder_.op(Op::kCast, node.dtype, {index[0]});
    case Op::kContiguous:
      return value(inputs[0], index);
    case Op::kPad:
      return pad(id, index);
    case Op::kGather:
      return gather(id, index);
    default:
      return value(inputs[0], math_.source_index(node, index));
  }
}

NodePtr ValueLowering::elementwise(NodeId id, const Index& index) {
  std::vector<NodePtr> inputs;
  for (const NodeId input : graph_.nodes[id].inputs) inputs.push_back(value(input, index));
  return builder_.op(graph_.node(id).op, graph_.node(id).dtype, std::move(inputs));
}

NodePtr ValueLowering::load(NodeId id, const Index& index) {
  const Node& node = graph_.node(id);
  // The root of a kernel that copies a param reads the param.
  const bool copies = id == cone_.nodes.back() && is_memory(node);
  const BufferRef buffer = copies ? BufferRef{true, memory_param_id(node)} : buffer_of(id);
  const NodePtr param = argument(buffer, node.dtype, ir::max_element_count(node.shape));
  std::vector<NodeId>& sources = buffer.is_param ? states_ : reads_;
  const auto place = std::lower_bound(sources.begin(), sources.end(), id);
  if (place == sources.end() || *place != id) sources.insert(place, id);
  loads_.push_back(builder_.load(param, math_.position(index, max_extents(node.shape))));
  return loads_.back();
}

NodePtr ValueLowering::pad(NodeId id, const Index& index) {
  const Node& node = graph_.node(id);
  const ir::Shape& from = graph_.node(graph_.nodes[id].inputs[0]).shape;
  const auto& attr = node.attr<ir::PadAttr>();
  if (is_empty(from)) return zero(node.dtype);
  Index inner = index;
  NodePtr inside;
  const auto require = [&](NodePtr condition) {
    inside = inside == nullptr ? condition : builder_.op(Op::kAnd, DType::kBool, {inside, condition});
  };
  for (size_t axis = 0; axis < index.size(); ++axis) {
    const int64_t before = attr.before[axis];
    if (before == 0 && attr.after[axis] == 0) continue;
    const ir::Interval bounds = builder_.bounds(index[axis]);
    if (bounds.high < before || bounds.low >= before + from[axis].max()) return zero(node.dtype);
    if (bounds.low < before) {
      require(math_.less(math_.constant(before - 1), index[axis]));
    }
    inner[axis] = builder_.add(index[axis], -before);
    if (bounds.high >= before + from[axis].min()) {
      require(math_.less(inner[axis], builder_.dim(from[axis])));
    }
    inner[axis] = math_.clamp(inner[axis], from[axis]);
  }
  NodePtr result = value(graph_.nodes[id].inputs[0], std::move(inner));
  if (inside == nullptr) return result;
  return builder_.op(Op::kWhere, node.dtype, {inside, result, zero(node.dtype)});
}

// An element of a gather's index as an i32 (an i64 along an axis too long for that) within 0..extent-1.
NodePtr ValueLowering::gather_position(const NodePtr& raw, const Dim& extent) {
  const int64_t last = extent.max() - 1;
  NodePtr position = raw;
  if (raw->dtype == DType::kU64) {
    const NodePtr limit = builder_.constant(DType::kU64, last);
    const NodePtr below = builder_.op(Op::kCmpLt, DType::kBool, {raw, limit});
    position = builder_.op(Op::kWhere, DType::kU64, {below, raw, limit});
  }
  if (raw->dtype == DType::kU32 || raw->dtype == DType::kU64) {
    position = builder_.op(Op::kCast, DType::kI64, {position});
  }
  if (position->dtype == DType::kI64) position = builder_.clamp(position, 0, last);
  const DType wanted = ir::range_dtype(extent);
  if (position->dtype != wanted) position = builder_.op(Op::kCast, wanted, {position});
  return math_.clamp(position, extent);
}

NodePtr ValueLowering::gather(NodeId id, const Index& index) {
  const std::vector<NodeId>& inputs = graph_.nodes[id].inputs;
  const size_t split = graph_.node(inputs[1]).shape.size();
  const NodePtr raw = value(inputs[1], Index(index.begin(), index.begin() + split));
  Index source{gather_position(raw, graph_.node(inputs[0]).shape[0])};
  source.insert(source.end(), index.begin() + split, index.end());
  return value(inputs[0], std::move(source));
}

NodePtr ValueLowering::loop(LoopKey& key, const Dim& extent) {
  const auto [known, is_new] = loops_.try_emplace(key, nullptr);
  ++key.number;
  if (is_new) {
    known->second = builder_.range(extent, RangeKind::kLoop);
    if (loop_count_ < kMaxLoops) loops_of_[known->second.get()].around = uint64_t{1} << loop_count_;
    too_large_ |= ++loop_count_ > kMaxLoops;
  }
  return known->second;
}

NodePtr ValueLowering::written_out(int64_t extent, bool is_step) {
  NodePtr& range = written_out_[{extent, is_step}];
  if (range == nullptr) {
    range = builder_.range(extent, RangeKind::kUnroll);
    loops_of_[range.get()].around = kSharedRanges;
  }
  return range;
}

// An index along an axis that is dealt out to the lanes of a group, in chunks of neighbours. `in_range` becomes null
// where each lane has as many.
NodePtr ValueLowering::share(LoopKey& key, const Dim& extent, NodePtr* in_range, std::vector<NodePtr>& ranges) {
  const int64_t lanes = group_.lanes;
  const int64_t width = extent.is_static() ? std::gcd(extent.offset, group_.width) : 1;
  const Dim chunks = width == 1 ? extent : Dim(extent.offset / width);
  const int64_t steps = (chunks.max() + lanes - 1) / lanes;
  NodePtr chunk = group_range_;
  ranges.push_back(group_range_);
  if (steps > 1) {
    ranges.push_back(extent.max() == group_.row ? written_out(steps, true) : loop(key, steps));
    chunk = builder_.add(builder_.mul(ranges.back(), lanes), group_range_);
  }
  if (!chunks.is_static() || steps * lanes != chunks.offset) {
    *in_range = math_.less(chunk, builder_.dim(chunks));
    chunk = math_.clamp(chunk, chunks);
  }
  if (width == 1) return chunk;
  ranges.push_back(written_out(width, false));
  return builder_.add(builder_.mul(chunk, width), ranges.back());
}

NodePtr ValueLowering::row_position(const Dim& extent, bool* is_exact) {
  LoopKey key{{extent.offset}, {extent.variable.get()}, kStoreHeight, {}, 0};
  NodePtr in_range;
  std::vector<NodePtr> ranges;
  const NodePtr position = share(key, extent, &in_range, ranges);
  *is_exact = in_range == nullptr;
  return position;
}

// A reduction inside what lanes have been given already goes through its own elements alone.
bool ValueLowering::can_share(NodeId reduction, const LoopKey& key) const {
  if (group_.lanes == 0 || (key.index_loops.around & kSharedRanges) != 0) return false;
  const int64_t outputs = std::max<int64_t>(graph_.nodes[reduction].count, 1);
  return graph_.nodes[graph_.nodes[reduction].inputs[0]].count / outputs >= group_.lanes;
}

// Deals axes out to the lanes of the group and takes them from `axes`.
std::vector<NodePtr> ValueLowering::share_axes(NodeId input, std::vector<size_t>& axes, LoopKey& key, Index& inner,
                                               NodePtr* in_range) {
  const ir::Shape& from = graph_.node(input).shape;
  const std::vector<size_t> dealt_out = axes_to_share(from, axes);
  std::vector<int64_t> extents;
  int64_t total = 1;
  for (size_t axis : dealt_out) extents.push_back(from[axis].max());
  for (int64_t extent : extents) total *= extent;
  const Dim extent = dealt_out.size() == 1 ? from[dealt_out[0]] : Dim(total);
  std::vector<NodePtr> ranges;
  const Index parts = math_.split(share(key, extent, in_range, ranges), extents);
  for (size_t i = 0; i < parts.size(); ++i) inner[dealt_out[i]] = parts[i];
  std::erase_if(axes,
                [&](size_t axis) { return std::find(dealt_out.begin(), dealt_out.end(), axis) != dealt_out.end(); });
  return ranges;
}

NodePtr ValueLowering::reduce(NodeId id, const Index& index) {
  const Node& node = graph_.node(id);
  const NodeId input = graph_.nodes[id].inputs[0];
  const ir::Shape& from = graph_.node(input).shape;
  if (is_empty(from)) return identity(node.op, node.dtype);
  std::vector<size_t> axes;
  LoopKey key{{}, {}, cone_.heights.at(id), {}, 0};
  for (int axis : node.attr<ir::AxesAttr>().axes) {
    if (from[axis] == Dim(1)) continue;
    axes.push_back(axis);
    key.extents.push_back(from[axis].offset);
    key.variables.push_back(from[axis].variable.get());
  }
  if (axes.empty()) return value(input, index);
  for (const NodePtr& part : index) {
    const Loops loops = loops_of(part);
    key.index_loops.around |= loops.around;
    key.index_loops.within |= loops.within;
  }

  Index inner = index;
  NodePtr in_range;
  std::vector<NodePtr> ranges;
  if (can_share(id, key)) ranges = share_axes(input, axes, key, inner, &in_range);
  for (size_t axis : axes) {
    ranges.push_back(loop(key, from[axis]));
    inner[axis] = ranges.back();
  }
  NodePtr element = value(input, std::move(inner));
  if (in_range != nullptr) {
    element = builder_.op(Op::kWhere, node.dtype, {in_range, element, identity(node.op, node.dtype)});
  }
  ranges.insert(ranges.begin(), std::move(element));
  return builder_.op(node.op, node.dtype, std::move(ranges));
}

ValueLowering::Loops ValueLowering::loops_of(const NodePtr& expression) {
  const auto known = loops_of_.find(expression.get());
  if (known != loops_of_.end()) return known->second;
  Loops loops;
  for (const NodePtr& input : expression->inputs) {
    const Loops of_input = loops_of(input);
    loops.around |= of_input.around;
    loops.within |= of_input.within;
  }
  if (ir::is_reduce(expression->op)) {
    for (size_t i = 1; i < expression->inputs.size(); ++i) loops.within |= loops_of(expression->inputs[i]).around;
    loops.around = loops_of(expression->inputs[0]).around & ~loops.within;
  }
  loops_of_.emplace(expression.get(), loops);
  return loops;
}

}  // namespace bw::compiler
