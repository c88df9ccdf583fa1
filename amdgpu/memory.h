// Owns: memory for everything above: buffers of each kind, small ones carved out of shared blocks so that they cost no
// system call. Not here: how the driver maps memory (kfd/memory.h), and moving data (device.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

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
}  // namespace detail

// A piece of GPU memory; move-only. It keeps the driver's objects alive, so it may go after its Device, but the GPU
// must be done with it: whoever frees it waits for the submissions that use it first.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  bool is_valid() const { return manager_ != nullptr; }
  MemoryKind kind() const { return kind_; }
  GpuAddr gpu_addr() const { return address_; }
  uint64_t size_bytes() const { return size_bytes_; }
  // The same bytes for the host; empty if it cannot reach them. Reading VRAM this way is slow on a real card.
  std::span<std::byte> host() const { return {host_, host_ == nullptr ? 0 : size_bytes_}; }

 private:
  friend class MemoryManager;

  std::shared_ptr<MemoryManager> manager_;
  detail::MemoryBlock* block_ = nullptr;
  MemoryKind kind_ = MemoryKind::kVram;
  GpuAddr address_;
  uint64_t size_bytes_ = 0;
  std::byte* host_ = nullptr;
};

// The open driver: what all memory stands on.
struct DriverSession {
  std::unique_ptr<kfd::Process> process;
  std::unique_ptr<kfd::Gpu> gpu;  // goes first
};

// Hands out buffers; safe from one thread at a time.
class MemoryManager : public std::enable_shared_from_this<MemoryManager> {
 public:
  static constexpr uint64_t kAlignmentBytes = 256;                  // of every buffer: what code and scratch need
  static constexpr uint64_t kBlockBytes = uint64_t{2} << 20;        // of small buffers; a page of the card's tables
  static constexpr uint64_t kDedicatedBytes = uint64_t{512} << 10;  // from here on a buffer has its own allocation

  static std::shared_ptr<MemoryManager> create(std::shared_ptr<DriverSession> session);

  // kInvalidArgument for 0 bytes; kOutOfMemory and others as the driver says.
  Result<Buffer> allocate(MemoryKind kind, uint64_t size_bytes);
  // Makes memory of this process reachable for the GPU (USERPTR). Address and size are multiples of 4096; the memory
  // must stay until the buffer has gone.
  Result<Buffer> import_host_memory(std::span<std::byte> pages);

  kfd::Gpu& gpu() { return *session_->gpu; }
  // Allocations of the driver that stand at the moment.
  size_t allocation_count() const { return blocks_.size(); }
  uint64_t allocated_bytes() const { return allocated_bytes_; }

 private:
  friend class Buffer;
  explicit MemoryManager(std::shared_ptr<DriverSession> session) : session_(std::move(session)) {}

  Result<detail::MemoryBlock*> add_block(const kfd::MemoryRequest& request);
  Buffer carve(detail::MemoryBlock& block, uint64_t offset_bytes, uint64_t size_bytes);
  void release(detail::MemoryBlock* block, GpuAddr address);

  std::shared_ptr<DriverSession> session_;
  std::vector<std::unique_ptr<detail::MemoryBlock>> blocks_;
  uint64_t allocated_bytes_ = 0;
};

}  // namespace bw::amdgpu
