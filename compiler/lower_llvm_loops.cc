// The part of KernelEmitter that makes loops and reductions.
#include <llvm/IR/IntrinsicsAMDGPU.h>

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "compiler/lower_llvm_emit.h"
#include "ir/text.h"

namespace bw::compiler {

using ir::Node;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;
using llvm::Value;

namespace {

constexpr int64_t kMaxCopies = 16;          // of the body of an innermost loop
constexpr int64_t kMaxNodesInCopies = 256;  // nodes in all copies of a body together

bool same_ranges(const Node& a, const Node& b) {
  return std::equal(a.inputs.begin() + 1, a.inputs.end(), b.inputs.begin() + 1, b.inputs.end());
}

}  // namespace

// Whether all that the loops of `reduction` need from outside them is computed. As ready_nodes(), but chains of
// reductions, of which each waits for the one before, are not walked to their begin each time.
bool KernelEmitter::inputs_known(const NodePtr& reduction) const {
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> stack{reduction->inputs[0].get()};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second || is_memory(*node) || known(node) != nullptr) continue;
    if (node->op != Op::kRange && is_ready(node)) return false;
    for (const NodePtr& input : node->inputs) stack.push_back(input.get());
  }
  return true;
}

std::vector<NodePtr> KernelEmitter::next_group(std::span<const NodePtr> pending) const {
  std::vector<NodePtr> group;
  for (const NodePtr& node : pending) {
    if (!ir::is_reduce(node->op) || (!group.empty() && !same_ranges(*group[0], *node))) continue;
    if (inputs_known(node)) group.push_back(node);
  }
  return group;
}

void KernelEmitter::emit_reductions(std::span<const NodePtr> group) {
  RangeMask consumed = 0;
  for (const NodePtr& range : reduction_ranges(*group[0])) consumed |= plan_.bit(range.get());
  const RangeMask lanes = plan_.group != nullptr ? plan_.bit(plan_.group) : 0;
  std::vector<Value*> accumulators;
  std::vector<NodePtr> values;
  for (const NodePtr& reduction : group) {
    accumulators.push_back(ops_.identity(*reduction));
    values.push_back(reduction->inputs[0]);
  }
  const RangeMask again = consumed & ~lanes & scopes_.back().active;  // loops inside a loop over the same range
  scopes_.push_back({.active = scopes_.back().active & ~again, .hidden = again, .values = {}, .splits = {}});
  emit_nest(group, values, 0, accumulators);
  scopes_.pop_back();
  if (!status_.is_ok()) return;
  for (size_t i = 0; i < group.size(); ++i) {
    const Node& reduction = *group[i];
    Value* result = accumulators[i];
    if ((consumed & lanes) != 0 && plan_.group_size > 1) result = reduce_lanes(reduction, result);
    scopes_.back().values[&reduction] = ops_.cast(result, ops_.accumulator_dtype(reduction), reduction.dtype);
  }
}

void KernelEmitter::emit_nest(std::span<const NodePtr> group, std::span<const NodePtr> values, size_t level,
                              std::vector<Value*>& accumulators) {
  if (level > 0) emit_ready(values);
  if (!status_.is_ok()) return;
  const std::span<const NodePtr> ranges = reduction_ranges(*group[0]);
  if (level == ranges.size()) {
    for (size_t i = 0; i < group.size(); ++i) accumulate(*group[i], accumulators[i]);
    return;
  }
  const auto inner = [&] { emit_nest(group, values, level + 1, accumulators); };
  if (ranges[level].get() == plan_.group) return inner();
  if (level + 1 == ranges.size() && emit_byte_dots(group, ranges[level], accumulators)) return;
  if (level + 1 == ranges.size() && emit_scaled_sums(group, ranges[level], accumulators)) return;
  const int64_t copies = body_copies(values, ranges.subspan(level + 1), group.size());
  emit_loop(*ranges[level], copies, accumulators, inner);
}

void KernelEmitter::accumulate(const Node& reduction, Value*& accumulator) {
  accumulator = accumulated(reduction, *reduction.inputs[0], accumulator);
}

// The accumulator with one more value. A sum over a product is fused: it rounds once. Elements that stand for nothing
// (beyond the end of what lanes share) leave the accumulator alone.
Value* KernelEmitter::accumulated(const Node& reduction, const Node& value, Value* accumulator) {
  const ir::DType wide = ops_.accumulator_dtype(reduction);
  const auto operand = [&](const Node& node) { return ops_.cast(known(&node), node.dtype, wide); };
  if (value.op == Op::kWhere && is_identity(reduction, *value.inputs[2]) && known(value.inputs[1].get()) != nullptr) {
    Value* more = accumulated(reduction, *value.inputs[1], accumulator);
    return b_.CreateSelect(known(value.inputs[0].get()), more, accumulator);
  }
  if (reduction.op == Op::kReduceAdd && value.op == Op::kMul && ir::is_float(wide) &&
      known(value.inputs[0].get()) != nullptr && known(value.inputs[1].get()) != nullptr) {
    return ops_.fused_multiply_add(operand(*value.inputs[0]), operand(*value.inputs[1]), accumulator);
  }
  return ops_.combine(reduction, accumulator, operand(value));
}

int64_t KernelEmitter::body_copies(std::span<const NodePtr> roots, std::span<const NodePtr> inner_ranges,
                                   size_t reductions_here) const {
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> stack;
  for (const NodePtr& root : roots) stack.push_back(root.get());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (known(node) != nullptr || !seen.insert(node).second) continue;
    if (ir::is_reduce(node->op)) return 1;  // not an innermost loop
    for (const NodePtr& input : node->inputs) stack.push_back(input.get());
  }
  int64_t count = static_cast<int64_t>(seen.size() + reductions_here);
  for (const NodePtr& range : inner_ranges) {
    const auto& attr = range->attr<ir::RangeAttr>();
    if (range.get() == plan_.group) continue;
    if (!is_written_out(attr)) return 1;
    count *= attr.extent.offset;
  }
  const int64_t copies = std::clamp<int64_t>(kMaxNodesInCopies / count, 1, kMaxCopies);
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(copies)));
}

void KernelEmitter::emit_loop(const Node& range, int64_t copies, std::vector<Value*>& carried, Body body) {
  const auto& attr = range.attr<ir::RangeAttr>();
  llvm::Type* type = ops_.register_type(range.dtype);
  Value* zero = llvm::ConstantInt::get(type, 0);
  if (!attr.extent.is_static()) {
    Value* end = dim_value(attr.extent);
    if (copies == 1) return emit_counted_loop(range, {zero, end}, 1, attr.extent.min() < 1, carried, body);
    Value* whole = b_.CreateAnd(end, llvm::ConstantInt::getSigned(type, -copies));
    emit_counted_loop(range, {zero, whole}, copies, true, carried, body);
    return emit_counted_loop(range, {whole, end}, 1, true, carried, body);
  }
  const int64_t extent = attr.extent.offset;
  while (extent % copies != 0) copies /= 2;
  if (extent <= copies || is_written_out(attr)) {
    for (int64_t i = 0; i < extent; ++i) emit_iteration(range, {.constant = i}, body);
    return;
  }
  Value* end = llvm::ConstantInt::getSigned(type, extent);
  emit_counted_loop(range, {zero, end}, copies, false, carried, body);
}

void KernelEmitter::emit_counted_loop(const Node& range, std::pair<Value*, Value*> begin_end, int64_t copies,
                                      bool may_be_empty, std::vector<Value*>& carried, Body body) {
  const auto [begin, end] = begin_end;
  const std::vector<Value*> initial = carried;
  llvm::BasicBlock* before = b_.GetInsertBlock();
  auto* loop = llvm::BasicBlock::Create(b_.getContext(), "loop", &function_);
  auto* after = llvm::BasicBlock::Create(b_.getContext(), "after", &function_);
  if (may_be_empty) {
    b_.CreateCondBr(b_.CreateICmpULT(begin, end), loop, after);
  } else {
    b_.CreateBr(loop);
  }
  b_.SetInsertPoint(loop);
  llvm::PHINode* counter = b_.CreatePHI(begin->getType(), 2);
  counter->addIncoming(begin, before);
  std::vector<llvm::PHINode*> phis;
  for (Value*& value : carried) {
    phis.push_back(b_.CreatePHI(value->getType(), 2));
    phis.back()->addIncoming(value, before);
    value = phis.back();
  }
  ++loop_depth_;
  const int64_t high = std::max<int64_t>(range.attr<ir::RangeAttr>().extent.max() - 1, 0);
  for (int64_t i = 0; i < copies; ++i) {
    emit_iteration(range, {.rest = counter, .constant = i, .low = 0, .high = high}, body);
  }
  --loop_depth_;
  Value* step = llvm::ConstantInt::getSigned(counter->getType(), copies);
  Value* next = b_.CreateAdd(counter, step, "", true, true);
  llvm::BasicBlock* latch = b_.GetInsertBlock();
  b_.CreateCondBr(b_.CreateICmpULT(next, end), loop, after);
  counter->addIncoming(next, latch);
  for (size_t i = 0; i < phis.size(); ++i) phis[i]->addIncoming(carried[i], latch);
  b_.SetInsertPoint(after);
  if (!may_be_empty) return;
  for (size_t i = 0; i < carried.size(); ++i) {
    llvm::PHINode* result = b_.CreatePHI(carried[i]->getType(), 2);
    result->addIncoming(initial[i], before);
    result->addIncoming(carried[i], latch);
    carried[i] = result;
  }
}

void KernelEmitter::emit_iteration(const Node& range, const Split& value, Body body) {
  scopes_.push_back({.active = scopes_.back().active | plan_.bit(&range), .hidden = 0, .values = {}, .splits = {}});
  scopes_.back().values[&range] = join(value, ops_.register_type(range.dtype));
  scopes_.back().splits[&range] = value;
  body();
  scopes_.pop_back();
}

}  // namespace bw::compiler
