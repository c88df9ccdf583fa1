// Owns: the code of kernels in AttentionForm. Not here: what attention is (compiler/attention_pattern.h), how many rows
// and waves there are (compiler/attention_loops.h).
//
// Softmax is done online (Milakov and Gimelshein, arXiv 1805.02867), block of positions by block, so that keys and
// values are read once for each workgroup's rows and scores never reach memory (Dao et al., arXiv 2205.14135). Each
// wave takes every `waves`-th block of 32 positions and keeps, for each row, the largest score so far, the sum of
// weights relative to it, and the weighted sums of its columns:
//   1. The rows of queries are computed once and lie in LDS.
//   2. Scores: a lane takes one position, and goes through its key and all rows' queries together.
//   3. The block's largest score is found among the lanes; sums are rescaled; the weights go to LDS.
//   4. Weighted sums: lanes take columns, `vector_` neighbouring ones each, so that a value is read by neighbouring
//      lanes at neighbouring addresses. Where a value is shorter than 32 lanes, groups of lanes take other positions.
//   5. What waves and groups have found is rescaled to the workgroup's largest score and added up, in a fixed order:
//      equal inputs give equal bits.
// Sums and products are f32. Blocks that lie beyond the last position of all rows (causal masks) are not visited.
//
// A row whose scores are all -inf is NaN, as softmax defines; so is one with a score of +inf or NaN.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/attention_pattern.h"
#include "compiler/kernel_form.h"
#include "compiler/lower_llvm_emit.h"

namespace bw::compiler {

class AttentionEmitter : private KernelEmitter {
 public:
  AttentionEmitter(const ir::Kernel& kernel, const KernelPlan& plan, const AttentionForm& form,
                   llvm::Function& function);

  // Errors: kUnsupported where the kernel is no attention whose ranges fit the form.
  Status emit();

 private:
  using Values = std::vector<llvm::Value*>;

  // What a wave has found of its positions, by row; sums also by column of the lane.
  struct Running {
    Values largest;
    Values weights;  // of this lane's positions
    std::vector<Values> sums;

    std::vector<llvm::Value**> all();
  };

  Status match();
  void lay_out();
  void lay_out_lds();
  void bind_places();
  void load_queries();
  llvm::Value* count_positions();
  Running visit_blocks(llvm::Value* end);
  void visit_block(llvm::Value* first, llvm::Value* end, Running& running);
  Values inner_products();
  void weigh(uint32_t row, llvm::Value* score, Running& running);
  llvm::Value* score_of(uint32_t row, llvm::Value* dot, llvm::Value* is_inside);
  llvm::Value* weight_of(llvm::Value* score, llvm::Value* largest);
  void add_values(llvm::Value* first, llvm::Value* end, Running& running);
  void add_values_at(llvm::Value* first, llvm::Value* end, llvm::Value* step, uint32_t count, Running& running);
  Values load_value(llvm::Value* position, uint32_t chunk);

  void merge(const Running& running);
  void leave_maxima(const Running& running);
  void merge_maxima();
  void leave_sums(const Running& running, uint32_t first_row, uint32_t rows);
  void store_rows(uint32_t first_row, uint32_t rows);
  void store_element(llvm::Value* row, llvm::Value* total, llvm::Value* column);

  // Scopes in which a range has a value.
  void with_range(const ir::NodePtr& range, const Split& value, Body body);
  void with_row(llvm::Value* row, uint32_t offset, Body body);
  llvm::Value* compute(const ir::NodePtr& node);
  llvm::Value* computed_as_f32(const ir::NodePtr& node);
  llvm::Value* to_f32(llvm::Value* value, ir::DType from) { return ops_.cast(value, from, ir::DType::kF32); }
  llvm::Value* from_f32(llvm::Value* value, ir::DType to) { return ops_.cast(value, ir::DType::kF32, to); }

  // `body` for the counter from `begin` below `end`; `carried` change from turn to turn.
  void loop(llvm::Value* begin, llvm::Value* end, llvm::Value* step, std::span<llvm::Value** const> carried,
            llvm::function_ref<void(llvm::Value*)> body);
  void only_if(llvm::Value* condition, Body body);
  // `count` items dealt out to the lanes of the workgroup.
  void for_each_item(uint32_t count, llvm::function_ref<void(llvm::Value*)> body);

  // Floats in LDS, from this one on.
  struct LdsArray {
    uint32_t begin = 0;
  };
  llvm::Value* slot(LdsArray array, llvm::Value* index, int64_t offset);
  // Vectors begin at multiples of their length.
  llvm::Value* load_lds(LdsArray array, llvm::Value* index, int64_t offset, uint32_t count = 1);
  void store_lds(LdsArray array, llvm::Value* index, int64_t offset, llvm::Value* value);
  llvm::Value* joined(std::span<llvm::Value* const> values);
  void sync_wave();
  llvm::Value* uniform(llvm::Value* value);
  llvm::Value* word(int64_t value) { return b_.getInt32(static_cast<uint32_t>(value)); }
  llvm::Value* real(double value);
  llvm::Value* reduce(ir::Op op, llvm::Value* value);

  const AttentionForm form_;
  AttentionPattern pattern_;
  const ir::Node* batch_ = nullptr;  // ranges; null where there is one only
  const ir::Node* row_ = nullptr;
  const ir::Node* column_ = nullptr;
  uint32_t columns_ = 1;
  uint32_t elements_ = 1;
  uint32_t vector_ = 1;  // neighbouring columns of a lane
  uint32_t chunks_ = 1;  // times that the lanes of a group go over the columns
  uint32_t group_ = 32;  // lanes that take the columns of one position
  uint32_t groups_ = 1;  // of a wave
  llvm::Value* wave_ = nullptr;
  llvm::Value* lane_of_wave_ = nullptr;
  llvm::Value* place_in_group_ = nullptr;
  llvm::Value* group_of_lane_ = nullptr;
  llvm::Value* first_row_ = nullptr;
  llvm::GlobalVariable* lds_ = nullptr;
  LdsArray queries_;   // [row][element]
  LdsArray weights_;   // [wave][row][position of the block]
  LdsArray partials_;  // [wave and group][row of the pass][column]; where queries and weights were
  LdsArray maxima_;    // [wave][row]; then what the wave's sums are to be multiplied with
  LdsArray totals_;    // [wave][row]: sums of weights
  LdsArray largest_;   // [row]
  LdsArray sum_;       // [row]
  uint32_t rows_of_pass_ = 1;
};

}  // namespace bw::compiler
