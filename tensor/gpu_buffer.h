// Owns: memory of a GPU as a buffer of tensors.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "amdgpu/device.h"
#include "tensor/executor.h"

namespace bw::tensor {

// The only kind of buffer that device executors make.
class GpuBuffer final : public DeviceBuffer {
 public:
  GpuBuffer(std::shared_ptr<amdgpu::Device> device, amdgpu::Buffer buffer)
      : device_(std::move(device)), buffer_(std::move(buffer)) {}
  // The copy engine must not write to memory that others have got meanwhile.
  ~GpuBuffer() override { (void)device_->wait(last_upload_); }

  uint64_t size_bytes() const override { return buffer_.size_bytes(); }
  Status write(uint64_t offset_bytes, std::span<const std::byte> data) override {
    return device_->write(buffer_, offset_bytes, data);
  }
  Status read(uint64_t offset_bytes, std::span<std::byte> data) override {
    return device_->read(buffer_, offset_bytes, data);
  }
  Status upload(uint64_t offset_bytes, std::span<const std::byte> data) override {
    BW_ASSIGN(last_upload_, device_->upload(buffer_, offset_bytes, data));
    return Status::ok();
  }
  const amdgpu::Buffer& buffer() const { return buffer_; }

 private:
  std::shared_ptr<amdgpu::Device> device_;
  amdgpu::Buffer buffer_;
  amdgpu::Submission last_upload_;
};

}  // namespace bw::tensor
