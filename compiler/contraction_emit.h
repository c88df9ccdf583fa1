// Owns: the body of the LLVM function of a kernel with a ContractionForm: staging through LDS, the loop along the
// depth, the products, the output. Not here: which element goes where (compiler/contraction_tiles.h), expressions and
// global memory (compiler/contraction_values.h).
//
// A step: what was loaded in the step before is stored to LDS; the loads of the next step are begun; the products of
// this step are computed from LDS. So global loads have a whole step's computing time to arrive. With one buffer in LDS
// there are two barriers a step, with two only one, and the loop holds two steps.
// Where the form says kAtOnce, a step loads what it stores to LDS itself, and the first step stands before the loop:
// its products all take the same registers with 0, so that the accumulators, which are many, need not be set to 0.
#pragma once

#include <llvm/IR/Function.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/IRBuilder.h>

#include <span>
#include <vector>

#include "base/status.h"
#include "compiler/contraction_match.h"
#include "compiler/contraction_tiles.h"
#include "compiler/contraction_values.h"
#include "compiler/lower_llvm_place.h"
#include "compiler/lower_llvm_plan.h"

namespace bw::compiler {

class ContractionEmitter {
 public:
  // As KernelEmitter.
  ContractionEmitter(const ir::Kernel& kernel, const KernelPlan& plan, const Contraction& contraction,
                     const ContractionForm& form, llvm::Function& function);

  Status emit();

 private:
  // Values that one step hands to the next.
  struct Carried {
    llvm::Value* step = nullptr;
    std::vector<llvm::Value*> offsets;       // lane offsets of groups_, each once
    std::vector<llvm::Value*> loaded;        // of groups_
    std::vector<llvm::Value*> accumulators;  // of all products
  };

  void bind_places();
  void make_lds();
  Carried begin();
  void emit_steps(Carried& carried);
  // Ends a step: goes on to `next` while there are more, else to done_.
  void go_on(const Carried& carried, llvm::BasicBlock* next);
  // Adds a step that uses a buffer; ends in a block that has no terminator yet.
  void emit_step(uint32_t buffer, Carried& carried);
  // The loads of the next step, if there is one; goes on in another block.
  void load_ahead(llvm::Value* next, Carried& carried);
  void load(llvm::Value* step, std::span<llvm::Value* const> offsets, std::vector<llvm::Value*>& loaded);
  llvm::Value* vector_of(std::span<const ir::NodePtr> elements);
  void store_staged(uint32_t buffer, const Carried& carried);
  void multiply(uint32_t buffer, std::vector<llvm::Value*>& accumulators);
  void multiply_wmma(uint32_t buffer, uint32_t k, std::vector<llvm::Value*>& accumulators);
  void multiply_fma(uint32_t buffer, uint32_t k, std::vector<llvm::Value*>& accumulators);
  llvm::Value* wmma(llvm::Value* row, llvm::Value* column, llvm::Value* accumulator);
  llvm::Value* load_fragment(Side side, size_t operand, uint32_t tile, uint32_t k, uint32_t buffer);
  llvm::Value* lds_address(const ir::NodePtr& offset_bytes, uint32_t buffer);
  void emit_outputs(const std::vector<llvm::Value*>& accumulators);
  // Of groups that share `inside`.
  void emit_groups(std::span<const OutputGroup> groups);
  void emit_group(const OutputGroup& group);
  llvm::BasicBlock* enter_if(const ir::NodePtr& condition);  // hands back where to leave() to
  void leave(llvm::BasicBlock* rest);
  void barrier();
  std::vector<llvm::PHINode*> join(const Carried& carried, llvm::BasicBlock* from);
  size_t operands(Side side) const;

  const ir::Kernel& kernel_;
  const Contraction& contraction_;
  const ContractionForm form_;
  llvm::Function& function_;
  llvm::IRBuilder<> b_;
  GridPlace place_;
  ContractionTiles tiles_;
  ValueEmitter values_;
  llvm::GlobalVariable* lds_ = nullptr;
  llvm::Value* steps_ = nullptr;
  llvm::BasicBlock* done_ = nullptr;
  bool in_first_step_ = false;                                                  // before the loop
  std::vector<std::pair<llvm::BasicBlock*, std::vector<llvm::Value*>>> exits_;  // to done_, with the accumulators
  std::vector<StagedPart> parts_;
  std::vector<int> offset_of_group_;  // into Carried::offsets; -1: none
  std::vector<LoadGroup> groups_;     // all loads of the parts that change from step to step
};

}  // namespace bw::compiler
