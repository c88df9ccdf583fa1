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

}  // namespace

Result<NodePtr> split_long_reduction(ir::Builder& builder, const NodePtr& node) {
  if (!ir::is_reduce(node->op)) return node;
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
  BW_ASSIGN(NodePtr pieces, builder.reshape(input, cut));
  BW_ASSIGN(NodePtr partial, builder.reduce(node->op, pieces, first));
  BW_ASSIGN(NodePtr stored, builder.contiguous(partial));
  BW_ASSIGN(NodePtr total, builder.reduce(node->op, stored, {split_axis}));
  return builder.reshape(total, node->shape);
}

}  // namespace bw::compiler
