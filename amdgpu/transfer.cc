#include "amdgpu/transfer.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace bw::amdgpu {
namespace {

// Up to here a write goes straight through the PCIe BAR: it costs less than starting the copy engine.
constexpr uint64_t kDirectWriteBytes = uint64_t{64} << 10;
// Reads through the BAR are uncached, some hundred nanoseconds each.
constexpr uint64_t kDirectReadBytes = 1024;

Status check_range(std::string_view what, const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes) {
  if (!buffer.is_valid()) return error(StatusCode::kInvalidArgument, "{} a buffer that has no memory", what);
  if (offset_bytes > buffer.size_bytes() || size_bytes > buffer.size_bytes() - offset_bytes) {
    return error(StatusCode::kInvalidArgument, "{} {} bytes at offset {} of a buffer of {} bytes", what, size_bytes,
                 offset_bytes, buffer.size_bytes());
  }
  return Status::ok();
}

bool is_system_memory(const Buffer& buffer) {
  return buffer.kind() == MemoryKind::kGtt || buffer.kind() == MemoryKind::kUserptr;
}

}  // namespace

Status Transfer::prepare_staging() {
  if (staging_.is_valid()) return Status::ok();
  BW_ASSIGN(staging_, memory_.allocate(MemoryKind::kGtt, 2 * kStagingHalfBytes));
  return Status::ok();
}

std::span<std::byte> Transfer::staging_half(unsigned half) const {
  return staging_.host().subspan(half * kStagingHalfBytes, kStagingHalfBytes);
}

GpuAddr Transfer::staging_address(unsigned half) const {
  return staging_.gpu_addr() + half * kStagingHalfBytes;
}

Result<Submission> Transfer::start_copy(GpuAddr destination, GpuAddr source, uint64_t size_bytes,
                                        std::span<const Submission> after) {
  return queues_.submit_copy([&](SdmaBuilder& builder) { builder.emit_copy_linear(destination, source, size_bytes); },
                             fmt::format("copying {} bytes from {} to {}", size_bytes, source, destination), after);
}

Status Transfer::write(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data) {
  BW_RETURN_IF_ERROR(check_range("writing", buffer, offset_bytes, data.size()));
  BW_RETURN_IF_ERROR(queues_.fault());
  if (data.empty()) return Status::ok();
  if (is_system_memory(buffer) || (!buffer.host().empty() && data.size() <= kDirectWriteBytes)) {
    std::memcpy(buffer.host().data() + offset_bytes, data.data(), data.size());
    return Status::ok();
  }
  BW_RETURN_IF_ERROR(prepare_staging());
  std::array<Submission, 2> halves{};
  const std::array after = queues_.last_of_compute();
  unsigned half = 0;
  for (uint64_t done = 0; done < data.size(); half ^= 1) {
    const uint64_t step = std::min<uint64_t>(kStagingHalfBytes, data.size() - done);
    BW_RETURN_IF_ERROR(queues_.wait(halves[half]));
    std::memcpy(staging_half(half).data(), data.data() + done, step);
    BW_ASSIGN(halves[half], start_copy(buffer.gpu_addr() + offset_bytes + done, staging_address(half), step, after));
    done += step;
  }
  return queues_.wait(queues_.last(QueueName::kSdma));
}

Status Transfer::read(const Buffer& buffer, uint64_t offset_bytes, std::span<std::byte> data) {
  BW_RETURN_IF_ERROR(check_range("reading", buffer, offset_bytes, data.size()));
  BW_RETURN_IF_ERROR(queues_.wait_idle());
  BW_RETURN_IF_ERROR(queues_.fault());
  if (data.empty()) return Status::ok();
  if (is_system_memory(buffer) || (!buffer.host().empty() && data.size() <= kDirectReadBytes)) {
    std::memcpy(data.data(), buffer.host().data() + offset_bytes, data.size());
    return Status::ok();
  }
  BW_RETURN_IF_ERROR(prepare_staging());
  struct Part {
    Submission submission;
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  std::array<Part, 2> parts{};
  auto collect = [&](unsigned half) -> Status {
    BW_RETURN_IF_ERROR(queues_.wait(parts[half].submission));
    std::memcpy(data.data() + parts[half].offset, staging_half(half).data(), parts[half].size);
    parts[half].size = 0;
    return Status::ok();
  };
  unsigned half = 0;
  for (uint64_t started = 0; started < data.size(); half ^= 1) {
    BW_RETURN_IF_ERROR(collect(half));
    Part& part = parts[half];
    part.offset = started;
    part.size = std::min<uint64_t>(kStagingHalfBytes, data.size() - started);
    BW_ASSIGN(part.submission,
              start_copy(staging_address(half), buffer.gpu_addr() + offset_bytes + started, part.size, {}));
    started += part.size;
  }
  BW_RETURN_IF_ERROR(collect(half));
  return collect(half ^ 1);
}

Status Transfer::fill(const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes, uint32_t value) {
  BW_RETURN_IF_ERROR(check_range("filling", buffer, offset_bytes, size_bytes));
  BW_RETURN_IF_ERROR(queues_.fault());
  if (size_bytes == 0) return Status::ok();
  const GpuAddr address = buffer.gpu_addr() + offset_bytes;
  const std::array after = queues_.last_of_compute();
  BW_ASSIGN(Submission submission,
            queues_.submit_copy([&](SdmaBuilder& builder) { builder.emit_const_fill(address, value, size_bytes); },
                                fmt::format("filling {} bytes at {}", size_bytes, address), after));
  return queues_.wait(submission);
}

Result<Submission> Transfer::copy(const Buffer& destination, uint64_t destination_offset_bytes, const Buffer& source,
                                  uint64_t source_offset_bytes, uint64_t size_bytes,
                                  std::span<const Submission> after) {
  BW_RETURN_IF_ERROR(check_range("copying to", destination, destination_offset_bytes, size_bytes));
  BW_RETURN_IF_ERROR(check_range("copying from", source, source_offset_bytes, size_bytes));
  BW_RETURN_IF_ERROR(queues_.fault());
  if (size_bytes == 0) return Submission{};
  return start_copy(destination.gpu_addr() + destination_offset_bytes, source.gpu_addr() + source_offset_bytes,
                    size_bytes, after);
}

}  // namespace bw::amdgpu
