// Owns: what KernelBuilder::op() makes of a node before it is interned. Not here: the entry point (ir/kernel.h).
#pragma once

#include <cstdint>
#include <optional>

#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

// Folds constants and the identities of each op. The result always has the same value, for all inputs (but for the
// payload of a NaN).
class Folder {
 public:
  explicit Folder(KernelBuilder& builder) : builder_(builder) {}

  NodePtr fold(Node node);

 private:
  NodePtr fold_constants(const Node& node);
  NodePtr fold_to_point(const Node& node);
  NodePtr fold_binary(const Node& node);
  NodePtr fold_bool(const Node& node);
  NodePtr fold_integer(const Node& node);
  NodePtr fold_float(const Node& node);
  NodePtr fold_compare(const Node& node);
  NodePtr fold_where(const Node& node);
  NodePtr fold_cast(const Node& node);
  NodePtr fold_max(const Node& node);
  void order_inputs(Node& node);

  KernelBuilder& builder_;
};

// The value of a constant integer or bool.
std::optional<int64_t> integer_constant(const NodePtr& node);
// A zero-based integer loop counter with one value is that value.
bool is_single_iteration(const Node& node);

}  // namespace bw::ir
