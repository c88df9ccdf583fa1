// The part of KernelEmitter in which the lanes of a group combine their partial results. All lanes have the result.
#include <llvm/IR/IntrinsicsAMDGPU.h>

#include <bit>

#include "compiler/lower_llvm_emit.h"
#include "compiler/lower_llvm_lds.h"

namespace bw::compiler {

using ir::Node;
using llvm::Value;

namespace {

constexpr uint32_t kRowSize = 16;  // lanes among which a DPP row operation moves data
// DPP control of LLVM's update.dpp: row_xmask:n reads lane ^ n (AMDGPU instruction syntax in LLVM's documentation).
constexpr uint32_t kDppRowXmask = 0x160;
constexpr uint32_t kAllRows = 0xf;
constexpr uint32_t kAllBanks = 0xf;

}  // namespace

// A butterfly within each row (after the step over distance d, groups of 2d neighbouring lanes agree), then the two
// rows' results through scalar registers. Not permlanex16: LLVM 19's machine sinking moves it, and what its other row
// should hold, under the mask of a later branch (seen on a store by the first lane only); readlane it leaves in its
// place.
Value* KernelEmitter::reduce_lanes(const Node& reduction, Value* value) {
  if (plan_.strided_groups) return reduce_strided(reduction, value);
  value = reduce_wave(reduction, value, std::min(plan_.group_size, kWaveSize));
  return plan_.group_size > kWaveSize ? reduce_waves(reduction, value) : value;
}

Value* KernelEmitter::reduce_wave(const Node& reduction, Value* value, uint32_t lanes) {
  const auto in_row = [this](uint32_t distance) {
    return [this, distance](Value* word) -> Value* {
      llvm::Type* i32 = b_.getInt32Ty();
      return b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_update_dpp, {i32},
                                {llvm::PoisonValue::get(i32), word, b_.getInt32(kDppRowXmask + distance),
                                 b_.getInt32(kAllRows), b_.getInt32(kAllBanks), b_.getTrue()});
    };
  };
  const auto of_lane = [this](uint32_t lane) {
    return [this, lane](Value* word) -> Value* {
      return b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_readlane, {word->getType()}, {word, b_.getInt32(lane)});
    };
  };
  for (uint32_t distance = 1; distance < std::min(lanes, kRowSize); distance *= 2) {
    value = ops_.combine(reduction, value, move_words(value, in_row(distance)));
  }
  if (lanes <= kRowSize) return value;
  return ops_.combine(reduction, move_words(value, of_lane(0)), move_words(value, of_lane(kRowSize)));
}

// Applies a move of 32-bit words between lanes to a value of any type.
Value* KernelEmitter::move_words(Value* value, llvm::function_ref<Value*(Value*)> move) {
  llvm::Type* type = value->getType();
  const unsigned bits = type->getPrimitiveSizeInBits();
  llvm::Type* i32 = b_.getInt32Ty();
  Value* raw = b_.CreateBitCast(value, b_.getIntNTy(bits));
  if (bits <= 32) return b_.CreateBitCast(b_.CreateTrunc(move(b_.CreateZExt(raw, i32)), b_.getIntNTy(bits)), type);
  Value* low = b_.CreateZExt(move(b_.CreateTrunc(raw, i32)), b_.getInt64Ty());
  Value* high = b_.CreateZExt(move(b_.CreateTrunc(b_.CreateLShr(raw, 32), i32)), b_.getInt64Ty());
  return b_.CreateBitCast(b_.CreateOr(b_.CreateShl(high, 32), low), type);
}

// Every lane leaves its own in LDS and combines those of its group, in the same order in all of them. Neighbouring
// lanes access neighbouring words, so that no banks conflict.
Value* KernelEmitter::reduce_strided(const Node& reduction, Value* value) {
  const uint32_t places = kernel_.workgroup_size / plan_.group_size;
  const ir::DType dtype = ops_.accumulator_dtype(reduction);
  llvm::Type* type = ops_.memory_type(dtype);
  llvm::GlobalVariable* lds = make_lds(function_, type, kernel_.workgroup_size, "partial");
  const llvm::Align align(ir::size_bytes(dtype));
  b_.CreateAlignedStore(ops_.to_memory(dtype, value), b_.CreateInBoundsGEP(type, lds, lane_), align);
  emit_barrier();
  Value* result = nullptr;
  for (uint32_t i = 0; i < plan_.group_size; ++i) {
    Value* slot = b_.CreateAdd(group_index_, b_.getInt32(i * places), "", true, true);
    Value* of_lane = ops_.from_memory(dtype, b_.CreateAlignedLoad(type, b_.CreateInBoundsGEP(type, lds, slot), align));
    result = result == nullptr ? of_lane : ops_.combine(reduction, result, of_lane);
  }
  if (loop_depth_ > 0) emit_barrier();  // the next iteration writes the slots again
  return result;
}

// Each wave's first lane leaves the wave's result in LDS; then every wave combines those of its group.
Value* KernelEmitter::reduce_waves(const Node& reduction, Value* value) {
  const uint32_t waves = kernel_.workgroup_size / kWaveSize;
  const uint32_t waves_of_group = plan_.group_size / kWaveSize;
  const ir::DType dtype = ops_.accumulator_dtype(reduction);
  llvm::Type* type = ops_.memory_type(dtype);
  llvm::GlobalVariable* lds = make_lds(function_, type, waves, "partial");
  auto* store = llvm::BasicBlock::Create(b_.getContext(), "first_of_wave", &function_);
  auto* joined = llvm::BasicBlock::Create(b_.getContext(), "waves", &function_);
  Value* place = b_.CreateAnd(lane_, b_.getInt32(kWaveSize - 1));
  b_.CreateCondBr(b_.CreateICmpEQ(place, b_.getInt32(0)), store, joined);
  b_.SetInsertPoint(store);
  const llvm::Align align(ir::size_bytes(dtype));
  Value* wave = b_.CreateLShr(lane_, std::countr_zero(kWaveSize));
  b_.CreateAlignedStore(ops_.to_memory(dtype, value), b_.CreateInBoundsGEP(type, lds, wave), align);
  b_.CreateBr(joined);
  b_.SetInsertPoint(joined);
  emit_barrier();
  Value* place_in_group = b_.CreateAnd(lane_, b_.getInt32(waves_of_group - 1));
  Value* first = b_.CreateMul(group_index_, b_.getInt32(waves_of_group), "", true, true);
  Value* slot = b_.CreateInBoundsGEP(type, lds, b_.CreateAdd(first, place_in_group, "", true, true));
  Value* result = ops_.from_memory(dtype, b_.CreateAlignedLoad(type, slot, align));
  if (loop_depth_ > 0) emit_barrier();  // the next iteration writes the slots again
  return reduce_wave(reduction, result, waves_of_group);
}

void KernelEmitter::emit_barrier() {
  const llvm::SyncScope::ID workgroup = b_.getContext().getOrInsertSyncScopeID("workgroup");
  b_.CreateFence(llvm::AtomicOrdering::Release, workgroup);
  b_.CreateIntrinsic(llvm::Intrinsic::amdgcn_s_barrier, {}, {});
  b_.CreateFence(llvm::AtomicOrdering::Acquire, workgroup);
}

}  // namespace bw::compiler
