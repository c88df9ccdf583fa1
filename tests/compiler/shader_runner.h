// Owns: for tests: running one compiled kernel on the emulated shader cores, without a driver or queues between: the
// code object is placed in an address space, its descriptor becomes the registers of a dispatch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "emulator/shader/interpreter.h"
#include "ir/evaluator.h"
#include "ir/kernel.h"

namespace bw::testing {

class ShaderRunner {
 public:
  static Result<std::unique_ptr<ShaderRunner>> create(size_t threads,
                                                      emulator::Strictness strictness = emulator::Strictness::kOff);

  // Compiles `kernel` and runs it; `inputs` are as for ir::evaluate_kernel. Each param lies at the end of its own pages
  // and is followed by nothing, so that an access beyond it faults. Errors: the compiler's, kDeviceFault with the
  // fault's message.
  Status run(const ir::Kernel& kernel, const ir::EvaluatorInputs& inputs);
  uint64_t instruction_count() const { return cores_->instruction_count(); }

 private:
  explicit ShaderRunner(std::unique_ptr<emulator::ShaderCores> cores) : cores_(std::move(cores)) {}

  std::unique_ptr<emulator::ShaderCores> cores_;
};

}  // namespace bw::testing
