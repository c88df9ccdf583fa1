#include "compiler/loops_group.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/bits.h"
#include "compiler/loops_traffic.h"
#include "ir/kernel.h"

namespace bw::compiler {
namespace {

constexpr int64_t kWave = amdgpu::gfx11::kWaveLanes;
constexpr int64_t kMaxLanes = ir::kMaxWorkgroupSize;
// Elements of a lane's tile and width together; more would not leave registers for loads under way.
constexpr int64_t kMaxElements = 128;
constexpr int64_t kLineBytes = 128;

// Costs in cycles of a SIMD, about. A wave's start and the latency of what it cannot overlap:
constexpr int64_t kWaveCost = 60;
// A step of the butterfly between lanes, for one output, and an exchange through LDS with its barrier.
constexpr int64_t kExchangeCost = 4;
constexpr int64_t kBarrierCost = 60;

double cost(const GroupWork& work, int64_t lanes, int64_t tile) {
  const int64_t chunks = work.trips / work.width;
  const int64_t steps = ceil_div(chunks, lanes);
  // A load instruction touches a line for each group, or as many as its bytes fill. A line takes a cycle.
  const int64_t groups = std::max<int64_t>(kWave / lanes, 1);
  const int64_t bytes = std::min(work.width * work.element_bytes, kLoadBytes);
  const int64_t lines = groups * ceil_div(std::min(lanes, kWave) * bytes, kLineBytes);
  const int64_t loads = ceil_div(work.width * work.element_bytes, kLoadBytes);
  // Beside the dominating operand another one of 32 bits, shared by the tile.
  const int64_t shared =
      ceil_div(work.width * 4, kLoadBytes) * ceil_div(std::min(lanes, kWave) * kLoadBytes, kLineBytes);
  const int64_t step = tile * (2 * work.width + loads * lines) + shared;
  const int64_t exchanges = std::countr_zero(static_cast<uint64_t>(lanes));
  const int64_t wave = kWaveCost + steps * step + tile * exchanges * kExchangeCost + (lanes > kWave ? kBarrierCost : 0);
  const int64_t waves = ceil_div(work.outputs / tile * lanes, kWave);
  return static_cast<double>(wave) * (1 + static_cast<double>(waves) / kBusyWaves);
}

}  // namespace

std::vector<GroupChoice> rank_groups(const GroupWork& work) {
  const int64_t chunks = std::max<int64_t>(work.trips / work.width, 1);
  const auto most = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::min(chunks, kMaxLanes))));
  std::vector<std::pair<double, GroupChoice>> found;
  for (int64_t lanes = 1; lanes <= most; lanes *= 2) {
    if (work.max_steps > 0 && ceil_div(chunks, lanes) > work.max_steps) continue;
    for (int64_t tile = 1; tile <= work.max_tile; tile *= 2) {
      if (work.outputs % tile != 0 || (tile > 1 && tile * work.width > kMaxElements)) break;
      found.emplace_back(cost(work, lanes, tile), GroupChoice{static_cast<uint32_t>(lanes), tile});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GroupChoice> choices;
  choices.reserve(found.size());
  for (const auto& [clocks, choice] : found) choices.push_back(choice);
  return choices;
}

GroupChoice choose_group(const GroupWork& work) {
  const std::vector<GroupChoice> choices = rank_groups(work);
  return choices.empty() ? GroupChoice{} : choices[0];
}

}  // namespace bw::compiler
