// Owns: what the caches of a card that are not coherent may hold that is out of date: the vector caches near the
// shaders (L0 and L1, taken together) and the scalar caches. Not here: who may still be running (work_order.h), L2.
//
// A line that a dispatch has loaded, or stored to, may be in the cache of any compute unit until all are invalidated.
// What is written to its bytes afterwards goes to L2 and leaves those copies as they were: the bytes are stale. Whether
// a line that was loaded after the write by the same dispatch is out of date cannot be known, so that it counts as
// stale too. Source: LLVM 19's AMDGPU usage guide, "Memory Model GFX10-GFX11": a vector L0 for each compute unit and an
// L1 for each shader array, both written through, kept coherent by invalidation only. unverified: that stores leave the
// line in L0.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "emulator/caches/access_set.h"

namespace bw::emulator {

// Something that stays known by its number for reports (work_order.h).
using WorkNumber = uint64_t;

struct StaleRead {
  uint64_t address = 0;
  AccessKind kind = AccessKind::kLoad;
  WorkNumber holder = 0;  // since whose access the line may be cached
  WorkNumber writer = 0;  // of what was written since
};

class NearCaches {
 public:
  // What a dispatch would load that is stale.
  std::optional<StaleRead> find_stale(const Accesses& accesses) const;
  // What it leaves in the caches, and what it makes stale.
  void apply(const Accesses& accesses, WorkNumber work);
  void invalidate_vector() { ++vector_epoch_; }
  void invalidate_scalar() { ++scalar_epoch_; }

 private:
  // Of one kind of cache: stale bytes, and lines that may be in it.
  struct Lines {
    uint64_t epoch = 0;  // what an earlier one holds was invalidated
    PageBits cached{};   // whole lines
    PageBits stale{};
    std::array<WorkNumber, kSetLines> holder{};
    std::array<WorkNumber, kSetLines> writer{};
  };
  struct Page {
    Lines vector;
    Lines scalar;
  };

  static void hold(Lines& lines, uint64_t epoch, const PageBits& bits, uint64_t line_bytes, WorkNumber work);
  static void write(Lines& lines, uint64_t epoch, const PageBits& bits, WorkNumber work);
  void hold(const AccessSet& set, bool is_scalar, WorkNumber work);

  std::unordered_map<uint64_t, Page> pages_;  // by address / kSetPageBytes
  uint64_t vector_epoch_ = 1;
  uint64_t scalar_epoch_ = 1;
};

}  // namespace bw::emulator
