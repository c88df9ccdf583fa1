// Owns: the buffers of one process: where their memory comes from, their handles, and their mapping into the page
// tables of each card. Semantics follow Linux, kfd_chardev.c and amdgpu_amdkfd_gpuvm.c (6.6). Not here: the argument
// structs' way in and out (emulator/kernel/memory_ioctls). Callers hold the process's mutex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "emulator/card.h"
#include "emulator/kernel/device_memory.h"
#include "emulator/memory/address_space.h"
#include "emulator/memory/arena.h"

namespace bw::emulator {

struct Buffer {
  uint64_t handle = 0;
  uint32_t card = 0;
  uint32_t flags = 0;  // kfd::uapi::alloc_flag
  uint64_t va = 0;
  uint64_t size_bytes = 0;  // whole pages
  std::byte* host = nullptr;
  uint64_t arena_offset = 0;            // 0 for USERPTR, which is the client's own memory
  std::shared_ptr<MemoryBlock> memory;  // VRAM and GTT
  std::set<uint32_t> mapped;            // cards
  uint64_t system_bytes = 0;            // of the host's memory, as far as that is counted
};

struct BufferRequest {
  uint32_t card = 0;
  uint32_t flags = 0;
  uint64_t va = 0;
  uint64_t size_bytes = 0;
  uint64_t user_address = 0;  // USERPTR
};

// Calls that return int return 0 or a negative errno.
class BufferTable {
 public:
  BufferTable(const Arena& arena, std::span<const Card> cards);
  ~BufferTable();

  int allocate(const BufferRequest& request, const Buffer** buffer);
  // The memory of a dma-buf as a further buffer at `va`, which may be 0 if it is not to be mapped by handle.
  int import(int dmabuf_fd, uint32_t card, uint64_t va, const Buffer** buffer);
  int release(uint64_t handle);
  const Buffer* find(uint64_t handle) const;
  int map(uint64_t handle, uint32_t card);
  int unmap(uint64_t handle, uint32_t card);
  // Whether [offset, offset + size) of the arena is one that a client may map: part of a buffer or of other memory of a
  // card, or a whole doorbell area.
  bool may_map(uint64_t arena_offset, uint64_t size_bytes) const;
  // Whether a buffer is mapped on that card somewhere in [begin, end).
  bool has_mapped(uint32_t card, uint64_t begin, uint64_t end) const;
  // Whether the client's memory in [begin, end) is, in part, that of a USERPTR buffer.
  bool has_user_buffer(uint64_t begin, uint64_t end) const;
  // The client takes [begin, end) of its own memory away: buffers over it leave the page tables. The cards
  // that had any.
  std::set<uint32_t> invalidate_user_range(uint64_t begin, uint64_t end);

  AddressSpace& space(uint32_t card) { return devices_[card]->space; }
  DeviceMemory& memory() { return memory_; }

 private:
  struct Device {
    explicit Device(uint32_t id) : gpu_id(id) {}
    uint32_t gpu_id;
    uint32_t next_index = 1;
    AddressSpace space;
  };

  int place(const BufferRequest& request, Buffer* buffer);
  int place_in_memory(Buffer* buffer);
  // The host's memory is limited, before programs take so much that the host is without.
  int reserve_system_memory(Buffer* buffer);
  const Buffer* store(Buffer buffer);
  int place_user(const BufferRequest& request, Buffer* buffer) const;
  Buffer* find_mutable(uint64_t handle);
  // Whether the client has the page of registers by which it can flush the host data path itself, unseen.
  bool has_registers() const;

  const Arena& arena_;
  std::vector<std::unique_ptr<Device>> devices_;
  DeviceMemory memory_;
  std::map<uint64_t, Buffer> buffers_;  // by handle
  uint64_t system_bytes_ = 0;           // GTT and USERPTR
  uint64_t gtt_bytes_ = 0;
};

}  // namespace bw::emulator
