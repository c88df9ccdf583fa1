#include "ir/analysis/costs.h"

#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "ir/analysis/index_digits.h"
#include "ir/ranges.h"

namespace bw::ir::analysis {
namespace {

bool is_given(const Node& range) {
  const RangeKind kind = range.attr<RangeAttr>().kind;
  return kind != RangeKind::kLoop && kind != RangeKind::kUnroll;
}

class Counter {
 public:
  Counter(const Kernel& kernel, const CostOptions& options) : kernel_(kernel), options_(options) {}

  Result<KernelCosts> run() {
    BW_ASSIGN(ranges_, find_ranges(kernel_));
    for (const NodePtr& range : ranges_.ranges) {
      extents_.push_back(resolved(range->attr<RangeAttr>().extent, options_.values));
      if (!extents_.back().is_static() && extents_.back().min() < 1) may_be_empty_ |= ranges_.bit(range.get());
      if (is_given(*range)) given_ |= ranges_.bit(range.get());
    }
    find_executed();
    find_ranges_around();
    for (const NodePtr& node : topological_order(kernel_.stores)) {
      if (executed_.contains(node.get())) count(*node);
    }
    for (const auto& [key, counts] : ops_) costs_.ops.push_back({key.first, key.second, counts.first, counts.second});
    count_params();
    return std::move(costs_);
  }

 private:
  bool is_empty(uint64_t set) const {
    for (size_t i = 0; i < extents_.size(); ++i) {
      if ((set >> i & 1) != 0 && extents_[i].max() < 1) return true;
    }
    return false;
  }

  // What no iteration reaches costs nothing.
  void find_executed() {
    std::vector<const Node*> open;
    const auto reach = [&](const Node* node) {
      if (executed_.insert(node).second) open.push_back(node);
    };
    for (const NodePtr& store : kernel_.stores) {
      if (!is_empty(ranges_.free.at(store.get()))) reach(store.get());
    }
    while (!open.empty()) {
      const Node* node = open.back();
      open.pop_back();
      if (is_empty(loops_of(*node))) continue;
      for (const NodePtr& input : node->inputs) reach(input.get());
    }
  }

  uint64_t loops_of(const Node& node) const {
    uint64_t loops = 0;
    for (size_t i = 1; is_reduce(node.op) && i < node.inputs.size(); ++i) loops |= ranges_.bit(node.inputs[i].get());
    return loops;
  }

  void find_ranges_around() {
    if (may_be_empty_ == 0) return;
    const std::vector<NodePtr> order = topological_order(kernel_.stores);
    for (auto node = order.rbegin(); node != order.rend(); ++node) {
      uint64_t& around = around_[node->get()];
      if ((*node)->op == Op::kStore) around = ranges_.free.at(node->get()) & may_be_empty_;
      const uint64_t within = around | (loops_of(**node) & may_be_empty_);
      for (const NodePtr& input : (*node)->inputs) around_[input.get()] |= within;
    }
  }

  Polynomial iterations(uint64_t set) const {
    Polynomial product(1);
    for (size_t i = 0; i < extents_.size(); ++i) {
      if ((set >> i & 1) != 0) product *= Polynomial(extents_[i]);
    }
    return product;
  }

  void count(const Node& node) {
    const uint64_t free = ranges_.free.at(&node);
    if (node.op == Op::kLoad || node.op == Op::kStore) {
      accesses_[&node] = iterations(free | given_);
      return;
    }
    if (!is_reduce(node.op) && !is_elementwise(node.op)) return;
    const uint64_t loops = loops_of(node);
    auto& [distinct, by_lanes] = ops_[{node.op, is_reduce(node.op) ? node.dtype : node.inputs.back()->dtype}];
    distinct += iterations(free | loops);
    by_lanes += iterations(free | loops | given_);
  }

  void count_params() {
    struct Indices {
      std::vector<NodePtr> loads;
      std::vector<NodePtr> stores;
      bool is_exact = true;
    };
    std::vector<Indices> indices(kernel_.params.size());
    costs_.params.resize(kernel_.params.size());
    for (const NodePtr& node : topological_order(kernel_.stores)) {
      const auto known = accesses_.find(node.get());
      if (known == accesses_.end()) continue;
      const uint64_t position = node->inputs[0]->attr<ParamAttr>().id;
      ParamTraffic& traffic = costs_.params[position];
      (node->op == Op::kLoad ? traffic.loads : traffic.stores) += known->second;
      (node->op == Op::kLoad ? indices[position].loads : indices[position].stores).push_back(node->inputs[1]);
      // Where a loop without iterations leaves the access out, the index must count none either.
      const uint64_t in_index = ranges_.free.at(node->inputs[1].get());
      if (may_be_empty_ != 0) indices[position].is_exact &= (around_.at(node.get()) & ~in_index) == 0;
    }
    for (size_t i = 0; i < kernel_.params.size(); ++i) {
      const int64_t count = max_element_count(kernel_.params[i]->shape);
      costs_.element_bytes.push_back(size_bytes(kernel_.params[i]->dtype));
      costs_.params[i].read = image(indices[i].loads, count, indices[i].is_exact);
      costs_.params[i].written = image(indices[i].stores, count, indices[i].is_exact);
    }
  }

  Count image(const std::vector<NodePtr>& indices, int64_t count, bool may_be_exact) {
    if (indices.empty()) return {};
    Count result = count_image(analysis_, indices, count, options_.effort, options_.values);
    result.is_exact &= may_be_exact;
    return result;
  }

  const Kernel& kernel_;
  const CostOptions& options_;
  IndexAnalysis analysis_;
  KernelRanges ranges_;
  std::vector<Dim> extents_;   // of the ranges
  uint64_t given_ = 0;         // ranges that tell lanes apart
  uint64_t may_be_empty_ = 0;  // ranges that some values of the variables leave without iterations
  std::unordered_map<const Node*, uint64_t> around_;  // of these, those that a node is computed within
  std::unordered_set<const Node*> executed_;
  std::map<std::pair<Op, DType>, std::pair<Polynomial, Polynomial>> ops_;
  std::unordered_map<const Node*, Polynomial> accesses_;
  KernelCosts costs_;
};

// Of one evaluation.
int64_t flops_of(Op op, DType dtype) {
  if (!is_float(dtype)) return 0;
  if (op == Op::kMulAcc) return 2;
  return is_unary(op) || is_binary(op) || is_reduce(op) ? 1 : 0;
}

void add(Count& sum, const Count& count, int64_t factor) {
  sum.value += count.value * Polynomial(factor);
  sum.is_exact &= count.is_exact;
}

}  // namespace

double ParamTraffic::reuse(const VariableValues& values) const {
  const uint64_t elements = read.value.evaluate(values);
  return elements == 0 ? 0 : static_cast<double>(loads.evaluate(values)) / static_cast<double>(elements);
}

Polynomial KernelCosts::flops() const {
  Polynomial sum;
  for (const OpCount& count : ops) sum += count.by_lanes * Polynomial(flops_of(count.op, count.dtype));
  return sum;
}

Polynomial KernelCosts::flops(DType dtype) const {
  Polynomial sum;
  for (const OpCount& count : ops) {
    if (count.dtype == dtype) sum += count.by_lanes * Polynomial(flops_of(count.op, count.dtype));
  }
  return sum;
}

Polynomial KernelCosts::distinct_flops() const {
  Polynomial sum;
  for (const OpCount& count : ops) sum += count.distinct * Polynomial(flops_of(count.op, count.dtype));
  return sum;
}

Count KernelCosts::read_bytes() const {
  Count sum;
  for (size_t i = 0; i < params.size(); ++i) add(sum, params[i].read, element_bytes[i]);
  return sum;
}

Count KernelCosts::written_bytes() const {
  Count sum;
  for (size_t i = 0; i < params.size(); ++i) add(sum, params[i].written, element_bytes[i]);
  return sum;
}

Count KernelCosts::bytes() const {
  Count sum = read_bytes();
  add(sum, written_bytes(), 1);
  return sum;
}

double KernelCosts::intensity(const VariableValues& values) const {
  const uint64_t moved = bytes().value.evaluate(values);
  return moved == 0 ? 0 : static_cast<double>(flops().evaluate(values)) / static_cast<double>(moved);
}

Result<KernelCosts> count_costs(const Kernel& kernel, const CostOptions& options) {
  return Counter(kernel, options).run();
}

}  // namespace bw::ir::analysis
