// Owns: random tensor programs of the kinds that the compiler has forms of kernels for: matrix products of all layouts
// and dtypes, quantised matrix-vector products, softmax, norms, attention, long reductions, views. As text
// (tensor/expression/expression.h), so that a failure can be looked at with `barewave explain --expr`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bw::test {

struct Workload {
  const char* kind = "";
  std::string text;
  // Of a result, relative to 1 plus its size: what the order of sums and the rounding to its dtypes may change.
  double tolerance = 0;
};

// Their names, in the order in which random_workload() takes turns.
const std::vector<const char*>& workload_kinds();

// The same for a seed on every machine. `kind` is an index into workload_kinds().
Workload random_workload(uint64_t seed, size_t kind);

}  // namespace bw::test
