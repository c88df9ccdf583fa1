// The part of AttentionEmitter that merges what waves have found and stores the results, and its means.
#include <llvm/IR/IntrinsicsAMDGPU.h>

#include <algorithm>
#include <limits>

#include "compiler/attention_emit.h"
#include "compiler/lower_llvm_lds.h"

namespace bw::compiler {

using ir::DType;
using ir::Op;
using llvm::Value;

namespace {

constexpr uint32_t kLdsAlignFloats = 4;  // what one access moves, too
// Sums of one pass over some of the rows, at least: leaves room for several workgroups in the 64 KB of a compute unit.
constexpr uint32_t kPassFloats = 2048;
constexpr double kNothing = -std::numeric_limits<double>::infinity();

}  // namespace

// What is used only while positions are visited shares memory with what is used only afterwards.
void AttentionEmitter::lay_out_lds() {
  const auto aligned = [](uint32_t floats) {
    return (floats + kLdsAlignFloats - 1) / kLdsAlignFloats * kLdsAlignFloats;
  };
  weights_.begin = aligned(form_.queries * elements_);
  const uint32_t visiting = weights_.begin + form_.waves * form_.queries * kWaveSize;
  const uint32_t row = form_.waves * groups_ * columns_;
  rows_of_pass_ = std::clamp<uint32_t>(std::max(kPassFloats, visiting) / row, 1, form_.queries);
  maxima_.begin = aligned(std::max(visiting, rows_of_pass_ * row));
  totals_.begin = maxima_.begin + form_.waves * form_.queries;
  largest_.begin = totals_.begin + form_.waves * form_.queries;
  sum_.begin = largest_.begin + form_.queries;
  lds_ = make_lds(function_, b_.getFloatTy(), sum_.begin + form_.queries, "attention");
  lds_->setAlignment(llvm::Align(kLdsAlignFloats * sizeof(float)));
}

void AttentionEmitter::merge(const Running& running) {
  leave_maxima(running);
  emit_barrier();
  merge_maxima();
  for (uint32_t first = 0; first < form_.queries; first += rows_of_pass_) {
    const uint32_t rows = std::min(rows_of_pass_, form_.queries - first);
    if (first > 0) emit_barrier();  // what was left before has been read
    leave_sums(running, first, rows);
    emit_barrier();
    store_rows(first, rows);
  }
}

void AttentionEmitter::leave_maxima(const Running& running) {
  Values totals;
  for (Value* weights : running.weights) totals.push_back(reduce(Op::kReduceAdd, weights));
  only_if(b_.CreateICmpEQ(lane_of_wave_, word(0)), [&] {
    Value* at = b_.CreateMul(wave_, word(form_.queries));
    for (uint32_t row = 0; row < form_.queries; ++row) {
      store_lds(maxima_, at, row, running.largest[row]);
      store_lds(totals_, at, row, totals[row]);
    }
  });
}

// A lane for each row.
void AttentionEmitter::merge_maxima() {
  for_each_item(form_.queries, [&](Value* row) {
    Values maxima;
    Value* largest = real(kNothing);
    for (uint32_t wave = 0; wave < form_.waves; ++wave) {
      maxima.push_back(load_lds(maxima_, row, int64_t{wave} * form_.queries));
      largest = b_.CreateBinaryIntrinsic(llvm::Intrinsic::maxnum, largest, maxima.back());
    }
    Value* finite = b_.CreateSelect(b_.CreateFCmpOEQ(largest, real(kNothing)), real(0), largest);
    Value* sum = real(0);
    for (uint32_t wave = 0; wave < form_.waves; ++wave) {
      Value* rescale = weight_of(maxima[wave], finite);
      sum = ops_.fused_multiply_add(load_lds(totals_, row, int64_t{wave} * form_.queries), rescale, sum);
      store_lds(maxima_, row, int64_t{wave} * form_.queries, rescale);
    }
    store_lds(largest_, row, 0, largest);
    store_lds(sum_, row, 0, sum);
  });
}

// Each lane's own columns.
void AttentionEmitter::leave_sums(const Running& running, uint32_t first_row, uint32_t rows) {
  Value* part = b_.CreateAdd(b_.CreateMul(wave_, word(groups_)), group_of_lane_);
  Value* base = b_.CreateMul(part, word(int64_t{rows} * columns_));
  const uint32_t width = std::min(vector_, kLdsAlignFloats);
  for (uint32_t chunk = 0; chunk < chunks_; ++chunk) {
    Value* place = b_.CreateAdd(place_in_group_, word(int64_t{chunk} * kWaveSize));
    const auto leave = [&] {
      Value* at = b_.CreateAdd(base, b_.CreateMul(place, word(vector_)));
      for (uint32_t row = 0; row < rows; ++row) {
        for (uint32_t i = 0; i < vector_; i += width) {
          const auto sums = std::span(running.sums[first_row + row]).subspan(chunk * vector_ + i, width);
          store_lds(partials_, at, int64_t{row} * columns_ + i, joined(sums));
        }
      }
    };
    if (columns_ / vector_ == group_ * chunks_) {
      leave();
    } else {
      only_if(b_.CreateICmpULT(place, word(columns_ / vector_)), leave);
    }
  }
}

void AttentionEmitter::store_rows(uint32_t first_row, uint32_t rows) {
  for_each_item(rows * columns_, [&](Value* item) {
    Value* row = b_.CreateAdd(b_.CreateUDiv(item, word(columns_)), word(first_row), "", true, true);
    Value* column = b_.CreateURem(item, word(columns_));
    const auto store = [&] {
      Value* total = real(0);
      for (uint32_t wave = 0; wave < form_.waves; ++wave) {
        Value* rescale = load_lds(maxima_, row, int64_t{wave} * form_.queries);
        for (uint32_t group = 0; group < groups_; ++group) {
          const int64_t part = int64_t{wave} * groups_ + group;
          total = ops_.fused_multiply_add(load_lds(partials_, item, part * rows * columns_), rescale, total);
        }
      }
      store_element(row, total, column);
    };
    const ir::Dim one(1);
    const ir::Dim& extent = row_ == nullptr ? one : row_->attr<ir::RangeAttr>().extent;
    if (extent.is_static() && extent.offset % form_.queries == 0) return store();
    only_if(b_.CreateICmpULT(b_.CreateAdd(first_row_, row), dim_value(extent)), store);
  });
}

// What the kernel makes of a row's results.
void AttentionEmitter::store_element(Value* row, Value* total, Value* column) {
  Value* largest = load_lds(largest_, row, 0);
  // No score but -inf: softmax divides nothing by nothing.
  Value* is_empty = b_.CreateFCmpOEQ(largest, real(kNothing));
  Value* nan = real(std::numeric_limits<double>::quiet_NaN());
  total = b_.CreateSelect(is_empty, nan, total);
  Value* sum = b_.CreateSelect(is_empty, nan, load_lds(sum_, row, 0));
  with_row(row, 0, [&] {
    auto& values = scopes_.back().values;
    values[pattern_.sum.get()] = from_f32(sum, pattern_.sum->dtype);
    values[pattern_.maximum.get()] = from_f32(largest, pattern_.maximum->dtype);
    if (pattern_.factor != nullptr) total = b_.CreateFMul(total, computed_as_f32(pattern_.factor));
    scopes_.back().values[pattern_.weighted.get()] = from_f32(total, pattern_.weighted->dtype);
    const Split at{.rest = column, .constant = 0, .low = 0, .high = int64_t{columns_} - 1};
    emit_iteration(*column_, at, [&] { emit_stores(kernel_.stores); });
  });
}

void AttentionEmitter::loop(Value* begin, Value* end, Value* step, std::span<Value** const> carried,
                            llvm::function_ref<void(Value*)> body) {
  llvm::LLVMContext& context = b_.getContext();
  llvm::BasicBlock* before = b_.GetInsertBlock();
  auto* inside = llvm::BasicBlock::Create(context, "loop", &function_);
  auto* after = llvm::BasicBlock::Create(context, "after", &function_);
  b_.CreateCondBr(b_.CreateICmpULT(begin, end), inside, after);
  b_.SetInsertPoint(inside);
  llvm::PHINode* counter = b_.CreatePHI(b_.getInt32Ty(), 2);
  counter->addIncoming(begin, before);
  Values initial;
  std::vector<llvm::PHINode*> phis;
  for (Value** value : carried) {
    initial.push_back(*value);
    phis.push_back(b_.CreatePHI((*value)->getType(), 2));
    phis.back()->addIncoming(*value, before);
    *value = phis.back();
  }
  body(counter);
  Value* next = b_.CreateAdd(counter, step, "", true, true);
  llvm::BasicBlock* latch = b_.GetInsertBlock();
  b_.CreateCondBr(b_.CreateICmpULT(next, end), inside, after);
  counter->addIncoming(next, latch);
  for (size_t i = 0; i < phis.size(); ++i) phis[i]->addIncoming(*carried[i], latch);
  b_.SetInsertPoint(after);
  for (size_t i = 0; i < carried.size(); ++i) {
    llvm::PHINode* result = b_.CreatePHI(initial[i]->getType(), 2);
    result->addIncoming(initial[i], before);
    result->addIncoming(*carried[i], latch);
    *carried[i] = result;
  }
}

void AttentionEmitter::only_if(Value* condition, Body body) {
  auto* inside = llvm::BasicBlock::Create(b_.getContext(), "inside", &function_);
  auto* after = llvm::BasicBlock::Create(b_.getContext(), "after", &function_);
  b_.CreateCondBr(condition, inside, after);
  b_.SetInsertPoint(inside);
  scopes_.push_back({.active = scopes_.back().active, .hidden = 0, .values = {}, .splits = {}});
  body();
  scopes_.pop_back();
  b_.CreateBr(after);
  b_.SetInsertPoint(after);
}

void AttentionEmitter::for_each_item(uint32_t count, llvm::function_ref<void(Value*)> body) {
  const uint32_t lanes = kernel_.workgroup_size;
  loop(lane_, word(count), word(lanes), {}, [&](Value* item) {
    scopes_.push_back({.active = scopes_.back().active, .hidden = 0, .values = {}, .splits = {}});
    body(item);
    scopes_.pop_back();
  });
}

Value* AttentionEmitter::slot(LdsArray array, Value* index, int64_t offset) {
  Value* base = b_.CreateInBoundsGEP(b_.getFloatTy(), lds_, word(array.begin + offset));
  return b_.CreateInBoundsGEP(b_.getFloatTy(), base, index);
}

Value* AttentionEmitter::load_lds(LdsArray array, Value* index, int64_t offset, uint32_t count) {
  llvm::Type* type = b_.getFloatTy();
  if (count > 1) type = llvm::FixedVectorType::get(type, count);
  return b_.CreateAlignedLoad(type, slot(array, index, offset), llvm::Align(sizeof(float) * count));
}

void AttentionEmitter::store_lds(LdsArray array, Value* index, int64_t offset, Value* value) {
  const uint64_t bits = value->getType()->getPrimitiveSizeInBits();
  b_.CreateAlignedStore(value, slot(array, index, offset), llvm::Align(bits / 8));
}

// One value, or a vector of several.
Value* AttentionEmitter::joined(std::span<Value* const> values) {
  if (values.size() == 1) return values[0];
  Value* vector = llvm::PoisonValue::get(llvm::FixedVectorType::get(b_.getFloatTy(), values.size()));
  for (size_t i = 0; i < values.size(); ++i) vector = b_.CreateInsertElement(vector, values[i], i);
  return vector;
}

// What lanes of the wave have left in LDS can be read by its other lanes: a wave's LDS operations are in order.
void AttentionEmitter::sync_wave() {
  const llvm::SyncScope::ID wavefront = b_.getContext().getOrInsertSyncScopeID("wavefront");
  b_.CreateFence(llvm::AtomicOrdering::Release, wavefront);
  b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_wave_barrier, {}, {});
  b_.CreateFence(llvm::AtomicOrdering::Acquire, wavefront);
}

// A value that is the same in all lanes of a wave, told so to LLVM.
Value* AttentionEmitter::uniform(Value* value) {
  return b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_readfirstlane, {b_.getInt32Ty()}, {value});
}

Value* AttentionEmitter::real(double value) {
  return llvm::ConstantFP::get(b_.getFloatTy(), value);
}

// Over the lanes of the wave, in f32.
Value* AttentionEmitter::reduce(Op op, Value* value) {
  ir::Node reduction;
  reduction.op = op;
  reduction.dtype = DType::kF32;
  return reduce_wave(reduction, value, kWaveSize);
}

}  // namespace bw::compiler
