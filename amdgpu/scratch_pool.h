// Owns: the device's scratch memory: how much a kernel with a private segment needs, and growing it.
#pragma once

#include <memory>

#include "amdgpu/command_buffer.h"
#include "amdgpu/device_info.h"

namespace bw::amdgpu {

// Scratch that was replaced by a larger one lives on with the command buffers that use it.
class ScratchPool final : public ScratchProvider {
 public:
  ScratchPool(std::shared_ptr<MemoryManager> memory, const DeviceInfo& info)
      : memory_(std::move(memory)), info_(info) {}
  Result<std::shared_ptr<const Scratch>> scratch(uint32_t bytes_per_lane) override;

 private:
  std::shared_ptr<MemoryManager> memory_;
  const DeviceInfo& info_;
  std::shared_ptr<const Scratch> current_;
};

}  // namespace bw::amdgpu
