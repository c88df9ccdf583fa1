// Owns: timing compiled kernels on a device, for the compiler's choice of forms (compiler/tuning.h).
#pragma once

#include <memory>
#include <string>

#include "amdgpu/device.h"
#include "compiler/compiler.h"

namespace bw::tensor {

// Runs on zeroed buffers: 0 is an index that every table has. The time is the median of a few launches by the GPU's
// clock, after one that fills caches.
class DeviceTuner final : public compiler::Tuner {
 public:
  explicit DeviceTuner(std::shared_ptr<amdgpu::Device> device) : device_(std::move(device)) {}

  std::string device_name() const override;
  Result<uint64_t> time_ns(const compiler::CompiledKernel& kernel, std::span<const uint64_t> buffer_sizes_bytes,
                           std::span<const ir::NodePtr> variables) override;

 private:
  std::shared_ptr<amdgpu::Device> device_;
};

}  // namespace bw::tensor
