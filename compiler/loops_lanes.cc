#include "compiler/loops_lanes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/rates.h"
#include "ir/infer.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::RangeKind;
using ir::Shape;

constexpr int64_t kWave = amdgpu::gfx11::kWaveLanes;
// Lanes that give each SIMD of the card a wave.
constexpr int64_t kLanesOfAllSimds = int64_t{amdgpu::gfx11::kComputeUnits} * amdgpu::gfx11::kSimdsPerCu * kWave;
constexpr uint32_t kMaxWorkgroup = 256;
// A range is counted in 32 bits up to here.
constexpr int64_t kMaxNarrow = std::numeric_limits<int32_t>::max();
// An axis this long, and a multiple of a wave, is left alone along x: merging it would only cost divisions.
constexpr int64_t kLongAxis = 64;

bool can_merge(const LaneAxis& lanes, const Dim& dim, int64_t most = kMaxNarrow) {
  if (!lanes.extent.is_static() || !dim.is_static()) return false;
  return lanes.extent.offset <= most / dim.offset;
}

void merge(LaneAxis& lanes, size_t axis, const Dim& dim) {
  lanes.axes.insert(lanes.axes.begin(), axis);
  lanes.extent.offset *= dim.offset;
}

// Takes the axes for x from the end of `rest`.
LaneAxis take_x(const Shape& shape, std::vector<size_t>& rest, Cooperation cooperation) {
  LaneAxis x{{}, RangeKind::kGlobalX, 1, 1};
  if (cooperation == Cooperation::kGroup) {
    for (size_t i = rest.size(); i-- > 0;) {
      if (!can_merge(x, shape[rest[i]])) continue;
      merge(x, rest[i], shape[rest[i]]);
      rest.erase(rest.begin() + i);
    }
    return x;
  }
  if (rest.empty()) return x;
  x = {{rest.back()}, RangeKind::kGlobalX, shape[rest.back()], 1};
  rest.pop_back();
  while (!rest.empty() && (x.extent.offset < kLongAxis || x.extent.offset % kWave != 0)) {
    // Counting in 64 bits costs less than waves that are mostly empty.
    if (!can_merge(x, shape[rest.back()], x.extent.max() < kWave ? ir::kMaxElements : kMaxNarrow)) break;
    merge(x, rest.back(), shape[rest.back()]);
    rest.pop_back();
  }
  return x;
}

// The other axes, from the last to the first; static ones as one where there are more than the grid has dimensions.
std::vector<LaneAxis> take_rest(const Shape& shape, const std::vector<size_t>& rest) {
  std::vector<LaneAxis> result;
  LaneAxis* merged = nullptr;
  result.reserve(rest.size());
  for (size_t i = rest.size(); i-- > 0;) {
    const Dim& dim = shape[rest[i]];
    if (rest.size() > 2 && merged != nullptr && can_merge(*merged, dim)) {
      merge(*merged, rest[i], dim);
      continue;
    }
    result.push_back({{rest[i]}, RangeKind::kLoop, dim, 1});
    if (merged == nullptr && dim.is_static()) merged = &result.back();
  }
  return result;
}

}  // namespace

LaneAxis* LanePlan::along(RangeKind kind) {
  for (LaneAxis& range : ranges) {
    if (range.kind == kind) return &range;
  }
  return nullptr;
}

int64_t LanePlan::count_lanes() const {
  int64_t lanes = 1;
  for (const LaneAxis& range : ranges) {
    if (range.kind != RangeKind::kLoop) lanes *= std::max<int64_t>(range.extent.max() / range.tile, 1);
  }
  return lanes;
}

LanePlan plan_lanes(const Shape& shape, Cooperation cooperation, size_t row_axes) {
  std::vector<size_t> rest;
  for (size_t axis = 0; axis + row_axes < shape.size(); ++axis) {
    if (shape[axis] != Dim(1)) rest.push_back(axis);
  }
  LanePlan plan;
  LaneAxis x = take_x(shape, rest, cooperation);
  if (!x.axes.empty()) plan.ranges.push_back(std::move(x));
  // What the grid has no dimension for is a loop in each lane.
  RangeKind next = RangeKind::kGlobalY;
  for (LaneAxis& range : take_rest(shape, rest)) {
    range.kind = next;
    next = next == RangeKind::kGlobalY ? RangeKind::kGlobalZ : RangeKind::kLoop;
    plan.ranges.push_back(std::move(range));
  }
  return plan;
}

LanePlan plan_axes(const Shape& shape) {
  LanePlan plan;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] != Dim(1)) plan.ranges.push_back({{axis}, RangeKind::kLoop, shape[axis], 1});
  }
  return plan;
}

std::optional<LanePlan> plan_product(const LanePlan& each, uint64_t rows, uint64_t columns, uint64_t batch) {
  LanePlan plan;
  for (const auto& [mask, kind] : {std::pair{columns, RangeKind::kGlobalX}, std::pair{rows, RangeKind::kGlobalY},
                                   std::pair{batch, RangeKind::kGlobalZ}}) {
    if (mask == 0) continue;
    LaneAxis merged{{}, kind, 1, 1};
    for (size_t i = each.ranges.size(); i-- > 0;) {
      if ((mask >> i & 1) == 0) continue;
      const Dim& extent = each.ranges[i].extent;
      if (merged.axes.empty()) {
        merged = {each.ranges[i].axes, kind, extent, 1};
        continue;
      }
      if (!can_merge(merged, extent)) return std::nullopt;
      merge(merged, each.ranges[i].axes[0], extent);
    }
    plan.ranges.push_back(std::move(merged));
  }
  return plan;
}

uint32_t choose_workgroup_size(LanePlan& plan, uint32_t group_lanes) {
  const LaneAxis* x = plan.along(RangeKind::kGlobalX);
  const auto group = static_cast<int64_t>(group_lanes);
  if (x == nullptr) return group_lanes;
  // Small grids are spread over as many compute units as there are; large ones save on launching workgroups.
  const int64_t lanes = plan.count_lanes() * group;
  uint32_t size = std::max<uint32_t>(kWave, group_lanes);
  while (size < kMaxWorkgroup && lanes > kLanesOfAllSimds * (size / kWave)) size *= 2;
  const int64_t extent = std::max<int64_t>(x->extent.max() / x->tile, 1) * group;
  while (size > kWave && size > group_lanes && size / 2 >= extent) size /= 2;
  return size;
}

bool set_overlapping_tile(LanePlan& plan, int64_t tile, int64_t min_lanes) {
  LaneAxis* x = plan.along(RangeKind::kGlobalX);
  const auto is_loop = [](const LaneAxis& range) { return range.kind == RangeKind::kLoop; };
  if (x == nullptr || !x->extent.is_static() || x->extent.offset < tile || std::ranges::any_of(plan.ranges, is_loop)) {
    return false;
  }
  const int64_t before = std::exchange(x->tile, tile);
  if (plan.count_lanes() >= min_lanes) return true;
  x->tile = before;
  return false;
}

bool set_tile(LanePlan& plan, int64_t x, int64_t y, int64_t min_lanes) {
  LanePlan tiled = plan;
  const auto set = [&tiled](RangeKind kind, int64_t tile) {
    if (tile == 1) return true;
    LaneAxis* range = tiled.along(kind);
    if (range == nullptr || !range->extent.is_static() || range->extent.offset % tile != 0) return false;
    range->tile = tile;
    return true;
  };
  if (!set(RangeKind::kGlobalX, x) || !set(RangeKind::kGlobalY, y) || tiled.count_lanes() < min_lanes) return false;
  plan = std::move(tiled);
  return true;
}

}  // namespace bw::compiler
