#include "emulator/jit/strip.h"

#include <llvm/IR/MDBuilder.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace bw::emulator::jit {

using llvm::Value;

extern "C" void barewave_jit_recover_piece(Wave* wave, const StripRecord* strip, uint64_t lanes, uint64_t* masks) {
  const auto scalars = wave->s;
  wave->set_mask(kExecSlot, wave->exec() & lanes);
  for (const Step* step : strip->steps) step->run(*wave, *step);
  for (size_t i = 0; i < strip->mask_slots.size(); ++i) masks[i] = wave->mask(strip->mask_slots[i]) & lanes;
  wave->s = scalars;
}

StripRecord make_strip_record(std::vector<const Step*> steps) {
  StripRecord record;
  for (const Step* step : steps) {
    const uint16_t slot = strip_slots_of(*step).mask_written;
    if (slot == kScalarSlots) continue;
    if (std::find(record.mask_slots.begin(), record.mask_slots.end(), slot) == record.mask_slots.end())
      record.mask_slots.push_back(slot);
  }
  record.steps = std::move(steps);
  return record;
}

StripBuilder::StripBuilder(Frame& frame, const std::vector<const Step*>& steps)
    : frame_(frame),
      record_(make_strip_record(steps)),
      strip_number_(static_cast<uint32_t>(frame.image.strips.size())),
      before_(frame.ir.getContext()) {
  std::vector<uint32_t>& numbers = frame.image.strips.emplace_back();
  for (const Step* step : steps) numbers.push_back(frame.flow.numbers.at(step));
}

Value* StripBuilder::splat(uint32_t value) {
  return llvm::ConstantInt::get(i32s(), value);
}

void StripBuilder::begin_loop() {
  llvm::LLVMContext& context = ir().getContext();
  preheader_ = ir().GetInsertBlock();
  loop_ = llvm::BasicBlock::Create(context, "piece", frame_.function);
  before_.SetInsertPoint(ir().CreateBr(loop_));
  ir().SetInsertPoint(loop_);
  first_lane_ = ir().CreatePHI(ir().getInt64Ty(), 2);
  first_lane_->addIncoming(frame_.number64(0), preheader_);
  for (const uint16_t slot : record_.mask_slots) {
    llvm::PHINode* phi = ir().CreatePHI(ir().getInt64Ty(), 2);
    phi->addIncoming(frame_.number64(0), preheader_);
    mask_phis_[slot] = phi;
  }
  rows_ = ir().CreateGEP(ir().getInt32Ty(), frame_.vgprs, first_lane_);
  exec_ = scalar_mask(kExecSlot);
}

void StripBuilder::build() {
  begin_loop();
  for (const Step* step : record_.steps) emit(*step);
  finish_piece();
}

// Whether the strip has to be given up for this piece; nullptr: never.
Value* StripBuilder::collect_nans() {
  Value* any = nullptr;
  const auto add = [&](Value* truth) { any = any == nullptr ? truth : ir().CreateOr(any, truth); };
  Value* unpaired = nullptr;
  for (const FloatResult& result : float_results_) {
    if (result.is_covered) continue;
    if (unpaired == nullptr) {
      unpaired = result.value;
    } else {
      add(ir().CreateFCmpUNO(unpaired, result.value));
      unpaired = nullptr;
    }
  }
  if (unpaired != nullptr) add(ir().CreateFCmpUNO(unpaired, unpaired));
  for (Value* truth : give_up_) add(truth);
  Value* bits = nullptr;
  if (any != nullptr) {
    llvm::Type* integer = ir().getIntNTy(frame_.lanes);
    Value* lanes = ir().CreateBitCast(ir().CreateAnd(any, exec_), integer);
    bits = ir().CreateICmpNE(lanes, llvm::ConstantInt::get(integer, 0));
  }
  if (give_up_all_ != nullptr) bits = bits == nullptr ? give_up_all_ : ir().CreateOr(bits, give_up_all_);
  return bits;
}

void StripBuilder::finish_piece() {
  llvm::LLVMContext& context = ir().getContext();
  const auto block = [&](const char* name) { return llvm::BasicBlock::Create(context, name, frame_.function); };
  llvm::BasicBlock* next = block("next");
  llvm::Type* integer = ir().getIntNTy(frame_.lanes);
  std::map<unsigned, Value*> bits;
  for (const auto& [slot, truths] : masks_) {
    bits[slot] = ir().CreateShl(ir().CreateZExt(ir().CreateBitCast(truths, integer), ir().getInt64Ty()), first_lane_);
  }
  llvm::BasicBlock* recover = nullptr;
  std::map<unsigned, Value*> recovered;
  if (Value* nans = collect_nans()) {
    recover = block("recover");
    llvm::BasicBlock* store = block("store");
    ir().CreateCondBr(nans, recover, store, llvm::MDBuilder(context).createBranchWeights(1, 100000));
    ir().SetInsertPoint(recover);
    llvm::IRBuilder<> entry(&frame_.function->getEntryBlock(), frame_.function->getEntryBlock().begin());
    Value* masks =
        entry.CreateAlloca(ir().getInt64Ty(), ir().getInt32(static_cast<uint32_t>(record_.mask_slots.size()) + 1));
    Value* lanes =
        ir().CreateShl(frame_.number64(frame_.lanes == 64 ? ~0ull : (1ull << frame_.lanes) - 1), first_lane_);
    auto* type = llvm::FunctionType::get(ir().getVoidTy(),
                                         {ir().getPtrTy(), ir().getPtrTy(), ir().getInt64Ty(), ir().getPtrTy()}, false);
    ir().CreateCall(type, frame_.pointer(HostCall::kRecoverPiece),
                    {frame_.wave, frame_.pointer(Reference::Kind::kStrip, strip_number_), lanes, masks});
    for (size_t i = 0; i < record_.mask_slots.size(); ++i) {
      recovered[record_.mask_slots[i]] =
          ir().CreateLoad(ir().getInt64Ty(), ir().CreateConstGEP1_64(ir().getInt64Ty(), masks, i));
    }
    ir().CreateBr(next);
    ir().SetInsertPoint(store);
  }
  for (const auto& [number, value] : written_) {
    Value* merged = ir().CreateSelect(exec_, value, before_strip(number));
    ir().CreateAlignedStore(merged, row_address(number), llvm::Align(32));
  }
  llvm::BasicBlock* stored = ir().GetInsertBlock();
  ir().CreateBr(next);
  ir().SetInsertPoint(next);
  for (auto& [slot, value] : bits) {
    if (recover != nullptr) {
      llvm::PHINode* phi = ir().CreatePHI(ir().getInt64Ty(), 2);
      phi->addIncoming(value, stored);
      phi->addIncoming(recovered[slot], recover);
      value = phi;
    }
  }
  for (auto& [slot, value] : bits) {
    value = ir().CreateOr(value, mask_phis_[slot]);
    mask_phis_[slot]->addIncoming(value, next);
  }
  Value* after = ir().CreateAdd(first_lane_, frame_.number64(frame_.lanes));
  first_lane_->addIncoming(after, next);
  llvm::BasicBlock* done = block("done");
  ir().CreateCondBr(ir().CreateICmpULT(after, frame_.number64(frame_.wave_lanes)), loop_, done);
  ir().SetInsertPoint(done);
  for (const auto& [slot, value] : bits) frame_.store_mask(slot, value);
}

Value* StripBuilder::row_address(unsigned number) {
  return ir().CreateConstGEP1_64(ir().getInt32Ty(), rows_, static_cast<uint64_t>(number) * frame_.wave_lanes);
}

Value* StripBuilder::before_strip(unsigned number) {
  Value*& value = original_[number];
  if (value == nullptr) value = ir().CreateAlignedLoad(i32s(), row_address(number), llvm::Align(32));
  return value;
}

Value* StripBuilder::vgpr(unsigned number) {
  Value*& value = current_[number];
  if (value == nullptr) value = before_strip(number);
  return value;
}

Value* StripBuilder::scalar(unsigned slot) {
  Value*& value = scalars_[slot];
  if (value == nullptr) {
    Value* address = before_.CreateConstInBoundsGEP1_64(before_.getInt8Ty(), frame_.wave, offsetof(Wave, s) + slot * 4);
    value = before_.CreateVectorSplat(frame_.lanes,
                                      before_.CreateAlignedLoad(before_.getInt32Ty(), address, llvm::Align(4)));
  }
  return value;
}

// The compiler does not see constants of floats, so that it computes with them when and as the wave does.
Value* StripBuilder::constant_row(const Source& source, unsigned dword, bool is_visible) {
  if (is_visible) return splat(source.constant[dword].lane[0]);
  return ir().CreateVectorSplat(frame_.lanes, frame_.hidden(source.constant[dword].lane[0]));
}

Value* StripBuilder::raw(const Source& source, unsigned dword, bool is_visible) {
  switch (source.kind) {
    case SourceKind::kVgpr:
      return vgpr(source.index + dword);
    case SourceKind::kConstant:
      return constant_row(source, dword, is_visible);
    case SourceKind::kScalar:
      return scalar(source.index + dword);
    case SourceKind::kModified:
      break;
  }
  // As fetch_modified() has it.
  const uint8_t modifiers = source.modifiers;
  Value* in = (modifiers & kFromScalar) != 0 ? scalar(source.index + dword) : vgpr(source.index + dword);
  const bool has_sign = (modifiers & kSign64) == 0 || dword == 1;
  const uint32_t sign = (modifiers & kSign16) != 0 ? 0x8000u : 0x80000000u;
  if ((modifiers & kHigh) != 0) in = ir().CreateLShr(in, splat(16));
  if (has_sign && (modifiers & kAbs) != 0) in = ir().CreateAnd(in, splat(~sign));
  if (has_sign && (modifiers & kNeg) != 0) in = ir().CreateXor(in, splat(sign));
  return in;
}

Value* StripBuilder::u32(const Step& step, unsigned index, unsigned dword) {
  // Operations on nothing but constants are not to be folded either: what they give may be used as a float.
  bool has_variable = false;
  for (const Source& source : step.src) has_variable |= source.kind != SourceKind::kConstant;
  return raw(step.src[index], dword, has_variable);
}
Value* StripBuilder::join(Value* low, Value* high) {
  Value* wide = ir().CreateShl(ir().CreateZExt(high, i64s()), llvm::ConstantInt::get(i64s(), 32));
  return ir().CreateOr(ir().CreateZExt(low, i64s()), wide);
}
Value* StripBuilder::u64(const Step& step, unsigned index) {
  Value* low = u32(step, index, 0);
  return join(low, u32(step, index, 1));
}
Value* StripBuilder::f64(const Step& step, unsigned index) {
  need_equal_controls();
  Value* low = raw(step.src[index], 0, false);
  return ir().CreateBitCast(join(low, raw(step.src[index], 1, false)), doubles());
}
Value* StripBuilder::f32(const Step& step, unsigned index) {
  return ir().CreateBitCast(raw(step.src[index], 0, false), floats());
}

Value* StripBuilder::widen_half(Value* bits) {
  need_equal_controls();
  Value* low = ir().CreateAnd(bits, splat(0xffff));
  Value* is_small = ir().CreateICmpEQ(ir().CreateAnd(low, splat(0x7c00)), splat(0));
  constexpr unsigned kAllowInput64 = 6;  // bits 7:6 of MODE are those of f16 and f64, as Mode::Fields has them
  Value* flushes = ir().CreateNot(mode_flag(kAllowInput64));
  low = ir().CreateSelect(ir().CreateAnd(is_small, flushes), ir().CreateAnd(low, splat(0x8000)), low);
  Value* half = ir().CreateBitCast(ir().CreateTrunc(low, frame_.i16s), frame_.halves);
  return ir().CreateFPExt(half, floats());
}

Value* StripBuilder::lanes_of_bits(Value* bits) {
  Value* shifted = ir().CreateLShr(bits, first_lane_);
  return ir().CreateBitCast(ir().CreateTrunc(shifted, ir().getIntNTy(frame_.lanes)), frame_.truths);
}

Value* StripBuilder::scalar_mask(unsigned slot) {
  Value*& bits = scalar_masks_[slot];
  if (bits == nullptr) {
    const llvm::IRBuilderBase::InsertPoint at = ir().saveIP();
    ir().restoreIP(before_.saveIP());
    bits = frame_.load_mask(slot);
    ir().restoreIP(at);
  }
  return lanes_of_bits(bits);
}

Value* StripBuilder::mask(const Step& step, unsigned index) {
  const Source& source = step.src[index];
  if (source.kind == SourceKind::kConstant) {
    return lanes_of_bits(frame_.number64(make_u64(source.constant[0].lane[0], source.constant[1].lane[0])));
  }
  if (const auto it = masks_.find(source.index); it != masks_.end()) return it->second;
  return scalar_mask(source.index);
}

void StripBuilder::put_u32(unsigned number, Value* value) {
  if (enabled_ != nullptr) value = ir().CreateSelect(enabled_, value, vgpr(number));
  current_[number] = value;
  written_[number] = value;
}
void StripBuilder::put_u64(unsigned number, Value* value) {
  put_u32(number, ir().CreateTrunc(value, i32s()));
  put_u32(number + 1, ir().CreateTrunc(ir().CreateLShr(value, llvm::ConstantInt::get(i64s(), 32)), i32s()));
}
void StripBuilder::put_mask(unsigned slot, Value* truth) {
  if (enabled_ != nullptr) truth = ir().CreateAnd(truth, enabled_);
  masks_[slot] = ir().CreateAnd(truth, exec_);
}

void StripBuilder::put_arith(const Step& step, Value* value, unsigned sources) {
  for (unsigned i = 0; i < sources; ++i) {
    const Source& source = step.src[i];
    const bool is_vgpr = source.kind == SourceKind::kVgpr ||
                         (source.kind == SourceKind::kModified && (source.modifiers & kFromScalar) == 0);
    if (!is_vgpr) continue;
    if (const auto it = float_result_of_.find(current_[source.index]); it != float_result_of_.end())
      float_results_[it->second].is_covered = true;
  }
  Value* bits = ir().CreateBitCast(value, i32s());
  float_result_of_[bits] = float_results_.size();
  float_results_.push_back({value, false});
  put_u32(step.dst, bits);
}

void StripBuilder::put_arith64(unsigned number, Value* value) {
  give_up_if(ir().CreateFCmpUNO(value, value));
  put_u64(number, ir().CreateBitCast(value, i64s()));
}

void StripBuilder::give_up_if(Value* truth) {
  give_up_.push_back(truth);
}

Value* StripBuilder::mode_flag(unsigned bit) {
  Value* bits = mode_word(offsetof(Mode, bits));
  Value* flag = before_.CreateICmpNE(before_.CreateAnd(bits, frame_.number32(1u << bit)), frame_.number32(0));
  return before_.CreateVectorSplat(frame_.lanes, flag);
}

void StripBuilder::give_up_all_if(Value* truth) {
  give_up_all_ = give_up_all_ == nullptr ? truth : before_.CreateOr(give_up_all_, truth);
}

Value* StripBuilder::mode_word(size_t offset) {
  Value* address = before_.CreateConstInBoundsGEP1_64(before_.getInt8Ty(), frame_.wave, offsetof(Wave, mode) + offset);
  return before_.CreateAlignedLoad(before_.getInt32Ty(), address, llvm::Align(4));
}

void StripBuilder::need_equal_controls() {
  if (std::exchange(needs_equal_controls_, true)) return;
  give_up_all_if(before_.CreateICmpNE(mode_word(offsetof(Mode, csr32)), mode_word(offsetof(Mode, csr64))));
}

void StripBuilder::need_nearest_rounding() {
  if (std::exchange(needs_nearest_rounding_, true)) return;
  constexpr uint32_t kRounding = 3;  // the lowest field of MODE
  Value* rounding = before_.CreateAnd(mode_word(offsetof(Mode, bits)), frame_.number32(kRounding));
  give_up_all_if(before_.CreateICmpNE(rounding, frame_.number32(0)));
}

}  // namespace bw::emulator::jit
