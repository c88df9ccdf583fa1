// Owns: what tests of graphs with pointers begin with: a fake GPU, a device on it, and a kernel whose arguments are
// seen as it runs. Not here: what the graphs are.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "amdgpu/device.h"
#include "amdgpu/testing/fake_gpu.h"
#include "base/mapped_file.h"

namespace bw::amdgpu::testing {

class GraphFixture : public ::testing::Test {
 protected:
  static constexpr uint64_t kBytes = 4096;    // of each buffer
  using Arguments = std::array<uint64_t, 2>;  // of the kernel

  // No spinning: the fake GPU works only while the runtime sleeps.
  explicit GraphFixture(uint32_t ring_bytes = 256u << 10)
      : options_{.wait_timeout_ns = 5'000'000, .spin_ns = 0, .compute_ring_size_bytes = ring_bytes} {}

  void SetUp() override {
    device_ = Device::open(gpu_.driver(), options_).value();
    const MappedFile file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco").value();
    module_ = device_->load(file.bytes()).value();
    kernel_ = module_->kernel("add_one").value();
    for (Buffer& buffer : buffers_) buffer = device_->allocate(MemoryKind::kVram, kBytes).value();
    gpu_.on_dispatch = [this](const auto& dispatch) {
      const uint64_t address = dispatch.registers.at(0x2e40) | uint64_t{dispatch.registers.at(0x2e41)} << 32;
      Arguments arguments;
      std::memcpy(arguments.data(), reinterpret_cast<const void*>(address), sizeof arguments);
      seen_.push_back(arguments);
    };
  }
  void TearDown() override { EXPECT_EQ(gpu_.complaint(), ""); }

  uint64_t address(size_t buffer) const { return buffers_[buffer].gpu_addr().value; }

  const DeviceOptions options_;
  FakeGpu gpu_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CodeModule> module_;
  const Kernel* kernel_ = nullptr;
  Buffer buffers_[6];
  std::vector<Arguments> seen_;  // of each dispatch
};

}  // namespace bw::amdgpu::testing
