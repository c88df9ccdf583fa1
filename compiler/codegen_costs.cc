#include "compiler/codegen_costs.h"

#include "ir/analysis/costs.h"

namespace bw::compiler {

Result<KernelCosts> count_costs(const ir::Kernel& kernel) {
  BW_ASSIGN(const ir::analysis::KernelCosts costs, ir::analysis::count_costs(kernel, {}));
  return KernelCosts{costs.flops().max(), costs.bytes().value.max()};
}

}  // namespace bw::compiler
