#include "emulator/kernel/device_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "base/bits.h"

namespace bw::emulator {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kLargePageBytes = 2ull << 20;  // fragment of the card's page tables
// What the kernel keeps of VRAM for page tables and itself; unverified as a number.
constexpr uint64_t kReservedVramBytes = 64ull << 20;
constexpr std::string_view kVramName = "barewave-dmabuf-vram-";
constexpr std::string_view kGttName = "barewave-dmabuf-gtt-";

// The name that the memfd was created with; "" for other files. Past the libc, since a preloaded emulator has its own
// readlink there.
std::string memfd_name(int fd) {
  const std::string link = fmt::format("/proc/self/fd/{}", fd);
  std::array<char, 128> target;
  const long length = ::syscall(SYS_readlink, link.c_str(), target.data(), target.size());
  constexpr std::string_view kBegin = "/memfd:", kEnd = " (deleted)";
  if (length <= 0) return "";
  std::string_view text(target.data(), static_cast<size_t>(length));
  if (!text.starts_with(kBegin) || !text.ends_with(kEnd)) return "";
  text.remove_prefix(kBegin.size());
  text.remove_suffix(kEnd.size());
  return std::string(text);
}

// What the name of a dma-buf tells.
struct Origin {
  bool is_vram = false;
  uint32_t card = 0;
};

std::string name_of(const Origin& origin) {
  return fmt::format("{}{}", origin.is_vram ? kVramName : kGttName, origin.card);
}

std::optional<Origin> parse_name(std::string_view name, uint32_t card_count) {
  Origin origin{.is_vram = name.starts_with(kVramName)};
  if (!origin.is_vram && !name.starts_with(kGttName)) return std::nullopt;
  name.remove_prefix(origin.is_vram ? kVramName.size() : kGttName.size());
  const auto [end, error] = std::from_chars(name.begin(), name.end(), origin.card);
  if (error != std::errc() || end != name.end() || origin.card >= card_count) return std::nullopt;
  return origin;
}

std::string read_all(const char* path) {
  std::string text;
  const UniqueFd fd(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)));
  std::array<char, 16384> chunk;
  for (ssize_t count; fd.is_valid() && (count = ::read(fd.get(), chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<size_t>(count));
  }
  return text;
}

// One line of /proc/self/maps.
struct HostMapping {
  uint64_t begin = 0, end = 0, offset = 0, inode = 0;
  unsigned major = 0, minor = 0;
  std::array<char, 5> rights{};

  int protection() const {
    return (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) |
           (rights[2] == 'x' ? PROT_EXEC : 0);
  }
};

std::vector<HostMapping> mappings_of_file(int fd) {
  std::vector<HostMapping> result;
  struct stat status {};
  if (::fstat(fd, &status) != 0) return result;
  const std::string text = read_all("/proc/self/maps");
  for (size_t at = 0; at < text.size();) {
    const size_t line_end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, line_end - at);
    at = line_end + 1;
    HostMapping mapping;
    const int fields =
        std::sscanf(line.c_str(), "%lx-%lx %4s %lx %x:%x %lu", &mapping.begin, &mapping.end, mapping.rights.data(),
                    &mapping.offset, &mapping.major, &mapping.minor, &mapping.inode);
    if (fields == 7 && mapping.inode == status.st_ino && mapping.rights[3] == 's') result.push_back(mapping);
  }
  return result;
}

// Copies what [offset, offset + size) of one file holds to the beginning of the other, leaving holes out.
int copy_content(int from, uint64_t offset, uint64_t size_bytes, int to) {
  std::vector<std::byte> chunk(1 << 20);
  const auto end = static_cast<off_t>(offset + size_bytes);
  auto at = static_cast<off_t>(offset);
  while (at < end) {
    // The position is shared with all who hold the arena, but nobody reads or writes it by position.
    at = ::lseek(from, at, SEEK_DATA);
    if (at < 0 || at >= end) return 0;
    const size_t want = std::min<size_t>(chunk.size(), static_cast<size_t>(end - at));
    const ssize_t count = ::pread(from, chunk.data(), want, at);
    if (count <= 0) return -EIO;
    if (::pwrite(to, chunk.data(), static_cast<size_t>(count), at - static_cast<off_t>(offset)) != count)
      return -ENOMEM;
    at += count;
  }
  return 0;
}

}  // namespace

MemoryBlock::~MemoryBlock() {
  pool_.release(*this);
}

DeviceMemory::DeviceMemory(const Arena& arena, std::span<const Card> cards)
    : arena_(arena),
      free_gtt_(arena.gtt().offset, arena.gtt().size_bytes),
      free_import_offsets_(arena.import_offset(), arena.import_bytes()) {
  for (const Card& card : cards) {
    const ArenaRegion& vram = arena.vram(card.index);
    free_vram_.emplace_back(vram.offset, vram.size_bytes);
  }
}

const ArenaRegion& DeviceMemory::region_of(const MemoryBlock& block) const {
  return block.is_vram_ ? arena_.vram(block.card_) : arena_.gtt();
}

RangeAllocator& DeviceMemory::allocator_of(const MemoryBlock& block) {
  if (block.is_imported_) return free_import_offsets_;
  return block.is_vram_ ? free_vram_[block.card_] : free_gtt_;
}

std::shared_ptr<MemoryBlock> DeviceMemory::allocate(uint32_t card, bool is_vram, uint64_t size_bytes) {
  if (is_vram && size_bytes > available_vram_bytes(card)) return nullptr;
  RangeAllocator& allocator = is_vram ? free_vram_[card] : free_gtt_;
  const auto offset = allocator.allocate(size_bytes, size_bytes >= kLargePageBytes ? kLargePageBytes : kPageBytes);
  if (!offset) return nullptr;
  std::shared_ptr<MemoryBlock> block(new MemoryBlock(*this));
  block->card_ = card;
  block->is_vram_ = is_vram;
  block->size_bytes_ = size_bytes;
  block->arena_offset_ = *offset;
  block->host_ = region_of(*block).at(*offset);
  by_offset_.insert_or_assign(*offset, block);
  return block;
}

void DeviceMemory::release(MemoryBlock& block) {
  if (block.is_imported_) {
    ::munmap(block.host_, block.size_bytes_);
  } else if (block.is_shared()) {
    // The arena's own pages again. Should that fail, what comes here next shares memory with the dma-buf's holders.
    (void)::mmap(block.host_, block.size_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
                 arena_.fd(), static_cast<off_t>(block.arena_offset_));
  }
  if (!block.is_imported_) arena_.discard(block.arena_offset_, block.size_bytes_);
  by_offset_.erase(block.arena_offset_);
  FileId id;
  if (block.is_shared() && file_id(block.dmabuf(), &id) == 0) shared_.erase(id);
  allocator_of(block).release(block.arena_offset_, block.size_bytes_);
}

int DeviceMemory::file_id(int fd, FileId* id) {
  struct stat status {};
  // Past the libc: a preloaded emulator has its own fstat there.
  if (::syscall(SYS_fstat, fd, &status) != 0) return -EBADF;
  *id = {.device = status.st_dev, .inode = status.st_ino};
  return 0;
}

int DeviceMemory::replace_mappings(uint64_t arena_offset, uint64_t size_bytes, int fd) const {
  for (const HostMapping& mapping : mappings_of_file(arena_.fd())) {
    const uint64_t begin = std::max(mapping.offset, arena_offset);
    const uint64_t end = std::min(mapping.offset + (mapping.end - mapping.begin), arena_offset + size_bytes);
    if (begin >= end) continue;
    void* address = reinterpret_cast<void*>(mapping.begin + (begin - mapping.offset));
    if (::mmap(address, end - begin, mapping.protection(), MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
               static_cast<off_t>(begin - arena_offset)) == MAP_FAILED) {
      return -ENOMEM;
    }
  }
  return 0;
}

int DeviceMemory::share(MemoryBlock& block) {
  if (block.is_shared()) return 0;
  const std::string name = name_of({.is_vram = block.is_vram_, .card = block.card_});
  UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.is_valid()) return -errno;
  if (::ftruncate(fd.get(), static_cast<off_t>(block.size_bytes_)) != 0) return -errno;
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return -errno;
  if (int status = copy_content(arena_.fd(), block.arena_offset_, block.size_bytes_, fd.get()); status != 0) {
    return status;
  }
  FileId id;
  if (int status = file_id(fd.get(), &id); status != 0) return status;
  if (int status = replace_mappings(block.arena_offset_, block.size_bytes_, fd.get()); status != 0) return status;
  arena_.discard(block.arena_offset_, block.size_bytes_);
  block.dmabuf_ = std::move(fd);
  const auto self = by_offset_.find(block.arena_offset_);
  if (self != by_offset_.end()) shared_.insert_or_assign(id, self->second);
  return 0;
}

std::shared_ptr<MemoryBlock> DeviceMemory::find_shared(const FileId& id) const {
  const auto it = shared_.find(id);
  return it == shared_.end() ? nullptr : it->second.lock();
}

int DeviceMemory::import(int fd, std::shared_ptr<MemoryBlock>* block) {
  FileId id;
  if (int status = file_id(fd, &id); status != 0) return status;
  *block = find_shared(id);
  if (*block != nullptr) return 0;
  if (int status = adopt(fd, block); status != 0) return status;
  shared_.insert_or_assign(id, *block);
  return 0;
}

// Memory of another process.
int DeviceMemory::adopt(int fd, std::shared_ptr<MemoryBlock>* result) {
  const auto origin = parse_name(memfd_name(fd), static_cast<uint32_t>(free_vram_.size()));
  if (!origin) return -EINVAL;
  struct stat status {};
  if (::syscall(SYS_fstat, fd, &status) != 0) return -errno;
  const auto size_bytes = static_cast<uint64_t>(status.st_size);
  if (size_bytes == 0 || !is_aligned(size_bytes, kPageBytes)) return -EINVAL;
  // Else its owner could cut the memory off under the engines.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return -EINVAL;
  UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own.is_valid()) return -errno;
  void* host = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, own.get(), 0);
  if (host == MAP_FAILED) return -errno;
  const auto offset = free_import_offsets_.allocate(size_bytes, kPageBytes);
  if (!offset) {
    ::munmap(host, size_bytes);
    return -ENOMEM;
  }
  std::shared_ptr<MemoryBlock> block(new MemoryBlock(*this));
  block->card_ = origin->card;
  block->is_vram_ = origin->is_vram;
  block->is_imported_ = true;
  block->size_bytes_ = size_bytes;
  block->arena_offset_ = *offset;
  block->host_ = static_cast<std::byte*>(host);
  block->dmabuf_ = std::move(own);
  by_offset_.insert_or_assign(*offset, block);
  *result = std::move(block);
  return 0;
}

const MemoryBlock* DeviceMemory::find(uint64_t arena_offset) const {
  auto it = by_offset_.upper_bound(arena_offset);
  if (it == by_offset_.begin()) return nullptr;
  // Blocks leave the map before they are gone: whoever is in it is alive.
  const MemoryBlock* block = std::prev(it)->second.lock().get();
  return block != nullptr && arena_offset - block->arena_offset_ < block->size_bytes_ ? block : nullptr;
}

uint64_t DeviceMemory::available_vram_bytes(uint32_t card) const {
  const uint64_t free_bytes = free_vram_[card].free_bytes();
  return free_bytes > kReservedVramBytes ? align_down(free_bytes - kReservedVramBytes, kLargePageBytes) : 0;
}

uint64_t DeviceMemory::used_vram_bytes(uint32_t card) const {
  return arena_.vram(card).size_bytes - free_vram_[card].free_bytes();
}

uint64_t DeviceMemory::used_gtt_bytes() const {
  return arena_.gtt().size_bytes - free_gtt_.free_bytes();
}

}  // namespace bw::emulator
