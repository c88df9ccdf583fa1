#include "emulator/kernel/buffers.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/bits.h"
#include "emulator/kernel/user_memory.h"
#include "kfd/uapi.h"

namespace bw::emulator {
namespace {

namespace alloc_flag = kfd::uapi::alloc_flag;

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kVaEnd = 1ull << 47;

// The range is readable, and writable if the GPU is to write it; the kernel pins its pages likewise.
int check_user_range(uint64_t address, uint64_t size_bytes, bool writable) {
  if (int status = probe_user_range(address, size_bytes); status != 0) return status;
  if (!writable) return 0;
  if (::madvise(reinterpret_cast<void*>(address), size_bytes, MADV_POPULATE_WRITE) == 0) return 0;
  // -EINVAL is said of pages without the right to write, and by hosts before Linux 5.14, which do not know the request.
  if (errno != EINVAL) return -EFAULT;
  alignas(kPageBytes) std::byte own_page[kPageBytes];
  return ::madvise(own_page, kPageBytes, MADV_POPULATE_WRITE) == 0 ? -EFAULT : 0;
}

// What all buffers may take of the host's memory, and GTT of that.
struct SystemLimits {
  uint64_t all_bytes;
  uint64_t gtt_bytes;
};

// Linux amdgpu_amdkfd_gpuvm.c, amdgpu_amdkfd_gpuvm_init_mem_limits(); half of it for GTT: ttm_device.c, pages_limit.
SystemLimits system_limits() {
  constexpr uint64_t kReservedBytes = 1ull << 30;
  const uint64_t total = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * kPageBytes;
  const uint64_t most = user_memory_limit_bytes();
  return {most < 2 * kReservedBytes ? most / 2 : most - kReservedBytes, total / 2};
}

bool is_vram(const Buffer& buffer) {
  return (buffer.flags & alloc_flag::kVram) != 0;
}

bool is_host_visible(const Buffer& buffer) {
  return !is_vram(buffer) || (buffer.flags & alloc_flag::kPublic) != 0;
}

// Linux gmc_v11_0.c, gmc_v11_0_get_vm_pte(): MTYPE is UC for coherent and for uncached buffers, else NC.
bool is_uncached(const Buffer& buffer) {
  constexpr uint32_t kCoherence = alloc_flag::kCoherent | alloc_flag::kExtCoherent | alloc_flag::kUncached;
  return (buffer.flags & (kCoherence | alloc_flag::kDoorbell | alloc_flag::kMmioRemap)) != 0;
}

}  // namespace

BufferTable::BufferTable(const Arena& arena, std::span<const Card> cards) : arena_(arena), memory_(arena, cards) {
  for (const Card& card : cards) devices_.push_back(std::make_unique<Device>(card.gpu_id));
}

BufferTable::~BufferTable() = default;

int BufferTable::allocate(const BufferRequest& request, const Buffer** result) {
  if (request.size_bytes == 0 || request.size_bytes > kVaEnd) return -EINVAL;
  Buffer buffer;
  buffer.card = request.card;
  buffer.flags = request.flags;
  buffer.va = request.va;
  buffer.size_bytes = align_up(request.size_bytes, kPageBytes);
  if (int status = place(request, &buffer); status != 0) return status;
  *result = store(std::move(buffer));
  return 0;
}

const Buffer* BufferTable::store(Buffer buffer) {
  Device& device = *devices_[buffer.card];
  buffer.handle = make_u64(device.next_index++, device.gpu_id);
  const uint64_t handle = buffer.handle;
  system_bytes_ += buffer.system_bytes;
  if ((buffer.flags & alloc_flag::kGtt) != 0) gtt_bytes_ += buffer.system_bytes;
  return &buffers_.emplace(handle, std::move(buffer)).first->second;
}

int BufferTable::import(int dmabuf_fd, uint32_t card, uint64_t va, const Buffer** result) {
  Buffer buffer;
  if (int status = memory_.import(dmabuf_fd, &buffer.memory); status != 0) return status;
  buffer.card = card;
  buffer.flags = (buffer.memory->is_vram() ? alloc_flag::kVram : alloc_flag::kGtt) | alloc_flag::kWritable |
                 alloc_flag::kExecutable;
  buffer.va = va;
  buffer.size_bytes = buffer.memory->size_bytes();
  buffer.host = buffer.memory->host();
  buffer.arena_offset = buffer.memory->arena_offset();
  *result = store(std::move(buffer));
  return 0;
}

int BufferTable::place(const BufferRequest& request, Buffer* buffer) {
  const uint32_t type = request.flags & alloc_flag::kTypeMask;
  if (std::popcount(type) != 1) return -EINVAL;
  // Doubled rings are for the generations before gfx9.
  if ((request.flags & alloc_flag::kAqlQueueMem) != 0) return -EINVAL;
  switch (type) {
    case alloc_flag::kVram:
      return place_in_memory(buffer);
    case alloc_flag::kGtt:
      if (int status = reserve_system_memory(buffer); status != 0) return status;
      return place_in_memory(buffer);
    case alloc_flag::kUserptr:
      if (int status = reserve_system_memory(buffer); status != 0) return status;
      return place_user(request, buffer);
    case alloc_flag::kDoorbell:
      if (request.size_bytes != kfd::uapi::kDoorbellAreaBytes) return -EINVAL;
      buffer->arena_offset = arena_.doorbells(request.card).offset;
      buffer->host = arena_.doorbells(request.card).host;
      return 0;
    case alloc_flag::kMmioRemap:
      if (request.size_bytes != kPageBytes) return -EINVAL;
      buffer->arena_offset = arena_.mmio(request.card).offset;
      buffer->host = arena_.mmio(request.card).host;
      return 0;
  }
  return -EINVAL;
}

// Linux amdgpu_amdkfd_gpuvm.c, amdgpu_amdkfd_reserve_mem_limit().
int BufferTable::reserve_system_memory(Buffer* buffer) {
  static const SystemLimits limits = system_limits();
  const bool is_gtt = (buffer->flags & alloc_flag::kGtt) != 0;
  if (buffer->size_bytes > limits.all_bytes - std::min(system_bytes_, limits.all_bytes)) return -ENOMEM;
  if (is_gtt && buffer->size_bytes > limits.gtt_bytes - std::min(gtt_bytes_, limits.gtt_bytes)) return -ENOMEM;
  buffer->system_bytes = buffer->size_bytes;
  return 0;
}

int BufferTable::place_in_memory(Buffer* buffer) {
  buffer->memory = memory_.allocate(buffer->card, is_vram(*buffer), buffer->size_bytes);
  if (buffer->memory == nullptr) return -ENOMEM;
  buffer->arena_offset = buffer->memory->arena_offset();
  buffer->host = buffer->memory->host();
  return 0;
}

int BufferTable::place_user(const BufferRequest& request, Buffer* buffer) const {
  if (request.user_address == 0 || !is_aligned(request.user_address, kPageBytes)) return -EINVAL;
  const bool writable = (request.flags & alloc_flag::kWritable) != 0;
  if (int status = check_user_range(request.user_address, buffer->size_bytes, writable); status != 0) return status;
  buffer->host = reinterpret_cast<std::byte*>(request.user_address);
  return 0;
}

const Buffer* BufferTable::find(uint64_t handle) const {
  auto it = buffers_.find(handle);
  return it == buffers_.end() ? nullptr : &it->second;
}

Buffer* BufferTable::find_mutable(uint64_t handle) {
  auto it = buffers_.find(handle);
  return it == buffers_.end() ? nullptr : &it->second;
}

int BufferTable::release(uint64_t handle) {
  const Buffer* buffer = find(handle);
  if (buffer == nullptr) return -EINVAL;
  if (!buffer->mapped.empty()) return -EBUSY;
  system_bytes_ -= buffer->system_bytes;
  if ((buffer->flags & alloc_flag::kGtt) != 0) gtt_bytes_ -= buffer->system_bytes;
  buffers_.erase(handle);
  return 0;
}

int BufferTable::map(uint64_t handle, uint32_t card) {
  Buffer* buffer = find_mutable(handle);
  if (buffer == nullptr) return -EINVAL;
  if (buffer->mapped.contains(card)) return 0;
  if (!is_aligned(buffer->va, kPageBytes) || buffer->va == 0 || buffer->va >= kVaEnd ||
      buffer->size_bytes > kVaEnd - buffer->va) {
    return -EINVAL;
  }
  const int status = space(card).map(
      {.begin = buffer->va,
       .end = buffer->va + buffer->size_bytes,
       .host = buffer->host,
       .writable = (buffer->flags & alloc_flag::kWritable) != 0,
       .executable = (buffer->flags & alloc_flag::kExecutable) != 0,
       .uncached = is_uncached(*buffer),
       .host_sees = is_host_visible(*buffer),
       // What the host writes to another card's VRAM is held back in that card's host data path.
       .through_bar = is_vram(*buffer) && is_host_visible(*buffer) && buffer->card == card && !has_registers(),
       .shared = !buffer->mapped.empty()});
  if (status != 0) return status;
  for (const uint32_t other : buffer->mapped) space(other).share(buffer->va, buffer->va + buffer->size_bytes);
  buffer->mapped.insert(card);
  return 0;
}

bool BufferTable::has_registers() const {
  return std::any_of(buffers_.begin(), buffers_.end(),
                     [](const auto& entry) { return (entry.second.flags & alloc_flag::kMmioRemap) != 0; });
}

int BufferTable::unmap(uint64_t handle, uint32_t card) {
  Buffer* buffer = find_mutable(handle);
  if (buffer == nullptr) return -EINVAL;
  if (buffer->mapped.erase(card) != 0) space(card).unmap(buffer->va, buffer->va + buffer->size_bytes);
  return 0;
}

bool BufferTable::may_map(uint64_t arena_offset, uint64_t size_bytes) const {
  for (uint32_t card = 0; card < devices_.size(); ++card) {
    const ArenaRegion& doorbells = arena_.doorbells(card);
    if (doorbells.offset == arena_offset) return size_bytes == doorbells.size_bytes;
  }
  for (const auto& [handle, buffer] : buffers_) {
    const bool is_registers = (buffer.flags & alloc_flag::kMmioRemap) != 0;
    if (is_registers && buffer.arena_offset == arena_offset) return size_bytes <= buffer.size_bytes;
  }
  const MemoryBlock* block = memory_.find(arena_offset);
  return block != nullptr && size_bytes <= block->size_bytes() - (arena_offset - block->arena_offset());
}

bool BufferTable::has_mapped(uint32_t card, uint64_t begin, uint64_t end) const {
  return std::any_of(buffers_.begin(), buffers_.end(), [&](const auto& entry) {
    const Buffer& buffer = entry.second;
    return buffer.mapped.contains(card) && buffer.va < end && begin < buffer.va + buffer.size_bytes;
  });
}

bool BufferTable::has_user_buffer(uint64_t begin, uint64_t end) const {
  return std::any_of(buffers_.begin(), buffers_.end(), [&](const auto& entry) {
    const Buffer& buffer = entry.second;
    const auto host = reinterpret_cast<uint64_t>(buffer.host);
    return (buffer.flags & alloc_flag::kUserptr) != 0 && host < end && begin < host + buffer.size_bytes;
  });
}

std::set<uint32_t> BufferTable::invalidate_user_range(uint64_t begin, uint64_t end) {
  std::set<uint32_t> cards;
  for (auto& [handle, buffer] : buffers_) {
    if ((buffer.flags & alloc_flag::kUserptr) == 0) continue;
    const uint64_t host = reinterpret_cast<uint64_t>(buffer.host);
    if (host >= end || host + buffer.size_bytes <= begin) continue;
    for (uint32_t card : buffer.mapped) space(card).unmap(buffer.va, buffer.va + buffer.size_bytes);
    cards.insert(buffer.mapped.begin(), buffer.mapped.end());
  }
  return cards;
}

}  // namespace bw::emulator
