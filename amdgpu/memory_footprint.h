// Owns: which memory a piece of recorded work reads and writes, so that transfers need not wait for work that does not
// share theirs. Not here: the order of nodes within a graph (graph/dependencies.h).
#pragma once

#include <cstdint>
#include <span>

#include "amdgpu/address_set.h"
#include "amdgpu/graph/buffer_use.h"

namespace bw::amdgpu {

inline bool overlap(const AddressUse& one, const AddressUse& other) {
  return one.begin < other.end && other.begin < one.end;
}

// By default that of work of which nothing is known: it may use any memory.
class MemoryFootprint {
 public:
  MemoryFootprint() = default;
  // All that the work uses.
  static MemoryFootprint of(std::span<const AddressUse> uses);

  // Whether one of the two writes what the other uses.
  bool conflicts_with(const AddressUse& other) const;

 private:
  bool is_known_ = false;
  AddressSet used_;
  AddressSet written_;
};

}  // namespace bw::amdgpu
