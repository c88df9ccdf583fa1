// Owns: looking for values of ranges, variables and loaded elements for which an index lies outside given bounds.
#pragma once

#include <cstdint>
#include <optional>

#include "ir/analysis/access_proof.h"
#include "ir/node.h"

namespace bw::ir::analysis {

struct SearchResult {
  std::optional<CounterExample> found;
  // All combinations of values were tried; nothing found then is a proof.
  bool is_exhaustive = false;
  uint64_t tried = 0;
};

// Values for which `index` is below 0 or at least `count`. The same in each run.
SearchResult find_outside(const NodePtr& index, int64_t count);

}  // namespace bw::ir::analysis
