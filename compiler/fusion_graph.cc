#include "compiler/fusion_graph.h"

#include <unordered_map>

#include "compiler/fusion_split.h"
#include "compiler/loops_index.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

using ir::Node;
using ir::NodePtr;
using ir::Op;

constexpr size_t kMaxStores = 4096;

class Flattener {
 public:
  Result<FlatGraph> run(std::span<const NodePtr> outputs) {
    for (const NodePtr& output : outputs) {
      const NodePtr base = strip_reshapes(output);
      BW_ASSIGN(const NodeId id, visit(base));
      graph_.nodes[id].is_output = true;
      graph_.outputs.push_back(id);
    }
    link_users();
    BW_RETURN_IF_ERROR(link_stores());
    return std::move(graph_);
  }

 private:
  // The value that an output reshapes. Memory is not looked through: the output is a copy of it.
  static NodePtr strip_reshapes(const NodePtr& output) {
    NodePtr base = output;
    while (base->op == Op::kReshape) base = base->inputs[0];
    return is_memory(*base) ? output : base;
  }

  // The nodes whose values a node needs; a store needs the memory that it overwrites, not the view of it.
  std::vector<NodePtr> needs(const Node& node) {
    if (is_read(node)) return node.inputs;
    std::vector<NodePtr> result = node.inputs;
    for (NodePtr& input : result) {
      if (input->op == Op::kStore) input = read_of(input);
    }
    if (node.op == Op::kStore) {
      result[0] = node.inputs[0];
      while (!is_memory(*result[0])) result[0] = result[0]->inputs[0];
    }
    return result;
  }

  bool is_read(const Node& node) const {
    if (node.inputs.empty()) return false;
    const auto known = reads_.find(node.inputs[0].get());
    return known != reads_.end() && known->second.get() == &node;
  }

  // What a store leaves in memory, as a value: it can become a buffer of its own, should the memory be overwritten
  // before the last use of the value.
  NodePtr read_of(const NodePtr& store) {
    NodePtr& read = reads_[store.get()];
    if (read != nullptr) return read;
    Node node;
    node.op = Op::kReshape;
    node.dtype = store->dtype;
    node.shape = store->shape;
    node.inputs = {store};
    node.attribute = ir::ShapeAttr{store->shape};
    read = ir::make_node(std::move(node));
    return read;
  }

  Result<NodePtr> resolve(const NodePtr& node) {
    const auto known = replaced_.find(node.get());
    if (known != replaced_.end()) return known->second;
    BW_ASSIGN(NodePtr split, split_long_reduction(builder_, node));
    replaced_.emplace(node.get(), split);
    replaced_.emplace(split.get(), split);
    return split;
  }

  // Numbers the node and what it needs. Does not recurse: graphs can be deeper than the stack.
  Result<NodeId> visit(const NodePtr& root) {
    struct Visit {
      NodePtr node;
      std::vector<NodePtr> needs;
      size_t next = 0;
    };
    BW_ASSIGN(NodePtr first, resolve(root));
    std::vector<Visit> path;
    if (!ids_.contains(first.get())) path.push_back({first, needs(*first)});
    while (!path.empty()) {
      Visit& top = path.back();
      if (top.next < top.needs.size()) {
        BW_ASSIGN(top.needs[top.next], resolve(top.needs[top.next]));
        const NodePtr need = top.needs[top.next++];
        if (!ids_.contains(need.get())) path.push_back({need, needs(*need)});
        continue;
      }
      BW_RETURN_IF_ERROR(add(top.node, top.needs));
      path.pop_back();
    }
    return ids_.at(first.get());
  }

  Status add(const NodePtr& node, const std::vector<NodePtr>& inputs) {
    if (ids_.contains(node.get())) return Status::ok();
    if (node->op == Op::kReshape && !is_empty(node->shape) &&
        !reshape_groups(node->inputs[0]->shape, node->shape).has_value()) {
      return error(StatusCode::kUnsupported, "scheduling {}: a symbolic extent would move among the static ones",
                   ir::print_node(*node));
    }
    FlatNode flat;
    flat.node = node;
    for (const NodePtr& input : inputs) flat.inputs.push_back(ids_.at(input.get()));
    flat.count = ir::max_element_count(node->shape);
    const auto id = static_cast<NodeId>(graph_.nodes.size());
    if (node->op == Op::kStore) graph_.stores.push_back(id);
    ids_.emplace(node.get(), id);
    graph_.nodes.push_back(std::move(flat));
    return Status::ok();
  }

  void link_users() {
    for (NodeId id = 0; id < graph_.nodes.size(); ++id) {
      for (const NodeId input : graph_.nodes[id].inputs) {
        std::vector<NodeId>& users = graph_.nodes[input].users;
        if (users.empty() || users.back() != id) users.push_back(id);
      }
    }
  }

  // Finds, for each state of a param's memory, the store that ends it.
  Status link_stores() {
    if (graph_.stores.size() > kMaxStores) {
      return error(StatusCode::kUnsupported, "scheduling a graph with {} stores (at most {})", graph_.stores.size(),
                   kMaxStores);
    }
    std::unordered_map<uint64_t, NodeId> first_store;  // by param id: the one over the param as it comes
    for (const NodeId store : graph_.stores) {
      FlatNode& before = graph_.nodes[graph_.nodes[store].inputs[0]];
      NodeId& next = before.node->op == Op::kStore
                         ? before.overwritten_by
                         : first_store.emplace(memory_param_id(*before.node), kNoNode).first->second;
      if (next != kNoNode) {
        return error(
            StatusCode::kInvalidArgument,
            "scheduling {}: {} writes to the same state of the param (store into a view of its result instead)",
            ir::print_node(graph_.node(store)), ir::print_node(graph_.node(next)));
      }
      next = store;
    }
    for (FlatNode& flat : graph_.nodes) {
      if (!is_memory(*flat.node) || flat.node->op == Op::kStore) continue;
      const auto store = first_store.find(memory_param_id(*flat.node));
      if (store != first_store.end()) flat.overwritten_by = store->second;
    }
    return Status::ok();
  }

  FlatGraph graph_;
  ir::Builder builder_;
  std::unordered_map<const Node*, NodeId> ids_;
  std::unordered_map<const Node*, NodePtr> replaced_;
  std::unordered_map<const Node*, NodePtr> reads_;  // by kStore
};

}  // namespace

bool is_memory(const Node& node) {
  if (node.op == Op::kBitcast) {
    const Node& input = *node.inputs[0];
    return input.op == Op::kParam && ir::size_bytes(input.dtype) != ir::size_bytes(node.dtype);
  }
  return node.op == Op::kParam || node.op == Op::kStore;
}

uint64_t memory_param_id(const Node& node) {
  const Node* base = &node;
  while (base->op != Op::kParam) base = base->inputs[0].get();
  return base->attr<ir::ParamAttr>().id;
}

bool is_empty(const ir::Shape& shape) {
  return ir::max_element_count(shape) == 0;
}

Result<FlatGraph> flatten(std::span<const NodePtr> outputs) {
  return Flattener().run(outputs);
}

}  // namespace bw::compiler
