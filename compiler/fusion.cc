#include "compiler/fusion.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <queue>

#include "compiler/attention_graph.h"
#include "compiler/fusion_shared.h"
#include "compiler/fusion_versions.h"
#include "ir/kernel.h"

namespace bw::compiler {
namespace {

using ir::Node;
using ir::Op;

// What a kernel launch costs, in operations of single lanes. A launch takes about 4 us on the card. In that time a
// small kernel - 8 to 32 waves, each on a SIMD of its own that issues a dependent instruction every 5 cycles of
// 2.4 GHz - gets through 0.5 to 2 million. Recomputing less than that is cheaper than another launch.
constexpr double kLaunchOps = 1 << 21;
// Up to so many operations an element, recomputing is not worth a thought: loading it costs as much.
constexpr double kLightOps = 32;
// The same for what has no reduction in it, which the lanes of the consumer do side by side. Dequantising a weight must
// stay below.
constexpr double kLightElementwiseOps = 128;
// A kernel with many groups of lanes gets through more meanwhile: each wave beyond those of a small kernel adds its
// own, up to about all that fit on the card.
constexpr double kSmallKernelLanes = 1024;
constexpr double kMostParallel = 48;
constexpr double kGroupLanes = 32;
// A value with so few elements, and so much fewer than what it is recomputed for, is better kept even if it is light.
constexpr int64_t kFewElements = 1 << 14;
constexpr double kManyTimes = 64;
constexpr double kMoreThanALoad = 4;
// What elements share must be little, so that a group of lanes has it soon.
constexpr double kMaxSharedOps = 1 << 15;
// Matrices of more rows than this are better multiplied as they lie in memory than as they are computed.
constexpr int64_t kMaxSharedRows = 8;
// Inside another reduction a reduction is carried out by fewer lanes, one after the other: it has to be small.
constexpr double kSerialOps = 1 << 16;
// A reduction to few elements that is this long wants a workgroup for each, so it cannot be part of a wider kernel.
constexpr int64_t kGroupTrips = 1024;
constexpr int64_t kGroupOutputs = 64;
// Elements of a row that a group of lanes can keep in registers.
constexpr int64_t kMaxRegisterRow = int64_t{ir::kMaxWorkgroupSize} * 32;
// Nodes from the value that a kernel stores down to its loads; bounds the depth of recursion of all that follows.
constexpr int kMaxDepth = 128;
// The same where all reductions are over one row, which its group of lanes has in registers: searches are long chains.
constexpr int kMaxRowDepth = 2048;
// Users looked at to find out where a value goes.
constexpr int kMaxUsersSeen = 256;

// What is known of a value as it would be computed inside a kernel.
struct Facts {
  double ops = 1;  // of one element, with its reductions but for what is shared
  Shared shared;   // by its elements
  int depth = 0;
  bool has_load = false;       // else it is arithmetic on indices and constants
  bool has_reduction = false;  // that is not shared
  bool is_nested = false;      // one within another
  int64_t row = 0;             // elements that each reduction in it is made of, as Shared::row
};

// Where a value goes, through ops that keep one element for one element.
struct Uses {
  bool meet = false;       // all ways lead to one such op: what happens can be decided there
  double evaluations = 0;  // of its elements by all that use it otherwise
  bool reduced = false;
};

// Operations that a launch costs in the time of a kernel with so many groups of lanes.
double launch_ops(double groups) {
  return kLaunchOps * std::clamp(groups * kGroupLanes / kSmallKernelLanes, 1.0, kMostParallel);
}

bool keeps_elements(const FlatGraph& graph, NodeId from, NodeId user) {
  const Node& node = graph.node(user);
  if (graph.nodes[user].count != graph.nodes[from].count) return false;
  return ir::is_elementwise(node.op) || node.op == Op::kReshape || node.op == Op::kPermute || node.op == Op::kFlip;
}

class Chooser {
 public:
  Chooser(const FlatGraph& graph, MemoryVersions& versions)
      : graph_(graph),
        versions_(versions),
        attention_(graph),
        buffers_(graph.nodes.size()),
        facts_(graph.nodes.size()) {}

  std::vector<bool> run() {
    for (NodeId id = 0; id < graph_.nodes.size(); ++id) {
      keep_old_values(id);
      facts_[id] = facts_of(id);
      if (must_be_buffer(id) || pays(id)) buffers_[id] = true;
      versions_.note(id, buffers_);
    }
    return std::move(buffers_);
  }

 private:
  // What a node uses must not be read from memory that has been overwritten by then.
  void keep_old_values(NodeId id) {
    for (const NodeId input : graph_.nodes[id].inputs) {
      if (buffers_[input] || !versions_.is_overwritten_before(input, id)) continue;
      buffers_[input] = true;
      versions_.note(input, buffers_);
    }
  }

  Facts facts_of(NodeId id) const {
    Facts facts;
    const Node& node = graph_.node(id);
    if (is_memory(node) || node.inputs.empty()) return facts;
    const std::vector<NodeId>& inputs = graph_.nodes[id].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (std::find(inputs.begin(), inputs.begin() + i, inputs[i]) != inputs.begin() + i) continue;
      if (is_loaded(graph_, buffers_, inputs[i])) {
        facts.ops += 1;
        facts.has_load = true;
        continue;
      }
      const Facts& input = facts_[inputs[i]];
      if (is_broadcast(graph_, id) && input.has_reduction) {
        share(inputs[i], id, facts);
        continue;
      }
      facts.ops += input.ops;
      add_shared(input, id, facts);
      if (input.has_reduction) facts.row = facts.has_reduction && facts.row != input.row ? 0 : input.row;
      // What a gather's index is made of lies between its source and what uses it.
      const bool adds_up = node.op == Op::kGather;
      facts.depth = adds_up ? facts.depth + input.depth + 1 : std::max(facts.depth, input.depth + 1);
      facts.has_load |= input.has_load;
      facts.has_reduction |= input.has_reduction;
      facts.is_nested |= input.is_nested;
    }
    if (ir::is_reduce(node.op)) {
      facts.is_nested |= facts.has_reduction;
      facts.has_reduction = true;
      facts.row = row_of(graph_, id);
      facts.ops = facts.ops * static_cast<double>(std::max<int64_t>(trips(graph_, id), 1)) + facts.shared.ops;
      facts.shared = {};
    }
    return facts;
  }

  // The elements of a broadcast share what its input is made of.
  void share(NodeId input, NodeId broadcast, Facts& facts) const {
    const Facts& repeated = facts_[input];
    facts.shared = {repeated.ops + repeated.shared.ops, graph_.nodes[input].count, broadcast_by(graph_, broadcast, 1),
                    repeated.row};
    facts.depth = std::max(facts.depth, repeated.depth + 1);
    facts.is_nested = repeated.is_nested;
  }

  void add_shared(const Facts& input, NodeId node, Facts& facts) const {
    if (input.shared.ops == 0) return;
    Shared added = input.shared;
    const Op op = graph_.node(node).op;
    if (is_broadcast(graph_, node)) {
      added.by = broadcast_by(graph_, node, added.by);
    } else if (ir::is_movement(op) && op != Op::kReshape && op != Op::kExpand) {
      added.by = 0;
    }
    Shared& shared = facts.shared;
    const bool is_first = shared.ops == 0;
    shared.by = is_first || shared.by == added.by ? added.by : 0;
    shared.row = is_first || shared.row == added.row ? added.row : 0;
    shared.ops += added.ops;
    shared.count = std::max(shared.count, added.count);
  }

  bool must_be_buffer(NodeId id) const {
    const FlatNode& flat = graph_.nodes[id];
    if (flat.node->op == Op::kStore) return true;
    if (is_memory(*flat.node)) return flat.is_output;
    const bool is_of_row = facts_[id].row > 0 || facts_[id].shared.row > 0;
    if (flat.is_output || facts_[id].depth >= (is_of_row ? kMaxRowDepth : kMaxDepth)) return true;
    if (attention_.ends[id] || (attention_.operands[id] && (facts_[id].has_reduction || facts_[id].shared.ops > 0)))
      return true;
    if (flat.node->op == Op::kContiguous) return !buffers_[flat.inputs[0]];
    return false;
  }

  // Whether computing the value where it is used would cost more than a kernel for it alone.
  bool pays(NodeId id) const {
    if (attention_.inside[id]) return false;
    const Facts& facts = facts_[id];
    const FlatNode& flat = graph_.nodes[id];
    const bool is_light = facts.ops <= (facts.has_reduction ? kLightOps : kLightElementwiseOps);
    const bool shares = facts.shared.ops > 0;
    const bool may_be_kept = facts.has_load && facts.ops >= kMoreThanALoad && flat.count <= kFewElements;
    if (is_light && !shares && !may_be_kept) return false;
    if (stays_in_row(id)) return false;
    const Uses uses = find_uses(id);
    if (uses.meet) return false;
    const auto count = static_cast<double>(flat.count);
    const double again = (uses.evaluations - count) * facts.ops;
    if (is_light && !shares) return uses.evaluations > kManyTimes * count && again > kLaunchOps;
    if (const auto sharing_pays = pays_to_share(id, again)) return *sharing_pays;
    if (again > kLaunchOps) return true;
    if (uses.reduced && facts.has_reduction && count * facts.ops > kSerialOps) return true;
    const bool wants_group = ir::is_reduce(flat.node->op) && flat.count <= kGroupOutputs;
    return wants_group && trips(graph_, id) >= kGroupTrips && (uses.reduced || uses.evaluations > count);
  }

  // Whether one group of lanes keeps the value, or the row that it is an element of, in registers for all its uses.
  bool stays_in_row(NodeId id) const {
    const Facts& facts = facts_[id];
    if (facts.is_nested || (facts.has_reduction && facts.row == 0)) return false;
    const int64_t row = find_row_that_meets(graph_, id, facts.has_reduction ? facts.row : 0);
    return facts.has_reduction ? row > 0 : row > 0 && row <= kMaxRegisterRow;
  }

  // The same for a reduction whose elements are shared where they are used, and for what is made of such; nothing where
  // that is not so. `again`: operations by which elements themselves are computed more than once.
  std::optional<bool> pays_to_share(NodeId id, double again) const {
    const Facts& facts = facts_[id];
    if (facts.is_nested) return std::nullopt;
    Shared shared = facts.shared;
    if (facts.has_reduction) {
      shared = {facts.ops, graph_.nodes[id].count, 1, facts.row};
      again = 0;
    }
    if (shared.ops == 0) return std::nullopt;
    const SharedUses uses = find_shared_uses(graph_, id, shared);
    if (!uses.is_shared) return std::nullopt;
    // The elements of the rows themselves come after it, and are looked at with all that they share.
    if (facts.has_reduction && uses.in_rows) return false;
    // A row's group keeps its elements, or computes them anew for less than loading them takes.
    if (uses.in_rows && !uses.is_repeated && facts.ops <= kLightElementwiseOps) return false;
    return shared.ops > kMaxSharedOps || (uses.is_repeated && shared.count > kMaxSharedRows) ||
           uses.lanes * shared.ops > kLaunchOps || uses.groups * shared.ops + again > launch_ops(uses.groups);
  }

  Uses find_uses(NodeId id) const {
    Uses uses;
    double padded = 0;
    // Users ascending, each after all that it can be reached through, so that the only one left is where all ways meet.
    std::priority_queue<std::pair<NodeId, NodeId>, std::vector<std::pair<NodeId, NodeId>>, std::greater<>> open;
    const auto push_users = [&](NodeId from) {
      for (const NodeId user : graph_.nodes[from].users) open.emplace(user, from);
    };
    push_users(id);
    int seen = 0;
    while (!open.empty()) {
      const auto [user, from] = open.top();
      while (!open.empty() && open.top().first == user) open.pop();
      const bool keeps = keeps_elements(graph_, from, user);
      if (keeps && open.empty() && uses.evaluations == 0 && padded == 0) {
        uses.meet = true;
        return uses;
      }
      if (keeps && !graph_.nodes[user].is_output && ++seen < kMaxUsersSeen) {
        push_users(user);
        continue;
      }
      const Op op = graph_.node(user).op;
      const auto from_count = static_cast<double>(graph_.nodes[from].count);
      const auto user_count = static_cast<double>(graph_.nodes[user].count);
      uses.reduced |= ir::is_reduce(op);
      if (op == Op::kPad) {
        // Padded values are added to others of the same shape, at the same indices: one kernel, most likely.
        padded = std::max(padded, user_count);
      } else {
        uses.evaluations += ir::is_reduce(op) || op == Op::kStore ? from_count : user_count;
      }
    }
    uses.evaluations += padded;
    return uses;
  }

  const FlatGraph& graph_;
  MemoryVersions& versions_;
  const AttentionChoices attention_;
  std::vector<bool> buffers_;
  std::vector<Facts> facts_;
};

}  // namespace

std::vector<bool> choose_buffers(const FlatGraph& graph) {
  MemoryVersions versions(graph);
  return Chooser(graph, versions).run();
}

}  // namespace bw::compiler
