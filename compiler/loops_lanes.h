// Owns: which lane computes which elements of what a kernel stores: the axes of the output laid out on the grid.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/loops_index.h"
#include "ir/kernel.h"

namespace bw::compiler {

// Some axes of the output, walked through by one range.
struct LaneAxis {
  std::vector<size_t> axes;  // the last one changes fastest
  ir::RangeKind kind = ir::RangeKind::kLoop;
  ir::Dim extent;    // of the axes together
  int64_t tile = 1;  // neighbouring elements that one lane computes

  // Lanes that there are to be.
  ir::Dim places() const { return tile == 1 ? extent : ir::Dim((extent.offset + tile - 1) / tile); }
  bool is_overlapping() const { return tile > 1 && extent.offset % tile != 0; }
};

struct LanePlan {
  std::vector<LaneAxis> ranges;

  // The range along x, y or z; null if there is none.
  LaneAxis* along(ir::RangeKind kind);
  // Lanes, at most, as far as the ranges are spread over the grid.
  int64_t count_lanes() const;
};

enum class Cooperation : uint8_t {
  kNone,   // each lane computes its elements alone
  kGroup,  // a group of lanes computes one element, or a tile of them: as many as possible lie along x
};

// `row_axes`: so many axes at the end are left out: the lanes of a group deal them out among each other.
LanePlan plan_lanes(const ir::Shape& shape, Cooperation cooperation, size_t row_axes = 0);

// Each axis that is not of extent 1 a range of its own, as the axes are ordered; none on the grid.
LanePlan plan_axes(const ir::Shape& shape);
// For a matrix product, from a plan_axes(): the ranges (as bits) of the rows along y, of the columns along x, of the
// batch along z. Nothing where a symbolic extent would have to be merged, or too much.
std::optional<LanePlan> plan_product(const LanePlan& each, uint64_t rows, uint64_t columns, uint64_t batch);

// Lanes of a workgroup, of groups of so many (1: each lane works alone).
uint32_t choose_workgroup_size(LanePlan& plan, uint32_t group_lanes);

// Tries to give each lane `tile` neighbours along x, whether that divides or not: where it does not, the last lane's
// start where they end with the axis, and it does again what the lane before does. False where too few lanes would be
// left or an axis is a loop in each lane; the plan is as before then.
bool set_overlapping_tile(LanePlan& plan, int64_t tile, int64_t min_lanes);

// Tries to give each lane a tile of elements, `x` by `y` of them. False where extents do not divide or too few lanes
// would be left; the plan is as before then.
bool set_tile(LanePlan& plan, int64_t x, int64_t y, int64_t min_lanes);

}  // namespace bw::compiler
