#include "compiler/attention_graph.h"

#include <algorithm>
#include <unordered_set>

namespace bw::compiler {
namespace {

using ir::Node;
using ir::Op;

// Nodes between the scores and their inner product; more is no attention.
constexpr size_t kMaxScoreNodes = 64;
constexpr int64_t kMaxElements = 512;  // of a query and a key
constexpr int64_t kMaxColumns = 512;   // of a value

bool is_short_or_single(ir::DType dtype) {
  return dtype == ir::DType::kF32 || dtype == ir::DType::kF16 || dtype == ir::DType::kBF16;
}

// The extents without those of 1.
ir::Shape proper(const ir::Shape& shape) {
  ir::Shape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result),
               [](const ir::Dim& d) { return d != ir::Dim(1); });
  return result;
}

class Finder {
 public:
  explicit Finder(const FlatGraph& graph) : graph_(graph) {}

  std::optional<AttentionNodes> run(NodeId weighted) {
    found_.weighted = weighted;
    if (!is_reduction_of_one_axis(weighted, Op::kReduceAdd)) return std::nullopt;
    const NodeId product = strip(input(weighted));
    if (op(product) != Op::kMul) return std::nullopt;
    bool matched = false;
    for (size_t side = 0; side < 2 && !matched; ++side) {
      const size_t mark = found_.inside.size();
      factor_ = kNoNode;
      matched = match_weights(inputs(product)[side]);
      if (matched) {
        add_operand(inputs(product)[1 - side]);
      } else {
        found_.inside.resize(mark);
      }
    }
    if (!matched || !match_sum() || !match_score() || !follow_end() || is_used_elsewhere()) return std::nullopt;
    return found_;
  }

 private:
  Op op(NodeId id) const { return graph_.node(id).op; }
  const std::vector<NodeId>& inputs(NodeId id) const { return graph_.nodes[id].inputs; }
  NodeId input(NodeId id) const { return graph_.nodes[id].inputs[0]; }

  bool is_reduction_of_one_axis(NodeId id, Op wanted) const {
    const Node& node = graph_.node(id);
    if (node.op != wanted || !is_short_or_single(node.dtype) || graph_.nodes[id].count == 0) return false;
    const ir::Shape& from = graph_.node(input(id)).shape;
    int reduced = 0;
    for (const int axis : node.attr<ir::AxesAttr>().axes) reduced += from[axis] == ir::Dim(1) ? 0 : 1;
    return reduced == 1;
  }

  bool is_moved_or_cast(NodeId id) const {
    const Node& node = graph_.node(id);
    if (node.inputs.empty() || is_memory(node)) return false;
    if (node.op == Op::kCast) return is_short_or_single(node.dtype) && is_short_or_single(graph_.node(input(id)).dtype);
    return node.op == Op::kReshape || node.op == Op::kPermute || node.op == Op::kExpand;
  }

  // The value that `id` moves or converts; all on the way becomes part of the attention.
  NodeId strip(NodeId id) {
    for (; is_moved_or_cast(id); id = input(id)) found_.inside.push_back(id);
    found_.inside.push_back(id);
    return id;
  }
  // The same, but nothing becomes part of anything.
  NodeId peek(NodeId id) const {
    while (is_moved_or_cast(id)) id = input(id);
    return id;
  }

  bool is_number(NodeId id) const { return op(peek(id)) == Op::kConst; }
  bool is_minus_one(NodeId id) const {
    const Node& node = graph_.node(peek(id));
    if (node.op != Op::kConst || !ir::is_float(node.dtype)) return false;
    return std::get<double>(node.attr<ir::ConstAttr>().value) == -1.0;
  }

  // weight, or weight times what is made of the sum.
  bool match_weights(NodeId id) {
    const NodeId base = strip(id);
    if (op(base) == Op::kExp2) return match_power(base);
    if (op(base) != Op::kMul) return false;
    for (size_t side = 0; side < 2; ++side) {
      if (op(peek(inputs(base)[side])) != Op::kExp2) continue;
      factor_ = inputs(base)[1 - side];
      return match_power(strip(inputs(base)[side]));
    }
    return false;
  }

  bool match_power(NodeId power) {
    power_ = power;
    NodeId exponent = strip(input(power));
    if (op(exponent) == Op::kMul) {
      const size_t number = is_number(inputs(exponent)[0]) ? 0 : 1;
      if (!is_number(inputs(exponent)[number])) return false;
      exponent = strip(inputs(exponent)[1 - number]);
    }
    if (op(exponent) != Op::kAdd) return false;
    for (size_t side = 0; side < 2; ++side) {
      const NodeId negated = peek(inputs(exponent)[side]);
      if (op(negated) != Op::kMul) continue;
      const size_t number = is_minus_one(inputs(negated)[0]) ? 0 : 1;
      const NodeId maximum = peek(inputs(negated)[1 - number]);
      if (!is_minus_one(inputs(negated)[number]) || !is_reduction_of_one_axis(maximum, Op::kReduceMax)) continue;
      if (peek(input(maximum)) != peek(inputs(exponent)[1 - side])) continue;
      strip(inputs(exponent)[side]);
      strip(inputs(negated)[1 - number]);
      found_.score = strip(input(maximum));
      strip(inputs(exponent)[1 - side]);
      return true;
    }
    return false;
  }

  // A reduction that the weights go into besides the weighted sum.
  bool match_sum() {
    std::vector<NodeId> open{power_};
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      for (const NodeId user : graph_.nodes[id].users) {
        if (is_moved_or_cast(user)) open.push_back(user);
        if (user == found_.weighted || !is_reduction_of_one_axis(user, Op::kReduceAdd)) continue;
        sum_ = user;
        const int64_t columns = graph_.nodes[found_.weighted].count / graph_.nodes[user].count;
        if (columns < 2 || columns > kMaxColumns) return false;
        strip(input(user));
        found_.inside.push_back(user);
        return factor_ == kNoNode || match_reciprocal(factor_);
      }
    }
    return false;
  }

  // Something made of the sum alone, element by element.
  bool match_reciprocal(NodeId id) {
    std::vector<NodeId> path;
    while (id != sum_) {
      const Node& node = graph_.node(id);
      const bool goes_on = is_moved_or_cast(id) || ir::is_unary(node.op);
      if (!goes_on || node.inputs.empty()) return false;
      path.push_back(id);
      id = input(id);
    }
    found_.inside.insert(found_.inside.end(), path.begin(), path.end());
    return true;
  }

  // From the scores down: one inner product, and no other reduction.
  bool match_score() {
    std::vector<NodeId> open{found_.score};
    std::unordered_set<NodeId> seen;
    NodeId dot = kNoNode;
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      if (!seen.insert(id).second || is_memory(graph_.node(id)) || op(id) == Op::kContiguous) continue;
      if (seen.size() > kMaxScoreNodes) return false;
      if (ir::is_reduce(op(id))) {
        if (dot != kNoNode) return false;
        dot = id;
        continue;
      }
      open.insert(open.end(), inputs(id).begin(), inputs(id).end());
    }
    if (dot == kNoNode || !is_reduction_of_one_axis(dot, Op::kReduceAdd)) return false;
    if (graph_.nodes[input(dot)].count / graph_.nodes[dot].count > kMaxElements) return false;
    add_ways(dot, seen);
    const NodeId product = strip(input(dot));
    if (op(product) != Op::kMul) return false;
    for (const NodeId operand : inputs(product)) add_operand(operand);
    return true;
  }

  // What leads from the inner product to the scores.
  void add_ways(NodeId dot, const std::unordered_set<NodeId>& score_nodes) {
    std::vector<NodeId> ascending(score_nodes.begin(), score_nodes.end());
    std::sort(ascending.begin(), ascending.end());
    std::unordered_set<NodeId> on_the_way{dot};
    for (const NodeId id : ascending) {
      const auto leads = [&](NodeId from) { return on_the_way.contains(from); };
      if (std::any_of(inputs(id).begin(), inputs(id).end(), leads)) on_the_way.insert(id);
    }
    found_.inside.insert(found_.inside.end(), on_the_way.begin(), on_the_way.end());
  }

  void add_operand(NodeId id) {
    for (; is_moved_or_cast(id); id = input(id)) found_.ways.push_back(id);
    found_.operands.push_back(id);
  }

  // Takes in what is computed from each weighted sum alone, as long as its axes stay apart.
  bool follow_end() {
    NodeId id = found_.weighted;
    while (!graph_.nodes[id].is_output && graph_.nodes[id].users.size() == 1) {
      const NodeId user = graph_.nodes[id].users[0];
      if (!can_follow(id, user)) break;
      found_.inside.push_back(id);
      id = user;
    }
    found_.end = id;
    return true;
  }

  bool can_follow(NodeId from, NodeId user) {
    const Node& node = graph_.node(user);
    if (graph_.nodes[user].count != graph_.nodes[from].count) return false;
    if (node.op == Op::kPermute || ir::is_unary(node.op)) return true;
    if (node.op == Op::kCast) return ir::is_float(node.dtype);
    if (node.op == Op::kReshape) return proper(node.shape) == proper(graph_.node(from).shape);
    if (!ir::is_binary(node.op)) return false;
    const NodeId other = inputs(user)[0] == from ? inputs(user)[1] : inputs(user)[0];
    return other != from && (is_number(other) || match_reciprocal_of_end(other));
  }

  bool match_reciprocal_of_end(NodeId id) { return reaches_sum(id) && match_reciprocal(id); }
  bool reaches_sum(NodeId id) const {
    while (id != sum_ && !inputs(id).empty() && (is_moved_or_cast(id) || ir::is_unary(op(id)))) id = input(id);
    return id == sum_;
  }

  bool is_used_elsewhere() const {
    std::unordered_set<NodeId> own(found_.inside.begin(), found_.inside.end());
    own.insert(found_.end);
    own.insert(found_.weighted);
    for (const NodeId id : found_.inside) {
      const FlatNode& flat = graph_.nodes[id];
      if (flat.node->inputs.empty()) continue;  // numbers
      if (flat.is_output || flat.node->op == Op::kContiguous || is_memory(*flat.node)) return true;
      const auto is_own = [&](NodeId user) { return own.contains(user); };
      if (!std::all_of(flat.users.begin(), flat.users.end(), is_own)) return true;
    }
    return false;
  }

  const FlatGraph& graph_;
  AttentionNodes found_;
  NodeId power_ = kNoNode;
  NodeId factor_ = kNoNode;
  NodeId sum_ = kNoNode;
};

}  // namespace

std::optional<AttentionNodes> find_attention(const FlatGraph& graph, NodeId weighted) {
  return Finder(graph).run(weighted);
}

AttentionChoices::AttentionChoices(const FlatGraph& graph)
    : inside(graph.nodes.size()), ends(graph.nodes.size()), operands(graph.nodes.size()) {
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    if (graph.node(id).op != Op::kReduceAdd) continue;
    const auto attention = find_attention(graph, id);
    if (!attention.has_value()) continue;
    for (const NodeId node : attention->inside) inside[node] = true;
    for (const NodeId node : attention->ways) inside[node] = true;
    for (const NodeId node : attention->operands) operands[node] = true;
    ends[attention->end] = true;
  }
}

}  // namespace bw::compiler
