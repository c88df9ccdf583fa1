// Owns: integers of a kernel as sums of products with constants: constant + sum of coefficient * atom. Not here: how
// expressions become such sums (ir/analysis/index_analysis.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/node.h"

namespace bw::ir::analysis {

// Equal to the expression it stands for, as integers without bounds. An atom is a kRange, a kVariable, a quotient or
// remainder by a positive constant of what cannot be negative (`division_of`), or anything else that is not a sum.
struct IndexForm {
  struct Term {
    NodePtr atom;
    int64_t coefficient = 0;  // not 0
  };

  std::vector<Term> terms;  // each atom once
  int64_t constant = 0;

  int64_t coefficient_of(const Node* atom) const;
  bool is_constant() const { return terms.empty(); }
  // Whether all atoms are ranges and variables.
  bool is_affine() const;
  // "4*x1 + pos - 3"; the atoms as expressions.
  std::string print() const;
};

// sum += factor * other. False where a number would leave i64; the sum is meaningless then.
[[nodiscard]] bool add_scaled(IndexForm& sum, const IndexForm& other, int64_t factor);
[[nodiscard]] bool add_term(IndexForm& sum, const NodePtr& atom, int64_t coefficient);
// a - b.
std::optional<IndexForm> subtract(const IndexForm& a, const IndexForm& b);
// An extent as a sum.
IndexForm form_of(const Dim& dim);

}  // namespace bw::ir::analysis
