#include "emulator/shader/coverage.h"

#include "emulator/shader/handlers.h"
#include "emulator/shader/operand_value.h"

namespace bw::emulator {

std::vector<InstructionCoverage> instruction_coverage() {
  std::vector<InstructionCoverage> rows;
  for (const auto& info : amdgpu::gfx11::instructions()) {
    const Op op = info.encoding == amdgpu::gfx11::Encoding::VOPD ? single_op(info.op) : info.op;
    const char* reason = handlers().unsupported_reason(op);
    const bool bound = op != Op::invalid && handlers()[op] != nullptr;
    rows.push_back({&info,
                    reason != nullptr ? Support::kUnsupported
                    : bound           ? Support::kImplemented
                                      : Support::kMissing,
                    reason});
  }
  return rows;
}

}  // namespace bw::emulator
