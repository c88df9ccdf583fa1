#include "amdgpu/memory.h"

#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "base/check.h"

namespace bw::amdgpu {

Buffer::Buffer(Buffer&& other) noexcept {
  *this = std::move(other);
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    release();
    holding_ = std::exchange(other.holding_, nullptr);
    kind_ = other.kind_;
    address_ = std::exchange(other.address_, GpuAddr{});
    size_bytes_ = std::exchange(other.size_bytes_, 0);
    host_ = std::exchange(other.host_, nullptr);
  }
  return *this;
}

Buffer::~Buffer() {
  release();
}

void Buffer::release() {
  if (holding_ == nullptr) return;
  detail::Holding* holding = std::exchange(holding_, nullptr);
  holding->is_owned = false;
  if (holding->pin_count == 0) MemoryManager::release(holding);
}

Status Buffer::free() {
  if (holding_ != nullptr && holding_->pin_count > 0) {
    return error(StatusCode::kInvalidArgument,
                 "freeing the buffer of {} bytes at {}: command graphs refer to it {} times (destroy them first)",
                 size_bytes_, address_, holding_->pin_count);
  }
  *this = Buffer();
  return Status::ok();
}

BufferPin::BufferPin(const Buffer& buffer) : holding_(buffer.holding_) {
  BW_CHECK(holding_ != nullptr);
  ++holding_->pin_count;
}

BufferPin& BufferPin::operator=(BufferPin&& other) noexcept {
  std::swap(holding_, other.holding_);
  return *this;
}

BufferPin::~BufferPin() {
  if (holding_ == nullptr || --holding_->pin_count > 0 || holding_->is_owned) return;
  MemoryManager::release(holding_);
}

std::shared_ptr<MemoryManager> MemoryManager::create(std::shared_ptr<DriverSession> session, kfd::Gpu& gpu) {
  return std::shared_ptr<MemoryManager>(new MemoryManager(std::move(session), gpu));  // NOLINT: private
}

Status MemoryManager::share(const Buffer& buffer) {
  if (!buffer.is_valid() || buffer.holding_->manager.get() != this) {
    return error(StatusCode::kInvalidArgument, "sharing a buffer that is none of gpu {}", gpu_.id());
  }
  return buffer.holding_->block->allocation.map_to(session_->peers_of(gpu_));
}

Result<Buffer> MemoryManager::allocate(MemoryKind kind, uint64_t size_bytes) {
  if (size_bytes == 0) return error(StatusCode::kInvalidArgument, "allocating 0 bytes of {}", kfd::name_of(kind));
  if (size_bytes < kDedicatedBytes) {
    for (auto& block : blocks_) {
      if (block->is_shared && block->allocation.kind() == kind) {
        if (auto offset = block->ranges.take(size_bytes)) return carve(*block, *offset, size_bytes);
      }
    }
  }
  const bool is_shared = size_bytes < kDedicatedBytes;
  kfd::MemoryRequest request{.kind = kind, .size_bytes = is_shared ? kBlockBytes : size_bytes};
  if (request.size_bytes >= kBlockBytes) request.alignment_bytes = kBlockBytes;
  BW_ASSIGN(detail::MemoryBlock * block, add_block(request));
  block->is_shared = is_shared;
  auto offset = block->ranges.take(size_bytes);
  BW_CHECK(offset.has_value());
  return carve(*block, *offset, size_bytes);
}

Result<Buffer> MemoryManager::import_host_memory(std::span<std::byte> pages) {
  if (pages.empty()) return error(StatusCode::kInvalidArgument, "importing 0 bytes of host memory");
  BW_ASSIGN(detail::MemoryBlock * block, add_block({.kind = MemoryKind::kUserptr,
                                                    .size_bytes = pages.size(),
                                                    .userptr = static_cast<void*>(pages.data())}));
  auto offset = block->ranges.take(pages.size());
  BW_CHECK(offset.has_value());
  return carve(*block, *offset, pages.size());
}

std::optional<GpuAddr> MemoryManager::find_host_memory(std::span<const std::byte> bytes) const {
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  for (const auto& block : blocks_) {
    const kfd::Allocation& allocation = block->allocation;
    if (allocation.kind() != MemoryKind::kGtt && allocation.kind() != MemoryKind::kUserptr) continue;
    const auto first = reinterpret_cast<uintptr_t>(allocation.host_data());
    if (begin < first || begin - first > allocation.size_bytes()) continue;
    if (bytes.size() <= allocation.size_bytes() - (begin - first)) return allocation.gpu_address() + (begin - first);
  }
  return std::nullopt;
}

Result<detail::MemoryBlock*> MemoryManager::add_block(const kfd::MemoryRequest& request) {
  auto allocation = kfd::Allocation::create(gpu_, request);
  if (!allocation.is_ok()) {
    return std::move(allocation)
        .status()
        .with_context(fmt::format("{} bytes of {} beside {} bytes in use", request.size_bytes,
                                  kfd::name_of(request.kind), allocated_bytes_));
  }
  auto block = std::make_unique<detail::MemoryBlock>();
  block->allocation = std::move(allocation).value();
  block->ranges = RangeAllocator(block->allocation.size_bytes(), kAlignmentBytes);
  allocated_bytes_ += block->allocation.size_bytes();
  blocks_.push_back(std::move(block));
  return blocks_.back().get();
}

Buffer MemoryManager::carve(detail::MemoryBlock& block, uint64_t offset_bytes, uint64_t size_bytes) {
  Buffer buffer;
  buffer.kind_ = block.allocation.kind();
  buffer.address_ = block.allocation.gpu_address() + offset_bytes;
  buffer.holding_ = new detail::Holding{.manager = shared_from_this(), .block = &block, .address = buffer.address_};
  buffer.size_bytes_ = size_bytes;
  std::byte* host = block.allocation.host_data();
  buffer.host_ = host == nullptr ? nullptr : host + offset_bytes;
  return buffer;
}

void MemoryManager::release(detail::Holding* holding) {
  const std::unique_ptr<detail::Holding> owned(holding);
  MemoryManager& manager = *owned->manager;
  detail::MemoryBlock* block = owned->block;
  block->ranges.give_back(owned->address - block->allocation.gpu_address());
  if (!block->ranges.is_unused()) return;
  // One empty shared block of each kind stays, so that a buffer that comes and goes does not cost system calls.
  auto& blocks = manager.blocks_;
  const bool is_only_one = std::none_of(blocks.begin(), blocks.end(), [block](const auto& other) {
    return other.get() != block && other->is_shared && other->allocation.kind() == block->allocation.kind();
  });
  if (block->is_shared && is_only_one) return;
  manager.allocated_bytes_ -= block->allocation.size_bytes();
  auto position = std::find_if(blocks.begin(), blocks.end(), [block](const auto& b) { return b.get() == block; });
  BW_CHECK(position != blocks.end());
  blocks.erase(position);
}

}  // namespace bw::amdgpu
