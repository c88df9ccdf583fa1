// Owns: which parts of the arena are in use as VRAM and host memory of the cards (GTT), by whom, and the descriptors
// that stand for such memory (dma-buf). Not here: handles and mappings (emulator/kernel/buffers, emulator/kernel/gem).
//
// A dma-buf is a file of its own, a memfd as long as the memory, so that its holder can ask for its size and map it,
// in this process or another. Memory that is exported for the first time therefore moves: its content is copied to the
// memfd, which then takes the place of the arena's pages wherever this process has them mapped - the emulator and the
// client alike, at the same addresses. What is written while it moves may be lost. Later mappings have to go
// through EmulatedDriver::mmap(), which knows where the memory is now. The name of the memfd tells another process
// what kind of memory it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/card.h"
#include "emulator/memory/arena.h"
#include "emulator/memory/range_allocator.h"

namespace bw::emulator {

class DeviceMemory;

// One piece of memory. Goes back when the last buffer that holds it goes.
class MemoryBlock {
 public:
  ~MemoryBlock();
  MemoryBlock(const MemoryBlock&) = delete;
  MemoryBlock& operator=(const MemoryBlock&) = delete;

  uint32_t card() const { return card_; }
  bool is_vram() const { return is_vram_; }
  uint64_t size_bytes() const { return size_bytes_; }  // whole pages
  std::byte* host() const { return host_; }
  // Where a render node maps it.
  uint64_t arena_offset() const { return arena_offset_; }
  bool is_imported() const { return is_imported_; }
  bool is_shared() const { return dmabuf_.is_valid(); }
  int dmabuf() const { return dmabuf_.get(); }

  // What graphics drivers attach to a buffer for others to read.
  struct Metadata {
    uint64_t flags = 0;
    uint64_t tiling_info = 0;
    std::vector<std::byte> bytes;
  };
  Metadata metadata;

 private:
  friend class DeviceMemory;
  explicit MemoryBlock(DeviceMemory& pool) : pool_(pool) {}

  DeviceMemory& pool_;
  uint32_t card_ = 0;
  bool is_vram_ = false;
  bool is_imported_ = false;
  uint64_t size_bytes_ = 0;
  uint64_t arena_offset_ = 0;
  std::byte* host_ = nullptr;
  UniqueFd dmabuf_;
};

// Callers hold the process's mutex. Calls that return int return 0 or a negative errno.
class DeviceMemory {
 public:
  DeviceMemory(const Arena& arena, std::span<const Card> cards);

  // Nothing if there is no room. Content is zero.
  std::shared_ptr<MemoryBlock> allocate(uint32_t card, bool is_vram, uint64_t size_bytes);
  // Gives the block a dma-buf, which dmabuf() then is.
  int share(MemoryBlock& block);
  // The memory that `fd` stands for: a block of this process, or one of another that is mapped now.
  // -EBADF for no descriptor, -EINVAL for one that is no dma-buf of a card.
  int import(int fd, std::shared_ptr<MemoryBlock>* block);

  // The block at that offset of the arena; nullptr if there is none.
  const MemoryBlock* find(uint64_t arena_offset) const;
  uint64_t available_vram_bytes(uint32_t card) const;
  uint64_t used_vram_bytes(uint32_t card) const;
  uint64_t used_gtt_bytes() const;

 private:
  friend class MemoryBlock;
  struct FileId {
    uint64_t device = 0, inode = 0;
    auto operator<=>(const FileId&) const = default;
  };

  const ArenaRegion& region_of(const MemoryBlock& block) const;
  RangeAllocator& allocator_of(const MemoryBlock& block);
  void release(MemoryBlock& block);
  static int file_id(int fd, FileId* id);
  std::shared_ptr<MemoryBlock> find_shared(const FileId& id) const;
  int adopt(int fd, std::shared_ptr<MemoryBlock>* block);
  // Puts the pages of `fd` in the place of the arena's in all mappings of this process.
  int replace_mappings(uint64_t arena_offset, uint64_t size_bytes, int fd) const;

  const Arena& arena_;
  std::vector<RangeAllocator> free_vram_;  // by card
  RangeAllocator free_gtt_;
  RangeAllocator free_import_offsets_;
  std::map<uint64_t, std::weak_ptr<MemoryBlock>> by_offset_;
  std::map<FileId, std::weak_ptr<MemoryBlock>> shared_;
};

}  // namespace bw::emulator
