#include "compiler/fusion_split.h"

#include <algorithm>

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::NodePtr;
using ir::Op;
using ir::Shape;

// A workgroup of 256 lanes, each with eight loads on their way, is through 32768 elements in about the time that a
// launch costs; from twice that on a second launch pays for itself.
constexpr int64_t kSplitFromTrips = 65536;
// Fewer outputs than this leave most of the 96 compute units without a workgroup.
constexpr int64_t kSplitUpToOutputs = 32;
constexpr int64_t kMaxParts = 4096;
constexpr int64_t kMinParts = 16;

// The largest number of equal parts an extent can be cut into, 1 where it is no more than a few.
int64_t parts_of(int64_t extent) {
  for (int64_t parts = std::min(kMaxParts, extent); parts >= kMinParts; --parts) {
    if (extent % parts == 0) return parts;
  }
  return 1;
}

// A matrix product with fewer tiles than this leaves most of the 48 work-group processors without one, and is cut along
// its depth, into pieces that are long enough to pay for storing and adding up the partial sums.
constexpr int64_t kProductTile = 64;
constexpr int64_t kMinProductSide = 32;
constexpr int64_t kFewTiles = 48;
constexpr int64_t kMinPieceDepth = 1024;

// Axes along which the values are repeated.
std::vector<bool> repeated_axes(const NodePtr& value) {
  const ir::Node* node = value.get();
  while (node->op == Op::kCast) node = node->inputs[0].get();
  std::vector<bool> repeated(node->shape.size());
  if (node->op != Op::kExpand) return repeated;
  for (size_t axis = 0; axis < repeated.size(); ++axis) {
    repeated[axis] = node->inputs[0]->shape[axis] == Dim(1) && node->shape[axis] != Dim(1);
  }
  return repeated;
}

// How many pieces the depth of a matrix product should be cut into; 1 where it should not, or is none.
int64_t product_parts(const ir::Node& sum) {
  const NodePtr& product = sum.inputs[0];
  const auto& axes = sum.attr<ir::AxesAttr>().axes;
  if (sum.op != Op::kReduceAdd || product->op != Op::kMul || axes.size() != 1) return 1;
  const std::vector<bool> first = repeated_axes(product->inputs[0]);
  const std::vector<bool> second = repeated_axes(product->inputs[1]);
  int64_t rows = 1;
  int64_t columns = 1;
  int64_t batch = 1;
  for (size_t axis = 0; axis < product->shape.size(); ++axis) {
    const Dim& dim = product->shape[axis];
    if (!dim.is_static() || (first[axis] && second[axis])) return 1;
    if (static_cast<int>(axis) != axes[0]) (second[axis] ? rows : first[axis] ? columns : batch) *= dim.offset;
  }
  if (std::min(rows, columns) < kMinProductSide) return 1;
  const auto tiles_along = [](int64_t extent) { return (extent + kProductTile - 1) / kProductTile; };
  const int64_t tiles = tiles_along(rows) * tiles_along(columns) * batch;
  const int64_t depth = product->shape[static_cast<size_t>(axes[0])].offset;
  int64_t parts = 1;
  while (parts * tiles < kFewTiles && depth % (parts * 2) == 0 && depth / (parts * 2) >= kMinPieceDepth) parts *= 2;
  return parts;
}

// What a reduction takes in, in the dtype in which its partial results are kept: f32 for sums and products of f16 and
// bf16, which are rounded once, at their end. The products under a sum are not rounded either (compiler/lower_llvm.h).
Result<NodePtr> accumulated_values(ir::Builder& builder, const ir::Node& reduction) {
  const NodePtr& input = reduction.inputs[0];
  const bool is_short = reduction.dtype == ir::DType::kF16 || reduction.dtype == ir::DType::kBF16;
  if (!is_short || reduction.op == Op::kReduceMax) return input;
  if (reduction.op != Op::kReduceAdd || input->op != Op::kMul) return builder.cast(input, ir::DType::kF32);
  BW_ASSIGN(NodePtr first, builder.cast(input->inputs[0], ir::DType::kF32));
  BW_ASSIGN(NodePtr second, builder.cast(input->inputs[1], ir::DType::kF32));
  return builder.binary(Op::kMul, first, second);
}

// Reduces the stored partial results along `axis`, to the shape and dtype of `node`.
Result<NodePtr> total_of(ir::Builder& builder, const NodePtr& partial, int axis, const ir::Node& node) {
  BW_ASSIGN(NodePtr stored, builder.contiguous(partial));
  BW_ASSIGN(NodePtr total, builder.reduce(node.op, stored, {axis}));
  BW_ASSIGN(NodePtr shaped, builder.reshape(total, node.shape));
  return shaped->dtype == node.dtype ? shaped : builder.cast(shaped, node.dtype);
}

// [.., n, ..] -> [parts, .., n / parts, ..]: the pieces are a batch of products, so that each stores its sums as one
// matrix.
Result<NodePtr> split_product(ir::Builder& builder, const NodePtr& node, int64_t parts) {
  BW_ASSIGN(const NodePtr input, accumulated_values(builder, *node));
  const int axis = node->attr<ir::AxesAttr>().axes[0];
  Shape cut = input->shape;
  cut[static_cast<size_t>(axis)] = input->shape[static_cast<size_t>(axis)].offset / parts;
  cut.insert(cut.begin() + axis, Dim(parts));
  std::vector<int> order{axis};
  for (int i = 0; i < static_cast<int>(cut.size()); ++i) {
    if (i != axis) order.push_back(i);
  }
  BW_ASSIGN(NodePtr pieces, builder.reshape(input, cut));
  BW_ASSIGN(NodePtr batch, builder.permute(pieces, order));
  BW_ASSIGN(NodePtr partial, builder.reduce(node->op, batch, {axis + 1}));
  return total_of(builder, partial, 0, *node);
}

}  // namespace

Result<NodePtr> split_long_reduction(ir::Builder& builder, const NodePtr& node) {
  if (!ir::is_reduce(node->op)) return node;
  if (const int64_t parts = product_parts(*node); parts > 1) return split_product(builder, node, parts);
  const NodePtr& input = node->inputs[0];
  const int64_t outputs = ir::max_element_count(node->shape);
  if (outputs == 0 || outputs > kSplitUpToOutputs || ir::max_element_count(input->shape) / outputs < kSplitFromTrips) {
    return node;
  }
  const auto& axes = node->attr<ir::AxesAttr>().axes;
  int split_axis = -1;
  int64_t parts = 1;
  for (int axis : axes) {
    const Dim& dim = input->shape[axis];
    const int64_t candidate = dim.is_static() ? parts_of(dim.offset) : 1;
    if (candidate > parts) {
      parts = candidate;
      split_axis = axis;
    }
  }
  if (split_axis < 0) return node;
  // [.., n, ..] -> [.., parts, n / parts, ..]; all but the parts are reduced first, each by a group of lanes that loads
  // neighbouring elements.
  Shape cut = input->shape;
  cut[split_axis] = input->shape[split_axis].offset / parts;
  cut.insert(cut.begin() + split_axis, Dim(parts));
  std::vector<int> first;
  for (int axis : axes) first.push_back(axis < split_axis ? axis : axis + 1);
  BW_ASSIGN(NodePtr wide, accumulated_values(builder, *node));
  BW_ASSIGN(NodePtr pieces, builder.reshape(wide, cut));
  BW_ASSIGN(NodePtr partial, builder.reduce(node->op, pieces, first));
  return total_of(builder, partial, split_axis, *node);
}

}  // namespace bw::compiler
