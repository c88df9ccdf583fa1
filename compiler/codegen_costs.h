// Owns: what a kernel costs as two numbers, with every variable at its maximum. Not here: the counting, and costs for
// other sizes (ir/analysis/costs.h).
#pragma once

#include <cstdint>

#include "base/status.h"
#include "ir/kernel.h"

namespace bw::compiler {

// Of one launch.
struct KernelCosts {
  uint64_t flops = 0;  // floating-point operations by lanes; a multiply-add is two, a conversion none
  uint64_t bytes = 0;  // of memory touched: each element once for each param that is read, and once where it is written
};

Result<KernelCosts> count_costs(const ir::Kernel& kernel);

}  // namespace bw::compiler
