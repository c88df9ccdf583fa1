#include "tensor/executor.h"

namespace bw::tensor {

Status PreparedProgram::run_block(const RunBlock& block, const RunCallback& on_run) {
  for (const VariableValues& variables : block.runs) {
    uint32_t go_on = 0;
    BW_RETURN_IF_ERROR(block.go_on->read(0, std::as_writable_bytes(std::span(&go_on, 1))));
    if (go_on == 0) break;
    BW_RETURN_IF_ERROR(run(variables));
    uint32_t result = 0;
    BW_RETURN_IF_ERROR(block.result->read(0, std::as_writable_bytes(std::span(&result, 1))));
    if (!on_run(result)) break;
  }
  return Status::ok();
}

}  // namespace bw::tensor
