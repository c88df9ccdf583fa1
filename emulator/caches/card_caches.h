// Owns: strict mode's account of all caches of one card: which lines each may hold, what is out of date there, and what
// has not reached memory. Not here: who may still be running (work_order.h), reports (memory_checker.h).
//
//   shaders' vector loads and stores --- L0, L1 (written through) ---.
//   scalar loads --- scalar cache, L1 --------------------------------+-- L2 (written back) --- memory --- the host, by
//   instructions --- instruction cache -------------------------------|                            HDP where it is
//   VRAM; packets of PM4 and SDMA, atomics, loads with GLC -----------------'                            other cards
//
// Only L2 is coherent for the card, and past it go the host and other cards. Memory that is uncached (MTYPE UC) is not
// kept in L2, but near the shaders. Sources: LLVM 19's AMDGPU usage guide, "Memory Model GFX10-GFX11": an L0 for each
// compute unit and an L1 for each shader array, all written through and kept coherent by invalidation only; Mesa,
// ac_cmdbuf.c: scalar loads too need the L1 invalidated. unverified: that stores leave the line in L0, and that
// instructions do not come through L1.
//
// Whether a line that was loaded after a write by the same dispatch is out of date cannot be known: it counts as stale.
#pragma once

#include <cstdint>
#include <optional>

#include "emulator/caches/access_set.h"
#include "emulator/caches/cache_lines.h"
#include "emulator/caches/l2_cache.h"
#include "emulator/caches/memory_view.h"
#include "emulator/caches/outside_writes.h"
#include "emulator/caches/work_order.h"

namespace bw::emulator {

enum class CacheKind : uint8_t { kVector, kScalar, kInstruction, kL2 };

// What a cache operation does.
struct CacheActions {
  bool invalidates_vector = false;  // L0 and L1
  bool invalidates_scalar = false;  // and L1
  bool invalidates_instructions = false;
  bool invalidates_l2 = false;
  bool writes_back_l2 = false;
};

// An access that would not see what memory is to hold.
struct StaleUse {
  uint64_t address = 0;
  AccessKind access = AccessKind::kLoad;
  std::optional<CacheKind> cache;  // nullopt: what the host has written stands in the host data path
  WorkNumber holder = 0;           // since whose access the cache may hold the line
  WorkNumber writer = 0;           // of what was written since
};

class CardCaches {
 public:
  // Of work that has just been executed: what it has read out of date. Looks at memory, too.
  std::optional<StaleUse> find_stale(const Accesses& accesses, MemoryView& view);
  // What it leaves in the caches, and what it makes stale.
  void apply(const Accesses& accesses, const WorkStamp& work, MemoryView& view);
  // What work that is still running may bring into the caches again.
  void refill(const Accesses& accesses, const WorkStamp& work, MemoryView& view);
  // A packet has stored that much as a signal, which goes through to memory.
  void store_signal(uint64_t address, uint64_t size_bytes, WorkNumber work, MemoryView& view);

  void invalidate(const CacheActions& actions);
  void flush_host_path(MemoryView& view) { host_path_.flush(view); }
  L2Cache& l2() { return l2_; }

 private:
  CacheLines* near_of(AccessKind kind);
  std::optional<StaleUse> look(const Accesses& accesses, MemoryView& view);
  void mark_stale_near(uint64_t page, const PageBits& bits, WorkNumber writer);

  CacheLines vector_{kVectorLineBytes};
  CacheLines scalar_{kScalarLineBytes};
  CacheLines instruction_{kVectorLineBytes};
  L2Cache l2_;
  SeenContent seen_;
  HostDataPath host_path_;
};

}  // namespace bw::emulator
