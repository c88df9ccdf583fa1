#include "compiler/contraction_emit.h"

#include <llvm/IR/IntrinsicsAMDGPU.h>
#include <llvm/IR/MemoryModelRelaxationAnnotations.h>

#include <algorithm>

#include "compiler/codegen_target.h"
#include "compiler/contraction_bytes.h"
#include "compiler/lower_llvm_lds.h"

namespace bw::compiler {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using llvm::Value;

namespace {

constexpr uint32_t kDepth = 16;     // of a WMMA instruction
constexpr uint32_t kRegisters = 8;  // of its result
constexpr uint64_t kUnitBytes = 16;

bool loads_memory(const OutputGroup& group) {
  std::vector<NodePtr> roots;
  for (const OutputGroup::Element& element : group.elements) roots.push_back(element.value);
  return std::ranges::any_of(ir::topological_order(roots), [](const NodePtr& node) {
    return node->op == ir::Op::kLoad && !ContractionTiles::is_accumulator(*node);
  });
}

}  // namespace

ContractionEmitter::ContractionEmitter(const ir::Kernel& kernel, const KernelPlan& plan, const Contraction& contraction,
                                       const ContractionForm& form, llvm::Function& function)
    : kernel_(kernel),
      contraction_(contraction),
      form_(form),
      function_(function),
      b_(llvm::BasicBlock::Create(function.getContext(), "entry", &function)),
      place_(b_),
      tiles_(kernel, contraction, form),
      values_(kernel, plan, function, b_) {}

size_t ContractionEmitter::operands(Side side) const {
  return side == Side::kRows ? contraction_.row_operands.size() : contraction_.column_operands.size();
}

void ContractionEmitter::bind_places() {
  const auto extent = [](const NodePtr& range) { return range->attr<ir::RangeAttr>().extent.max(); };
  values_.bind(tiles_.lane(), place_.lane(tiles_.lanes()), Traits::kLane);
  const NodePtr& columns = tiles_.group(Side::kColumns);
  const NodePtr& rows = tiles_.group(Side::kRows);
  values_.bind(columns, place_.workgroup(0, extent(columns)), 0);
  values_.bind(rows, place_.workgroup(1, extent(rows)), 0);
  if (tiles_.batch() != nullptr) values_.bind(tiles_.batch(), place_.workgroup(2, extent(tiles_.batch())), 0);
  const ir::Dim depth = depth_extent(contraction_);
  Value* count = values_.dim_value(depth);
  steps_ = b_.CreateUDiv(b_.CreateAdd(count, b_.getInt32(form_.block_k - 1)), b_.getInt32(form_.block_k));
}

void ContractionEmitter::make_lds() {
  lds_ = compiler::make_lds(function_, b_.getInt8Ty(), tiles_.lds_bytes(), "tiles");
  lds_->setAlignment(llvm::Align(kUnitBytes));
}

Status ContractionEmitter::emit() {
  function_.addFnAttr(kHoistedAttribute);
  bind_places();
  make_lds();
  llvm::LLVMContext& context = b_.getContext();
  auto* first = llvm::BasicBlock::Create(context, "first", &function_);
  llvm::Instruction* entry_end = b_.CreateBr(first);
  b_.SetInsertPoint(first);
  values_.bind(tiles_.step(), b_.getInt32(0), Traits::kStep);
  values_.hoist_before(entry_end, Traits::kStep);
  Carried carried = begin();
  emit_steps(carried);
  b_.SetInsertPoint(done_);
  std::vector<Value*> results;
  for (size_t i = 0; i < carried.accumulators.size(); ++i) {
    llvm::PHINode* phi = b_.CreatePHI(carried.accumulators[i]->getType(), static_cast<unsigned>(exits_.size()));
    for (const auto& [block, accumulators] : exits_) phi->addIncoming(accumulators[i], block);
    results.push_back(phi);
  }
  emit_outputs(results);
  b_.CreateRetVoid();
  return values_.status();
}

void ContractionEmitter::emit_steps(Carried& carried) {
  llvm::LLVMContext& context = b_.getContext();
  auto* loop = llvm::BasicBlock::Create(context, "loop", &function_);
  done_ = llvm::BasicBlock::Create(context, "done", &function_);
  uint32_t buffer = 0;
  if (form_.loads == ContractionForm::Loads::kAtOnce) {
    in_first_step_ = true;
    emit_step(buffer++, carried);
    in_first_step_ = false;
    go_on(carried, loop);
  } else {
    b_.CreateBr(loop);
  }
  // A loop over as many steps as there are buffers, left after any of them.
  llvm::BasicBlock* before = exits_.empty() ? loop->getSinglePredecessor() : exits_.back().first;
  b_.SetInsertPoint(loop);
  const std::vector<llvm::PHINode*> phis = join(carried, before);
  size_t taken = 0;
  carried.step = phis[taken++];
  for (auto* list : {&carried.offsets, &carried.loaded, &carried.accumulators}) {
    for (Value*& value : *list) value = phis[taken++];
  }
  for (uint32_t i = 0; i < form_.buffers; ++i) {
    const bool last = i + 1 == form_.buffers;
    emit_step((buffer + i) % form_.buffers, carried);
    auto* next = last ? loop : llvm::BasicBlock::Create(context, "step", &function_);
    go_on(carried, next);
    b_.SetInsertPoint(next);
  }
  llvm::BasicBlock* end = exits_.back().first;
  size_t added = 0;
  phis[added++]->addIncoming(carried.step, end);
  for (const auto* list : {&carried.offsets, &carried.loaded, &carried.accumulators}) {
    for (Value* value : *list) phis[added++]->addIncoming(value, end);
  }
}

void ContractionEmitter::go_on(const Carried& carried, llvm::BasicBlock* next) {
  exits_.emplace_back(b_.GetInsertBlock(), carried.accumulators);
  b_.CreateCondBr(b_.CreateICmpULT(carried.step, steps_), next, done_);
}

std::vector<llvm::PHINode*> ContractionEmitter::join(const Carried& carried, llvm::BasicBlock* from) {
  std::vector<llvm::PHINode*> phis;
  const auto add = [&](Value* value) {
    phis.push_back(b_.CreatePHI(value->getType(), 2));
    phis.back()->addIncoming(value, from);
  };
  add(carried.step);
  for (Value* value : carried.offsets) add(value);
  for (Value* value : carried.loaded) add(value);
  for (Value* value : carried.accumulators) add(value);
  return phis;
}

ContractionEmitter::Carried ContractionEmitter::begin() {
  parts_ = tiles_.stage();
  std::vector<NodePtr> roots;
  for (const StagedPart& part : parts_) roots.insert(roots.end(), part.elements.begin(), part.elements.end());
  groups_ = values_.group_loads(roots, Traits::kStep);
  Carried carried;
  carried.step = b_.getInt32(0);
  for (const LoadGroup& group : groups_) {
    Value* offset = values_.lane_offset(group);
    const auto known = std::find(carried.offsets.begin(), carried.offsets.end(), offset);
    offset_of_group_.push_back(offset == nullptr ? -1 : static_cast<int>(known - carried.offsets.begin()));
    if (offset != nullptr && known == carried.offsets.end()) carried.offsets.push_back(offset);
  }
  for (Value*& offset : carried.offsets) offset = values_.opaque(offset);
  if (form_.loads == ContractionForm::Loads::kAhead) load(carried.step, carried.offsets, carried.loaded);
  llvm::Type* type = values_.ops().register_type(contraction_.accumulator);
  size_t count = size_t{tiles_.tiles(Side::kRows)} * tiles_.tiles(Side::kColumns) * contraction_.products.size();
  if (tiles_.is_wmma()) type = llvm::FixedVectorType::get(type, kRegisters);
  carried.accumulators.assign(count, llvm::Constant::getNullValue(type));
  return carried;
}

void ContractionEmitter::load(Value* step, std::span<Value* const> offsets, std::vector<Value*>& loaded) {
  values_.begin_scope();
  values_.bind(tiles_.step(), step, Traits::kStep);
  loaded.clear();
  for (size_t i = 0; i < groups_.size(); ++i) {
    Value* offset = offset_of_group_[i] < 0 ? nullptr : offsets[static_cast<size_t>(offset_of_group_[i])];
    Value* value = values_.emit_load(groups_[i], offset);
    values_.make_known(groups_[i], value);
    loaded.push_back(words_of_bytes(b_, value));
  }
}

// Waits for LDS only: loads from memory may stay on their way.
void ContractionEmitter::barrier() {
  llvm::LLVMContext& context = b_.getContext();
  const llvm::SyncScope::ID workgroup = context.getOrInsertSyncScopeID("workgroup");
  const auto fence = [&](llvm::AtomicOrdering order) {
    llvm::FenceInst* made = b_.CreateFence(order, workgroup);
    made->setMetadata(llvm::LLVMContext::MD_mmra, llvm::MMRAMetadata::getMD(context, {{"amdgpu-as", "local"}}));
  };
  fence(llvm::AtomicOrdering::Release);
  b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_s_barrier, {}, {});
  fence(llvm::AtomicOrdering::Acquire);
}

void ContractionEmitter::emit_step(uint32_t buffer, Carried& carried) {
  const bool at_once = form_.loads == ContractionForm::Loads::kAtOnce;
  for (Value*& offset : carried.offsets) offset = values_.opaque(offset);
  if (at_once) load(carried.step, carried.offsets, carried.loaded);
  store_staged(buffer, carried);
  barrier();
  Value* next = b_.CreateAdd(carried.step, b_.getInt32(1), "", true, true);
  if (at_once) {
    carried.loaded.clear();
  } else {
    load_ahead(next, carried);
  }
  carried.step = next;
  multiply(buffer, carried.accumulators);
  if (form_.buffers == 1) barrier();
}

void ContractionEmitter::load_ahead(Value* next, Carried& carried) {
  llvm::LLVMContext& context = b_.getContext();
  auto* ahead = llvm::BasicBlock::Create(context, "ahead", &function_);
  auto* products = llvm::BasicBlock::Create(context, "products", &function_);
  llvm::BasicBlock* from = b_.GetInsertBlock();
  b_.CreateCondBr(b_.CreateICmpULT(next, steps_), ahead, products);
  b_.SetInsertPoint(ahead);
  std::vector<Value*> loaded;
  load(next, carried.offsets, loaded);
  llvm::BasicBlock* loads_end = b_.GetInsertBlock();
  b_.CreateBr(products);
  b_.SetInsertPoint(products);
  for (size_t i = 0; i < loaded.size(); ++i) {
    llvm::PHINode* phi = b_.CreatePHI(loaded[i]->getType(), 2);
    phi->addIncoming(llvm::PoisonValue::get(loaded[i]->getType()), from);
    phi->addIncoming(loaded[i], loads_end);
    carried.loaded[i] = phi;
  }
}

Value* ContractionEmitter::lds_address(const NodePtr& offset_bytes, uint32_t buffer) {
  const auto [rest, constant] = split_constant(offset_bytes);
  Value* pointer = lds_;
  if (rest != nullptr) pointer = b_.CreateGEP(b_.getInt8Ty(), pointer, values_.emit(rest));
  return b_.CreateGEP(b_.getInt8Ty(), pointer,
                      b_.getInt32(static_cast<uint32_t>(constant + int64_t{buffer} * tiles_.buffer_bytes())));
}

// A scalar for a single element.
Value* ContractionEmitter::vector_of(std::span<const NodePtr> elements) {
  Value* first = values_.emit(elements[0]);
  if (elements.size() == 1) return first;
  auto* type = llvm::FixedVectorType::get(first->getType(), static_cast<unsigned>(elements.size()));
  Value* vector = llvm::PoisonValue::get(type);
  for (size_t i = 0; i < elements.size(); ++i) vector = b_.CreateInsertElement(vector, values_.emit(elements[i]), i);
  return vector;
}

void ContractionEmitter::store_staged(uint32_t buffer, const Carried& carried) {
  values_.begin_scope();
  values_.bind(tiles_.step(), carried.step, Traits::kStep);
  StagedBytes staged(b_);
  for (size_t i = 0; i < groups_.size(); ++i) {
    values_.make_known(groups_[i], staged.add(groups_[i], carried.loaded[i]));
  }
  for (const StagedPart& part : parts_) {
    for (const StagedPart::Store& store : part.stores) {
      std::vector<NodePtr> elements;
      for (const size_t i : store.elements) elements.push_back(part.elements[i]);
      const uint64_t bytes = ir::size_bytes(elements[0]->dtype) * elements.size();
      Value* value = staged.gather(elements);
      if (value == nullptr) value = vector_of(elements);
      b_.CreateAlignedStore(value, lds_address(store.offset_bytes, buffer), llvm::Align(bytes));
    }
  }
}

void ContractionEmitter::multiply(uint32_t buffer, std::vector<Value*>& accumulators) {
  if (tiles_.is_wmma()) {
    for (uint32_t k = 0; k < form_.block_k; k += kDepth) multiply_wmma(buffer, k, accumulators);
  } else {
    for (uint32_t k = 0; k < form_.block_k; ++k) multiply_fma(buffer, k, accumulators);
  }
}

// WMMA: the 16 elements of depth of one row or column, in the type that the intrinsic takes. FMA: a vector of rows or
// columns at one depth.
Value* ContractionEmitter::load_fragment(Side side, size_t operand, uint32_t tile, uint32_t k, uint32_t buffer) {
  const DType dtype = tiles_.staged_dtype(side);
  llvm::Type* element = values_.ops().memory_type(dtype);
  const uint32_t unit = static_cast<uint32_t>(kUnitBytes) / ir::size_bytes(dtype);
  auto* type = llvm::FixedVectorType::get(element, unit);
  const auto read = [&](uint32_t part) -> Value* {
    return b_.CreateAlignedLoad(type, lds_address(tiles_.fragment(side, operand, tile, k, part), buffer),
                                llvm::Align(kUnitBytes));
  };
  if (!tiles_.is_wmma()) return read(0);
  if (unit == kDepth) return b_.CreateBitCast(read(0), llvm::FixedVectorType::get(b_.getInt32Ty(), 4));
  std::vector<int> order(kDepth);
  for (uint32_t i = 0; i < kDepth; ++i) order[i] = static_cast<int>(i);
  Value* low = read(0);
  return b_.CreateShuffleVector(low, read(1), order);
}

// The column operand is the instruction's A, so that its result's registers go along the columns of the output.
Value* ContractionEmitter::wmma(Value* row, Value* column, Value* accumulator) {
  llvm::Type* result = accumulator->getType();
  if (form_.unit == ProductUnit::kWmmaI8) {
    Value* row_signed = b_.getInt1(ir::is_signed(tiles_.staged_dtype(Side::kRows)));
    Value* column_signed = b_.getInt1(ir::is_signed(tiles_.staged_dtype(Side::kColumns)));
    return b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_wmma_i32_16x16x16_iu8, {result, row->getType()},
                              {column_signed, column, row_signed, row, accumulator, b_.getFalse()});
  }
  const auto id = form_.unit == ProductUnit::kWmmaF16 ? llvm::Intrinsic::amdgcn_wmma_f32_16x16x16_f16
                                                      : llvm::Intrinsic::amdgcn_wmma_f32_16x16x16_bf16;
  return b_.CreateIntrinsic(id, {result, row->getType()}, {column, row, accumulator});
}

void ContractionEmitter::multiply_wmma(uint32_t buffer, uint32_t k, std::vector<Value*>& accumulators) {
  const uint32_t tiles_m = tiles_.tiles(Side::kRows);
  const uint32_t tiles_n = tiles_.tiles(Side::kColumns);
  std::vector<std::vector<Value*>> columns(operands(Side::kColumns));
  for (size_t operand = 0; operand < columns.size(); ++operand) {
    for (uint32_t n = 0; n < tiles_n; ++n) {
      columns[operand].push_back(load_fragment(Side::kColumns, operand, n, k, buffer));
    }
  }
  for (uint32_t m = 0; m < tiles_m; ++m) {
    // While there are no accumulators yet, LLVM finds room for fragments of the whole step, and spills afterwards.
    if (in_first_step_) b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_sched_barrier, {}, {b_.getInt32(0)});
    std::vector<Value*> rows;
    for (size_t operand = 0; operand < operands(Side::kRows); ++operand) {
      rows.push_back(load_fragment(Side::kRows, operand, m, k, buffer));
    }
    for (size_t p = 0; p < contraction_.products.size(); ++p) {
      const ContractionProduct& product = contraction_.products[p];
      for (uint32_t n = 0; n < tiles_n; ++n) {
        Value*& accumulator = accumulators[(p * tiles_m + m) * tiles_n + n];
        accumulator = wmma(rows[product.row_operand], columns[product.column_operand][n], accumulator);
      }
    }
  }
}

void ContractionEmitter::multiply_fma(uint32_t buffer, uint32_t k, std::vector<Value*>& accumulators) {
  const uint32_t tiles_m = tiles_.tiles(Side::kRows);
  const uint32_t tiles_n = tiles_.tiles(Side::kColumns);
  const auto fragments = [&](Side side) {
    std::vector<std::vector<Value*>> all(operands(side));
    for (size_t operand = 0; operand < all.size(); ++operand) {
      for (uint32_t tile = 0; tile < tiles_.tiles(side); tile += tiles_.vector_elements()) {
        Value* vector = load_fragment(side, operand, tile, k, buffer);
        for (uint32_t i = 0; i < tiles_.vector_elements(); ++i) {
          all[operand].push_back(b_.CreateExtractElement(vector, i));
        }
      }
    }
    return all;
  };
  const auto rows = fragments(Side::kRows);
  const auto columns = fragments(Side::kColumns);
  const bool real = ir::is_float(contraction_.accumulator);
  for (size_t p = 0; p < contraction_.products.size(); ++p) {
    const ContractionProduct& product = contraction_.products[p];
    const auto add = [&](uint32_t m, uint32_t n) {
      Value*& accumulator = accumulators[(p * tiles_m + m) * tiles_n + n];
      Value* row = rows[product.row_operand][m];
      Value* column = columns[product.column_operand][n];
      accumulator = real ? values_.ops().fused_multiply_add(row, column, accumulator)
                         : b_.CreateAdd(b_.CreateMul(row, column), accumulator);
    };
    // Along diagonals, so that neighbours differ in both sources and can be one v_dual_fmac_f32.
    for (uint32_t m = 0; m < tiles_m; m += 2) {
      for (uint32_t n = 0; n < tiles_n; n += 2) {
        add(m, n);
        add(m + 1, n + 1);
        add(m, n + 1);
        add(m + 1, n);
      }
    }
  }
}

void ContractionEmitter::emit_outputs(const std::vector<Value*>& accumulators) {
  const size_t of_product = accumulators.size() / contraction_.products.size();
  values_.set_accumulators([this, &accumulators, of_product](const Node& load) {
    const auto number = std::get<int64_t>(load.inputs[1]->attr<ir::ConstAttr>().value);
    const size_t product = ContractionTiles::accumulator_product(load);
    Value* value = tiles_.is_wmma() ? b_.CreateExtractElement(accumulators[product * of_product + number / kRegisters],
                                                              static_cast<uint64_t>(number % kRegisters))
                                    : accumulators[product * of_product + static_cast<size_t>(number)];
    return values_.ops().cast(value, contraction_.accumulator, load.dtype);
  });
  values_.hoist_before(nullptr, 0);
  const std::vector<OutputGroup> groups = tiles_.outputs();
  // Where a wave has many groups and few conditions. LLVM would begin all loads of a block together, and spill.
  const bool share_branch =
      form_.loads == ContractionForm::Loads::kAtOnce && std::ranges::none_of(groups, loads_memory);
  for (size_t begin = 0; begin < groups.size();) {
    size_t end = begin + 1;
    while (end < groups.size() && share_branch && groups[end].inside == groups[begin].inside) ++end;
    emit_groups(std::span(groups).subspan(begin, end - begin));
    begin = end;
  }
}

llvm::BasicBlock* ContractionEmitter::enter_if(const NodePtr& condition) {
  llvm::LLVMContext& context = b_.getContext();
  values_.begin_scope();
  Value* holds = values_.emit(condition);
  auto* inside = llvm::BasicBlock::Create(context, "inside", &function_);
  auto* rest = llvm::BasicBlock::Create(context, "next", &function_);
  b_.CreateCondBr(holds, inside, rest);
  b_.SetInsertPoint(inside);
  return rest;
}

void ContractionEmitter::leave(llvm::BasicBlock* rest) {
  b_.CreateBr(rest);
  b_.SetInsertPoint(rest);
  values_.begin_scope();
}

void ContractionEmitter::emit_groups(std::span<const OutputGroup> groups) {
  const NodePtr& inside = groups[0].inside;
  llvm::BasicBlock* after = inside == nullptr ? nullptr : enter_if(inside);
  for (const OutputGroup& group : groups) emit_group(group);
  if (after != nullptr) leave(after);
}

void ContractionEmitter::emit_group(const OutputGroup& group) {
  const NodePtr& param = kernel_.stores[0]->inputs[0];
  if (group.elements[0].inside != nullptr) {
    for (const OutputGroup::Element& element : group.elements) {
      llvm::BasicBlock* rest = enter_if(element.inside);
      Value* value = values_.emit(element.value);
      values_.emit_store(param, std::span(&element.index, 1), std::span(&value, 1));
      leave(rest);
    }
  } else {
    std::vector<NodePtr> roots;
    std::vector<NodePtr> indices;
    for (const OutputGroup::Element& element : group.elements) {
      roots.push_back(element.value);
      indices.push_back(element.index);
    }
    for (const LoadGroup& loads : values_.group_loads(roots, Traits::kMemory)) {
      values_.make_known(loads, values_.emit_load(loads));
    }
    std::vector<Value*> values;
    for (const NodePtr& root : roots) values.push_back(values_.emit(root));
    values_.emit_store(param, indices, values);
  }
}

}  // namespace bw::compiler
