// Owns: what KernelBuilder::op() makes of a node before it is interned. Not here: the entry point (ir/kernel.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/kernel.h"
#include "ir/node.h"
#include "ir/rewrite/rule.h"

namespace bw::ir {

// Folds constants, applies the rules of ir/rewrite, gathers sums of indices, and replaces what can have only one value.
// The result always has the same value, for all inputs (but for the payload of a NaN).
class Folder : public rewrite::RuleHost {
 public:
  explicit Folder(KernelBuilder& builder) : builder_(builder) {}

  // Of an elementwise op.
  NodePtr fold(Node node);
  // Of a reduction: loops that its value does not depend on go, where the result stays the same bit by bit.
  NodePtr fold_reduction(Node node);

  std::optional<Scalar> constant_value(const NodePtr& node) override;
  NodePtr make_constant(DType dtype, Scalar value, const Node& like) override;
  NodePtr make(Op op, DType dtype, std::vector<NodePtr> inputs) override;
  Interval bounds(const NodePtr& node) override;

 private:
  NodePtr fold_constants(const Node& node);
  NodePtr fold_to_point(const Node& node);
  bool is_dead_loop(const Node& reduction, const NodePtr& range);
  void order_inputs(Node& node);

  KernelBuilder& builder_;
};

// The value of a constant integer or bool.
std::optional<int64_t> integer_constant(const NodePtr& node);
// Whether the inputs can be exchanged. Constants are put last, so that each rule has one case.
bool is_commutative(Op op);
// A zero-based integer loop counter with one value is that value.
bool is_single_iteration(const Node& node);

}  // namespace bw::ir
