// Owns: moving bytes between the host and buffers: directly where that is quick, else by the copy engine, from and to
// staging memory or memory of the caller that the GPU reaches. Not here: which submissions use what (queue_set.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "amdgpu/memory.h"
#include "amdgpu/queue_set.h"

namespace bw::amdgpu {

// Host memory through which data passes in parts, so that the host fills or empties some while the engine works on the
// others. For one direction.
class StagingRing {
 public:
  static constexpr uint64_t kPartBytes = uint64_t{2} << 20;
  static constexpr size_t kParts = 4;

  struct Part {
    GpuAddr address;
    std::span<std::byte> host;
    Submission last;  // that uses it
  };

  // Allocates the memory when it is first called.
  Status prepare(MemoryManager& memory);
  // The part that is longest in use.
  Part& next() { return parts_[next_++ % kParts]; }

 private:
  Buffer memory_;
  std::array<Part, kParts> parts_;
  size_t next_ = 0;
};

// For one thread at a time. Ranges are checked; kInvalidArgument for one that leaves its buffer.
class Transfer {
 public:
  Transfer(MemoryManager& memory, QueueSet& queues) : memory_(memory), queues_(queues) {}

  // See Device.
  Result<Submission> upload(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data);
  Status write(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data);
  Status read(const Buffer& buffer, uint64_t offset_bytes, std::span<std::byte> data);
  Status fill(const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes, uint32_t value);
  Result<Submission> copy(const Buffer& destination, uint64_t destination_offset_bytes, const Buffer& source,
                          uint64_t source_offset_bytes, uint64_t size_bytes, std::span<const Submission> after);
  Status wait_for_users(const Buffer& buffer);

 private:
  Status write_directly(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data);
  Status download(GpuAddr source, std::span<std::byte> data, std::span<const Submission> after);

  MemoryManager& memory_;
  QueueSet& queues_;
  StagingRing uploads_;
  StagingRing downloads_;
};

}  // namespace bw::amdgpu
