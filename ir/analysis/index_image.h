// Owns: how many different elements the indices of accesses name: the size of their image. Not here: what else a kernel
// costs (ir/analysis/costs.h).
#pragma once

#include <cstdint>
#include <span>

#include "ir/analysis/index_analysis.h"
#include "ir/analysis/polynomial.h"
#include "ir/node.h"

namespace bw::ir::analysis {

struct Count {
  Polynomial value;
  bool is_exact = true;  // else an upper bound
};

// How much time counting may take.
enum class CountEffort : uint8_t {
  kFast,   // microseconds: what follows from the form of the indices
  kExact,  // also tries the combinations of ranges, up to tens of milliseconds an access
};

// The elements that any of `indices` names while the kernel runs through all its ranges, out of `element_count`.
// `values` has all variables, or is empty: the count is a polynomial in them then. Data-dependent indices give an upper
// bound.
Count count_image(IndexAnalysis& analysis, std::span<const NodePtr> indices, int64_t element_count, CountEffort effort,
                  const VariableValues& values);

}  // namespace bw::ir::analysis
