// Owns: index arithmetic: sums of products with constants, and what divisions, remainders and comparisons of them by
// constants become.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/fold.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

// constant + sum of coefficient * node. Equal to the expression it was made from modulo the width of the dtype; if
// `exact`, also as integers without bounds.
struct Linear {
  struct Term {
    NodePtr node;
    int64_t coefficient = 0;
  };

  std::vector<Term> terms;
  int64_t constant = 0;
  bool exact = true;
};

// What the rules of ir/rewrite leave: rewrites kAdd, kMul, kShl, kIDiv, kMod and kCmpLt on i32 and i64 (the dtype of
// the inputs).
class LinearFolder {
 public:
  explicit LinearFolder(KernelBuilder& builder) : builder_(builder) {}

  // The node that replaces it, or null.
  NodePtr fold(const Node& node);

 private:
  // A sum, cut by a divisor n into n * quotient + remainder, 0 <= constant of the remainder < n.
  struct Split {
    Linear quotient;
    Linear remainder;
  };
  // Closed, and wide enough for any sum of terms.
  struct WideInterval {
    __int128 low;
    __int128 high;
  };

  NodePtr fold_sum(const Node& node);
  NodePtr fold_idiv(const NodePtr& x, int64_t divisor);
  NodePtr fold_mod(const NodePtr& x, int64_t divisor);
  NodePtr fold_less(const NodePtr& x, int64_t limit);
  NodePtr idiv_by_common_factor(const Linear& sum, DType dtype, int64_t divisor);
  NodePtr mod_by_common_factor(const Linear& sum, DType dtype, int64_t divisor);

  Linear linearize(const NodePtr& node);
  void collect(Linear& sum, const NodePtr& node, int64_t coefficient, DType dtype, int depth);
  bool collect_product(Linear& sum, const NodePtr& node, int64_t coefficient, DType dtype, int depth);
  void add_term(Linear& sum, const NodePtr& node, int64_t coefficient, DType dtype);
  bool join_division_and_remainder(Linear& sum, DType dtype);
  NodePtr build(Linear sum, DType dtype);
  // build(), or null where the result would have to wrap.
  NodePtr build_exact(const Linear& sum, DType dtype);
  NodePtr constant(DType dtype, int64_t value) { return builder_.constant(dtype, value); }
  WideInterval bounds_of(const Linear& sum);

  static Split split(const Linear& sum, int64_t divisor);
  static std::vector<int64_t> common_factors(const Linear& sum, int64_t divisor);

  KernelBuilder& builder_;
};

}  // namespace bw::ir
