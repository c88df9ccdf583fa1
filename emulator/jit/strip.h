// Owns: the translation of a strip: a run of vector instructions in which every lane stands for itself. Its registers
// become values of a loop over the pieces of the wave, each as many lanes wide as the host's vectors; memory sees only
// what the strip leaves behind.
//
// Results that are NaN have payloads that depend on the instruction. A strip computes what is no NaN, and where a lane
// of a piece meets a NaN, the interpreter's handlers execute the strip again for that piece (recover_piece()):
// registers are stored only after the test.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <map>
#include <vector>

#include "emulator/jit/frame.h"
#include "emulator/shader/step.h"

namespace bw::emulator::jit {

// What recover_piece() needs to know of a strip.
struct StripRecord {
  std::vector<const Step*> steps;
  std::vector<uint16_t> mask_slots;  // scalar slots that get masks
};
StripRecord make_strip_record(std::vector<const Step*> steps);

// Executes a strip for the lanes of `lanes` only, and gives the masks it writes; the scalar file stays as it is.
extern "C" void barewave_jit_recover_piece(Wave* wave, const StripRecord* strip, uint64_t lanes, uint64_t* masks);

class StripBuilder;
using VectorEmit = void (*)(StripBuilder& strip, const Step& step);

// What a handler does, as vector code; nullptr if there is none.
VectorEmit vector_emit_of(Handler handler);
constexpr unsigned kMaxPieceLanes = 16;  // with the widest host vectors there are
// Whether this very step can be part of a strip whose pieces have `lanes` lanes.
bool is_strip_step(const Step& step, unsigned lanes);
// As far as DPP is concerned: a piece has to hold the lanes that may be read.
bool is_dpp_strip_step(const Step& step, unsigned lanes);

// Scalar slots that a step of a strip reads and the one that gets its mask (kScalarSlots: none).
struct StripSlots {
  std::vector<uint16_t> values;  // read as numbers
  uint16_t mask_read = kScalarSlots;
  uint16_t mask_written = kScalarSlots;
};
StripSlots strip_slots_of(const Step& step);

class StripBuilder {
 public:
  StripBuilder(Frame& frame, const std::vector<const Step*>& steps);
  // Emits at the frame's insertion point and leaves it behind the strip.
  void build();

  llvm::IRBuilder<>& ir() { return frame_.ir; }
  llvm::Type* i32s() const { return frame_.i32s; }
  llvm::Type* floats() const { return frame_.floats; }
  llvm::Type* i64s() const { return frame_.i64s; }
  llvm::Type* doubles() const { return frame_.doubles; }
  llvm::Value* splat(uint32_t value);

  // Sources of the step, modifiers applied.
  llvm::Value* u32(const Step& step, unsigned index, unsigned dword = 0);
  llvm::Value* u64(const Step& step, unsigned index);
  llvm::Value* f32(const Step& step, unsigned index);
  llvm::Value* f64(const Step& step, unsigned index);
  // A source that is a half, widened to f32; `bits` in the low halves.
  llvm::Value* widen_half(llvm::Value* bits);
  // One truth value a lane.
  llvm::Value* mask(const Step& step, unsigned index);

  void put_u32(unsigned vgpr, llvm::Value* value);
  void put_u64(unsigned vgpr, llvm::Value* value);
  // A mask of truth values; lanes outside EXEC become 0.
  void put_mask(unsigned slot, llvm::Value* truth);
  // The float result of arithmetic on the step's first `sources` sources: a NaN among them makes the result one.
  void put_arith(const Step& step, llvm::Value* value, unsigned sources);
  // As put_arith(), for f64.
  void put_arith64(unsigned vgpr, llvm::Value* value);
  // Lanes in which the strip has to be executed by the interpreter.
  void give_up_if(llvm::Value* truth);
  // As above, if `condition` (uniform) holds for the wave's MODE.
  llvm::Value* mode_flag(unsigned bit);  // a splat: the MODE bit is set
  void need_equal_controls();            // the strip computes f16 or f64 under the control of f32
  void need_nearest_rounding();          // of f32

 private:
  llvm::Value* constant_row(const Source& source, unsigned dword, bool is_visible);
  llvm::Value* scalar(unsigned slot);
  llvm::Value* raw(const Source& source, unsigned dword, bool is_visible);
  llvm::Value* join(llvm::Value* low, llvm::Value* high);
  llvm::Value* vgpr(unsigned number);
  llvm::Value* row_address(unsigned number);
  llvm::Value* scalar_mask(unsigned slot);
  llvm::Value* lanes_of_bits(llvm::Value* bits);
  llvm::Value* before_strip(unsigned number);
  void emit(const Step& step);
  void apply_dpp16(const Step& step);
  void apply_dpp8(const Step& step);
  llvm::Value* shuffle(unsigned number, const std::vector<int>& from, llvm::Value* exists, bool fetch_inactive);
  llvm::Value* settled(unsigned number);
  // `truth`: one for the whole wave, made ahead of the loop.
  void give_up_all_if(llvm::Value* truth);
  // A word of the wave's Mode, loaded there too.
  llvm::Value* mode_word(size_t offset);
  void begin_loop();
  llvm::Value* collect_nans();
  void finish_piece();

  struct FloatResult {
    llvm::Value* value;  // as floats
    bool is_covered;     // another result is a NaN whenever this one is
  };

  Frame& frame_;
  const StripRecord record_;
  const uint32_t strip_number_;
  llvm::IRBuilder<> before_;  // ahead of the loop
  llvm::BasicBlock* preheader_ = nullptr;
  llvm::BasicBlock* loop_ = nullptr;
  llvm::PHINode* first_lane_ = nullptr;
  llvm::Value* rows_ = nullptr;     // of this piece
  llvm::Value* exec_ = nullptr;     // of this piece, a truth value a lane
  llvm::Value* enabled_ = nullptr;  // by DPP, of the step in the making; none: all lanes
  llvm::Value* give_up_all_ = nullptr;
  bool needs_equal_controls_ = false;
  bool needs_nearest_rounding_ = false;
  std::map<unsigned, llvm::Value*> scalars_;
  std::map<unsigned, llvm::Value*> scalar_masks_;
  std::map<unsigned, llvm::Value*> current_;   // VGPR to its value now
  std::map<unsigned, llvm::Value*> original_;  // VGPR to its value at the start
  std::map<unsigned, llvm::Value*> written_;
  std::map<unsigned, llvm::Value*> masks_;  // slot to truth values
  std::map<unsigned, llvm::PHINode*> mask_phis_;
  std::vector<FloatResult> float_results_;
  std::map<llvm::Value*, size_t> float_result_of_;  // by the value as dwords
  std::vector<llvm::Value*> give_up_;
};

}  // namespace bw::emulator::jit
