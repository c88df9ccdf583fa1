// Owns: the node of the program graph. Nodes are immutable and shared; the Builder (ir/builder.h) makes them for
// graphs, the KernelBuilder (ir/kernel.h) for loop nests.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "ir/dtype.h"
#include "ir/op.h"

namespace bw::ir {

struct Node;
using NodePtr = std::shared_ptr<const Node>;

// The extent of an axis: `offset`, or `variable + offset`, where the variable is a kVariable. Never negative.
struct Dim {
  int64_t offset = 0;
  NodePtr variable;

  Dim() = default;
  Dim(int64_t extent) : offset(extent) {}  // NOLINT: implicit by design
  Dim(NodePtr var, int64_t add) : offset(add), variable(std::move(var)) {}

  bool is_static() const { return variable == nullptr; }
  int64_t min() const;
  int64_t max() const;
  bool operator==(const Dim& other) const { return offset == other.offset && variable == other.variable; }
};

using Shape = std::vector<Dim>;

// What an operation needs beside its inputs. Each op has exactly one of these (see `Attribute`).
struct ConstAttr {
  Scalar value;
};
struct ParamAttr {
  uint64_t id = 0;  // names the buffer; two params with the same id are the same memory
  std::string name;
};
struct VariableAttr {
  std::string name;
  int64_t min = 0;
  int64_t max = 0;  // inclusive
};
// How the iterations of a kernel's range are carried out.
enum class RangeKind : uint8_t {
  kLoop,     // one after the other, in each lane
  kGlobalX,  // one work-item each, along a dimension of the grid
  kGlobalY,
  kGlobalZ,
  kGroup,   // one lane each, of those that work together at one place of the grid
  kUnroll,  // a loop that is written out
};
struct RangeAttr {
  Dim extent;
  uint32_t id = 0;  // kernel level: tells the loops of a kernel apart; 0 at graph level
  RangeKind kind = RangeKind::kLoop;
};
struct ShapeAttr {
  Shape shape;  // kReshape, kExpand: the new shape
};
struct AxesAttr {
  std::vector<int> axes;  // kPermute: source axis of each result axis; kFlip and reductions: the axes, ascending
};
struct PadAttr {
  std::vector<int64_t> before;  // zeros before and after, one per axis
  std::vector<int64_t> after;
};
struct ShrinkAttr {
  std::vector<Dim> begin;  // first element kept, and one past the last, one per axis
  std::vector<Dim> end;
};

// kConst, kParam, kVariable, kRange, kReshape/kExpand, kPermute/kFlip/kReduce*, kPad, kShrink; the others have none.
// Kernel-level reductions have none either: their inputs are the value and then the ranges.
using Attribute = std::variant<std::monostate, ConstAttr, ParamAttr, VariableAttr, RangeAttr, ShapeAttr, AxesAttr,
                               PadAttr, ShrinkAttr>;

struct Node {
  Op op = Op::kConst;
  DType dtype = DType::kF32;
  Shape shape;  // graph level; empty at kernel level but for kParam
  std::vector<NodePtr> inputs;
  Attribute attribute;

  template <typename T>
  const T& attr() const {
    return std::get<T>(attribute);
  }
};

// A node on the heap. Releasing the last pointer to a deep graph does not recurse.
NodePtr make_node(Node node);

// Number of elements; the largest it can be where an extent is symbolic. INT64_MAX where it does not fit.
int64_t max_element_count(const Shape& shape);

// Every node that `outputs` depend on, once, each after its inputs and after the variables of its extents. The same
// order for equal graphs. Does not recurse. Null pointers are passed over.
std::vector<NodePtr> topological_order(std::span<const NodePtr> outputs);

// The variables that a node's own shape and attribute name (not those of its inputs), in order, with repetitions.
std::vector<NodePtr> extent_variables(const Node& node);

// Equal op, dtype, shape and attribute, and the very same inputs. The hash agrees with it.
bool shallow_equal(const Node& a, const Node& b);
size_t shallow_hash(const Node& node);

}  // namespace bw::ir
