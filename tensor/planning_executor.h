// Owns: an executor without a device, for programs that are only looked at: its buffers are sizes, without memory.
#pragma once

#include <memory>
#include <span>

#include "tensor/executor.h"

namespace bw::tensor {

// What is written to its buffers is dropped; reading from them and running programs is kUnsupported.
class PlanningExecutor final : public Executor {
 public:
  Result<std::shared_ptr<DeviceBuffer>> allocate(uint64_t size_bytes) override;
  Result<std::unique_ptr<PreparedProgram>> prepare(std::span<const ir::NodePtr> outputs,
                                                   const ParamBuffers& params) override;
};

}  // namespace bw::tensor
