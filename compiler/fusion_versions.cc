#include "compiler/fusion_versions.h"

#include "compiler/fusion.h"

namespace bw::compiler {

MemoryVersions::MemoryVersions(const FlatGraph& graph)
    : graph_(graph), position_(graph.nodes.size()), after_(graph.nodes.size()), ended_by_(graph.nodes.size()) {
  for (uint32_t i = 0; i < graph.stores.size(); ++i) position_[graph.stores[i]] = i;
}

bool MemoryVersions::intersects(const StoreSet& a, const StoreSet& b) const {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if ((a[i] & b[i]) != 0) return true;
  }
  return false;
}

void MemoryVersions::add(StoreSet& to, const StoreSet& from) const {
  if (from.size() > to.size()) to.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) to[i] |= from[i];
}

void MemoryVersions::add_store(StoreSet& to, NodeId store) const {
  const uint32_t bit = position_[store];
  if (bit / 64 >= to.size()) to.resize(bit / 64 + 1);
  to[bit / 64] |= uint64_t{1} << (bit % 64);
}

void MemoryVersions::note(NodeId id, const std::vector<bool>& buffers) {
  if (graph_.stores.empty()) return;
  const FlatNode& flat = graph_.nodes[id];
  after_[id].clear();
  ended_by_[id].clear();
  for (const NodeId input : flat.inputs) add(after_[id], after_[input]);
  if (flat.node->op == ir::Op::kStore) add_store(after_[id], id);
  if (is_memory(*flat.node)) {
    const bool copied = buffers[id] && flat.node->op != ir::Op::kStore;
    if (!copied && flat.overwritten_by != kNoNode) add_store(ended_by_[id], flat.overwritten_by);
    return;
  }
  if (buffers[id]) return;
  for (const NodeId input : flat.inputs) add(ended_by_[id], ended_by_[input]);
}

bool MemoryVersions::is_overwritten_before(NodeId input, NodeId user) const {
  if (graph_.stores.empty()) return false;
  const FlatNode& flat = graph_.nodes[user];
  const NodeId overwritten = flat.node->op == ir::Op::kStore ? flat.inputs[0] : kNoNode;
  // A store comes after the state that it overwrites, and need not keep it.
  if (input == overwritten) return false;
  StoreSet before;
  for (const NodeId other : flat.inputs) add(before, after_[other]);
  return intersects(ended_by_[input], before);
}

}  // namespace bw::compiler
