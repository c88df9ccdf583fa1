#include "tensor/testing/host_executor.h"

#include <cstring>
#include <utility>

#include "compiler/schedule.h"

namespace bw::tensor::testing {
namespace {

class HostBuffer final : public DeviceBuffer {
 public:
  explicit HostBuffer(uint64_t size_bytes) : bytes_(size_bytes, std::byte{0x7b}) {}

  uint64_t size_bytes() const override { return bytes_.size(); }
  Status write(uint64_t offset_bytes, std::span<const std::byte> data) override {
    BW_RETURN_IF_ERROR(check(offset_bytes, data.size()));
    std::memcpy(bytes_.data() + offset_bytes, data.data(), data.size());
    return Status::ok();
  }
  Status read(uint64_t offset_bytes, std::span<std::byte> data) override {
    BW_RETURN_IF_ERROR(check(offset_bytes, data.size()));
    std::memcpy(data.data(), bytes_.data() + offset_bytes, data.size());
    return Status::ok();
  }
  std::span<std::byte> bytes() { return bytes_; }

 private:
  Status check(uint64_t offset_bytes, size_t size_bytes) const {
    if (offset_bytes <= bytes_.size() && size_bytes <= bytes_.size() - offset_bytes) return Status::ok();
    return error(StatusCode::kInvalidArgument, "{} bytes at {} of a buffer of {}", size_bytes, offset_bytes,
                 bytes_.size());
  }

  std::vector<std::byte> bytes_;
};

class HostProgram final : public PreparedProgram {
 public:
  HostProgram(compiler::Schedule schedule, std::vector<std::shared_ptr<DeviceBuffer>> buffers, ir::Rounding rounding)
      : schedule_(std::move(schedule)), buffers_(std::move(buffers)), rounding_(rounding) {
    for (size_t output : schedule_.outputs) outputs_.push_back(buffers_[output]);
  }

  Status run(const VariableValues& variables) override {
    for (const compiler::ScheduledKernel& scheduled : schedule_.kernels) {
      for (const compiler::KernelPart& part : scheduled.parts) {
        ir::EvaluatorInputs inputs;
        inputs.variables = variables;
        for (size_t i = 0; i < part.arguments.size(); ++i) {
          auto& buffer = static_cast<HostBuffer&>(*buffers_[scheduled.launch.buffers[part.arguments[i]]]);
          inputs.params[i] = buffer.bytes();
        }
        if (Status status = ir::evaluate_kernel(part.kernel, inputs, rounding_); !status.is_ok()) {
          return std::move(status).with_context(part.kernel.name);
        }
      }
    }
    return Status::ok();
  }
  const std::vector<std::shared_ptr<DeviceBuffer>>& outputs() const override { return outputs_; }
  ProgramCost cost() const override { return {schedule_.kernels.size(), 0, 0}; }

 private:
  compiler::Schedule schedule_;
  std::vector<std::shared_ptr<DeviceBuffer>> buffers_;
  std::vector<std::shared_ptr<DeviceBuffer>> outputs_;
  ir::Rounding rounding_;
};

}  // namespace

Result<std::shared_ptr<DeviceBuffer>> HostExecutor::allocate(uint64_t size_bytes) {
  return std::shared_ptr<DeviceBuffer>(std::make_shared<HostBuffer>(size_bytes));
}

Result<std::unique_ptr<PreparedProgram>> HostExecutor::prepare(std::span<const ir::NodePtr> outputs,
                                                               const ParamBuffers& params) {
  BW_ASSIGN(compiler::Schedule schedule, compiler::schedule(outputs));
  std::vector<std::shared_ptr<DeviceBuffer>> buffers;
  for (const compiler::BufferPlan& plan : schedule.buffers) {
    if (plan.kind == compiler::BufferKind::kParam) {
      buffers.push_back(params.at(plan.param_id));
    } else {
      BW_ASSIGN(std::shared_ptr<DeviceBuffer> buffer, allocate(plan.size_bytes));
      buffers.push_back(std::move(buffer));
    }
  }
  return std::unique_ptr<PreparedProgram>(
      std::make_unique<HostProgram>(std::move(schedule), std::move(buffers), rounding_));
}

}  // namespace bw::tensor::testing
