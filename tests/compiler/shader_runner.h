// Owns: for tests: running one compiled kernel on the emulated shader cores, without a driver or queues between: the
// code object is placed in an address space, its descriptor becomes the registers of a dispatch. Every kernel runs on
// both engines, which must leave the same bits.
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
#include "compiler/kernel_form.h"
#include "emulator/shader/interpreter.h"
#include "ir/evaluator.h"
#include "ir/kernel.h"

namespace bw::testing {

class ShaderRunner {
 public:
  static Result<std::unique_ptr<ShaderRunner>> create(size_t threads,
                                                      emulator::Strictness strictness = emulator::Strictness::kOff);

  // Compiles `kernel` and runs it on the interpreter, and again on the JIT; `inputs` are as for ir::evaluate_kernel.
  // Each param lies at the end of its own pages, but for alignment to 16 bytes, and is followed by nothing, so that an
  // access beyond it faults. Errors:
  // the compiler's, kDeviceFault with the fault's message, kDataLoss where the engines differ.
  Status run(const ir::Kernel& kernel, const ir::EvaluatorInputs& inputs,
             const compiler::LaneForm& form = compiler::LaneForm{});
  // The same for a kernel dealt out in some form to so many workgroups, from `first` on.
  Status run(const ir::Kernel& kernel, const compiler::KernelForm& form, std::array<uint32_t, 3> workgroups,
             const ir::EvaluatorInputs& inputs, std::array<uint32_t, 3> first = {});

 private:
  ShaderRunner(std::unique_ptr<emulator::ShaderCores> interpreter, std::unique_ptr<emulator::ShaderCores> jit)
      : interpreter_(std::move(interpreter)), jit_(std::move(jit)) {}

  std::unique_ptr<emulator::ShaderCores> interpreter_;
  std::unique_ptr<emulator::ShaderCores> jit_;
};

}  // namespace bw::testing
