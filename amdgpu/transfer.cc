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

AddressUse use_of(const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes, Access access) {
  const uint64_t begin = buffer.gpu_addr().value + offset_bytes;
  return {begin, begin + size_bytes, access};
}

}  // namespace

Status StagingRing::prepare(MemoryManager& memory) {
  if (memory_.is_valid()) return Status::ok();
  BW_ASSIGN(memory_, memory.allocate(MemoryKind::kGtt, kParts * kPartBytes));
  for (size_t i = 0; i < kParts; ++i) {
    parts_[i] = {memory_.gpu_addr() + i * kPartBytes, memory_.host().subspan(i * kPartBytes, kPartBytes), {}};
  }
  return Status::ok();
}

// Only copies may be under way that the caller does not know of.
Status Transfer::write_directly(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data) {
  for (const Submission& user : queues_.conflicts_with(use_of(buffer, offset_bytes, data.size(), Access::kWrite))) {
    if (!is_compute(user.queue)) BW_RETURN_IF_ERROR(queues_.wait(user));
  }
  std::memcpy(buffer.host().data() + offset_bytes, data.data(), data.size());
  return Status::ok();
}

Result<Submission> Transfer::upload(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data) {
  BW_RETURN_IF_ERROR(check_range("writing", buffer, offset_bytes, data.size()));
  BW_RETURN_IF_ERROR(queues_.fault());
  if (data.empty()) return Submission{};
  if (is_system_memory(buffer) || (!buffer.host().empty() && data.size() <= kDirectWriteBytes)) {
    BW_RETURN_IF_ERROR(write_directly(buffer, offset_bytes, data));
    return Submission{};
  }
  BW_RETURN_IF_ERROR(uploads_.prepare(memory_));
  const auto after = queues_.conflicts_with(use_of(buffer, offset_bytes, data.size(), Access::kWrite));
  Submission last;
  for (uint64_t done = 0; done < data.size();) {
    StagingRing::Part& part = uploads_.next();
    BW_RETURN_IF_ERROR(queues_.wait(part.last));
    const uint64_t step = std::min<uint64_t>(StagingRing::kPartBytes, data.size() - done);
    std::memcpy(part.host.data(), data.data() + done, step);
    const CopyWork work{buffer.gpu_addr() + offset_bytes + done, part.address, step};
    BW_ASSIGN(part.last, queues_.submit(work, QueueName::kSdma, after));
    last = part.last;
    done += step;
  }
  queues_.make_compute_wait_for(last);
  return last;
}

Status Transfer::write(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data) {
  const auto pinned = memory_.find_host_memory(data);
  if (!pinned || data.size() <= kDirectWriteBytes || is_system_memory(buffer)) {
    BW_ASSIGN(const Submission done, upload(buffer, offset_bytes, data));
    return queues_.wait(done);
  }
  BW_RETURN_IF_ERROR(check_range("writing", buffer, offset_bytes, data.size()));
  const auto after = queues_.conflicts_with(use_of(buffer, offset_bytes, data.size(), Access::kWrite));
  const CopyWork work{buffer.gpu_addr() + offset_bytes, *pinned, data.size()};
  BW_ASSIGN(const Submission done, queues_.submit(work, QueueName::kSdma, after));
  return queues_.wait(done);
}

Status Transfer::read(const Buffer& buffer, uint64_t offset_bytes, std::span<std::byte> data) {
  BW_RETURN_IF_ERROR(check_range("reading", buffer, offset_bytes, data.size()));
  BW_RETURN_IF_ERROR(queues_.fault());
  if (data.empty()) return Status::ok();
  const auto writers = queues_.conflicts_with(use_of(buffer, offset_bytes, data.size(), Access::kRead));
  if (is_system_memory(buffer) || (!buffer.host().empty() && data.size() <= kDirectReadBytes)) {
    for (const Submission& writer : writers) BW_RETURN_IF_ERROR(queues_.wait(writer));
    std::memcpy(data.data(), buffer.host().data() + offset_bytes, data.size());
    return Status::ok();
  }
  const GpuAddr source = buffer.gpu_addr() + offset_bytes;
  if (const auto pinned = memory_.find_host_memory(data)) {
    BW_ASSIGN(const Submission done, queues_.submit({*pinned, source, data.size()}, QueueName::kSdma2, writers));
    return queues_.wait(done);
  }
  return download(source, data, writers);
}

Status Transfer::download(GpuAddr source, std::span<std::byte> data, std::span<const Submission> after) {
  BW_RETURN_IF_ERROR(downloads_.prepare(memory_));
  struct UnderWay {
    const StagingRing::Part* part = nullptr;
    std::span<std::byte> to;
  };
  std::array<UnderWay, StagingRing::kParts> under_way{};
  const auto collect = [&](UnderWay& copy) -> Status {
    if (copy.part == nullptr) return Status::ok();
    BW_RETURN_IF_ERROR(queues_.wait(copy.part->last));
    std::memcpy(copy.to.data(), copy.part->host.data(), copy.to.size());
    copy.part = nullptr;
    return Status::ok();
  };
  size_t number = 0;
  for (uint64_t started = 0; started < data.size(); ++number) {
    UnderWay& copy = under_way[number % StagingRing::kParts];
    BW_RETURN_IF_ERROR(collect(copy));
    StagingRing::Part& part = downloads_.next();
    // Of a download that was given up.
    BW_RETURN_IF_ERROR(queues_.wait(part.last));
    const uint64_t step = std::min<uint64_t>(StagingRing::kPartBytes, data.size() - started);
    BW_ASSIGN(part.last, queues_.submit({part.address, source + started, step}, QueueName::kSdma2, after));
    copy = {&part, data.subspan(started, step)};
    started += step;
  }
  for (size_t i = 0; i < StagingRing::kParts; ++i) {
    BW_RETURN_IF_ERROR(collect(under_way[(number + i) % StagingRing::kParts]));
  }
  return Status::ok();
}

Status Transfer::fill(const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes, uint32_t value) {
  BW_RETURN_IF_ERROR(check_range("filling", buffer, offset_bytes, size_bytes));
  BW_RETURN_IF_ERROR(queues_.fault());
  if (size_bytes == 0) return Status::ok();
  const auto after = queues_.conflicts_with(use_of(buffer, offset_bytes, size_bytes, Access::kWrite));
  const CopyWork work{buffer.gpu_addr() + offset_bytes, value, size_bytes};
  BW_ASSIGN(const Submission submission, queues_.submit(work, QueueName::kSdma, after));
  return queues_.wait(submission);
}

Result<Submission> Transfer::copy(const Buffer& destination, uint64_t destination_offset_bytes, const Buffer& source,
                                  uint64_t source_offset_bytes, uint64_t size_bytes,
                                  std::span<const Submission> after) {
  BW_RETURN_IF_ERROR(check_range("copying to", destination, destination_offset_bytes, size_bytes));
  BW_RETURN_IF_ERROR(check_range("copying from", source, source_offset_bytes, size_bytes));
  BW_RETURN_IF_ERROR(queues_.fault());
  if (size_bytes == 0) return Submission{};
  const bool is_download = is_system_memory(destination) && !is_system_memory(source);
  const CopyWork work{destination.gpu_addr() + destination_offset_bytes, source.gpu_addr() + source_offset_bytes,
                      size_bytes};
  return queues_.submit(work, is_download ? QueueName::kSdma2 : QueueName::kSdma, after);
}

Status Transfer::wait_for_users(const Buffer& buffer) {
  if (!buffer.is_valid()) return Status::ok();
  for (const Submission& user : queues_.conflicts_with(use_of(buffer, 0, buffer.size_bytes(), Access::kWrite))) {
    BW_RETURN_IF_ERROR(queues_.wait(user));
  }
  return Status::ok();
}

}  // namespace bw::amdgpu
