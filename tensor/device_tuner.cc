#include "tensor/device_tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "amdgpu/kernel_arguments.h"

namespace bw::tensor {
namespace {

constexpr size_t kTimedLaunches = 5;

}  // namespace

std::string DeviceTuner::device_name() const {
  const amdgpu::DeviceInfo& info = device_->info();
  return fmt::format("{} ({} compute units, {} MHz)", info.name, info.compute_unit_count, info.max_clock_mhz);
}

Result<uint64_t> DeviceTuner::time_ns(const compiler::CompiledKernel& kernel,
                                      std::span<const uint64_t> buffer_sizes_bytes,
                                      std::span<const ir::NodePtr> variables) {
  std::vector<amdgpu::Buffer> buffers;
  std::vector<std::byte> arguments;
  for (const uint64_t size_bytes : buffer_sizes_bytes) {
    const uint64_t words_bytes = (std::max<uint64_t>(size_bytes, 1) + 3) / 4 * 4;
    BW_ASSIGN(amdgpu::Buffer buffer, device_->allocate(amdgpu::MemoryKind::kVram, words_bytes));
    BW_RETURN_IF_ERROR(device_->fill(buffer, 0, words_bytes, 0));
    amdgpu::append_address(buffer.gpu_addr(), arguments);
    buffers.push_back(std::move(buffer));
  }
  for (const ir::NodePtr& variable : variables) {
    const auto most = static_cast<uint32_t>(variable->attr<ir::VariableAttr>().max);
    BW_ASSIGN(amdgpu::Buffer word, device_->allocate(amdgpu::MemoryKind::kVram, sizeof most));
    BW_RETURN_IF_ERROR(device_->fill(word, 0, sizeof most, most));
    amdgpu::append_address(word.gpu_addr(), arguments);
    buffers.push_back(std::move(word));
  }
  amdgpu::Dim3 groups{};
  for (size_t axis = 0; axis < groups.size(); ++axis) {
    const int64_t size = kernel.group_extent[axis];
    groups[axis] = static_cast<uint32_t>((kernel.grid[axis].max() + size - 1) / size);
  }
  BW_ASSIGN(const std::unique_ptr<amdgpu::CodeModule> module, device_->load(*kernel.code_object));
  BW_ASSIGN(const amdgpu::Kernel* const loaded, module->kernel(kernel.symbol));
  const auto& lanes = kernel.workgroup_size;

  // Before the first launch that counts and after each.
  constexpr size_t kTimestamps = kTimedLaunches + 1;
  BW_ASSIGN(const amdgpu::Buffer clock, device_->allocate(amdgpu::MemoryKind::kGtt, kTimestamps * sizeof(uint64_t)));
  amdgpu::CommandRecorder recorder = device_->record();
  for (size_t i = 0; i < kTimestamps; ++i) {
    recorder.dispatch(*loaded, groups, {lanes[0], lanes[1], lanes[2]}, arguments);
    recorder.barrier();
    recorder.write_timestamp({clock.gpu_addr().value + i * sizeof(uint64_t)});
  }
  BW_ASSIGN(const amdgpu::CommandBuffer commands, recorder.finish());
  BW_ASSIGN(const amdgpu::Submission submission, device_->submit(commands));
  BW_RETURN_IF_ERROR(device_->wait(submission));
  std::array<uint64_t, kTimestamps> ticks{};
  std::memcpy(ticks.data(), clock.host().data(), sizeof ticks);
  std::array<uint64_t, kTimedLaunches> times{};
  for (size_t i = 0; i < times.size(); ++i) times[i] = ticks[i + 1] - ticks[i];
  std::ranges::sort(times);
  const double tick_ns = 1e9 / static_cast<double>(device_->info().clock_hz);
  return static_cast<uint64_t>(static_cast<double>(times[times.size() / 2]) * tick_ns);
}

}  // namespace bw::tensor
