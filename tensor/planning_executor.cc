#include "tensor/planning_executor.h"

namespace bw::tensor {
namespace {

class SizeOnly final : public DeviceBuffer {
 public:
  explicit SizeOnly(uint64_t size_bytes) : size_bytes_(size_bytes) {}

  uint64_t size_bytes() const override { return size_bytes_; }
  Status write(uint64_t offset_bytes, std::span<const std::byte> data) override {
    if (offset_bytes <= size_bytes_ && data.size() <= size_bytes_ - offset_bytes) return Status::ok();
    return error(StatusCode::kInvalidArgument, "writing {} bytes at {} of a buffer of {}", data.size(), offset_bytes,
                 size_bytes_);
  }
  Status read(uint64_t, std::span<std::byte>) override {
    return error(StatusCode::kUnsupported, "reading a buffer that was only planned");
  }

 private:
  const uint64_t size_bytes_;
};

}  // namespace

Result<std::shared_ptr<DeviceBuffer>> PlanningExecutor::allocate(uint64_t size_bytes) {
  return std::shared_ptr<DeviceBuffer>(std::make_shared<SizeOnly>(size_bytes));
}

Result<std::unique_ptr<PreparedProgram>> PlanningExecutor::prepare(std::span<const ir::NodePtr>, const ParamBuffers&) {
  return error(StatusCode::kUnsupported, "running a program that is only planned");
}

}  // namespace bw::tensor
