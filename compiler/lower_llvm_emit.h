// Owns: the body of a kernel's LLVM function: where each node is computed, loops, and memory accesses. Not here: what
// an op computes (compiler/lower_llvm_ops.h), the function's signature and attributes (compiler/lower_llvm.h).
//
// A node is computed once in the innermost loop that its value depends on. A loop over a kernel's range exists once for
// each set of reductions (or stores) that can share it; what is known inside it lives in a Scope, which the loop's end
// closes. Innermost loops are written out several times where their trip count divides.
#pragma once

#include <llvm/ADT/STLFunctionalExtras.h>
#include <llvm/IR/IRBuilder.h>

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "compiler/lower_llvm_ops.h"
#include "compiler/lower_llvm_place.h"
#include "compiler/lower_llvm_plan.h"
#include "ir/analysis/index_analysis.h"
#include "ir/bounds.h"
#include "ir/kernel.h"

namespace bw::compiler {

class KernelEmitter {
 public:
  // `function` has one argument for each param and then one for each variable, and no body.
  KernelEmitter(const ir::Kernel& kernel, const KernelPlan& plan, llvm::Function& function);

  Status emit();

 protected:  // emitters of other forms compute expressions in the same way
  // An index as `rest + constant`, the constant being whatever unrolled loops and literal terms add, so that accesses
  // at neighbouring indices share the computation of `rest` and differ in their immediate offset.
  struct Split {
    llvm::Value* rest = nullptr;  // null: 0
    int64_t constant = 0;
    int64_t low = 0;  // bounds of rest
    int64_t high = 0;
  };
  struct Scope {
    RangeMask active = 0;
    RangeMask hidden = 0;  // what depends on these ranges and was computed outside the scope has another value in it
    std::unordered_map<const ir::Node*, llvm::Value*> values;
    std::unordered_map<const ir::Node*, Split> splits;
  };
  using Body = llvm::function_ref<void()>;

  void bind_arguments();
  void bind_grid();
  void bind_lanes();
  llvm::Value* leave_if_surplus(llvm::Value* x, const ir::Dim& extent, int64_t places);

  void emit_stores(std::span<const ir::NodePtr> stores);
  void emit_stores_if(llvm::Value* condition, std::span<const ir::NodePtr> stores);
  void emit_store(const ir::Node& store);
  // Computes all that `roots` need and that depends on no range but the active ones.
  void emit_ready(std::span<const ir::NodePtr> roots);
  std::vector<ir::NodePtr> ready_nodes(std::span<const ir::NodePtr> roots) const;
  void emit_node(const ir::NodePtr& node);
  llvm::Value* emit_load(const ir::Node& load);
  // The first reduction of `pending` that can be computed now, with those that share its loops.
  std::vector<ir::NodePtr> next_group(std::span<const ir::NodePtr> pending) const;
  bool inputs_known(const ir::NodePtr& reduction) const;

  void emit_reductions(std::span<const ir::NodePtr> group);
  void emit_nest(std::span<const ir::NodePtr> group, std::span<const ir::NodePtr> values, size_t level,
                 std::vector<llvm::Value*>& accumulators);
  void accumulate(const ir::Node& reduction, llvm::Value*& accumulator);
  llvm::Value* accumulated(const ir::Node& reduction, const ir::Node& value, llvm::Value* accumulator);
  // Carries out the innermost range of sums of products of bytes four elements at a time; false where they are not
  // such.
  bool emit_byte_dots(std::span<const ir::NodePtr> group, const ir::NodePtr& range,
                      std::vector<llvm::Value*>& accumulators);
  struct ByteDot;
  bool find_byte_dot(const ir::Node& reduction, const ir::NodePtr& range, ByteDot& dot);
  const ir::Node* find_byte_run(const ir::Node& operand, const ir::NodePtr& range, bool* is_signed);
  llvm::Value* load_word(const ir::Node& load);
  // Carries out the innermost range of sums over quantised blocks, without their scales; false where they are not such.
  bool emit_scaled_sums(std::span<const ir::NodePtr> group, const ir::NodePtr& range,
                        std::vector<llvm::Value*>& accumulators);
  struct ScaledSum;
  bool find_scaled_sum(const ir::Node& reduction, const ir::Node& range, ScaledSum& sum);
  bool find_scaled_quant(const ir::NodePtr& weight, const ir::Node& range, ScaledSum& sum);
  bool is_constant_along(const ir::Node& node, const ir::Node& range) const;
  // How often the body of a loop that computes `roots` is to be written out.
  int64_t body_copies(std::span<const ir::NodePtr> roots, std::span<const ir::NodePtr> inner_ranges,
                      size_t reductions_here) const;

  void emit_loop(const ir::Node& range, int64_t copies, std::vector<llvm::Value*>& carried, Body body);
  void emit_counted_loop(const ir::Node& range, std::pair<llvm::Value*, llvm::Value*> begin_end, int64_t copies,
                         bool may_be_empty, std::vector<llvm::Value*>& carried, Body body);
  void emit_iteration(const ir::Node& range, const Split& value, Body body);

  llvm::Value* reduce_lanes(const ir::Node& reduction, llvm::Value* value);
  llvm::Value* reduce_wave(const ir::Node& reduction, llvm::Value* value, uint32_t lanes);
  llvm::Value* move_words(llvm::Value* value, llvm::function_ref<llvm::Value*(llvm::Value*)> move);
  llvm::Value* reduce_waves(const ir::Node& reduction, llvm::Value* value);
  llvm::Value* reduce_strided(const ir::Node& reduction, llvm::Value* value);
  llvm::Value* same_in_wave(llvm::Value* value);
  void emit_barrier();

  // Params and other views of their bytes are no values.
  static bool is_memory(const ir::Node& node);
  llvm::Value* known(const ir::Node* node) const;  // null: not computed yet
  Split split_of(const ir::NodePtr& node);
  bool split_arithmetic(const ir::NodePtr& node, Split& result);
  llvm::Value* join(const Split& split, llvm::Type* type);
  bool is_ready(const ir::Node* node) const { return (plan_.of(node).free & ~scopes_.back().active) == 0; }
  // Of the width that ranges of this extent have.
  llvm::Value* dim_value(const ir::Dim& dim);
  llvm::Value* address(const ir::Node& access);
  void fail(Status status);

  const ir::Kernel& kernel_;
  const KernelPlan& plan_;
  llvm::Function& function_;
  llvm::IRBuilder<> b_;
  ir::Bounds bounds_;
  ir::analysis::IndexAnalysis analysis_;
  OpLowering ops_;
  GridPlace place_;
  std::vector<Scope> scopes_;
  std::unordered_map<std::string, llvm::Value*> variables_;
  llvm::Value* lane_ = nullptr;         // within the workgroup; as the next two, null in a workgroup of one lane
  llvm::Value* group_lane_ = nullptr;   // within the group of lanes
  llvm::Value* group_index_ = nullptr;  // of the group within the workgroup
  llvm::Value* is_inside_ = nullptr;    // null where every group has a place in the grid
  int loop_depth_ = 0;
  Status status_;
};

}  // namespace bw::compiler
