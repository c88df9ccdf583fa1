// DPP in strips: source 0 of an instruction is shuffled among the lanes of a piece, and the lanes that get no value
// keep their register.
#include "emulator/jit/strip.h"
#include "emulator/shader/dpp.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {

using llvm::Value;

namespace {

constexpr unsigned kRowLanes = 16;  // DPP16 moves within these, DPP8 within half of them

llvm::Constant* truths(llvm::IRBuilder<>& ir, const std::vector<bool>& values) {
  std::vector<llvm::Constant*> bits;
  for (const bool value : values) bits.push_back(ir.getInt1(value));
  return llvm::ConstantVector::get(bits);
}

}  // namespace

bool is_dpp_strip_step(const Step& step, unsigned lanes) {
  return step.inner == nullptr || step.run == run_dpp8 || lanes == kRowLanes;
}

// A register as the wave has it now: inactive lanes have not been written.
Value* StripBuilder::settled(unsigned number) {
  Value* value = vgpr(number);
  return written_.contains(number) ? ir().CreateSelect(exec_, value, before_strip(number)) : value;
}

void StripBuilder::apply_dpp16(const Step& step) {
  const DppControl dpp(step.extra);
  std::vector<int> from(frame_.lanes);
  std::vector<bool> exists(frame_.lanes), in_bank(frame_.lanes);
  for (unsigned l = 0; l < frame_.lanes; ++l) {
    const int source = dpp16_source(dpp.control, l);
    exists[l] = source >= 0;
    from[l] = exists[l] ? source : 0;
    in_bank[l] = (dpp.bank_mask >> l / 4 & 1) != 0;
  }
  Value* valid = shuffle(step.offset0, from, truths(ir(), exists), dpp.fetch_inactive);
  Value* row = ir().CreateLShr(frame_.number64(dpp.row_mask), ir().CreateLShr(first_lane_, frame_.number64(4)));
  Value* in_row = ir().CreateVectorSplat(frame_.lanes, ir().CreateTrunc(row, ir().getInt1Ty()));
  enabled_ = ir().CreateAnd(in_row, truths(ir(), in_bank));
  if (!dpp.bound) enabled_ = ir().CreateAnd(enabled_, valid);
}

void StripBuilder::apply_dpp8(const Step& step) {
  std::vector<int> from(frame_.lanes);
  for (unsigned l = 0; l < frame_.lanes; ++l) from[l] = static_cast<int>((l & ~7u) | (step.extra >> (l % 8 * 3) & 7));
  shuffle(step.offset0, from, truths(ir(), std::vector<bool>(frame_.lanes, true)), step.offset1 != 0);
}

// Makes source 0 of the step. Gives the lanes whose value is that of a lane; the others have 0.
Value* StripBuilder::shuffle(unsigned number, const std::vector<int>& from, Value* exists, bool fetch_inactive) {
  Value* in = fetch_inactive ? settled(number) : vgpr(number);
  Value* valid = fetch_inactive ? exists : ir().CreateAnd(exists, ir().CreateShuffleVector(exec_, from));
  current_[kSpareVgpr] = ir().CreateSelect(valid, ir().CreateShuffleVector(in, from), splat(0));
  return valid;
}

void StripBuilder::emit(const Step& step) {
  if (step.inner == nullptr) return vector_emit_of(step.run)(*this, step);
  step.run == run_dpp16 ? apply_dpp16(step) : apply_dpp8(step);
  vector_emit_of(step.inner)(*this, step);
  enabled_ = nullptr;
  current_.erase(kSpareVgpr);
}

}  // namespace bw::emulator::jit
