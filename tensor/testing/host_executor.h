// Owns: running programs on the host in tests, with the reference evaluator in place of a GPU.
#pragma once

#include <functional>
#include <memory>

#include "ir/evaluator.h"
#include "tensor/executor.h"

namespace bw::tensor::testing {

// Graphs are scheduled into kernels as for the GPU, and each kernel is evaluated. Memory is filled with a pattern that
// gives large numbers in every dtype, so that reading what was never written shows.
class HostExecutor final : public Executor {
 public:
  explicit HostExecutor(ir::Rounding rounding = ir::Rounding::kToDType) : rounding_(rounding) {}

  Result<std::shared_ptr<DeviceBuffer>> allocate(uint64_t size_bytes) override;
  Result<std::unique_ptr<PreparedProgram>> prepare(std::span<const ir::NodePtr> outputs,
                                                   const ParamBuffers& params) override;

 private:
  ir::Rounding rounding_;
};

}  // namespace bw::tensor::testing
