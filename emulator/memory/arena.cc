#include "emulator/memory/arena.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "kfd/uapi.h"

namespace bw::emulator {
namespace {

constexpr uint64_t kGiB = 1ull << 30;
constexpr uint64_t kArenaBytes = 1ull << 45;
// No region begins at 0: an mmap offset of 0 would look like "none" to a client.
constexpr uint64_t kVramBase = 64 * kGiB;
constexpr uint64_t kVramStride = 64 * kGiB;
// Old user space masks off the low 32 bits of a doorbell offset: areas stand 4 GiB apart.
constexpr uint64_t kDoorbellBase = 1ull << 40;
constexpr uint64_t kDoorbellStride = 4 * kGiB;
constexpr uint64_t kGttBase = 1ull << 41;
constexpr uint64_t kGttBytes = 64 * kGiB;
constexpr uint64_t kEventPageBase = 1ull << 42;
constexpr uint64_t kMmioBase = 1ull << 43;
constexpr uint64_t kMmioBytes = 4096;
constexpr int kFirstDescriptor = 1000;
constexpr uint64_t kImportBase = 1ull << 44;

}  // namespace

Result<std::unique_ptr<Arena>> Arena::create(uint32_t card_count, uint64_t vram_bytes) {
  if (vram_bytes > kVramStride) {
    return error(StatusCode::kInvalidArgument, "emulated card: {} bytes of VRAM asked for, at most {} are possible",
                 vram_bytes, kVramStride);
  }
  std::unique_ptr<Arena> arena(new Arena);
  const UniqueFd made(::memfd_create("barewave-emulated-card", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Out of the way of clients that close or count on the lowest numbers; where the limit is lower, as it comes.
  arena->fd_ = UniqueFd(::fcntl(made.get(), F_DUPFD_CLOEXEC, kFirstDescriptor));
  if (!arena->fd_.is_valid()) arena->fd_ = UniqueFd(::fcntl(made.get(), F_DUPFD_CLOEXEC, 0));
  if (!arena->fd_.is_valid()) return Status::from_errno(errno, "emulated card: creating its memory (memfd_create)");
  if (::ftruncate(arena->fd_.get(), static_cast<off_t>(kArenaBytes)) != 0) {
    return Status::from_errno(errno, "emulated card: sizing its memory (ftruncate)");
  }
  // Clients hold duplicates of the descriptor: none shall cut the file off under the emulator.
  if (::fcntl(arena->fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return Status::from_errno(errno, "emulated card: sealing the size of its memory (F_ADD_SEALS)");
  }
  arena->cards_.resize(card_count);
  for (uint32_t i = 0; i < card_count; ++i) {
    CardRegions& card = arena->cards_[i];
    BW_RETURN_IF_ERROR(arena->add(&card.vram, kVramBase + i * kVramStride, vram_bytes));
    BW_RETURN_IF_ERROR(arena->add(&card.doorbells, kDoorbellBase + i * kDoorbellStride, kfd::uapi::kDoorbellAreaBytes));
    BW_RETURN_IF_ERROR(arena->add(&card.mmio, kMmioBase + i * kMmioBytes, kMmioBytes));
  }
  BW_RETURN_IF_ERROR(arena->add(&arena->gtt_, kGttBase, kGttBytes));
  BW_RETURN_IF_ERROR(arena->add(&arena->event_page_, kEventPageBase, kfd::uapi::kEventPageBytes));
  return arena;
}

Arena::~Arena() {
  for (const ArenaRegion& region : mapped_) ::munmap(region.host, region.size_bytes);
}

Status Arena::add(ArenaRegion* region, uint64_t offset, uint64_t size_bytes) {
  void* host = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_.get(),
                      static_cast<off_t>(offset));
  if (host == MAP_FAILED) {
    return Status::from_errno(errno, fmt::format("emulated card: mapping {} bytes of its memory", size_bytes));
  }
  *region = {offset, size_bytes, static_cast<std::byte*>(host)};
  mapped_.push_back(*region);
  return Status::ok();
}

uint64_t Arena::import_offset() const {
  return kImportBase;
}

uint64_t Arena::import_bytes() const {
  return kArenaBytes - kImportBase;
}

void Arena::discard(uint64_t offset, uint64_t size_bytes) const {
  // Cannot fail on a memfd within its size; should it, the pages merely stay.
  (void)::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(size_bytes));
}

}  // namespace bw::emulator
