// Owns: indices as sums over independent digits, each running through 0 .. count - 1: ranges, and the parts that
// divisions by constants cut them into.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/analysis/index_analysis.h"
#include "ir/analysis/polynomial.h"
#include "ir/node.h"

namespace bw::ir::analysis {

struct Digit {
  int64_t step = 0;  // positive
  Dim count;

  bool operator==(const Digit&) const = default;
};

// offset + variables + sum of step * digit. All combinations of digits occur.
struct DigitForm {
  std::vector<Digit> digits;  // ascending by step
  std::vector<IndexForm::Term> variables;
  int64_t offset = 0;
};

// Extents are taken to be at least 1. Nothing where the parts of a range do not fit each other, or where there is more
// in the index than ranges and variables. Those in `values` are numbers.
std::optional<DigitForm> digits_of(IndexAnalysis& analysis, const NodePtr& index, const VariableValues& values);

// The extent with the variables of `values` put in.
Dim resolved(const Dim& dim, const VariableValues& values);

}  // namespace bw::ir::analysis
