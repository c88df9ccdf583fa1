// Owns: counting what a kernel costs before it runs.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "ir/kernel.h"

namespace bw::compiler {

// Of one launch, with every symbolic extent at its maximum. Exact for static kernels: each node is counted as often as
// the lowering computes it (once for each work-item and each iteration of the loops that its value depends on).
struct KernelCosts {
  uint64_t flops = 0;  // floating-point operations; a multiply-add is two, a conversion none
  uint64_t bytes = 0;  // of memory touched: for each param, loads and stores, but no more than its size of either
};

// Errors: see plan_kernel.
Result<KernelCosts> count_costs(const ir::Kernel& kernel);

}  // namespace bw::compiler
