// Owns: building program graphs. Each function checks what it is given (dtypes, shapes, bounds), infers the result's
// dtype and shape, and returns an existing node where an equal one is still alive (hash consing).
#pragma once

#include <span>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "ir/node.h"

namespace bw::ir {

// Makes graph-level nodes. Not safe for use from several threads at once. Nodes outlive it.
// Every function returns kInvalidArgument with the op, the dtypes and the shapes where the inputs do not fit. What
// would change nothing (a cast to the same dtype, a reshape to the same shape, a reduction over no axes ..) returns its
// input.
class Builder {
 public:
  Result<NodePtr> constant(DType dtype, Scalar value);
  Result<NodePtr> param(uint64_t id, std::string name, DType dtype, std::vector<int64_t> shape);
  // Bounds inclusive, 0 <= min <= max < 2^31.
  Result<NodePtr> variable(std::string name, int64_t min, int64_t max);
  // The i32 vector 0, 1 .. extent-1.
  Result<NodePtr> range(Dim extent);

  Result<NodePtr> unary(Op op, NodePtr x);
  // Shapes must be equal; scalars (shape []) are expanded to the other's shape.
  Result<NodePtr> binary(Op op, NodePtr x, NodePtr y);
  Result<NodePtr> where(NodePtr condition, NodePtr x, NodePtr y);
  Result<NodePtr> mul_acc(NodePtr a, NodePtr b, NodePtr c);
  Result<NodePtr> cast(NodePtr x, DType dtype);
  Result<NodePtr> bitcast(NodePtr x, DType dtype);

  // A symbolic extent must survive a reshape as an axis of its own.
  Result<NodePtr> reshape(NodePtr x, Shape shape);
  Result<NodePtr> permute(NodePtr x, std::vector<int> axes);
  // Axes of extent 1 are repeated; the rank stays.
  Result<NodePtr> expand(NodePtr x, Shape shape);
  Result<NodePtr> pad(NodePtr x, std::vector<int64_t> before, std::vector<int64_t> after);
  // Keeps begin..end-1 of each axis; both must be proven within the axis for all values of the variables.
  Result<NodePtr> shrink(NodePtr x, std::vector<Dim> begin, std::vector<Dim> end);
  Result<NodePtr> flip(NodePtr x, std::vector<int> axes);

  // op is kReduceAdd, kReduceMul or kReduceMax. The reduced axes stay with extent 1.
  Result<NodePtr> reduce(Op op, NodePtr x, std::vector<int> axes);
  Result<NodePtr> gather(NodePtr source, NodePtr index);
  // `view` is a chain of reshape, permute, shrink and flip over a param (or over the store before); `value` has its
  // shape and dtype.
  Result<NodePtr> store(NodePtr view, NodePtr value);
  Result<NodePtr> contiguous(NodePtr x);

 private:
  NodePtr intern(Node node);
  Result<NodePtr> finish(Node node);
  Status expand_scalars(std::vector<NodePtr>& inputs);

  std::unordered_multimap<size_t, std::weak_ptr<const Node>> nodes_;
  size_t sweep_at_ = 1024;  // size of nodes_ at which the dead ones are swept
};

}  // namespace bw::ir
