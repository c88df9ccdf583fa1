// Owns: moving bytes between the host and buffers: directly where that is quick, else through staging memory and the
// copy engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "amdgpu/memory.h"
#include "amdgpu/queue_set.h"

namespace bw::amdgpu {

// For one thread at a time. Ranges are checked; kInvalidArgument for one that leaves its buffer.
class Transfer {
 public:
  Transfer(MemoryManager& memory, QueueSet& queues) : memory_(memory), queues_(queues) {}

  // See Device::write, read, fill and copy.
  Status write(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data);
  Status read(const Buffer& buffer, uint64_t offset_bytes, std::span<std::byte> data);
  Status fill(const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes, uint32_t value);
  Result<Submission> copy(const Buffer& destination, uint64_t destination_offset_bytes, const Buffer& source,
                          uint64_t source_offset_bytes, uint64_t size_bytes, std::span<const Submission> after);

 private:
  // Two halves, so that the host fills one while the engine empties the other.
  static constexpr uint64_t kStagingHalfBytes = uint64_t{2} << 20;

  Status prepare_staging();
  std::span<std::byte> staging_half(unsigned half) const;
  GpuAddr staging_address(unsigned half) const;
  Result<Submission> start_copy(GpuAddr destination, GpuAddr source, uint64_t size_bytes,
                                std::span<const Submission> after);

  MemoryManager& memory_;
  QueueSet& queues_;
  Buffer staging_;
};

}  // namespace bw::amdgpu
