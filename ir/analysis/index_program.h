// Owns: evaluating one index for chosen values of what it is made of.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "ir/bounds.h"
#include "ir/node.h"
#include "ir/scalar_ops.h"

namespace bw::ir::analysis {

// An integer expression in order of evaluation. Its leaves are ranges, variables, and whatever is not integer
// arithmetic: loads, reductions, conversions of floating-point numbers.
class IndexProgram {
 public:
  explicit IndexProgram(const NodePtr& index);

  // Variables first, also those that only the extents of ranges name; otherwise in the order of the expression.
  const std::vector<NodePtr>& leaves() const { return leaves_; }
  // Nodes that are evaluated each time.
  size_t size() const { return steps_.size(); }

  // The values that a leaf can take, given those of the variables now; empty (low > high) for a range without
  // iterations.
  Interval domain(size_t leaf);
  // All values that a leaf can ever take.
  Interval whole_domain(size_t leaf) { return bounds_.of(leaves_[leaf]); }
  int64_t value(size_t leaf) const { return values_[leaf_steps_[leaf]].integer; }
  void set(size_t leaf, int64_t value) { values_[leaf_steps_[leaf]].integer = value; }
  // Whether each leaf has a value of its domain.
  bool is_consistent();
  // Wraps around as the program does.
  int64_t evaluate();

 private:
  struct Step {
    NodePtr node;
    std::vector<size_t> inputs;
    bool is_leaf = false;
  };

  void add_step(const NodePtr& node, bool is_computed);

  Bounds bounds_;
  std::vector<Step> steps_;
  std::vector<NodePtr> leaves_;
  std::vector<size_t> leaf_steps_;
  std::unordered_map<const Node*, size_t> positions_;
  std::vector<Value> values_;  // one for each step
};

}  // namespace bw::ir::analysis
