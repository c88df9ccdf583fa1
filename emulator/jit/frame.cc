#include "emulator/jit/frame.h"

#include <cstddef>

namespace bw::emulator::jit {

Frame::Frame(llvm::Function* function_in, const ControlFlow& flow_in, uint32_t wave_size, unsigned vector_lanes,
             CodeImage& image_in)
    : flow(flow_in),
      image(image_in),
      function(function_in),
      ir(function_in->getContext()),
      wave(function_in->getArg(0)),
      wave_lanes(wave_size),
      lanes(vector_lanes) {
  const auto vector = [&](llvm::Type* element) { return llvm::FixedVectorType::get(element, lanes); };
  i32s = vector(ir.getInt32Ty());
  floats = vector(ir.getFloatTy());
  i64s = vector(ir.getInt64Ty());
  doubles = vector(ir.getDoubleTy());
  halves = vector(ir.getHalfTy());
  i16s = vector(ir.getInt16Ty());
  truths = vector(ir.getInt1Ty());
}

llvm::Value* Frame::wave_field(size_t offset) {
  return ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), wave, offset);
}
llvm::Value* Frame::slot_address(unsigned slot) {
  return wave_field(offsetof(Wave, s) + slot * sizeof(uint32_t));
}
llvm::Value* Frame::load_slot(unsigned slot) {
  return ir.CreateAlignedLoad(ir.getInt32Ty(), slot_address(slot), llvm::Align(4));
}
llvm::Value* Frame::load_slot64(unsigned slot) {
  llvm::Value* low = ir.CreateZExt(load_slot(slot), ir.getInt64Ty());
  llvm::Value* high = ir.CreateZExt(load_slot(slot + 1), ir.getInt64Ty());
  return ir.CreateOr(low, ir.CreateShl(high, 32));
}
void Frame::store_slot(unsigned slot, llvm::Value* value) {
  ir.CreateAlignedStore(value, slot_address(slot), llvm::Align(4));
}
void Frame::store_slot64(unsigned slot, llvm::Value* value) {
  store_slot(slot, ir.CreateTrunc(value, ir.getInt32Ty()));
  store_slot(slot + 1, ir.CreateTrunc(ir.CreateLShr(value, 32), ir.getInt32Ty()));
}
llvm::Value* Frame::load_exec() {
  return load_mask(kExecSlot);
}
llvm::Value* Frame::load_mask(unsigned slot) {
  return wave_lanes == kLanes ? ir.CreateZExt(load_slot(slot), ir.getInt64Ty()) : load_slot64(slot);
}
void Frame::store_mask(unsigned slot, llvm::Value* bits) {
  if (wave_lanes == kLanes)
    store_slot(slot, ir.CreateTrunc(bits, ir.getInt32Ty()));
  else
    store_slot64(slot, bits);
}

llvm::Value* Frame::entry_of(Reference reference) {
  const auto [it, is_new] = entries_.try_emplace({reference.kind, reference.value}, image.table.size());
  if (is_new) image.table.push_back(reference);
  return ir.CreateConstInBoundsGEP1_64(ir.getInt64Ty(), table, it->second);
}
llvm::LoadInst* Frame::mark_invariant(llvm::LoadInst* load) {
  load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(ir.getContext(), {}));
  return load;
}
llvm::Value* Frame::pointer(Reference::Kind kind, uint32_t value) {
  return mark_invariant(ir.CreateLoad(ir.getPtrTy(), entry_of({kind, value})));
}
llvm::Value* Frame::hidden(uint32_t value) {
  return mark_invariant(ir.CreateLoad(ir.getInt32Ty(), entry_of({Reference::Kind::kNumber, value})));
}

}  // namespace bw::emulator::jit
