#include "ir/rewrite/simplify_graph.h"

#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "ir/builder.h"
#include "ir/fold.h"
#include "ir/interval.h"
#include "ir/rewrite/rules.h"
#include "ir/rewrite/simplify_movement.h"
#include "ir/scalar_ops.h"

namespace bw::ir::rewrite {
namespace {

bool is_memory_state(const NodePtr& node) {
  const Node* source = node.get();
  while (is_movement(source->op) || source->op == Op::kBitcast) source = source->inputs[0].get();
  return source->op == Op::kParam || source->op == Op::kStore;
}

class GraphSimplifier : public RuleHost {
 public:
  Result<std::vector<NodePtr>> run(std::span<const NodePtr> outputs) {
    for (const NodePtr& node : topological_order(outputs)) {
      BW_ASSIGN(NodePtr made, with_new_inputs(node));
      BW_ASSIGN(done_[node.get()], simplify(std::move(made)));
    }
    std::vector<NodePtr> result;
    for (const NodePtr& output : outputs) {
      NodePtr made = done_.at(output.get());
      // An output that is memory means that memory as all stores leave it; a value means what it was.
      if (is_memory_state(made) && !is_memory_state(output)) {
        BW_ASSIGN(made, builder_.contiguous(made));
      }
      result.push_back(std::move(made));
    }
    return result;
  }

  std::optional<Scalar> constant_value(const NodePtr& node) override {
    const Node* constant = splat_of(node);
    if (constant == nullptr) return std::nullopt;
    return constant->attr<ConstAttr>().value;
  }

  NodePtr make_constant(DType dtype, Scalar value, const Node& like) override {
    NodePtr constant = checked(builder_.constant(dtype, value));
    if (like.shape.empty()) return intern(std::move(constant));
    NodePtr ones = checked(builder_.reshape(std::move(constant), Shape(like.shape.size(), Dim(1))));
    return intern(checked(builder_.expand(std::move(ones), like.shape)));
  }

  NodePtr make(Op op, DType dtype, std::vector<NodePtr> inputs) override {
    Node node;
    node.op = op;
    node.dtype = dtype;
    node.shape = inputs.back()->shape;
    node.inputs = std::move(inputs);
    return checked(simplify(intern(make_node(std::move(node)))));
  }

  // Only constants are known.
  Interval bounds(const NodePtr& node) override {
    const std::optional<Scalar> value = constant_value(node);
    if (!value.has_value() || is_float(node->dtype))
      return whole_range(is_float(node->dtype) ? DType::kI64 : node->dtype);
    const int64_t integer = std::get<int64_t>(*value);
    return {integer, integer, false};
  }

 private:
  // Rules make what fits: anything else is our bug.
  static NodePtr checked(Result<NodePtr> made) {
    BW_CHECK(made.is_ok());
    return std::move(made).value();
  }

  NodePtr intern(NodePtr node) {
    const size_t hash = shallow_hash(*node);
    const auto [first, last] = nodes_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
      if (shallow_equal(*it->second, *node)) return it->second;
    }
    nodes_.emplace(hash, node);
    return node;
  }

  Result<NodePtr> with_new_inputs(const NodePtr& node) {
    bool is_same = true;
    for (const NodePtr& input : node->inputs) is_same &= done_.at(input.get()) == input;
    if (is_same) return intern(node);
    Node copy = *node;
    for (NodePtr& input : copy.inputs) input = done_.at(input.get());
    return intern(make_node(std::move(copy)));
  }

  // To a fixpoint: each step leaves fewer nodes on the way to the leaves.
  Result<NodePtr> simplify(NodePtr node) {
    std::vector<NodePtr> passed;
    while (passed.size() < kMaxSteps) {
      const auto known = simplified_.find(node.get());
      NodePtr next;
      if (known != simplified_.end()) {
        next = known->second;
      } else {
        BW_ASSIGN(next, replacement(node));
      }
      if (next == nullptr || next == node) break;
      BW_CHECK(next->dtype == node->dtype && next->shape == node->shape);
      passed.push_back(std::move(node));
      node = intern(std::move(next));
    }
    simplified_[node.get()] = node;
    for (NodePtr& from : passed) {
      simplified_[from.get()] = node;
      kept_.push_back(std::move(from));
    }
    return node;
  }

  Result<NodePtr> replacement(const NodePtr& node) {
    if (is_movement(node->op) || is_reduce(node->op)) return simplify_movement(builder_, node);
    if (node->op == Op::kContiguous && node->inputs[0]->op == Op::kContiguous) return node->inputs[0];
    if (!is_elementwise(node->op)) return NodePtr();
    Node ordered = *node;
    if (is_commutative(node->op) && splat_of(ordered.inputs[0]) != nullptr) {
      std::swap(ordered.inputs[0], ordered.inputs[1]);
    }
    NodePtr replaced = elementwise_rule_set().apply(ordered, *this);
    // A param seen as elements of another size has another shape.
    if (replaced != nullptr && replaced->shape != node->shape) return NodePtr();
    return replaced;
  }

  static constexpr size_t kMaxSteps = 64;

  Builder builder_;
  std::unordered_multimap<size_t, NodePtr> nodes_;
  std::unordered_map<const Node*, NodePtr> done_;        // by the node of the original graph
  std::unordered_map<const Node*, NodePtr> simplified_;  // by what was to be simplified
  std::vector<NodePtr> kept_;                            // so that no address is used again
};

}  // namespace

Result<std::vector<NodePtr>> simplify_graph(std::span<const NodePtr> outputs) {
  return GraphSimplifier().run(outputs);
}

}  // namespace bw::ir::rewrite
