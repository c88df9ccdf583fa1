#include "compiler/schedule_outputs.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/check.h"
#include "ir/verifier.h"

namespace bw::compiler {
namespace {

using ir::Node;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

constexpr size_t kMaxWritten = 8;
// Kernels in the order before one that are looked at for something to share.
constexpr size_t kNeighbours = 16;

bool is_of_grid(RangeKind kind) {
  return kind != RangeKind::kLoop && kind != RangeKind::kUnroll;
}

enum class Loops : uint8_t { kShared, kOwn };

// Builds both kernels again as one.
class NestMerger {
 public:
  NestMerger(const LoopNest& first, const LoopNest& second, Loops loops)
      : first_(first), second_(second), loops_(loops) {}

  std::optional<LoopNest> run() {
    if (!place_arguments()) return std::nullopt;
    build(first_);
    for (const NodePtr& store : merged_.kernel.stores) stored_.emplace(store->inputs[1].get(), store);
    const size_t loads_of_first = loads_.size();
    build(second_);
    if (failed_) return std::nullopt;
    ir::Kernel& kernel = merged_.kernel;
    kernel.name = fmt::format("{}_and_{}", first_.kernel.name, second_.kernel.name);
    kernel.workgroup_size = first_.kernel.workgroup_size;
    for (const auto& [name, variable] : variables_) kernel.variables.push_back(variable);
    merged_.root = std::max(first_.root, second_.root);
    merged_.written = first_.written + second_.written;
    merged_.grid = first_.grid;
    merged_.group_extent = first_.group_extent;
    merged_.form = first_.form;
    merged_.reads = unite(first_.reads, second_.reads);
    std::erase_if(merged_.reads, [&](NodeId id) { return is_written(first_, {false, id}); });
    merged_.states = unite(first_.states, second_.states);
    // Beside what is passed on, most of what the second one loads must be loaded already: side by side they would have
    // more lanes.
    const size_t saved = loads_of_first + loads_seen_in_second_ - loads_.size();
    if (saved == 0 || (!passes_on_ && 2 * saved <= loads_seen_in_second_)) return std::nullopt;
    if (!ir::verify_kernel(kernel).is_ok()) return std::nullopt;
    return std::move(merged_);
  }

 private:
  static bool is_written(const LoopNest& nest, const BufferRef& buffer) {
    const auto end = nest.arguments.begin() + static_cast<ptrdiff_t>(nest.written);
    return std::find(nest.arguments.begin(), end, buffer) != end;
  }

  static std::vector<NodeId> unite(const std::vector<NodeId>& a, const std::vector<NodeId>& b) {
    std::vector<NodeId> result;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
    return result;
  }

  // Those that are written first; each that is read, seen as one type, once. False if a result would be seen as two.
  bool place_arguments() {
    for (const bool written : {true, false}) {
      for (const LoopNest* nest : {&first_, &second_}) {
        for (size_t i = 0; i < nest->arguments.size(); ++i) {
          const Node& param = *nest->kernel.params[i];
          if ((i < nest->written) != written || find_param(nest->arguments[i], param) != nullptr) continue;
          if (!written && is_written(first_, nest->arguments[i])) return false;
          const size_t position = merged_.arguments.size();
          merged_.arguments.push_back(nest->arguments[i]);
          merged_.kernel.params.push_back(
              b_.param(position, fmt::format("b{}", position), param.dtype, {param.shape[0].offset}));
        }
      }
    }
    return merged_.arguments.size() <= kMaxArguments;
  }

  NodePtr find_param(const BufferRef& buffer, const Node& param) const {
    for (size_t i = 0; i < merged_.arguments.size(); ++i) {
      const Node& known = *merged_.kernel.params[i];
      if (merged_.arguments[i] == buffer && known.dtype == param.dtype && known.shape == param.shape) {
        return merged_.kernel.params[i];
      }
    }
    return nullptr;
  }

  void build(const LoopNest& nest) {
    std::unordered_map<const Node*, NodePtr> made;
    for (size_t i = 0; i < nest.kernel.params.size(); ++i) {
      made[nest.kernel.params[i].get()] = find_param(nest.arguments[i], *nest.kernel.params[i]);
    }
    std::unordered_map<const Node*, bool> taken;
    for (const NodePtr& node : ir::topological_order(nest.kernel.stores)) {
      if (failed_) return;
      if (made.contains(node.get())) continue;
      std::vector<NodePtr> inputs;
      for (const NodePtr& input : node->inputs) inputs.push_back(made.at(input.get()));
      made[node.get()] = node->op == Op::kRange ? range(*node, nest, taken) : build_node(node, std::move(inputs), nest);
    }
    for (const NodePtr& store : nest.kernel.stores) merged_.kernel.stores.push_back(made.at(store.get()));
  }

  NodePtr build_node(const NodePtr& node, std::vector<NodePtr> inputs, const LoopNest& nest) {
    switch (node->op) {
      case Op::kConst:
        return b_.constant(node->dtype, node->attr<ir::ConstAttr>().value);
      case Op::kVariable:
        return variables_[node->attr<ir::VariableAttr>().name] = b_.variable(node);
      case Op::kStore:
        return b_.store(inputs[0], inputs[1], inputs[2]);
      case Op::kLoad:
        return &nest == &second_ ? load_in_second(*node, inputs) : load(inputs);
      default:
        return b_.op(node->op, node->dtype, std::move(inputs));
    }
  }

  NodePtr load(const std::vector<NodePtr>& inputs) {
    NodePtr made = b_.load(inputs[0], inputs[1]);
    loads_.insert(made.get());
    return made;
  }

  // What the first kernel has stored at the same place is at hand.
  NodePtr load_in_second(const Node& node, const std::vector<NodePtr>& inputs) {
    ++loads_seen_in_second_;
    if (inputs[0]->attr<ir::ParamAttr>().id >= first_.written) return load(inputs);
    const auto [begin, end] = stored_.equal_range(inputs[1].get());
    const auto store =
        std::find_if(begin, end, [&](const auto& known) { return known.second->inputs[0] == inputs[0]; });
    if (store != end && store->second->inputs[2]->dtype == node.dtype) {
      passes_on_ = true;
      return store->second->inputs[2];
    }
    failed_ = true;
    return inputs[1];
  }

  // Ranges of the grid and of groups are the same for both, loops where they are alike and so chosen.
  NodePtr range(const Node& node, const LoopNest& nest, std::unordered_map<const Node*, bool>& taken) {
    const auto& attr = node.attr<ir::RangeAttr>();
    const bool can_share = is_of_grid(attr.kind) || loops_ == Loops::kShared;
    for (const NodePtr& known : ranges_) {
      const auto& other = known->attr<ir::RangeAttr>();
      if (!can_share || &nest == &first_ || other.kind != attr.kind || taken.contains(known.get())) continue;
      if (other.extent == attr.extent) {
        taken[known.get()] = true;
        return known;
      }
      failed_ |= is_of_grid(attr.kind);
    }
    ranges_.push_back(b_.range(attr.extent, attr.kind));
    taken[ranges_.back().get()] = true;
    return ranges_.back();
  }

  const LoopNest& first_;
  const LoopNest& second_;
  const Loops loops_;
  ir::KernelBuilder b_;
  LoopNest merged_;
  std::vector<NodePtr> ranges_;
  std::map<std::string, NodePtr> variables_;
  std::unordered_set<const Node*> loads_;
  size_t loads_seen_in_second_ = 0;
  std::unordered_multimap<const Node*, NodePtr> stored_;  // stores of the first kernel, by index
  bool passes_on_ = false;
  bool failed_ = false;
};

bool writes_params(const LoopNest& nest) {
  return std::any_of(nest.arguments.begin(), nest.arguments.begin() + static_cast<ptrdiff_t>(nest.written),
                     [](const BufferRef& buffer) { return buffer.is_param; });
}

bool can_merge(const LoopNest& a, const LoopNest& b) {
  return a.form == KernelForm(LaneForm{}) && b.form == a.form && a.grid == b.grid && a.group_extent == b.group_extent &&
         a.kernel.workgroup_size == b.kernel.workgroup_size && a.written + b.written <= kMaxWritten &&
         !writes_params(a) && !writes_params(b);
}

class OutputMerger {
 public:
  OutputMerger(const FlatGraph& graph, KernelOrder order, std::vector<LoopNest>& nests)
      : graph_(graph), order_(std::move(order)), nests_(nests) {}

  Result<KernelOrder> run() {
    while (merge_two()) {
      BW_ASSIGN(order_, order_kernels(graph_, nests_));
      BW_CHECK(order_.copy_first == kNoNode);  // nothing had to come between what was merged
    }
    return std::move(order_);
  }

 private:
  bool merge_two() {
    const std::vector<size_t>& positions = order_.positions;
    for (size_t i = 1; i < positions.size(); ++i) {
      for (size_t j = i; j-- > (i > kNeighbours ? i - kNeighbours : 0);) {
        if (try_merge(positions[j], positions[i])) return true;
      }
    }
    return false;
  }

  bool try_merge(size_t first, size_t second) {
    LoopNest& a = nests_[first];
    const LoopNest& b = nests_[second];
    if (!can_merge(a, b) || !shares(a, b) || refused_.contains({a.root, b.root})) return false;
    if (is_reached_otherwise(first, second)) return false;
    std::optional<LoopNest> merged = merge_nests(a, b);
    if (!merged.has_value()) {
      refused_.emplace(a.root, b.root);
      return false;
    }
    a = *std::move(merged);
    nests_.erase(nests_.begin() + static_cast<ptrdiff_t>(second));
    return true;
  }

  // Whether the second uses what the first writes, an output that is a buffer anyway, or both load from one buffer.
  bool shares(const LoopNest& a, const LoopNest& b) const {
    bool common = false;
    for (size_t i = 0; i < a.arguments.size(); ++i) {
      const BufferRef& buffer = a.arguments[i];
      const bool is_used = std::find(b.arguments.begin(), b.arguments.end(), buffer) != b.arguments.end();
      if (i < a.written && is_used && !graph_.nodes[buffer.id].is_output) return false;
      common |= is_used;
    }
    return common;
  }

  // Whether something must come between the two.
  bool is_reached_otherwise(size_t first, size_t second) const {
    std::vector<bool> seen(nests_.size());
    std::vector<size_t> open;
    for (const size_t next : order_.after[first]) {
      if (next != second) open.push_back(next);
    }
    while (!open.empty()) {
      const size_t i = open.back();
      open.pop_back();
      if (i == second) return true;
      if (seen[i]) continue;
      seen[i] = true;
      open.insert(open.end(), order_.after[i].begin(), order_.after[i].end());
    }
    return false;
  }

  const FlatGraph& graph_;
  KernelOrder order_;
  std::vector<LoopNest>& nests_;
  std::set<std::pair<NodeId, NodeId>> refused_;  // by their roots
};

}  // namespace

std::optional<LoopNest> merge_nests(const LoopNest& first, const LoopNest& second) {
  for (const Loops loops : {Loops::kShared, Loops::kOwn}) {
    if (std::optional<LoopNest> merged = NestMerger(first, second, loops).run()) return merged;
  }
  return std::nullopt;
}

Result<KernelOrder> merge_outputs(const FlatGraph& graph, KernelOrder order, std::vector<LoopNest>& nests) {
  return OutputMerger(graph, std::move(order), nests).run();
}

}  // namespace bw::compiler
