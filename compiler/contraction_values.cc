#include "compiler/contraction_values.h"

#include <llvm/IR/InlineAsm.h>

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

#include "compiler/contraction_tiles.h"
#include "compiler/lower_llvm_variable.h"
#include "ir/fold.h"
#include "ir/text.h"

namespace bw::compiler {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using llvm::Value;

namespace {

constexpr uint64_t kWidestAccess = 16;  // bytes
// global_load and global_store of gfx11 have 13 bits of signed offset (RDNA3 ISA guide, "FLAT, GLOBAL, SCRATCH").
constexpr int64_t kMaxImmediate = 4095;
constexpr uint64_t kUnknownDivisor = uint64_t{1} << 20;  // of 0
// Params are aligned at least so (docs/compiler.md, "Matrix products").
constexpr uint64_t kParamAlign = 16;

void flatten(const NodePtr& node, std::vector<NodePtr>& terms) {
  if (node->op != Op::kAdd) {
    terms.push_back(node);
    return;
  }
  flatten(node->inputs[0], terms);
  flatten(node->inputs[1], terms);
}

}  // namespace

ValueEmitter::ValueEmitter(const ir::Kernel& kernel, const KernelPlan& plan, llvm::Function& function,
                           llvm::IRBuilder<>& builder)
    : kernel_(kernel), plan_(plan), function_(function), b_(builder), ops_(builder, bounds_) {}

void ValueEmitter::bind(const NodePtr& range, Value* value, uint8_t traits) {
  bound_[range.get()] = value;
  traits_[range.get()] = traits;
}

void ValueEmitter::hoist_before(llvm::Instruction* place, uint8_t unless) {
  hoist_place_ = place;
  hoist_unless_ = unless;
  hoisted_.clear();
  local_.clear();
}

uint8_t ValueEmitter::traits_of(const NodePtr& node) {
  if (const auto it = traits_.find(node.get()); it != traits_.end()) return it->second;
  uint8_t traits = node->op == Op::kLoad ? Traits::kMemory : 0;
  if (ContractionTiles::is_accumulator(*node)) traits |= Traits::kLane | Traits::kStep;
  for (const NodePtr& input : node->inputs) traits |= traits_of(input);
  traits_[node.get()] = traits;
  return traits;
}

Value* ValueEmitter::dim_value(const ir::Dim& dim) {
  if (dim.is_static()) return b_.getInt32(static_cast<uint32_t>(dim.offset));
  const auto& name = dim.variable->attr<ir::VariableAttr>().name;
  for (size_t i = 0; i < kernel_.variables.size(); ++i) {
    if (kernel_.variables[i]->attr<ir::VariableAttr>().name != name) continue;
    Value* value = variable_of(b_, *function_.getArg(static_cast<unsigned>(kernel_.params.size() + i)));
    return dim.offset == 0 ? value : b_.CreateAdd(value, b_.getInt32(static_cast<uint32_t>(dim.offset)));
  }
  status_ = error(StatusCode::kInvalidArgument,
                  "lowering kernel {}: an extent needs variable '{}', which is no argument", kernel_.name, name);
  return b_.getInt32(0);
}

Value* ValueEmitter::emit(const NodePtr& node) {
  for (const auto* known : {&bound_, &local_, &hoisted_}) {
    if (const auto it = known->find(node.get()); it != known->end()) return it->second;
  }
  if (hoist_place_ == nullptr || (traits_of(node) & hoist_unless_) != 0) {
    Value* value = compute(node);
    local_[node.get()] = value;
    return value;
  }
  const llvm::IRBuilder<>::InsertPointGuard guard(b_);
  b_.SetInsertPoint(hoist_place_);
  Value* value = compute(node);
  hoisted_[node.get()] = value;
  return value;
}

Value* ValueEmitter::compute(const NodePtr& node) {
  switch (node->op) {
    case Op::kConst:
      return ops_.constant(node->dtype, node->attr<ir::ConstAttr>().value);
    case Op::kVariable:
      return dim_value(ir::Dim(node, 0));
    case Op::kLoad: {
      if (ContractionTiles::is_accumulator(*node)) return accumulators_(*node);
      const auto [rest, constant] = split_constant(node->inputs[1]);
      const LoadGroup group{{node}, rest, constant, ir::size_bytes(node->dtype)};
      return ops_.from_memory(node->dtype, emit_load(group));
    }
    default: {
      std::vector<Value*> inputs;
      for (const NodePtr& input : node->inputs) inputs.push_back(emit(input));
      return ops_.elementwise(node, inputs);
    }
  }
}

uint64_t ValueEmitter::divisor_of(const NodePtr& node) {
  if (const auto value = ir::integer_constant(node)) {
    return *value == 0 ? kUnknownDivisor : static_cast<uint64_t>(*value < 0 ? -*value : *value);
  }
  if (const auto it = divisors_.find(node.get()); it != divisors_.end()) return it->second;
  uint64_t divisor = 1;
  switch (node->op) {
    case Op::kAdd:
      divisor = std::gcd(divisor_of(node->inputs[0]), divisor_of(node->inputs[1]));
      break;
    case Op::kMul:
      divisor = std::min(divisor_of(node->inputs[0]), kUnknownDivisor) *
                std::min(divisor_of(node->inputs[1]), kUnknownDivisor);
      break;
    case Op::kCast:
      if (ir::is_integer(node->inputs[0]->dtype)) divisor = divisor_of(node->inputs[0]);
      break;
    case Op::kWhere:
      divisor = std::gcd(divisor_of(node->inputs[1]), divisor_of(node->inputs[2]));
      break;
    default:
      break;
  }
  divisors_[node.get()] = divisor;
  return divisor;
}

Value* ValueEmitter::scaled(Value* index, int64_t size) {
  return b_.CreateShl(index, std::countr_zero(static_cast<uint64_t>(size)));
}

Value* ValueEmitter::sum(std::span<const NodePtr> terms, llvm::Type* type) {
  Value* total = nullptr;
  for (const NodePtr& term : terms) {
    Value* value = b_.CreateIntCast(emit(term), type, /*isSigned=*/true);
    total = total == nullptr ? value : b_.CreateAdd(total, value);
  }
  return total;
}

ValueEmitter::Address ValueEmitter::take_apart(const NodePtr& rest, int64_t size) {
  Address result;
  std::vector<NodePtr> terms;
  if (rest != nullptr) flatten(rest, terms);
  int64_t low = 0;
  int64_t high = 0;
  for (const NodePtr& term : terms) {
    const uint8_t traits = traits_of(term);
    if ((traits & (Traits::kLane | Traits::kMemory)) == 0) {
      ((traits & Traits::kStep) != 0 ? result.stepping : result.fixed).push_back(term);
      continue;
    }
    const ir::Interval interval = bounds_.of(term);
    low += std::max<int64_t>(interval.low, INT32_MIN);
    high += std::min<int64_t>(interval.high, INT32_MAX);
    result.lanes_step |= (traits & Traits::kStep) != 0;
    result.lanes.push_back(term);
  }
  result.narrow = low >= 0 && high <= (int64_t{UINT32_MAX} - 16) / size;
  return result;
}

Value* ValueEmitter::lane_offset(const LoadGroup& group) {
  const auto size = static_cast<int64_t>(ir::size_bytes(group.loads[0]->dtype));
  const Address parts = take_apart(group.rest, size);
  if (parts.lanes.empty() || !parts.narrow || parts.lanes_step || parts.stepping.empty()) return nullptr;
  std::vector<const Node*> key;
  for (const NodePtr& term : parts.lanes) key.push_back(term.get());
  Value*& known = lane_offsets_[{key, size}];
  if (known == nullptr) {
    const llvm::IRBuilder<>::InsertPointGuard guard(b_);
    b_.SetInsertPoint(hoist_place_);
    known = scaled(sum(parts.lanes, b_.getInt32Ty()), size);
  }
  return known;
}

Value* ValueEmitter::opaque(Value* value) {
  const bool scalar = value->getType()->isPointerTy();
  auto* type = llvm::FunctionType::get(value->getType(), {value->getType()}, false);
  return b_.CreateCall(llvm::InlineAsm::get(type, "", scalar ? "=s,0" : "=v,0", false), {value});
}

// param + what no lane and no step changes + what steps change + zext(what lanes change) + immediate: the first three
// in scalar registers, so that the access needs one vector register for its address.
Value* ValueEmitter::address(const Node& param, const NodePtr& rest, int64_t constant, Value* lane_offset) {
  const auto size = static_cast<int64_t>(ir::size_bytes(param.dtype));
  const Address parts = take_apart(rest, size);
  Value* pointer = function_.getArg(static_cast<unsigned>(param.attr<ir::ParamAttr>().id));
  const bool immediate = constant * size >= 0 && constant * size <= kMaxImmediate - 16;
  const auto step = [&](Value* offset) { pointer = b_.CreateGEP(b_.getInt8Ty(), pointer, offset); };
  if (!parts.fixed.empty() || !immediate) {
    const llvm::IRBuilder<>::InsertPointGuard guard(b_);
    if (!parts.stepping.empty() && hoist_place_ != nullptr) b_.SetInsertPoint(hoist_place_);
    Value* offset = parts.fixed.empty() ? b_.getInt64(0) : sum(parts.fixed, b_.getInt64Ty());
    if (!immediate) offset = b_.CreateAdd(offset, b_.getInt64(constant));
    step(scaled(offset, size));
  }
  if (!parts.stepping.empty()) {
    step(scaled(sum(parts.stepping, b_.getInt64Ty()), size));
    // Left alone, LLVM's loop strength reduction keeps the sum of all but the step in vector registers, and adds.
    pointer = opaque(pointer);
  }
  if (!parts.lanes.empty()) {
    Value* offset = lane_offset;
    if (offset == nullptr) {
      offset = scaled(sum(parts.lanes, parts.narrow ? b_.getInt32Ty() : b_.getInt64Ty()), size);
    }
    step(b_.CreateZExt(offset, b_.getInt64Ty()));
  }
  if (immediate && constant != 0) step(b_.getInt64(constant * size));
  return pointer;
}

std::vector<LoadGroup> ValueEmitter::group_loads(std::span<const NodePtr> roots, uint8_t traits) {
  struct Key {
    const Node* param;
    const Node* rest;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, std::map<int64_t, NodePtr>> runs;
  std::vector<std::pair<Key, int64_t>> order;
  std::unordered_map<const Node*, NodePtr> rests;
  for (const NodePtr& node : ir::topological_order(roots)) {
    if (node->op != Op::kLoad || ContractionTiles::is_accumulator(*node) || (traits_of(node) & traits) == 0) continue;
    const auto [rest, constant] = split_constant(node->inputs[1]);
    rests[rest.get()] = rest;
    const Key key{node->inputs[0].get(), rest.get()};
    runs[key][constant] = node;
    order.emplace_back(key, constant);
  }
  std::vector<LoadGroup> groups;
  for (const auto& [key, first] : order) {
    std::map<int64_t, NodePtr>& run = runs[key];
    if (!run.contains(first)) continue;  // in a group already
    const uint64_t size = ir::size_bytes(key.param->dtype);
    // From the lowest neighbour on.
    int64_t begin = first;
    while (run.contains(begin - 1)) --begin;
    while (run.contains(begin)) {
      LoadGroup group{{}, rests[key.rest], begin, size};
      const uint64_t divisor = std::gcd(key.rest == nullptr ? kUnknownDivisor : divisor_of(group.rest),
                                        begin == 0 ? kUnknownDivisor : static_cast<uint64_t>(std::abs(begin)));
      const uint64_t aligned = std::min(std::bit_floor(divisor & -divisor) * size, kParamAlign);
      uint64_t count = key.param->dtype == DType::kBool ? 1 : kWidestAccess / size;
      while (count > 1 && (aligned < std::min<uint64_t>(count * size, 4) ||
                           !run.contains(begin + static_cast<int64_t>(count) - 1))) {
        count /= 2;
      }
      group.align_bytes = std::max(size, aligned);
      for (uint64_t i = 0; i < count; ++i, ++begin) {
        group.loads.push_back(run.at(begin));
        run.erase(begin);
      }
      groups.push_back(std::move(group));
    }
  }
  return groups;
}

Value* ValueEmitter::emit_load(const LoadGroup& group, Value* lane_offset) {
  const Node& load = *group.loads[0];
  llvm::Type* type = ops_.memory_type(load.dtype);
  if (group.loads.size() > 1) type = llvm::FixedVectorType::get(type, static_cast<unsigned>(group.loads.size()));
  Value* pointer = address(*load.inputs[0], group.rest, group.constant, lane_offset);
  llvm::LoadInst* value = b_.CreateAlignedLoad(type, pointer, llvm::Align(group.align_bytes));
  if (!plan_.params[load.inputs[0]->attr<ir::ParamAttr>().id].written) {
    value->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(b_.getContext(), {}));
  }
  return value;
}

void ValueEmitter::make_known(const LoadGroup& group, Value* loaded) {
  for (size_t i = 0; i < group.loads.size(); ++i) {
    Value* element = group.loads.size() == 1 ? loaded : b_.CreateExtractElement(loaded, i);
    local_[group.loads[i].get()] = ops_.from_memory(group.loads[i]->dtype, element);
  }
}

void ValueEmitter::emit_store(const NodePtr& param, std::span<const NodePtr> indices, std::span<Value* const> values) {
  const DType dtype = param->dtype;
  const uint64_t size = ir::size_bytes(dtype);
  const auto [rest, constant] = split_constant(indices[0]);
  bool together = dtype != DType::kBool;
  for (size_t i = 1; i < indices.size(); ++i) {
    const auto [other, offset] = split_constant(indices[i]);
    together = together && other == rest && offset == constant + static_cast<int64_t>(i);
  }
  const uint64_t divisor = std::gcd(rest == nullptr ? kUnknownDivisor : divisor_of(rest),
                                    constant == 0 ? kUnknownDivisor : static_cast<uint64_t>(std::abs(constant)));
  const uint64_t aligned = std::min((divisor & -divisor) * size, kParamAlign);
  together = together && indices.size() > 1 && std::has_single_bit(indices.size()) &&
             aligned >= std::min<uint64_t>(indices.size() * size, 4);
  if (!together) {
    for (size_t i = 0; i < indices.size(); ++i) {
      const auto [own_rest, own_constant] = split_constant(indices[i]);
      b_.CreateAlignedStore(ops_.to_memory(dtype, values[i]), address(*param, own_rest, own_constant),
                            llvm::Align(size));
    }
    return;
  }
  auto* type = llvm::FixedVectorType::get(ops_.memory_type(dtype), static_cast<unsigned>(indices.size()));
  Value* vector = llvm::PoisonValue::get(type);
  for (size_t i = 0; i < values.size(); ++i) vector = b_.CreateInsertElement(vector, values[i], i);
  b_.CreateAlignedStore(vector, address(*param, rest, constant), llvm::Align(std::max(aligned, size)));
}

}  // namespace bw::compiler
