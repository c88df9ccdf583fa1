#include "ir/node.h"

#include <bit>
#include <functional>
#include <limits>
#include <unordered_set>
#include <utility>

namespace bw::ir {
namespace {

using DeadNodes = std::vector<std::unique_ptr<const Node>>;

// Deletes a node. The nodes that die with it wait in a list instead of on the stack: a graph may be deeper than the
// stack allows.
void delete_node(const Node* dead) {
  thread_local DeadNodes* waiting = nullptr;
  std::unique_ptr<const Node> owned(dead);
  if (waiting != nullptr) {
    waiting->push_back(std::move(owned));
    return;
  }
  DeadNodes list;
  waiting = &list;
  list.push_back(std::move(owned));
  while (!list.empty()) {
    std::unique_ptr<const Node> next = std::move(list.back());
    list.pop_back();
    next.reset();
  }
  waiting = nullptr;
}

// Mixes fields into a hash.
class Hasher {
 public:
  void add(uint64_t value) { hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15u + (hash_ >> 29); }
  void add(const std::string& text) { add(std::hash<std::string>{}(text)); }
  void add(const Dim& dim) {
    add(static_cast<uint64_t>(dim.offset));
    add(reinterpret_cast<uintptr_t>(dim.variable.get()));
  }
  void add(const std::vector<Dim>& dims) {
    add(dims.size());
    for (const Dim& dim : dims) add(dim);
  }
  template <typename T>
  void add_all(const std::vector<T>& values) {
    add(values.size());
    for (T value : values) add(static_cast<uint64_t>(value));
  }
  size_t hash() const { return hash_; }

  void operator()(const std::monostate&) {}
  void operator()(const ConstAttr& attr) {
    const auto* real = std::get_if<double>(&attr.value);
    add(real != nullptr ? std::bit_cast<uint64_t>(*real) : static_cast<uint64_t>(std::get<int64_t>(attr.value)));
  }
  void operator()(const ParamAttr& attr) {
    add(attr.id);
    add(attr.name);
  }
  void operator()(const VariableAttr& attr) {
    add(attr.name);
    add(static_cast<uint64_t>(attr.min));
    add(static_cast<uint64_t>(attr.max));
  }
  void operator()(const RangeAttr& attr) {
    add(attr.extent);
    add(attr.id);
    add(static_cast<uint64_t>(attr.kind));
  }
  void operator()(const ShapeAttr& attr) { add(attr.shape); }
  void operator()(const AxesAttr& attr) { add_all(attr.axes); }
  void operator()(const PadAttr& attr) {
    add_all(attr.before);
    add_all(attr.after);
  }
  void operator()(const ShrinkAttr& attr) {
    add(attr.begin);
    add(attr.end);
  }

 private:
  uint64_t hash_ = 0;
};

// Whether two attributes of the same alternative are equal. Constants are compared by their bits: 0.0 is not -0.0.
struct AttributeEqual {
  bool operator()(const std::monostate&, const std::monostate&) const { return true; }
  bool operator()(const ConstAttr& a, const ConstAttr& b) const {
    if (a.value.index() != b.value.index()) return false;
    if (const auto* real = std::get_if<double>(&a.value)) {
      return std::bit_cast<uint64_t>(*real) == std::bit_cast<uint64_t>(std::get<double>(b.value));
    }
    return a.value == b.value;
  }
  bool operator()(const ParamAttr& a, const ParamAttr& b) const { return a.id == b.id && a.name == b.name; }
  bool operator()(const VariableAttr& a, const VariableAttr& b) const {
    return a.name == b.name && a.min == b.min && a.max == b.max;
  }
  bool operator()(const RangeAttr& a, const RangeAttr& b) const {
    return a.extent == b.extent && a.id == b.id && a.kind == b.kind;
  }
  bool operator()(const ShapeAttr& a, const ShapeAttr& b) const { return a.shape == b.shape; }
  bool operator()(const AxesAttr& a, const AxesAttr& b) const { return a.axes == b.axes; }
  bool operator()(const PadAttr& a, const PadAttr& b) const { return a.before == b.before && a.after == b.after; }
  bool operator()(const ShrinkAttr& a, const ShrinkAttr& b) const { return a.begin == b.begin && a.end == b.end; }
  template <typename A, typename B>
  bool operator()(const A&, const B&) const {
    return false;
  }
};

void append_variables(const std::vector<Dim>& dims, std::vector<NodePtr>& result) {
  for (const Dim& dim : dims) {
    if (dim.variable != nullptr) result.push_back(dim.variable);
  }
}

// What must come before a node: the variables of its extents, then its inputs. A missing input, which the verifier
// reports, is passed over.
std::vector<NodePtr> dependencies(const Node& node) {
  std::vector<NodePtr> result = extent_variables(node);
  for (const NodePtr& input : node.inputs) {
    if (input != nullptr) result.push_back(input);
  }
  return result;
}

}  // namespace

int64_t Dim::min() const {
  return offset + (is_static() ? 0 : variable->attr<VariableAttr>().min);
}
int64_t Dim::max() const {
  return offset + (is_static() ? 0 : variable->attr<VariableAttr>().max);
}

NodePtr make_node(Node node) {
  return NodePtr(std::make_unique<Node>(std::move(node)).release(), delete_node);
}

int64_t max_element_count(const Shape& shape) {
  int64_t count = 1;
  bool too_large = false;
  for (const Dim& dim : shape) {
    if (dim.max() == 0) return 0;
    too_large = too_large || __builtin_mul_overflow(count, dim.max(), &count);
  }
  return too_large ? std::numeric_limits<int64_t>::max() : count;
}

std::vector<NodePtr> extent_variables(const Node& node) {
  std::vector<NodePtr> result;
  append_variables(node.shape, result);
  if (const auto* range = std::get_if<RangeAttr>(&node.attribute)) append_variables({range->extent}, result);
  if (const auto* shape = std::get_if<ShapeAttr>(&node.attribute)) append_variables(shape->shape, result);
  if (const auto* shrink = std::get_if<ShrinkAttr>(&node.attribute)) {
    append_variables(shrink->begin, result);
    append_variables(shrink->end, result);
  }
  return result;
}

std::vector<NodePtr> topological_order(std::span<const NodePtr> outputs) {
  struct Visit {
    NodePtr node;
    std::vector<NodePtr> needs;
    size_t next = 0;
  };
  std::vector<NodePtr> order;
  std::unordered_set<const Node*> seen;
  std::vector<Visit> path;
  for (const NodePtr& output : outputs) {
    if (output == nullptr || !seen.insert(output.get()).second) continue;
    path.push_back({output, dependencies(*output)});
    while (!path.empty()) {
      Visit& top = path.back();
      if (top.next == top.needs.size()) {
        order.push_back(std::move(top.node));
        path.pop_back();
        continue;
      }
      NodePtr need = top.needs[top.next++];
      if (!seen.insert(need.get()).second) continue;
      std::vector<NodePtr> needs = dependencies(*need);
      path.push_back({std::move(need), std::move(needs)});
    }
  }
  return order;
}

bool shallow_equal(const Node& a, const Node& b) {
  return a.op == b.op && a.dtype == b.dtype && a.inputs == b.inputs && a.shape == b.shape &&
         std::visit(AttributeEqual{}, a.attribute, b.attribute);
}

size_t shallow_hash(const Node& node) {
  Hasher hasher;
  hasher.add(static_cast<uint64_t>(node.op) << 8 | static_cast<uint64_t>(node.dtype));
  hasher.add(node.shape);
  for (const NodePtr& input : node.inputs) hasher.add(reinterpret_cast<uintptr_t>(input.get()));
  std::visit(hasher, node.attribute);
  return hasher.hash();
}

}  // namespace bw::ir
