// Owns: LLVM code for expressions in which every range stands for a value: where each node is computed, and accesses to
// global memory, as wide as neighbouring elements allow, with what is uniform in the address kept in scalar registers.
// Not here: loops and LDS (compiler/contraction_emit.h), what an op computes (compiler/lower_llvm_ops.h).
#pragma once

#include <llvm/IR/Function.h>
#include <llvm/IR/IRBuilder.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "compiler/lower_llvm_ops.h"
#include "compiler/lower_llvm_plan.h"
#include "ir/bounds.h"
#include "ir/kernel.h"

namespace bw::compiler {

// What a node depends on.
struct Traits {
  static constexpr uint8_t kLane = 1;  // differs from lane to lane
  static constexpr uint8_t kStep = 2;  // changes from step to step
  static constexpr uint8_t kMemory = 4;
};

// Loads of neighbouring elements that are one access.
struct LoadGroup {
  std::vector<ir::NodePtr> loads;
  ir::NodePtr rest;  // index without constant; null: 0
  int64_t constant = 0;
  uint64_t align_bytes = 0;
};

class ValueEmitter {
 public:
  ValueEmitter(const ir::Kernel& kernel, const KernelPlan& plan, llvm::Function& function, llvm::IRBuilder<>& builder);

  OpLowering& ops() { return ops_; }
  const Status& status() const { return status_; }

  // A range's value, with what it means for those that depend on it.
  void bind(const ir::NodePtr& range, llvm::Value* value, uint8_t traits);
  // From here on, nodes without any of these traits are computed before `place`, once; with null, where they are used.
  void hoist_before(llvm::Instruction* place, uint8_t unless);
  // Values computed from here on are not known to what follows the next call.
  void begin_scope() { local_.clear(); }
  // How loads that stand for accumulators get their values.
  void set_accumulators(std::function<llvm::Value*(const ir::Node&)> accumulators) {
    accumulators_ = std::move(accumulators);
  }

  llvm::Value* emit(const ir::NodePtr& node);
  llvm::Value* dim_value(const ir::Dim& dim);

  // The loads of `roots` that have one of the traits, in an order in which they can be carried out.
  std::vector<LoadGroup> group_loads(std::span<const ir::NodePtr> roots, uint8_t traits);
  // What lanes add to the address in each step alike, in bytes, as an i32 computed before the loop; null where there is
  // no such. A loop should carry it through opaque() and hand it to emit_load(): instruction selection sees one block
  // at a time, and must find in it that the offset is no wider.
  llvm::Value* lane_offset(const LoadGroup& group);
  // The value, of which LLVM does not know any more how it was made; a pointer stays in scalar registers.
  llvm::Value* opaque(llvm::Value* value);
  // A vector, or a scalar for a group of one.
  llvm::Value* emit_load(const LoadGroup& group, llvm::Value* lane_offset = nullptr);
  // Makes the elements of what was loaded known in this scope.
  void make_known(const LoadGroup& group, llvm::Value* loaded);
  // Stores values at neighbouring indices as widely as it can.
  void emit_store(const ir::NodePtr& param, std::span<const ir::NodePtr> indices, std::span<llvm::Value* const> values);

 private:
  // The terms of an index by what changes them.
  struct Address {
    std::vector<ir::NodePtr> fixed;
    std::vector<ir::NodePtr> stepping;
    std::vector<ir::NodePtr> lanes;
    bool lanes_step = false;  // some of `lanes` change from step to step, too
    bool narrow = false;      // the sum of `lanes`, in bytes, is an unsigned number of 32 bits
  };

  uint8_t traits_of(const ir::NodePtr& node);
  Address take_apart(const ir::NodePtr& rest, int64_t size);
  llvm::Value* compute(const ir::NodePtr& node);
  llvm::Value* address(const ir::Node& param, const ir::NodePtr& rest, int64_t constant,
                       llvm::Value* lane_offset = nullptr);
  llvm::Value* sum(std::span<const ir::NodePtr> terms, llvm::Type* type);
  llvm::Value* scaled(llvm::Value* index, int64_t size);
  // A number that divides the node's value.
  uint64_t divisor_of(const ir::NodePtr& node);

  const ir::Kernel& kernel_;
  const KernelPlan& plan_;
  llvm::Function& function_;
  llvm::IRBuilder<>& b_;
  ir::Bounds bounds_;
  OpLowering ops_;
  Status status_;
  std::function<llvm::Value*(const ir::Node&)> accumulators_;
  llvm::Instruction* hoist_place_ = nullptr;
  uint8_t hoist_unless_ = 0;
  std::unordered_map<const ir::Node*, llvm::Value*> bound_;
  std::unordered_map<const ir::Node*, llvm::Value*> hoisted_;
  std::unordered_map<const ir::Node*, llvm::Value*> local_;
  std::map<std::pair<std::vector<const ir::Node*>, int64_t>, llvm::Value*> lane_offsets_;
  std::unordered_map<const ir::Node*, uint8_t> traits_;
  std::unordered_map<const ir::Node*, uint64_t> divisors_;
};

}  // namespace bw::compiler
