// Owns: running programs on a GPU: compiled kernels loaded once, launches recorded as one command buffer, one
// submission for a whole program.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "amdgpu/device.h"
#include "compiler/compiler.h"
#include "tensor/executor.h"
#include "tensor/runtime.h"

namespace bw::tensor {

class DeviceExecutor final : public Executor {
 public:
  // `driver` must outlive the executor and all that is made from it.
  static Result<std::unique_ptr<Executor>> create(kfd::KernelDriver& driver, const RuntimeOptions& options);

  // On a device that is open already, and may be used besides by the same thread.
  static Result<std::unique_ptr<Executor>> create(std::shared_ptr<amdgpu::Device> device,
                                                  const RuntimeOptions& options);

  // On `count` GPUs that are opened together: their programs can meet.
  static Result<std::vector<std::unique_ptr<Executor>>> create_several(kfd::KernelDriver& driver, uint32_t count,
                                                                       const RuntimeOptions& options);

  Result<std::shared_ptr<DeviceBuffer>> allocate(uint64_t size_bytes) override;
  Result<std::unique_ptr<PreparedProgram>> prepare(std::span<const ir::NodePtr> outputs,
                                                   const ParamBuffers& params) override;
  Result<std::unique_ptr<PreparedProgram>> prepare_parts(std::span<const ProgramPart> parts) override;
  Status share(DeviceBuffer& buffer) override;
  std::string describe_running() const override { return device_->describe_running(); }
  Status wait() override { return device_->wait_idle(); }

 private:
  DeviceExecutor(std::shared_ptr<amdgpu::Device> device, std::unique_ptr<compiler::Compiler> compiler,
                 std::function<void(const std::string&)> on_diagnostic)
      : device_(std::move(device)), compiler_(std::move(compiler)), on_diagnostic_(std::move(on_diagnostic)) {}

  Result<compiler::Program> compile(std::span<const ir::NodePtr> outputs);

  std::shared_ptr<amdgpu::Device> device_;
  std::unique_ptr<compiler::Compiler> compiler_;
  // The last program that was started; shared with the programs.
  std::shared_ptr<amdgpu::Submission> started_ = std::make_shared<amdgpu::Submission>();
  std::function<void(const std::string&)> on_diagnostic_;  // may be empty
};

}  // namespace bw::tensor
