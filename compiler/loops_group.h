// Owns: how many lanes work together at one place of the grid, and what each of them takes: the choice between them by
// a small model of the card. Not here: which elements a place has (compiler/loops_lanes.h), the expressions
// (compiler/loops_value.h).
#pragma once

#include <cstdint>
#include <vector>

#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/rates.h"

namespace bw::compiler {

// Waves that keep the card busy: two on each SIMD, which issue in turn.
inline constexpr int64_t kBusyWaves = int64_t{amdgpu::gfx11::kComputeUnits} * amdgpu::gfx11::kSimdsPerCu * 2;

// The lanes of a group share what a reduction consumes: chunks of `width` neighbouring elements go round among them, so
// that neighbouring lanes load from neighbouring addresses, up to 16 bytes each at a time.
struct GroupPlan {
  uint32_t lanes = 0;  // a power of two; 0 where every lane works alone
  int64_t width = 1;
  // Rows of so many elements stay in registers: reductions of this length, and the stores, use the same ranges.
  int64_t row = 0;
  // Neighbouring lanes are at neighbouring places, and those of a group in different waves.
  bool is_strided = false;

  bool operator==(const GroupPlan&) const = default;
};

// What groups have to do. All counts at least 1.
struct GroupWork {
  int64_t outputs = 1;        // of the kernel
  int64_t trips = 1;          // elements that a reduction consumes for each output
  int64_t width = 1;          // divides trips
  int64_t element_bytes = 1;  // of what is most of the traffic
  int64_t max_tile = 1;       // outputs that a group may compute together, at most
  int64_t max_steps = 0;      // chunks that a lane may take; 0: any number
};

struct GroupChoice {
  uint32_t lanes = 1;
  int64_t tile = 1;  // outputs that a group computes together; divides their number
};

// All that could be chosen, the cheapest by the model first. `lanes` is at most 1024.
std::vector<GroupChoice> rank_groups(const GroupWork& work);
// The cheapest; lanes = 1 where no group pays.
GroupChoice choose_group(const GroupWork& work);

}  // namespace bw::compiler
