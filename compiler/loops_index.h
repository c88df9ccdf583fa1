// Owns: arithmetic on indices: how the index of an element of a moved tensor (reshaped, permuted, shrunk ..) becomes
// the index of the element it came from, and how an index becomes a position in memory. Not here: values and loops.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "ir/kernel.h"

namespace bw::compiler {

// One expression per axis: i32, or i64 where the axis or the way to the index is too large for that.
using Index = std::vector<ir::NodePtr>;

// Axes of `from` and of `to` that hold the same elements in the same order. Axes of extent 1 are in no group.
struct ReshapeGroup {
  std::vector<size_t> from;
  std::vector<size_t> to;
};

// The smallest groups that turn one shape into the other; a symbolic extent is a group of its own. Empty where the
// shapes do not hold the same elements, or hold none.
std::optional<std::vector<ReshapeGroup>> reshape_groups(const ir::Shape& from, const ir::Shape& to);

class IndexMath {
 public:
  explicit IndexMath(ir::KernelBuilder& builder) : builder_(builder) {}

  // i32 where it fits, else i64.
  ir::NodePtr constant(int64_t value);
  // The index into the input of a reshape, permute, expand, shrink or flip.
  Index source_index(const ir::Node& movement, const Index& index);
  // a < b, also where one is an i64 and the other is not.
  ir::NodePtr less(ir::NodePtr a, ir::NodePtr b);
  // The position of an element in a row-major buffer of these extents; i64 where i32 is too small.
  ir::NodePtr position(const Index& index, std::span<const int64_t> extents);
  // The indices along axes of static extents that a position in their row-major order stands for.
  Index split(ir::NodePtr position, std::span<const int64_t> extents);
  // The nearest index within 0..extent-1; 0 where there is none.
  ir::NodePtr clamp(ir::NodePtr index, const ir::Dim& extent);

 private:
  ir::NodePtr narrow(ir::NodePtr index, const ir::Dim& extent);
  Index reshape(const ir::Shape& from, const ir::Shape& to, const Index& index);

  ir::KernelBuilder& builder_;
};

// The largest extents of a shape.
std::vector<int64_t> max_extents(const ir::Shape& shape);

}  // namespace bw::compiler
