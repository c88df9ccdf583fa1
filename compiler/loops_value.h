// Owns: the value of one element of a graph node as an expression of a kernel: movement becomes index arithmetic,
// reductions become loops, buffers become loads. Not here: which element a lane computes (compiler/loops_lanes.h).
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "compiler/fusion_graph.h"
#include "compiler/loops_cone.h"
#include "compiler/loops_group.h"
#include "compiler/loops_index.h"
#include "ir/kernel.h"

namespace bw::compiler {

// The memory behind an argument of a kernel.
struct BufferRef {
  bool is_param = false;
  uint64_t id = 0;  // ParamAttr::id of the graph, or the NodeId of the value that the buffer holds
  auto operator<=>(const BufferRef&) const = default;
};

struct Argument {
  BufferRef buffer;
  ir::NodePtr param;  // of the kernel
};

class ValueLowering {
 public:
  // The lanes of a group share each long reduction.
  ValueLowering(const FlatGraph& graph, const std::vector<bool>& buffers, const Cone& cone, const GroupPlan& group);

  ir::KernelBuilder& builder() { return builder_; }
  IndexMath& math() { return math_; }
  // What the root of the cone (for a kStore: its value) is at an index.
  ir::NodePtr root_value(const Index& index);
  // The position of an element in a row that the group goes through together: the same expression that reductions of
  // this length use. `is_exact` is false where several lanes have the last elements.
  ir::NodePtr row_position(const ir::Dim& extent, bool* is_exact);
  // The argument for a buffer, seen as `count` elements of `dtype`.
  ir::NodePtr argument(const BufferRef& buffer, ir::DType dtype, int64_t count);
  // Where the elements of a buffer node are.
  BufferRef buffer_of(NodeId id) const;

  const std::vector<Argument>& arguments() const { return arguments_; }
  const std::vector<ir::NodePtr>& loads() const { return loads_; }
  // What is loaded from, ascending: values that have buffers of their own, and states of params' memory.
  const std::vector<NodeId>& reads() const { return reads_; }
  const std::vector<NodeId>& states() const { return states_; }
  // Whether the kernel has become too large. The values are meaningless then.
  bool is_too_large() const { return too_large_; }
  // Whether an expression has another value in each turn of some loop.
  bool is_in_loop(const ir::NodePtr& expression) { return loops_of(expression).around != 0; }

 private:
  struct Point {
    NodeId id;
    Index index;
    bool operator==(const Point&) const = default;
  };
  struct PointHash {
    size_t operator()(const Point& point) const;
  };
  // Loops of the kernel, one bit for each.
  struct Loops {
    uint64_t around = 0;  // that an expression depends on
    uint64_t within = 0;  // of reductions that are part of it
    auto operator<=>(const Loops&) const = default;
  };
  // Reductions alike in all of this are carried out in one loop. None of them is part of another: a reduction is higher
  // than those in the value that it reduces, and has those in the index of that value within `index_loops`.
  struct LoopKey {
    std::vector<int64_t> extents;
    std::vector<const ir::Node*> variables;
    int height;
    Loops index_loops;
    size_t number;
    auto operator<=>(const LoopKey&) const = default;
  };

  ir::NodePtr value(NodeId id, Index index);
  ir::NodePtr compute(NodeId id, const Index& index);
  ir::NodePtr elementwise(NodeId id, const Index& index);
  ir::NodePtr pad(NodeId id, const Index& index);
  ir::NodePtr gather(NodeId id, const Index& index);
  ir::NodePtr reduce(NodeId id, const Index& index);
  ir::NodePtr load(NodeId id, const Index& index);
  ir::NodePtr gather_position(const ir::NodePtr& raw, const ir::Dim& extent);
  ir::NodePtr loop(LoopKey& key, const ir::Dim& extent);
  ir::NodePtr share(LoopKey& key, const ir::Dim& extent, ir::NodePtr* in_range, std::vector<ir::NodePtr>& ranges);
  std::vector<ir::NodePtr> share_axes(NodeId input, std::vector<size_t>& axes, LoopKey& key, Index& inner,
                                      ir::NodePtr* in_range);
  ir::NodePtr written_out(int64_t extent, bool is_step);
  bool can_share(NodeId reduction, const LoopKey& key) const;
  Loops loops_of(const ir::NodePtr& expression);
  ir::NodePtr zero(ir::DType dtype);
  ir::NodePtr identity(ir::Op op, ir::DType dtype);

  const FlatGraph& graph_;
  const std::vector<bool>& buffers_;
  const Cone& cone_;
  const GroupPlan group_;
  ir::KernelBuilder builder_;
  IndexMath math_{builder_};
  ir::NodePtr group_range_;
  std::map<std::pair<int64_t, bool>, ir::NodePtr> written_out_;  // kUnroll ranges, which all reductions share
  std::vector<Argument> arguments_;
  std::vector<ir::NodePtr> loads_;
  std::vector<NodeId> reads_;
  std::vector<NodeId> states_;
  std::unordered_map<Point, ir::NodePtr, PointHash> known_;
  std::map<LoopKey, ir::NodePtr> loops_;
  std::unordered_map<const ir::Node*, Loops> loops_of_;
  size_t loop_count_ = 0;
  bool too_large_ = false;
};

// Limits of one kernel; beyond them it is cut in two.
constexpr size_t kMaxPoints = 4096;  // values of nodes at indices
constexpr size_t kMaxArguments = 48;
constexpr size_t kMaxLoops = 48;

}  // namespace bw::compiler
