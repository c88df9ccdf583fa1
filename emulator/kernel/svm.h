// Owns: shared virtual memory of one process: the ranges of the client's own memory that carry attributes, and their
// mapping into the page tables of the cards that have access. Semantics follow Linux, kfd_svm.c (6.6), for cards that
// cannot retry a faulting access: a range is mapped as long as it has access. Nothing migrates: preferred and prefetch
// locations are kept and told. Not here: the argument structs (emulator/kernel/svm_ioctls). Callers hold the process's
// mutex.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "emulator/kernel/buffers.h"
#include "kfd/uapi.h"
#include "kfd/uapi_svm.h"

namespace bw::emulator {

// What a range has if nobody says otherwise.
struct SvmAttributes {
  uint32_t preferred_location = kfd::uapi::kSvmLocationUndefined;
  uint32_t prefetch_location = kfd::uapi::kSvmLocationUndefined;
  uint32_t flags = kfd::uapi::svm_flag::kHostAccess | kfd::uapi::svm_flag::kCoherent;
  uint32_t granularity = 9;
  uint32_t location =
      kfd::uapi::kSvmLocationSysmem;  // where the memory is taken to be: where it was last prefetched to
  uint32_t access = 0;                // one bit for each card
  uint32_t access_in_place = 0;       // likewise

  bool operator==(const SvmAttributes&) const = default;
};

// Memory that a prefetch moved. All memory stays where it is here, but whoever watches the card hears of it.
struct SvmMigration {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint32_t from = 0;  // gpu_ids, or 0
  uint32_t to = 0;
  uint32_t prefetch_location = 0;
  uint32_t preferred_location = 0;
};

// Calls that return int return 0 or a negative errno. Addresses are multiples of the page size.
class SvmTable {
 public:
  SvmTable(BufferTable& buffers, std::span<const Card> cards);

  // -EINVAL for attributes that do not exist or name no card; -EFAULT where the client has no memory; -EADDRINUSE where
  // a buffer is mapped.
  int set(uint64_t begin, uint64_t end, std::span<const kfd::uapi::SvmAttribute> attributes,
          std::vector<SvmMigration>* migrations);
  // Fills in the values; kAccess becomes what access the card has.
  int get(uint64_t begin, uint64_t end, std::span<kfd::uapi::SvmAttribute> attributes) const;
  // Whether some range lies in [begin, end).
  bool overlaps(uint64_t begin, uint64_t end) const;
  // The client takes [begin, end) away.
  void forget(uint64_t begin, uint64_t end);
  // Forgets what of [begin, end) the client cannot read any more: it went away without the driver being told.
  void forget_unreadable(uint64_t begin, uint64_t end);

 private:
  struct Range {
    uint64_t end = 0;
    SvmAttributes attributes;
  };
  using Ranges = std::map<uint64_t, Range>;  // by begin, not overlapping

  // The card with that id, or -1.
  int card_of(uint32_t gpu_id) const;
  int check(std::span<const kfd::uapi::SvmAttribute> attributes) const;
  bool has_buffers(uint64_t begin, uint64_t end) const;
  void apply(const kfd::uapi::SvmAttribute& attribute, SvmAttributes* attributes) const;
  // Makes `at` a border between ranges.
  void split(uint64_t at);
  void add_missing(uint64_t begin, uint64_t end);
  void for_each(uint64_t begin, uint64_t end, const std::function<void(uint64_t, const Range&)>& use) const;
  int remap(uint64_t begin, uint64_t end, const SvmAttributes& before, const SvmAttributes& after);
  SvmAttributes intersect(uint64_t begin, uint64_t end, uint32_t* clear_flags) const;

  BufferTable& buffers_;
  std::vector<uint32_t> gpu_ids_;  // by card
  Ranges ranges_;
};

}  // namespace bw::emulator
