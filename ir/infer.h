// Owns: the rules of dtypes and shapes, which the builder, the verifier and the parser share. What users of this room
// call is ir/builder.h and ir/verifier.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"
#include "ir/node.h"

namespace bw::ir {

// Extents and offsets beyond these are refused, so that no arithmetic on them can overflow.
constexpr int64_t kMaxElements = int64_t{1} << 48;
constexpr size_t kMaxRank = 32;

struct Inferred {
  DType dtype = DType::kF32;
  Shape shape;
};

// The dtype and shape that a graph-level node must have, from its op, inputs and attribute; `node.dtype` is consulted
// where the op leaves it open (kConst, kParam, kCast, kBitcast), `node.shape` only for kParam.
// Error: kInvalidArgument, "op: what is wrong" with the dtypes and shapes.
Result<Inferred> infer(const Node& node);

// Parts of infer(), each for the ops its name says; the input count was checked.
Result<Inferred> infer_leaf(const Node& node);
Result<Shape> infer_movement(const Node& node);
Result<Inferred> infer_gather(const Node& node);
Result<Inferred> infer_store(const Node& node);

// The dtype of an elementwise node from the dtypes of its inputs; the same at graph and kernel level. A kBitcast may
// not change the size here.
Result<DType> infer_elementwise_dtype(const Node& node);
Status check_leaf_attribute(const Node& node);
// The dtype of what counts to `extent`: i32, or i64 where that is too small (from 2^31 on).
DType range_dtype(const Dim& extent);
Status check_input_count(const Node& node, size_t expected);
Status check_shape(const Node& node, const Shape& shape);
Status check_reduce_dtype(const Node& node);

// The variable of a dim is a kVariable, and neither end of it is out of hand.
Status check_dim(const Node& node, const Dim& dim);
// Whether a <= b for all values of the variables, as far as their bounds show.
bool always_le(const Dim& a, const Dim& b);

// "f32 [4, 8]".
std::string describe(const Node& node);

}  // namespace bw::ir
