#include "emulator/jit/program_builder.h"

#include <llvm/IR/MDBuilder.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <vector>

#include "emulator/jit/address_memo.h"
#include "emulator/jit/fast_handlers.h"
#include "emulator/jit/fast_loads.h"
#include "emulator/jit/scalar_ops.h"
#include "emulator/jit/strip.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {
namespace {

using llvm::BasicBlock;
using llvm::Value;

constexpr size_t kMaxStripSteps = 256;

class ProgramBuilder {
 public:
  ProgramBuilder(const ControlFlow& flow, llvm::Function* function, uint32_t wave_size, unsigned vector_lanes,
                 CodeImage& image)
      : frame_(function, flow, wave_size, vector_lanes, image) {}
  void build();

 private:
  uint32_t resume_point(const Step* step);
  void emit_block(const Step* first);
  bool emit_step(const Step* step);
  void emit_calls(const Step* first, const Step* end);
  void emit_fast_handler(const Step& step);
  void emit_fast_load(const Step& step);
  void leave_if_stopped();
  void leave_unless(Value* goes_on);
  void emit_branch(const Step& step);
  void emit_jump(const Step& step, const Step* target);
  Value* condition(const Step& step);
  void emit_stop(Stop stop);
  void emit_leave_to(const Step* step, Stop stop);
  void flush();
  void flush_strip();
  void flush_calls();
  void flush_count();
  bool can_join_strip(const Step& step) const;
  bool can_pass_strip(const Step& step) const;
  bool strip_reads(unsigned slot) const;
  bool strip_writes_mask_at(unsigned slot) const;

  Frame frame_;
  std::map<const Step*, BasicBlock*> leaders_;
  std::map<const Step*, uint32_t> resume_of_;
  llvm::SwitchInst* dispatch_ = nullptr;
  std::vector<const Step*> strip_;  // collected, not emitted yet
  // Steps to be left to the handlers, not emitted yet; of strip_ and these at most one has any.
  const Step* calls_begin_ = nullptr;
  const Step* calls_end_ = nullptr;
  AddressMemo addresses_;
  Value* lane_offsets_ = nullptr;  // LaneOffsets for each place of addresses_
  uint64_t count_ = 0;             // instructions that Wave::instructions does not have yet
};

// The number of the resume point that brings a wave back into the function at `step`, a leader.
uint32_t ProgramBuilder::resume_point(const Step* step) {
  std::vector<uint32_t>& points = frame_.image.resume_points;
  const auto [it, is_new] = resume_of_.try_emplace(step, static_cast<uint32_t>(points.size()));
  if (is_new) {
    points.push_back(frame_.flow.numbers.at(step));
    dispatch_->addCase(frame_.number32(it->second), leaders_.at(step));
  }
  return it->second;
}

void ProgramBuilder::build() {
  llvm::IRBuilder<>& ir = frame_.ir;
  BasicBlock* start = BasicBlock::Create(ir.getContext(), "start", frame_.function);
  for (const Step* leader : frame_.flow.leaders)
    leaders_[leader] = BasicBlock::Create(ir.getContext(), "block", frame_.function);
  ir.SetInsertPoint(start);
  const auto field = [&](size_t offset) {
    return ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), frame_.function->getArg(1), offset);
  };
  frame_.vgprs = ir.CreateLoad(ir.getPtrTy(), frame_.wave_field(offsetof(Wave, vgprs)));
  frame_.table = ir.CreateLoad(ir.getPtrTy(), field(offsetof(ResumePoint, table)));
  Value* number = ir.CreateAlignedLoad(ir.getInt32Ty(), field(offsetof(Step, imm)), llvm::Align(4));
  auto* places = llvm::ArrayType::get(ir.getInt8Ty(), AddressMemo::kPlaces * sizeof(LaneOffsets));
  llvm::AllocaInst* offsets = ir.CreateAlloca(places);
  offsets->setAlignment(llvm::Align(alignof(LaneOffsets)));
  lane_offsets_ = offsets;
  const Step* entry = frame_.flow.leaders.front();
  dispatch_ = ir.CreateSwitch(number, leaders_.at(entry));
  resume_point(entry);
  for (const Step* leader : frame_.flow.leaders) emit_block(leader);
}

void ProgramBuilder::emit_block(const Step* first) {
  frame_.ir.SetInsertPoint(leaders_.at(first));
  addresses_.forget_all();
  for (const Step* step = first;;) {
    if (!emit_step(step)) return;
    ++step;
    if (const auto it = leaders_.find(step); it != leaders_.end()) {
      flush();
      flush_count();
      frame_.ir.CreateBr(it->second);
      return;
    }
  }
}

// False: control does not fall through.
bool ProgramBuilder::emit_step(const Step* step) {
  const Flow flow = flow_of(*step);
  if (flow == Flow::kNext && is_strip_step(*step, frame_.lanes)) {
    flush_calls();
    if (!can_join_strip(*step)) flush_strip();
    strip_.push_back(step);
    count_ += step->weight;
    // What follows may see another EXEC.
    if (strip_slots_of(*step).mask_written == kExecSlot) flush();
    return true;
  }
  const ScalarEmit scalar = flow == Flow::kNext ? scalar_emit_of(step->run) : nullptr;
  if (flow == Flow::kNothing && calls_end_ == nullptr) {
    count_ += step->weight;
    return true;
  }
  if (scalar == nullptr || !can_pass_strip(*step)) flush_strip();
  const bool is_load = flow == Flow::kNext && fast_load_of(step->run) != nullptr;
  const Handler fast = flow == Flow::kNext ? fast_handler_of(step->run) : nullptr;
  if (scalar == nullptr && fast == nullptr && !is_load && (flow == Flow::kNext || flow == Flow::kNothing)) {
    if (calls_end_ == nullptr) calls_begin_ = step;
    calls_end_ = step + 1;
    return true;
  }
  flush_calls();
  count_ += step->weight;
  switch (flow) {
    case Flow::kNothing:
      return true;
    case Flow::kNext:
      if (scalar != nullptr)
        scalar(frame_, *step);
      else if (is_load)
        emit_fast_load(*step);
      else
        emit_fast_handler(*step);
      return true;
    case Flow::kLeaves:
      count_ -= step->weight;
      emit_calls(step, step + 1);
      frame_.ir.CreateRetVoid();
      return false;
    case Flow::kJump:
      flush_count();
      emit_jump(*step, step->target);
      return false;
    case Flow::kBranch:
      flush_count();
      emit_branch(*step);
      return false;
    case Flow::kBarrier:
      flush_count();
      emit_leave_to(step + 1, Stop::kBarrier);
      return false;
    case Flow::kEnd:
      flush_count();
      emit_stop(Stop::kEnd);
      return false;
  }
  return false;
}

void ProgramBuilder::flush() {
  flush_strip();
  flush_calls();
}

void ProgramBuilder::flush_calls() {
  if (calls_end_ == nullptr) return;
  emit_calls(calls_begin_, calls_end_);
  calls_begin_ = calls_end_ = nullptr;
}

void ProgramBuilder::flush_strip() {
  if (strip_.empty()) return;
  StripBuilder(frame_, strip_).build();
  for (const Step* step : strip_) addresses_.forget(step->dst, 2);  // some write a pair
  strip_.clear();
}

void ProgramBuilder::flush_count() {
  if (count_ == 0) return;
  llvm::IRBuilder<>& ir = frame_.ir;
  Value* address = frame_.wave_field(offsetof(Wave, instructions));
  Value* before = ir.CreateLoad(ir.getInt64Ty(), address);
  ir.CreateStore(ir.CreateAdd(before, frame_.number64(count_)), address);
  count_ = 0;
}

bool overlap(unsigned slot, unsigned first, unsigned count) {
  return slot < first + count && first < slot + 2;
}

// Whether a slot, or the one after it, is written as a mask by the strip. Slots come in pairs in wave64.
bool ProgramBuilder::strip_writes_mask_at(unsigned slot) const {
  for (const Step* step : strip_) {
    const uint16_t written = strip_slots_of(*step).mask_written;
    if (written != kScalarSlots && overlap(slot, written, 2)) return true;
  }
  return false;
}

bool ProgramBuilder::strip_reads(unsigned slot) const {
  for (const Step* step : strip_) {
    const StripSlots slots = strip_slots_of(*step);
    for (const uint16_t value : slots.values) {
      if (overlap(slot, value, 1)) return true;
    }
    if (slots.mask_read != kScalarSlots && overlap(slot, slots.mask_read, 2)) return true;
  }
  return false;
}

// A strip reads scalars before it starts; only masks can be handed on inside it.
bool ProgramBuilder::can_join_strip(const Step& step) const {
  if (strip_.size() >= kMaxStripSteps) return false;
  const StripSlots slots = strip_slots_of(step);
  for (const uint16_t slot : slots.values) {
    if (strip_writes_mask_at(slot)) return false;
  }
  for (const Step* other : strip_) {
    const uint16_t written = strip_slots_of(*other).mask_written;
    if (written == kScalarSlots) continue;
    for (const uint16_t slot : {slots.mask_read, slots.mask_written}) {
      if (slot != kScalarSlots && slot != written && overlap(slot, written, 2)) return false;
    }
  }
  return true;
}

// Whether a scalar step may be executed ahead of the strip that stands before it.
bool ProgramBuilder::can_pass_strip(const Step& step) const {
  if (strip_.empty()) return true;
  if (strip_reads(kSccSlot)) return false;  // most scalar steps write it beside `dst`
  for (const Source& source : step.src) {
    if (source.kind == SourceKind::kScalar && strip_writes_mask_at(source.index)) return false;
  }
  if (overlap(step.dst, kExecSlot, 2)) return false;
  if (step.dst == kSccSlot) return true;
  return !strip_writes_mask_at(step.dst) && !strip_reads(step.dst);
}

// Has the interpreter's handlers execute steps, and leaves if one stops the wave or sends it elsewhere.
void ProgramBuilder::emit_calls(const Step* first, const Step* end) {
  flush_count();
  addresses_.forget_all();
  llvm::IRBuilder<>& ir = frame_.ir;
  auto* type = llvm::FunctionType::get(ir.getInt1Ty(), {ir.getPtrTy(), ir.getPtrTy(), ir.getInt32Ty()}, false);
  Value* count = frame_.number32(static_cast<uint32_t>(end - first));
  llvm::CallInst* goes_on =
      ir.CreateCall(type, frame_.pointer(HostCall::kRunSteps), {frame_.wave, frame_.pointer(*first), count});
  goes_on->addRetAttr(llvm::Attribute::ZExt);
  leave_unless(goes_on);
}

// What such a handler executes may fault, but does not send the wave elsewhere.
void ProgramBuilder::emit_fast_handler(const Step& step) {
  flush_count();
  addresses_.forget_all();
  llvm::IRBuilder<>& ir = frame_.ir;
  auto* type = llvm::FunctionType::get(ir.getVoidTy(), {ir.getPtrTy(), ir.getPtrTy()}, false);
  ir.CreateCall(type, frame_.fast_handler(step), {frame_.wave, frame_.pointer(step)});
  leave_if_stopped();
}

void ProgramBuilder::emit_fast_load(const Step& step) {
  flush_count();
  llvm::IRBuilder<>& ir = frame_.ir;
  const AddressMemo::Place place = addresses_.use(step.src[0].index, has_address_pair(step));
  Value* offsets = ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), lane_offsets_, place.number * sizeof(LaneOffsets));
  auto* type =
      llvm::FunctionType::get(ir.getVoidTy(), {ir.getPtrTy(), ir.getPtrTy(), ir.getPtrTy(), ir.getInt1Ty()}, false);
  llvm::CallInst* call = ir.CreateCall(type, frame_.fast_load(step),
                                       {frame_.wave, frame_.pointer(step), offsets, ir.getInt1(place.is_known)});
  call->addParamAttr(3, llvm::Attribute::ZExt);
  addresses_.forget(step.dst, loaded_registers(step));
  leave_if_stopped();
}

void ProgramBuilder::leave_if_stopped() {
  llvm::IRBuilder<>& ir = frame_.ir;
  Value* stop = ir.CreateLoad(ir.getInt8Ty(), frame_.wave_field(offsetof(Wave, stop)));
  leave_unless(ir.CreateICmpEQ(stop, ir.getInt8(static_cast<uint8_t>(Stop::kNone))));
}

void ProgramBuilder::leave_unless(Value* goes_on) {
  llvm::IRBuilder<>& ir = frame_.ir;
  llvm::LLVMContext& context = ir.getContext();
  BasicBlock* leave = BasicBlock::Create(context, "leave", frame_.function);
  BasicBlock* stay = BasicBlock::Create(context, "stay", frame_.function);
  ir.CreateCondBr(goes_on, stay, leave, llvm::MDBuilder(context).createBranchWeights(100000, 1));
  ir.SetInsertPoint(leave);
  ir.CreateRetVoid();
  ir.SetInsertPoint(stay);
}

void ProgramBuilder::emit_stop(Stop stop) {
  frame_.ir.CreateStore(frame_.ir.getInt8(static_cast<uint8_t>(stop)), frame_.wave_field(offsetof(Wave, stop)));
  frame_.ir.CreateRetVoid();
}
void ProgramBuilder::emit_leave_to(const Step* step, Stop stop) {
  Value* point = frame_.pointer(Reference::Kind::kResumePoint, resume_point(step));
  frame_.ir.CreateStore(point, frame_.wave_field(offsetof(Wave, next)));
  emit_stop(stop);
}

Value* ProgramBuilder::condition(const Step& step) {
  const HandlerTable& h = handlers();
  llvm::IRBuilder<>& ir = frame_.ir;
  const auto is_zero = [&](Value* value) {
    return ir.CreateICmpEQ(value, llvm::ConstantInt::get(value->getType(), 0));
  };
  const auto is_set = [&](Value* value) { return ir.CreateICmpNE(value, llvm::ConstantInt::get(value->getType(), 0)); };
  if (step.run == h[Op::s_cbranch_scc0]) return is_zero(frame_.load_slot(kSccSlot));
  if (step.run == h[Op::s_cbranch_scc1]) return is_set(frame_.load_slot(kSccSlot));
  if (step.run == h[Op::s_cbranch_vccz]) return is_zero(frame_.load_mask(kVccSlot));
  if (step.run == h[Op::s_cbranch_vccnz]) return is_set(frame_.load_mask(kVccSlot));
  if (step.run == h[Op::s_cbranch_execz]) return is_zero(frame_.load_exec());
  return is_set(frame_.load_exec());
}

void ProgramBuilder::emit_branch(const Step& step) {
  BasicBlock* taken = BasicBlock::Create(frame_.ir.getContext(), "taken", frame_.function);
  frame_.ir.CreateCondBr(condition(step), taken, leaders_.at(&step + 1));
  frame_.ir.SetInsertPoint(taken);
  emit_jump(step, step.target);
}

// Backward jumps are charged as the interpreter charges them, so that no loop keeps the host thread.
void ProgramBuilder::emit_jump(const Step& step, const Step* target) {
  llvm::IRBuilder<>& ir = frame_.ir;
  BasicBlock* to = leaders_.at(target);
  if (step.run != run_goto && target->pc <= step.pc) {
    Value* address = frame_.wave_field(offsetof(Wave, yield_after));
    const uint64_t cost = 1 + (step.pc - target->pc) / 4;
    Value* left = ir.CreateSub(ir.CreateLoad(ir.getInt64Ty(), address), frame_.number64(cost));
    ir.CreateStore(left, address);
    BasicBlock* give_way = BasicBlock::Create(ir.getContext(), "give_way", frame_.function);
    ir.CreateCondBr(ir.CreateICmpSLE(left, frame_.number64(0)), give_way, to);
    ir.SetInsertPoint(give_way);
    emit_leave_to(target, Stop::kYield);
    return;
  }
  ir.CreateBr(to);
}

}  // namespace

void build_program(const ControlFlow& flow, uint32_t wave_size, unsigned vector_lanes, llvm::Module& module,
                   CodeImage& image) {
  llvm::LLVMContext& context = module.getContext();
  auto* pointer = llvm::PointerType::get(context, 0);
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, pointer}, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, kFunctionName, module);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  // Vectors of the host are used in full.
  const std::string bits = std::to_string(vector_lanes * 32);
  function->addFnAttr("prefer-vector-width", bits);
  function->addFnAttr("min-legal-vector-width", bits);
  image.step_count = static_cast<uint32_t>(flow.steps.size());
  ProgramBuilder(flow, function, wave_size, vector_lanes, image).build();
}

}  // namespace bw::emulator::jit
