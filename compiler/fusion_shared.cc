#include "compiler/fusion_shared.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>
#include <vector>

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::Op;
using ir::Shape;

// Users looked at to find out where a value goes.
constexpr size_t kMaxUsersSeen = 1024;
constexpr size_t kMaxUsersInRow = 4096;

bool reduces_last_axes(const FlatGraph& graph, NodeId reduction) {
  const Shape& from = graph.node(graph.nodes[reduction].inputs[0]).shape;
  const auto& axes = graph.node(reduction).attr<ir::AxesAttr>().axes;
  auto axis = static_cast<int>(from.size());
  for (size_t left = axes.size(); left > 0; --axis) {
    if (axes[left - 1] == axis - 1) {
      --left;
    } else if (from[axis - 1] != Dim(1)) {
      return false;
    }
  }
  return true;
}

class SharedWalk {
 public:
  SharedWalk(const FlatGraph& graph, const Shared& shared) : graph_(graph), shared_(shared) {}

  SharedUses run(NodeId id) {
    open_.emplace_back(id, shared_.by);
    while (!open_.empty() && uses_.is_shared) {
      const auto [from, by] = open_.back();
      open_.pop_back();
      for (const NodeId user : graph_.nodes[from].users) {
        if (!seen_.insert(user).second) continue;
        if (seen_.size() > kMaxUsersSeen) uses_.is_shared = false;
        enter(user, by);
      }
    }
    uses_.in_rows &= uses_.is_shared;
    return uses_;
  }

 private:
  void enter(NodeId user, int64_t by) {
    const FlatNode& flat = graph_.nodes[user];
    const Op op = flat.node->op;
    if (ir::is_reduce(op)) return end_in_reduction(user, by);
    if (is_broadcast(graph_, user)) {
      by = broadcast_by(graph_, user, by);
    } else if (ir::is_movement(op) && op != Op::kReshape && op != Op::kExpand) {
      by = by == 1 ? 1 : 0;
    }
    // One result for all is shared whatever the order of the elements.
    if (by == 0 && shared_.count == 1) by = flat.count;
    uses_.is_shared &= by != 0;
    const bool goes_on = ir::is_elementwise(op) || ir::is_movement(op);
    if (goes_on && !flat.is_output) {
      open_.emplace_back(user, by);
      return;
    }
    uses_.is_shared &= by > 1;
    const bool is_row = goes_on && by == shared_.row;
    uses_.in_rows &= is_row;
    (is_row ? uses_.groups : uses_.lanes) += static_cast<double>(is_row ? shared_.count : flat.count);
  }

  void end_in_reduction(NodeId reduction, int64_t by) {
    const bool covers = reduces_last_axes(graph_, reduction) && trips(graph_, reduction) == by;
    uses_.is_shared &= by > 1 && (covers || shared_.count == 1);
    uses_.in_rows &= covers && by == shared_.row;
    uses_.is_repeated |= graph_.nodes[reduction].count > shared_.count;
    uses_.groups += static_cast<double>(std::max(graph_.nodes[reduction].count, shared_.count));
  }

  const FlatGraph& graph_;
  const Shared& shared_;
  SharedUses uses_;
  std::vector<std::pair<NodeId, int64_t>> open_;  // with Shared::by
  std::unordered_set<NodeId> seen_;
};

// The same as SharedWalk through reductions, to where all ways meet.
class RowWalk {
 public:
  RowWalk(const FlatGraph& graph, NodeId id, int64_t row)
      : graph_(graph), row_(row), count_(graph.nodes[id].count), is_element_(row == 0) {
    push_users(id, {.is_element = is_element_});
  }

  int64_t run() {
    for (size_t seen = 0; !open_.empty() && seen < kMaxUsersInRow; ++seen) {
      const auto [user, input] = *open_.begin();
      open_.erase(open_.begin());
      const std::optional<Value> value = enter(user, input);
      if (!value.has_value()) return 0;
      if (open_.empty() && !value->is_element) return row_;
      if (graph_.nodes[user].is_output) return 0;
      push_users(user, *value);
    }
    return 0;
  }

 private:
  struct Value {
    bool is_element = false;  // of a row; else one for each row
  };

  void push_users(NodeId from, Value value) {
    for (const NodeId user : graph_.nodes[from].users) {
      open_[user].is_element |= value.is_element;
    }
  }

  // What the user makes of it; nothing where that is neither an element of the row nor one for each row.
  std::optional<Value> enter(NodeId user, Value input) {
    const FlatNode& flat = graph_.nodes[user];
    const Op op = flat.node->op;
    if (ir::is_reduce(op)) {
      if (row_ == 0) row_ = row_of(graph_, user);
      const bool is_over_row = input.is_element && row_ > 1 && row_of(graph_, user) == row_;
      return is_over_row && flat.count == rows() ? std::optional(Value{.is_element = false}) : std::nullopt;
    }
    if (!ir::is_elementwise(op) && op != Op::kReshape && op != Op::kExpand) return std::nullopt;
    if (is_broadcast(graph_, user)) {
      if (input.is_element || row_ == 0 || broadcast_by(graph_, user, 1) != row_) return std::nullopt;
      input.is_element = true;
    }
    const bool has_count = flat.count == (input.is_element ? elements() : rows());
    return has_count ? std::optional(input) : std::nullopt;
  }

  int64_t rows() const { return is_element_ ? count_ / std::max<int64_t>(row_, 1) : count_; }
  int64_t elements() const { return is_element_ ? count_ : count_ * row_; }

  const FlatGraph& graph_;
  int64_t row_;          // 0: not yet known
  const int64_t count_;  // of the value
  const bool is_element_;
  std::map<NodeId, Value> open_;  // users ascending, each after all that it can be reached through
};

}  // namespace

int64_t trips(const FlatGraph& graph, NodeId reduction) {
  const FlatNode& flat = graph.nodes[reduction];
  return flat.count == 0 ? 0 : graph.nodes[flat.inputs[0]].count / flat.count;
}

int64_t row_of(const FlatGraph& graph, NodeId reduction) {
  const Shape& from = graph.node(graph.nodes[reduction].inputs[0]).shape;
  for (const int axis : graph.node(reduction).attr<ir::AxesAttr>().axes) {
    if (!from[axis].is_static()) return 0;
  }
  return reduces_last_axes(graph, reduction) ? trips(graph, reduction) : 0;
}

bool is_broadcast(const FlatGraph& graph, NodeId node) {
  const FlatNode& flat = graph.nodes[node];
  return flat.node->op == Op::kExpand && flat.count > graph.nodes[flat.inputs[0]].count;
}

int64_t broadcast_by(const FlatGraph& graph, NodeId node, int64_t by) {
  if (by == 0) return 0;
  const Shape& from = graph.node(graph.nodes[node].inputs[0]).shape;
  const Shape& to = graph.node(node).shape;
  int64_t inside = 1;  // elements of the input along the axes seen so far, from the last one on
  int64_t run = by;
  for (size_t axis = from.size(); axis-- > 0;) {
    if (from[axis] == to[axis]) {
      inside *= from[axis].max();
    } else if (inside == 1) {
      run *= to[axis].max();
    } else if (inside % by != 0) {
      return 0;
    }
  }
  return run;
}

int64_t find_row_that_meets(const FlatGraph& graph, NodeId id, int64_t row) {
  return RowWalk(graph, id, row).run();
}

SharedUses find_shared_uses(const FlatGraph& graph, NodeId id, const Shared& shared) {
  return SharedWalk(graph, shared).run(id);
}

}  // namespace bw::compiler
