// Owns: running tensor programs through ROCr: this runtime's code objects, loaded by ROCr's loader and launched as AQL
// packets. Not here: the queue and the packets (rocr_machine.h), what is timed (rocr_cases.h).
#pragma once

#include <memory>
#include <span>

#include "compiler/compiler.h"
#include "tensor/executor.h"
#include "tensor/runtime.h"
#include "tools/barewave/bench/rocr_machine.h"

namespace bw::tools {

// Programs without variables. A run writes one packet a launch, each with its arguments, the barrier bit and a
// doorbell, the last with a signal that the host waits for.
class RocrExecutor final : public tensor::Executor {
 public:
  static Result<std::unique_ptr<tensor::Executor>> create(std::shared_ptr<RocrMachine> machine,
                                                          const tensor::RuntimeOptions& options);

  Result<std::shared_ptr<tensor::DeviceBuffer>> allocate(uint64_t size_bytes) override;
  // kUnsupported for a program with variables, or with kernels of more arguments than a launch here has.
  Result<std::unique_ptr<tensor::PreparedProgram>> prepare(std::span<const ir::NodePtr> outputs,
                                                           const tensor::ParamBuffers& params) override;

 private:
  RocrExecutor(std::shared_ptr<RocrMachine> machine, std::unique_ptr<compiler::Compiler> compiler)
      : machine_(std::move(machine)), compiler_(std::move(compiler)) {}

  std::shared_ptr<RocrMachine> machine_;
  std::unique_ptr<compiler::Compiler> compiler_;
};

}  // namespace bw::tools
