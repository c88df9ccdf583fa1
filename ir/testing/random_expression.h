// Owns: random scalar expressions for tests, each both as the KernelBuilder folds it and as it was written, and their
// evaluation for given values of the leaves.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "ir/kernel.h"
#include "ir/node.h"
#include "ir/scalar_ops.h"

namespace bw::ir::testing {

using LeafValues = std::map<NodePtr, int64_t>;

// Constants, ranges, variables (from `leaves`), elementwise ops and reductions over none; anything else is our bug.
Value evaluate_expression(const NodePtr& node, const LeafValues& leaves);

// The same expression twice.
struct Expression {
  NodePtr folded;
  NodePtr plain;
};

class RandomExpressions {
 public:
  RandomExpressions(KernelBuilder& builder, uint64_t seed);

  // A sum of products, quotients and remainders, as index arithmetic has them.
  Expression index(int steps);
  // Any op on integers and bool, with small and large constants.
  Expression integer(int steps);
  // Values for all ranges and variables made so far, each within its bounds; often at their ends.
  LeafValues sample();
  const std::vector<NodePtr>& leaves() const { return leaves_; }

 private:
  int64_t pick(int64_t low, int64_t high);
  Expression leaf();
  Expression constant(DType dtype, int64_t value);
  Expression make(Op op, DType dtype, std::vector<Expression> inputs);
  Expression cast(Expression x, DType dtype);
  Expression index_step(const std::vector<Expression>& pool);
  Expression integer_step(const std::vector<Expression>& pool);
  DType random_integer_dtype();

  KernelBuilder& builder_;
  std::mt19937_64 random_;
  std::vector<NodePtr> leaves_;
  int variables_ = 0;
};

}  // namespace bw::ir::testing
