// Owns: what is known of the indices of a kernel before it runs: their form, bounds, divisibility, and how they change
// along a range. Not here: whether an access stays within its param (ir/analysis/access_proof.h), what a kernel costs
// (ir/analysis/costs.h).
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "ir/analysis/congruence.h"
#include "ir/analysis/index_form.h"
#include "ir/bounds.h"
#include "ir/node.h"

namespace bw::ir::analysis {

// Bounds as sums over variables: low <= value <= high, for all values of the variables for which the ranges in the
// value have iterations.
struct SymbolicInterval {
  IndexForm low;
  IndexForm high;
};

// How a value changes along a range r: within each block of iterations n*length .. n*length + length - 1 it changes by
// `stride` from one to the next. A length of 0 means all iterations; of 1, that nothing is known.
struct RangeRun {
  int64_t stride = 0;
  int64_t length = 1;

  bool operator==(const RangeRun&) const = default;
};

// A quotient or remainder by a positive constant of a value that cannot be negative, also written as a shift or a mask.
struct Division {
  NodePtr dividend;
  int64_t divisor = 1;
  bool is_quotient = true;
};

// Answers about integer and bool nodes at kernel level, memoised; make one for each kernel. Nodes may be asked about
// while the kernel is still being built. Nothing here depends on the values of variables or of memory. Does not recurse
// but into divisions within divisions.
class IndexAnalysis {
 public:
  // Sums are taken apart where they cannot wrap; else the node itself is the only atom.
  const IndexForm& form(const NodePtr& node);
  // By interval arithmetic alone.
  Interval interval(const NodePtr& node) { return bounds_.of(node); }
  // The better of interval arithmetic and of the form's bounds over all variables. `overflow`: the expression, as it is
  // written, could wrap by what intervals know.
  Interval bounds(const NodePtr& node);
  // Nothing where a bound does not fit i64.
  std::optional<SymbolicInterval> symbolic_bounds(const NodePtr& node);
  // The least and the greatest that a sum of atoms can be. Nothing where that leaves i64.
  std::optional<Interval> bounds_of(const IndexForm& form);

  // Whether 0 <= value < extent for all variables.
  bool is_within(const NodePtr& node, const Dim& extent);

  const Congruence& congruence(const NodePtr& node);
  // The largest number known to divide every value (0: it is always 0): an index with a factor of 4 into f32 is at a
  // multiple of 16 bytes.
  int64_t common_factor(const NodePtr& node) { return congruence(node).common_factor(); }

  // See RangeRun. `range` is a kRange.
  RangeRun run(const NodePtr& node, const NodePtr& range);
  // What the value changes by from any iteration to the next, where that is always the same.
  std::optional<int64_t> stride(const NodePtr& node, const NodePtr& range);
  // a - b where it is always the same: neighbouring elements of a tile have 1.
  std::optional<int64_t> difference(const NodePtr& a, const NodePtr& b);
  // Whether ranges, variables, and divisions of such by constants are all that the value is made of.
  bool is_quasi_affine(const NodePtr& node);
  // Whether the value depends on the range (not through a reduction that consumes it).
  bool depends_on(const NodePtr& node, const NodePtr& range);
  // All ranges that it depends on.
  std::vector<NodePtr> ranges_of(const NodePtr& node);

  std::optional<Division> division_of(const NodePtr& node);

 private:
  struct Facts {
    IndexForm form;
    Congruence congruence;
    uint64_t ranges = 0;  // that the value depends on, by range_bit()
  };
  enum class Side : uint8_t { kLow, kHigh };

  const Facts& facts(const NodePtr& node);
  Facts compute(const NodePtr& node);
  IndexForm compute_form(const NodePtr& node);
  Congruence compute_congruence(const NodePtr& node);
  Congruence binary_congruence(const Node& node);
  uint64_t range_bit(const NodePtr& range);
  std::optional<IndexForm> extreme(const IndexForm& form, Side side);
  std::optional<int64_t> extreme_over_variables(const IndexForm& form, Side side, const IndexForm& of);
  Interval atom_bounds(const NodePtr& atom);
  void collect_minima(const IndexForm& form, std::unordered_map<const Node*, int64_t>& minima);

  // index_runs.cc
  RangeRun run_of(const IndexForm& form, const NodePtr& range);
  RangeRun run_of_atom(const NodePtr& atom, const NodePtr& range);
  Congruence at_block_start(const IndexForm& form, const NodePtr& range, int64_t length);

  Bounds bounds_;
  std::unordered_map<NodePtr, Facts> facts_;  // keeps the nodes alive, so that no address is used again
  std::vector<NodePtr> ranges_;               // seen so far; the first 63 have a bit of their own
};

}  // namespace bw::ir::analysis
