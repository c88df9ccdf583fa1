#include "compiler/lower_llvm_emit.h"

#include <llvm/IR/IntrinsicsAMDGPU.h>

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "compiler/lower_llvm_variable.h"
#include "ir/infer.h"
#include "ir/text.h"

namespace bw::compiler {

using ir::Node;
using ir::NodePtr;
using ir::Op;
using llvm::Value;

KernelEmitter::KernelEmitter(const ir::Kernel& kernel, const KernelPlan& plan, llvm::Function& function)
    : kernel_(kernel),
      plan_(plan),
      function_(function),
      b_(llvm::BasicBlock::Create(function.getContext(), "entry", &function)),
      ops_(b_, bounds_),
      place_(b_) {}

Status KernelEmitter::emit() {
  scopes_.push_back({.active = plan_.given, .hidden = 0, .values = {}, .splits = {}});
  bind_arguments();
  bind_grid();
  emit_stores(kernel_.stores);
  b_.CreateRetVoid();
  return std::move(status_);
}

void KernelEmitter::fail(Status status) {
  if (status_.is_ok()) status_ = std::move(status);
}

void KernelEmitter::bind_arguments() {
  for (size_t i = 0; i < kernel_.variables.size(); ++i) {
    llvm::Argument* argument = function_.getArg(static_cast<unsigned>(kernel_.params.size() + i));
    variables_[kernel_.variables[i]->attr<ir::VariableAttr>().name] = variable_of(b_, *argument);
  }
}

// A workgroup is `workgroup_size / group_size` values of the x range, each of which a group of lanes works at.
void KernelEmitter::bind_grid() {
  const uint32_t size = kernel_.workgroup_size;
  const int64_t places = size / plan_.group_size;
  if (size > 1) bind_lanes();
  if (plan_.group != nullptr) scopes_.back().values[plan_.group] = group_lane_;
  for (size_t i = 0; i < 3; ++i) {
    if (plan_.global[i] == nullptr) continue;
    const ir::Dim& extent = plan_.global[i]->attr<ir::RangeAttr>().extent;
    const bool cut = i == 0 && places > 1;
    llvm::Type* type = ops_.register_type(plan_.global[i]->dtype);
    Value* id = place_.workgroup(static_cast<int>(i), cut ? (extent.max() + places - 1) / places : extent.max());
    id = b_.CreateZExt(id, type);
    if (cut) {
      Value* first = b_.CreateMul(id, llvm::ConstantInt::get(type, static_cast<uint64_t>(places)), "", true, true);
      id = b_.CreateAdd(first, b_.CreateZExt(group_index_, type), "", true, true);
      id = leave_if_surplus(id, extent, places);
    }
    scopes_.back().values[plan_.global[i]] = id;
  }
  if (plan_.global[0] == nullptr && places > 1) leave_if_surplus(group_index_, ir::Dim(1), places);
}

// The lane's number in its group, and the group's in the workgroup. The latter is the same in all lanes of a wave where
// groups are no smaller (the former where groups are strided), and said to be so, since LLVM does not find out.
void KernelEmitter::bind_lanes() {
  lane_ = place_.lane(kernel_.workgroup_size);
  group_lane_ = lane_;
  group_index_ = b_.getInt32(0);
  if (plan_.group_size == kernel_.workgroup_size) return;
  if (plan_.strided_groups) {
    const uint32_t places = kernel_.workgroup_size / plan_.group_size;
    group_index_ = b_.CreateAnd(lane_, b_.getInt32(places - 1));
    group_lane_ = same_in_wave(b_.CreateLShr(lane_, static_cast<uint64_t>(std::countr_zero(places))));
    return;
  }
  const auto shift = static_cast<uint64_t>(std::countr_zero(plan_.group_size));
  group_lane_ = b_.CreateAnd(lane_, b_.getInt32(plan_.group_size - 1));
  group_index_ = b_.CreateLShr(lane_, shift);
  if (plan_.group_size >= kWaveSize) group_index_ = same_in_wave(group_index_);
}

Value* KernelEmitter::same_in_wave(Value* value) {
  return b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_readfirstlane, {b_.getInt32Ty()}, {value});
}

// What groups beyond the extent do: nothing. But where groups span waves they must meet the others at barriers, so they
// go along with the last one and store nothing.
Value* KernelEmitter::leave_if_surplus(Value* x, const ir::Dim& extent, int64_t places) {
  if (extent.is_static() && extent.offset % places == 0) return x;
  Value* end = dim_value(extent);
  Value* is_inside = b_.CreateICmpULT(x, end);
  if (plan_.group_size > kWaveSize || plan_.strided_groups) {
    is_inside_ = is_inside;
    return b_.CreateSelect(is_inside, x, b_.CreateSub(end, llvm::ConstantInt::get(end->getType(), 1)));
  }
  llvm::LLVMContext& context = b_.getContext();
  auto* inside = llvm::BasicBlock::Create(context, "inside", &function_);
  auto* surplus = llvm::BasicBlock::Create(context, "surplus", &function_);
  b_.CreateCondBr(is_inside, inside, surplus);
  b_.SetInsertPoint(surplus);
  b_.CreateRetVoid();
  b_.SetInsertPoint(inside);
  return x;
}

Value* KernelEmitter::dim_value(const ir::Dim& dim) {
  llvm::Type* type = ops_.register_type(ir::range_dtype(dim));
  if (dim.is_static()) return llvm::ConstantInt::getSigned(type, dim.offset);
  const auto& attr = dim.variable->attr<ir::VariableAttr>();
  const auto it = variables_.find(attr.name);
  if (it == variables_.end()) {
    fail(error(StatusCode::kInvalidArgument, "lowering kernel {}: an extent needs variable '{}', which is no argument",
               kernel_.name, attr.name));
    return llvm::ConstantInt::get(type, 0);
  }
  if (dim.offset == 0) return it->second;
  Value* variable = b_.CreateZExt(it->second, type);  // which is never negative
  return b_.CreateAdd(variable, llvm::ConstantInt::getSigned(type, dim.offset), "", dim.offset > 0, true);
}

Value* KernelEmitter::known(const Node* node) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto it = scope->values.find(node); it != scope->values.end()) return it->second;
    if (scope->hidden != 0 && (plan_.of(node).free & scope->hidden) != 0) return nullptr;
  }
  return nullptr;
}

bool KernelEmitter::is_memory(const Node& node) {
  return node.op == Op::kParam || (node.op == Op::kBitcast && is_memory(*node.inputs[0]));
}

namespace {

std::vector<NodePtr> store_roots(std::span<const NodePtr> stores) {
  std::vector<NodePtr> roots;
  for (const NodePtr& store : stores) roots.insert(roots.end(), {store->inputs[1], store->inputs[2]});
  return roots;
}

}  // namespace

void KernelEmitter::emit_stores(std::span<const NodePtr> stores) {
  const std::vector<NodePtr> roots = store_roots(stores);
  emit_ready(roots);
  if (!status_.is_ok()) return;
  std::vector<NodePtr> by_one_lane;
  std::vector<NodePtr> by_all;
  std::vector<NodePtr> later;
  for (const NodePtr& store : stores) {
    if (!is_ready(store.get())) {
      later.push_back(store);
    } else if (plan_.group_size > 1 && (plan_.of(store.get()).free & plan_.bit(plan_.group)) == 0) {
      by_one_lane.push_back(store);
    } else {
      by_all.push_back(store);
    }
  }
  emit_stores_if(is_inside_, by_all);
  if (!by_one_lane.empty()) {
    Value* is_first = b_.CreateICmpEQ(group_lane_, b_.getInt32(0));
    emit_stores_if(is_inside_ == nullptr ? is_first : b_.CreateAnd(is_first, is_inside_), by_one_lane);
  }
  while (!later.empty() && status_.is_ok()) {
    const RangeMask missing = plan_.of(later[0].get()).free & ~scopes_.back().active;
    const Node& range = *plan_.ranges[std::countr_zero(missing)];
    const auto outside = std::stable_partition(later.begin(), later.end(), [&](const NodePtr& store) {
      return (plan_.of(store.get()).free & plan_.bit(&range)) != 0;
    });
    const std::vector<NodePtr> inside(later.begin(), outside);
    const bool innermost = std::all_of(inside.begin(), inside.end(), [&](const NodePtr& store) {
      return (plan_.of(store.get()).free & ~scopes_.back().active) == plan_.bit(&range);
    });
    const int64_t copies = innermost ? body_copies(store_roots(inside), {}, inside.size()) : 1;
    std::vector<Value*> none;
    emit_loop(range, copies, none, [&] { emit_stores(inside); });
    later.erase(later.begin(), outside);
  }
}

// Unconditionally where there is no condition.
void KernelEmitter::emit_stores_if(Value* condition, std::span<const NodePtr> stores) {
  if (stores.empty()) return;
  llvm::BasicBlock* rest = nullptr;
  if (condition != nullptr) {
    auto* storing = llvm::BasicBlock::Create(b_.getContext(), "storing", &function_);
    rest = llvm::BasicBlock::Create(b_.getContext(), "stored", &function_);
    b_.CreateCondBr(condition, storing, rest);
    b_.SetInsertPoint(storing);
  }
  for (const NodePtr& store : stores) emit_store(*store);
  if (rest == nullptr) return;
  b_.CreateBr(rest);
  b_.SetInsertPoint(rest);
}

void KernelEmitter::emit_store(const Node& store) {
  const ir::DType dtype = memory_dtype(store);
  Value* value = ops_.to_memory(dtype, known(store.inputs[2].get()));
  b_.CreateAlignedStore(value, address(store), llvm::Align(ir::size_bytes(dtype)));
}

std::vector<NodePtr> KernelEmitter::ready_nodes(std::span<const NodePtr> roots) const {
  std::unordered_set<const Node*> seen;
  std::vector<NodePtr> stack(roots.begin(), roots.end());
  std::vector<NodePtr> found;
  while (!stack.empty()) {
    const NodePtr node = std::move(stack.back());
    stack.pop_back();
    if (!seen.insert(node.get()).second || is_memory(*node) || known(node.get()) != nullptr) continue;
    if (node->op != Op::kRange && is_ready(node.get())) found.push_back(node);
    stack.insert(stack.end(), node->inputs.begin(), node->inputs.end());
  }
  std::sort(found.begin(), found.end(), [this](const NodePtr& a, const NodePtr& b) {
    return plan_.of(a.get()).position < plan_.of(b.get()).position;
  });
  return found;
}

void KernelEmitter::emit_ready(std::span<const NodePtr> roots) {
  std::vector<NodePtr> pending = ready_nodes(roots);
  while (!pending.empty() && status_.is_ok()) {
    std::erase_if(pending, [this](const NodePtr& node) {
      const auto has_value = [this](const NodePtr& in) { return is_memory(*in) || known(in.get()) != nullptr; };
      if (ir::is_reduce(node->op) || !std::all_of(node->inputs.begin(), node->inputs.end(), has_value)) return false;
      emit_node(node);
      return true;
    });
    if (pending.empty()) return;
    const std::vector<NodePtr> group = next_group(pending);
    if (group.empty()) {
      return fail(error(StatusCode::kUnsupported, "lowering kernel {}: no order of loops in which to compute {}",
                        kernel_.name, ir::print_node(*pending[0])));
    }
    emit_reductions(group);
    std::erase_if(pending, [this](const NodePtr& node) { return known(node.get()) != nullptr; });
  }
}

void KernelEmitter::emit_node(const NodePtr& node) {
  Scope& scope = scopes_.back();
  switch (node->op) {
    case Op::kConst:
      scope.values[node.get()] = ops_.constant(node->dtype, node->attr<ir::ConstAttr>().value);
      return;
    case Op::kVariable:
      scope.values[node.get()] = dim_value(ir::Dim(node, 0));
      return;
    case Op::kLoad:
      scope.values[node.get()] = emit_load(*node);
      return;
    default:
      break;
  }
  if (Split split; split_arithmetic(node, split)) {
    scope.values[node.get()] = join(split, ops_.register_type(node->dtype));
    scope.splits[node.get()] = split;
    return;
  }
  std::vector<Value*> inputs;
  for (const NodePtr& input : node->inputs) inputs.push_back(known(input.get()));
  scope.values[node.get()] = ops_.elementwise(node, inputs);
}

Value* KernelEmitter::emit_load(const Node& load) {
  const ir::DType dtype = memory_dtype(load);
  llvm::LoadInst* value =
      b_.CreateAlignedLoad(ops_.memory_type(dtype), address(load), llvm::Align(ir::size_bytes(dtype)));
  if (!plan_.params[memory_param(load).attr<ir::ParamAttr>().id].written) {
    value->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(b_.getContext(), {}));
  }
  return ops_.from_memory(dtype, value);
}

}  // namespace bw::compiler
