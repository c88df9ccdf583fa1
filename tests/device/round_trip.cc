#include "tests/device/round_trip.h"

#include <array>
#include <cstring>
#include <memory>
#include <numeric>

#include "amdgpu/device.h"
#include "base/mapped_file.h"

namespace bw::tests {
namespace {

constexpr uint32_t kElements = 64;
constexpr uint32_t kWorkgroupSize = 32;

std::vector<uint32_t> inputs() {
  std::vector<uint32_t> values(kElements);
  std::iota(values.begin(), values.end(), 1000u);
  return values;
}

}  // namespace

std::vector<uint32_t> expected_round_trip() {
  std::vector<uint32_t> values = inputs();
  for (uint32_t& value : values) ++value;
  return values;
}

Result<std::vector<uint32_t>> add_one_round_trip(kfd::KernelDriver& driver) {
  amdgpu::DeviceOptions options;
  options.wait_timeout_ns = 5'000'000'000;
  BW_ASSIGN(std::unique_ptr<amdgpu::Device> device, amdgpu::Device::open(driver, options));
  BW_ASSIGN(const MappedFile code, MappedFile::open(BAREWAVE_SOURCE_DIR "/amdgpu/testdata/two_kernels.hsaco"));
  BW_ASSIGN(std::unique_ptr<amdgpu::CodeModule> module, device->load(code.bytes()));
  BW_ASSIGN(const amdgpu::Kernel* kernel, module->kernel("add_one"));

  std::vector<uint32_t> values = inputs();
  const uint64_t size_bytes = values.size() * sizeof(uint32_t);
  BW_ASSIGN(amdgpu::Buffer in, device->allocate(amdgpu::MemoryKind::kVramHostVisible, size_bytes));
  BW_ASSIGN(amdgpu::Buffer out, device->allocate(amdgpu::MemoryKind::kVramHostVisible, size_bytes));
  BW_RETURN_IF_ERROR(device->write(in, 0, std::as_bytes(std::span(values))));

  const std::array<uint64_t, 2> arguments = {out.gpu_addr().value, in.gpu_addr().value};
  amdgpu::CommandRecorder recorder = device->record();
  recorder.dispatch(*kernel, {kElements / kWorkgroupSize, 1, 1}, {kWorkgroupSize, 1, 1},
                    std::as_bytes(std::span(arguments)));
  BW_ASSIGN(amdgpu::CommandBuffer commands, recorder.finish());
  BW_ASSIGN(const amdgpu::Submission done, device->submit(commands));
  BW_RETURN_IF_ERROR(device->wait(done));
  BW_RETURN_IF_ERROR(device->read(out, 0, std::as_writable_bytes(std::span(values))));
  return values;
}

}  // namespace bw::tests
