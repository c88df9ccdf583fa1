// Owns: random valid kernels, for holding code generation against the evaluator. The same seed gives the same kernel on
// every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/kernel.h"
#include "ir/testing/random_graph.h"

namespace bw::ir::testing {

struct RandomKernelOptions {
  int steps = 10;  // elementwise nodes in each loop body
  std::vector<DType> dtypes = {DType::kF32, DType::kI32, DType::kU8, DType::kF16, DType::kI64, DType::kBool};
  Numbers numbers = Numbers::kExact;
};

// Of up to three grid dimensions, with up to two reductions (one of them may be shared by a workgroup). Param 0 is
// written, the others are read. It verifies.
Kernel random_kernel(uint64_t seed, const RandomKernelOptions& options);

}  // namespace bw::ir::testing
