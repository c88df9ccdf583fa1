#include "compiler/schedule_order.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_map>

#include "ir/text.h"

namespace bw::compiler {
namespace {

using ir::Op;

class Orderer {
 public:
  Orderer(const FlatGraph& graph, const std::vector<LoopNest>& nests)
      : graph_(graph), nests_(nests), after_(nests.size()), waits_for_(nests.size()) {
    for (size_t i = 0; i < nests.size(); ++i) {
      writer_.emplace(nests[i].root, i);
      for (size_t argument = 0; nests[i].written > 1 && argument < nests[i].written; ++argument) {
        writer_.emplace(static_cast<NodeId>(nests[i].arguments[argument].id), i);
      }
    }
  }

  Result<KernelOrder> run() {
    for (size_t i = 0; i < nests_.size(); ++i) link(i);
    return sort();
  }

 private:
  void add_edge(NodeId before, size_t to) {
    const auto from = writer_.find(before);
    if (from != writer_.end()) add_edge(from->second, to);
  }
  void add_edge(size_t from, size_t to) {
    if (from == to) return;
    after_[from].push_back(to);
    ++waits_for_[to];
  }

  void link(size_t i) {
    const LoopNest& nest = nests_[i];
    const bool stores = graph_.node(nest.root).op == Op::kStore;
    if (stores) add_edge_to_writer(graph_.nodes[nest.root].inputs[0], i);
    for (const NodeId read : nest.reads) add_edge_to_writer(read, i);
    for (const NodeId state : nest.states) {
      if (graph_.node(state).op == Op::kStore) add_edge_to_writer(state, i);
      add_edge_to_next_store(state, i);
    }
  }

  // A state of a param is read before it is overwritten.
  void add_edge_to_next_store(NodeId state, size_t reader) {
    NodeId next = graph_.nodes[state].overwritten_by;
    while (next != kNoNode && !writer_.contains(next)) next = graph_.nodes[next].overwritten_by;
    if (next == kNoNode || writer_.at(next) == reader) return;
    add_edge(reader, writer_.at(next));
    reads_before_.push_back({state, reader, writer_.at(next)});
  }

  // The kernel that writes a node; stores of nothing have none, and those before them count.
  void add_edge_to_writer(NodeId id, size_t to) {
    while (!writer_.contains(id) && graph_.node(id).op == Op::kStore) id = graph_.nodes[id].inputs[0];
    add_edge(id, to);
  }

  Result<KernelOrder> sort() {
    using Entry = std::pair<NodeId, size_t>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    for (size_t i = 0; i < nests_.size(); ++i) {
      if (waits_for_[i] == 0) ready.emplace(nests_[i].root, i);
    }
    std::vector<size_t> order;
    while (!ready.empty()) {
      const size_t i = ready.top().second;
      ready.pop();
      order.push_back(i);
      for (const size_t next : after_[i]) {
        if (--waits_for_[next] == 0) ready.emplace(nests_[next].root, next);
      }
    }
    if (order.size() == nests_.size()) return KernelOrder{std::move(order), std::move(after_), kNoNode};
    return break_cycle();
  }

  // Two kernels may each have to read what a store after the other overwrites.
  Result<KernelOrder> break_cycle() const {
    for (const auto& [state, reader, writer] : reads_before_) {
      if (waits_for_[reader] == 0 || waits_for_[writer] == 0) continue;
      const NodeId copy = copy_of(state);
      if (copy != kNoNode && !writer_.contains(copy)) return KernelOrder{{}, {}, copy};
    }
    const auto stuck = std::find_if(waits_for_.begin(), waits_for_.end(), [](size_t count) { return count > 0; });
    return error(StatusCode::kInvalidArgument,
                 "scheduling {}: it would have to come both before and after a store into the same param",
                 ir::print_node(graph_.node(nests_[stuck - waits_for_.begin()].root)));
  }

  // The node that stands for the value of a state: a param itself, of a store the node that all its readers use.
  NodeId copy_of(NodeId state) const {
    if (graph_.node(state).op != Op::kStore) return state;
    for (const NodeId user : graph_.nodes[state].users) {
      if (graph_.node(user).op == Op::kReshape) return user;
    }
    return kNoNode;
  }

  const FlatGraph& graph_;
  const std::vector<LoopNest>& nests_;
  std::unordered_map<NodeId, size_t> writer_;
  std::vector<std::vector<size_t>> after_;
  std::vector<size_t> waits_for_;
  struct ReadBefore {
    NodeId state;
    size_t reader;
    size_t writer;
  };
  std::vector<ReadBefore> reads_before_;
};

}  // namespace

Result<KernelOrder> order_kernels(const FlatGraph& graph, const std::vector<LoopNest>& nests) {
  return Orderer(graph, nests).run();
}

MemoryPlan share_memory(const std::vector<Lifetime>& lifetimes) {
  MemoryPlan plan;
  std::vector<size_t> busy_until;
  for (const Lifetime& life : lifetimes) {
    // The smallest free slot that is large enough, else the largest free one, which grows.
    size_t best = plan.sizes_bytes.size();
    for (size_t slot = 0; slot < plan.sizes_bytes.size(); ++slot) {
      if (busy_until[slot] >= life.first) continue;
      if (best == plan.sizes_bytes.size()) {
        best = slot;
        continue;
      }
      const uint64_t size = plan.sizes_bytes[slot];
      const uint64_t best_size = plan.sizes_bytes[best];
      const bool fits = size >= life.size_bytes;
      if (best_size >= life.size_bytes ? fits && size < best_size : size > best_size) best = slot;
    }
    if (best == plan.sizes_bytes.size()) {
      plan.sizes_bytes.push_back(0);
      busy_until.push_back(0);
    }
    plan.sizes_bytes[best] = std::max(plan.sizes_bytes[best], life.size_bytes);
    busy_until[best] = life.last;
    plan.slots.push_back(best);
  }
  return plan;
}

}  // namespace bw::compiler
