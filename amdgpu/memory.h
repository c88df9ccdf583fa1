// Owns: memory for everything above: buffers of each kind, small ones carved out of shared blocks so that they cost no
// system call. Not here: how the driver maps memory (kfd/memory.h), and moving data (device.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "amdgpu/driver_session.h"
#include "amdgpu/range_allocator.h"
#include "base/gpu_addr.h"
#include "base/status.h"
#include "kfd/memory.h"
#include "kfd/process.h"

namespace bw::amdgpu {

using kfd::MemoryKind;

class MemoryManager;

namespace detail {
// One allocation of the driver. Blocks of small buffers hand out ranges; a large buffer has one for itself.
struct MemoryBlock {
  kfd::Allocation allocation;
  RangeAllocator ranges;
  bool is_shared = false;
};

// A range of a block that was handed out: while the buffer lives, or somebody holds a pin.
struct Holding {
  std::shared_ptr<MemoryManager> manager;
  MemoryBlock* block = nullptr;
  GpuAddr address;
  uint32_t pin_count = 0;
  bool is_owned = true;  // the buffer has not gone
};
}  // namespace detail

// A piece of GPU memory; move-only. It keeps the driver's objects alive, so it may go after its Device, but the GPU
// must be done with it: whoever frees it waits for the submissions that use it first. The memory of one that a command
// graph refers to stays until the graph has gone.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  bool is_valid() const { return holding_ != nullptr; }
  // Gives the memory back. kInvalidArgument, and the buffer stays as it is, while command graphs refer to it.
  Status free();
  MemoryKind kind() const { return kind_; }
  GpuAddr gpu_addr() const { return address_; }
  uint64_t size_bytes() const { return size_bytes_; }
  // The same bytes for the host; empty if it cannot reach them. Reading VRAM this way is slow on a real card.
  std::span<std::byte> host() const { return {host_, host_ == nullptr ? 0 : size_bytes_}; }

 private:
  friend class BufferPin;
  friend class MemoryManager;
  void release();

  detail::Holding* holding_ = nullptr;
  MemoryKind kind_ = MemoryKind::kVram;
  GpuAddr address_;
  uint64_t size_bytes_ = 0;
  std::byte* host_ = nullptr;
};

// Keeps a buffer's memory where it is, also when the buffer goes; move-only.
class BufferPin {
 public:
  BufferPin() = default;
  // The buffer must be valid.
  explicit BufferPin(const Buffer& buffer);
  BufferPin(BufferPin&& other) noexcept : holding_(std::exchange(other.holding_, nullptr)) {}
  BufferPin& operator=(BufferPin&& other) noexcept;
  BufferPin(const BufferPin&) = delete;
  BufferPin& operator=(const BufferPin&) = delete;
  ~BufferPin();

 private:
  detail::Holding* holding_ = nullptr;
};

// Hands out buffers of one GPU; safe from one thread at a time.
class MemoryManager : public std::enable_shared_from_this<MemoryManager> {
 public:
  static constexpr uint64_t kAlignmentBytes = 256;                  // of every buffer: what code and scratch need
  static constexpr uint64_t kBlockBytes = uint64_t{2} << 20;        // of small buffers; a page of the card's tables
  static constexpr uint64_t kDedicatedBytes = uint64_t{512} << 10;  // from here on a buffer has its own allocation

  // `gpu` is one of the session's.
  static std::shared_ptr<MemoryManager> create(std::shared_ptr<DriverSession> session, kfd::Gpu& gpu);

  // kInvalidArgument for 0 bytes; kOutOfMemory and others as the driver says.
  Result<Buffer> allocate(MemoryKind kind, uint64_t size_bytes);
  // Makes memory of this process reachable for the GPU (USERPTR). Address and size are multiples of 4096; the memory
  // must stay until the buffer has gone.
  Result<Buffer> import_host_memory(std::span<std::byte> pages);

  // Where the GPU finds these bytes of the host's memory, if all of them are within one allocation of kGtt or kUserptr.
  std::optional<GpuAddr> find_host_memory(std::span<const std::byte> bytes) const;

  // Lets all GPUs of the session reach the buffer, which is one of this manager's. What shares its block is mapped with
  // it. Errors: the driver's, with the GPU that refused.
  Status share(const Buffer& buffer);

  kfd::Gpu& gpu() { return gpu_; }
  // Allocations of the driver that stand at the moment.
  size_t allocation_count() const { return blocks_.size(); }
  uint64_t allocated_bytes() const { return allocated_bytes_; }

 private:
  friend class Buffer;
  friend class BufferPin;
  MemoryManager(std::shared_ptr<DriverSession> session, kfd::Gpu& gpu) : session_(std::move(session)), gpu_(gpu) {}

  Result<detail::MemoryBlock*> add_block(const kfd::MemoryRequest& request);
  Buffer carve(detail::MemoryBlock& block, uint64_t offset_bytes, uint64_t size_bytes);
  // Of memory that has neither buffer nor pins.
  static void release(detail::Holding* holding);

  std::shared_ptr<DriverSession> session_;
  kfd::Gpu& gpu_;
  std::vector<std::unique_ptr<detail::MemoryBlock>> blocks_;
  uint64_t allocated_bytes_ = 0;
};

}  // namespace bw::amdgpu
