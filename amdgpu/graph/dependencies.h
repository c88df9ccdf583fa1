// Owns: which nodes of a graph must wait for which, from the memory they use, and where caches must forget what they
// hold. Not here: packets (command_buffer.h).
//
// Nodes are dealt out to levels: all nodes of a level may run at the same time, and a level begins when the one before
// has ended. A node's level is the first that its hazards allow, so that there are no more levels than the longest
// chain of nodes that must wait for each other.
//
// Between levels the shaders' near caches (vector L0, L1, scalar) are the ones that are not coherent: stores go through
// to L2, which all of the device shares, but a line that was loaded earlier stays (LLVM 19's user guide, "Memory Model
// GFX10-GFX11"). So a kernel needs an invalidation before it if it reads what a kernel has written since the last one
// of the whole device, or a copy over lines that kernels have used since; one that only overwrites what others have
// read or written needs none, and neither do copies, which go through L2. A kernel whose waves all start at once does
// it by itself (acquire_stub.h); where waves follow each other, each would take from those before it what they have
// loaded, so a packet before the level does it for all.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "amdgpu/graph/buffer_use.h"

namespace bw::amdgpu {

// What is known about each byte of memory: the last writer's and the last reader's level.
class DependencyTracker {
 public:
  // Takes a node in and returns its level: at least `least_level`, and after all that it has a hazard with.
  uint32_t place(std::span<const AddressUse> uses, uint32_t least_level);

 private:
  struct Range {
    uint64_t end = 0;
    uint32_t levels_written = 0;  // the last writer's level + 1; 0: nobody wrote
    uint32_t levels_read = 0;
  };
  using Ranges = std::map<uint64_t, Range>;  // by begin; they do not overlap

  // Makes [begin, end) whole ranges, with fresh ones for what is not there yet; the first of them.
  Ranges::iterator cut(uint64_t begin, uint64_t end);
  void split(uint64_t address);

  Ranges ranges_;
};

// How a node is kept from reading what is out of date.
enum class Freshness : uint8_t {
  kNothingStale,  // it reads nothing that was written since the last invalidation
  kByItself,      // its waves invalidate what they load through
  kByPacket,      // the whole device is invalidated before its level
};

// What matters of a node for that.
struct CachedReader {
  uint32_t level = 0;
  std::span<const AddressUse> uses;
  bool is_kernel = true;  // loads and stores through the near caches; else a copy or a fill
  bool can_acquire_by_itself = false;
  bool waits_for_others = false;  // the whole device is invalidated after its level
};

// Of each node, which come in the order of their levels. What was written before the first level is up to the
// submission.
std::vector<Freshness> freshness_of(std::span<const CachedReader> nodes);

}  // namespace bw::amdgpu
