#include "compiler/cost_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/rates.h"
#include "compiler/contraction_tiles.h"
#include "ir/analysis/index_analysis.h"

namespace bw::compiler {
namespace {

using ir::DType;
using ir::NodePtr;
using ir::Op;
namespace gfx11 = amdgpu::gfx11;

// Of the card, and of one of its work-group processors.
constexpr double kWgps = static_cast<double>(gfx11::kComputeUnits) / gfx11::kCusPerWgp;
constexpr double kSimds = gfx11::kCusPerWgp * gfx11::kSimdsPerCu;
constexpr double kLdsBytes = gfx11::kCusPerWgp * gfx11::kLdsBytesPerCu;
constexpr double kLdsBytesPerClock = gfx11::kCusPerWgp * gfx11::kLdsBytesPerClock;
constexpr double kMemoryBytesPerClock = gfx11::kVramBytesPerSecond / gfx11::kBoostClockHz;
// Of a 16x16x16 product on a SIMD.
constexpr double kWmmaClocks = 2.0 * 16 * 16 * 16 * gfx11::kSimdsPerCu / gfx11::kWmmaFlopsPerClock;
// What of its peak a stream of tiles gets. unverified
constexpr double kL2Efficiency = 0.6;
constexpr double kLdsEfficiency = 0.8;
constexpr double kMemoryLatency = 600;  // clocks, under load; unverified: measured unloaded, 235 ns from VRAM
constexpr double kBarrierClocks = 60;   // until all waves go on; unverified
// Of the vector cache of a compute unit for each line of 128 bytes that a load touches. unverified
constexpr double kLineBytes = 128;
constexpr double kLineClocks = 2;
// FMAs that a SIMD issues a clock as 32 lanes: between 1 and the 2 that v_dual_fmac_f32 would give. unverified
constexpr double kFmaRate = 1.6;
constexpr double kF64Rate = 1.0 / 16;
constexpr double kI32Rate = 1.0 / 4;
// Lanes by themselves: of the peak of single FMAs, and clocks for each element of depth. unverified
constexpr double kLaneEfficiency = 0.25;
constexpr double kLaneStepClocks = 40;
constexpr int64_t kMinSide = 16;

// What a lane needs besides accumulators, staged elements and fragments.
constexpr double kOtherVgprs = 24;

// Of a staged element that is loaded by itself: its value, and some of its address.
constexpr double kRaggedVgprs = 2.5;

// LLVM mixes the two steps of a loop with two buffers.
constexpr double kTwoStepVgprs = 1.7;

constexpr ContractionForm kFmaForms[] = {
    {ProductUnit::kFma, 128, 128, 8, 32, 64, 1}, {ProductUnit::kFma, 128, 64, 16, 32, 32, 1},
    {ProductUnit::kFma, 64, 64, 16, 32, 32, 1},  {ProductUnit::kFma, 64, 64, 8, 32, 32, 2},
    {ProductUnit::kFma, 32, 32, 16, 16, 32, 1},
};
// Bytes of depth rather than elements: block_k is for elements of two bytes.
constexpr ContractionForm kWmmaForms[] = {
    {ProductUnit::kWmmaF16, 256, 128, 32, 64, 64, 1},
    {ProductUnit::kWmmaF16, 128, 256, 32, 64, 64, 1},
    {ProductUnit::kWmmaF16, 384, 128, 32, 96, 64, 1, ContractionForm::Loads::kAtOnce},
    {ProductUnit::kWmmaF16, 128, 128, 32, 64, 64, 1},
    {ProductUnit::kWmmaF16, 128, 128, 32, 64, 32, 1},
    {ProductUnit::kWmmaF16, 192, 128, 32, 48, 64, 1},
    {ProductUnit::kWmmaF16, 192, 64, 32, 48, 64, 1},
    {ProductUnit::kWmmaF16, 64, 64, 32, 32, 32, 2},
    {ProductUnit::kWmmaF16, 64, 128, 32, 32, 32, 1},
    {ProductUnit::kWmmaF16, 64, 64, 32, 32, 32, 1},
    {ProductUnit::kWmmaF16, 32, 64, 32, 16, 32, 1},
    {ProductUnit::kWmmaF16, 32, 32, 32, 16, 16, 1},
};

double ceil_div(double a, double b) {
  return std::ceil(a / b);
}

int64_t extent_of(const NodePtr& range) {
  return range == nullptr ? 1 : range->attr<ir::RangeAttr>().extent.max();
}

double loaded_bytes(const std::vector<NodePtr>& operands) {
  double bytes = 0;
  for (const NodePtr& operand : operands) {
    const NodePtr roots[] = {operand};
    double most = 0;
    for (const NodePtr& node : ir::topological_order(roots)) {
      if (node->op == Op::kLoad) most = std::max<double>(most, ir::size_bytes(node->dtype));
    }
    bytes += most;
  }
  return bytes;
}

double vgprs_of(const ContractionForm& form, const ProductShape& shape, uint32_t size) {
  const double words = std::max(size, 4u) / 4.0;
  const double wave = form.wave_m * form.wave_n / 32.0 * static_cast<double>(shape.products);
  const double lanes = form.waves() * 32.0;
  const double staged = (form.block_m * static_cast<double>(shape.row_operands) +
                         form.block_n * static_cast<double>(shape.column_operands)) *
                        form.block_k * (shape.is_ragged ? kRaggedVgprs : size / 4.0) / lanes;
  if (form.unit == ProductUnit::kFma) {
    const double fragments = (form.wave_m / 4.0 * static_cast<double>(shape.row_operands) +
                              form.wave_n / 8.0 * static_cast<double>(shape.column_operands)) *
                             words;
    return wave * words + fragments + staged + kOtherVgprs;
  }
  const double fragments = (1 + form.wave_n / 16.0 * static_cast<double>(shape.column_operands)) * 4 * size;
  if (form.loads == ContractionForm::Loads::kAtOnce) return wave + std::max(fragments, staged) + kOtherVgprs;
  return wave + fragments + staged + kOtherVgprs;
}

// What a wave stages of a side in a step.
struct SideStaging {
  double permutes = 0;  // v_perm_b32, a clock each
  double lines = 0;     // of memory that its loads touch, each for itself
};

SideStaging staging_of(const ContractionForm& form, uint32_t block, uint32_t wave, bool turned, uint32_t size) {
  constexpr double kUnitBytes = 16;
  constexpr double kDepthRun = 4;
  constexpr double kWordBytes = 4;
  const double bytes = static_cast<double>(block) * form.block_k * size / form.lanes();  // of a lane
  if (!turned || form.unit == ProductUnit::kFma) {
    return {0, bytes / kUnitBytes * gfx11::kWaveLanes / std::max(form.block_k * size / kUnitBytes, 1.0)};
  }
  const double run_bytes = wave / kUnitBytes * size;
  const double depths = kUnitBytes / size / kDepthRun;  // that one load of a wave touches
  const double lines = depths * std::ceil(gfx11::kWaveLanes / depths * run_bytes / kLineBytes);
  // Pairs, and for bytes pairs of pairs.
  return {bytes / kWordBytes * (size == 1 ? 2 : 1), bytes / run_bytes * lines};
}

SideStaging staging_of(const ContractionForm& form, const ProductShape& shape, uint32_t size) {
  const SideStaging rows = staging_of(form, form.block_m, form.wave_m, shape.rows_turned, size);
  const SideStaging columns = staging_of(form, form.block_n, form.wave_n, shape.columns_turned, size);
  const auto row_operands = static_cast<double>(shape.row_operands);
  const auto column_operands = static_cast<double>(shape.column_operands);
  return {rows.permutes * row_operands + columns.permutes * column_operands,
          rows.lines * row_operands + columns.lines * column_operands};
}

// Whether most of what the operands load has its neighbours along the side, not along the depth.
bool is_turned(const std::vector<NodePtr>& operands, const NodePtr& side, const NodePtr& depth) {
  ir::analysis::IndexAnalysis analysis;
  int64_t balance = 0;
  for (const NodePtr& node : ir::topological_order(operands)) {
    if (node->op != Op::kLoad) continue;
    const auto is_run = [&](const NodePtr& range) { return analysis.run(node->inputs[1], range).stride == 1; };
    if (is_run(depth)) balance -= ir::size_bytes(node->dtype);
    if (is_run(side)) balance += ir::size_bytes(node->dtype);
  }
  return balance > 0;
}

// Whether there is nothing to compute while staging.
bool is_loaded(const Contraction& contraction, ProductUnit unit) {
  const auto is_load = [unit](const NodePtr& operand) { return operand_for(operand, unit)->op == Op::kLoad; };
  return std::ranges::all_of(contraction.row_operands, is_load) &&
         std::ranges::all_of(contraction.column_operands, is_load);
}

// Such forms leave a wave a few registers besides accumulators and fragments: enough where operands are loaded as they
// are, at addresses that need not be kept within the extents lane by lane. Of few steps LLVM makes code without a loop,
// in which it mixes them until registers are spilled.
bool can_load_at_once(const Contraction& contraction, const ContractionForm& form, const ProductShape& shape) {
  constexpr int64_t kMinSteps = 8;
  // ContractionTiles::can_begin_early().
  const auto needs_no_guard = [](int64_t extent, uint32_t block) {
    return extent % block == 0 || extent > int64_t{2} * block;
  };
  return needs_no_guard(shape.rows, form.block_m) && needs_no_guard(shape.columns, form.block_n) &&
         shape.depth % form.block_k == 0 && shape.depth >= kMinSteps * form.block_k && !shape.is_ragged &&
         is_loaded(contraction, form.unit);
}

// Whether some extent cuts through the widest accesses, so that elements are loaded one by one, each into a register.
bool is_ragged(const ProductShape& shape) {
  constexpr int64_t kElements = 16;
  return shape.rows % kElements != 0 || shape.columns % kElements != 0 || shape.depth % kElements != 0;
}

// What the lanes of a wave load from LDS for one element of depth, in elements; those that lanes share count for each.
double fragment_elements(const ContractionForm& form) {
  if (form.unit != ProductUnit::kFma) return 2.0 * (form.wave_m + form.wave_n);
  return 32.0 * (form.wave_m / 4.0 + form.wave_n / 8.0);
}

double fma_rate(uint32_t size, bool real) {
  if (size == 8) return kF64Rate;
  return real ? kFmaRate : kI32Rate;
}

}  // namespace

ProductShape shape_of(const Contraction& contraction) {
  ProductShape shape;
  shape.rows = extent_of(contraction.rows);
  shape.columns = extent_of(contraction.columns);
  shape.batch = extent_of(contraction.batch);
  shape.depth = depth_extent(contraction).max();
  shape.row_operands = contraction.row_operands.size();
  shape.column_operands = contraction.column_operands.size();
  shape.products = contraction.products.size();
  shape.row_bytes = loaded_bytes(contraction.row_operands);
  shape.column_bytes = loaded_bytes(contraction.column_operands);
  shape.is_ragged = is_ragged(shape) || !contraction.rows->attr<ir::RangeAttr>().extent.is_static() ||
                    !contraction.columns->attr<ir::RangeAttr>().extent.is_static() ||
                    !depth_extent(contraction).is_static();
  shape.rows_turned = is_turned(contraction.row_operands, contraction.rows, contraction.depth.back());
  shape.columns_turned = is_turned(contraction.column_operands, contraction.columns, contraction.depth.back());
  return shape;
}

uint32_t staged_bytes(const Contraction& contraction, ProductUnit unit) {
  if (unit == ProductUnit::kWmmaI8) return 1;
  return unit == ProductUnit::kFma ? ir::size_bytes(contraction.accumulator) : 2;
}

double predict_clocks(const ContractionForm& form, const ProductShape& shape, uint32_t size) {
  const auto rows = static_cast<double>(shape.rows);
  const auto columns = static_cast<double>(shape.columns);
  const auto depth = static_cast<double>(shape.depth);
  const auto products = static_cast<double>(shape.products);
  const double lds_step = (form.block_m * static_cast<double>(shape.row_operands) +
                           form.block_n * static_cast<double>(shape.column_operands)) *
                          form.block_k * size;
  const double lds_bytes = lds_step * 1.07 * form.buffers;  // with padding
  const double vgprs = vgprs_of(form, shape, size) * (form.buffers == 1 ? 1 : kTwoStepVgprs);
  if (lds_bytes > gfx11::kMaxLdsBytesPerWorkgroup || vgprs > gfx11::kMaxVgprsPerWave)
    return std::numeric_limits<double>::infinity();
  const double groups =
      ceil_div(rows, form.block_m) * ceil_div(columns, form.block_n) * static_cast<double>(shape.batch);
  const double waves_by_vgprs =
      std::floor(gfx11::kVgprsPerSimd / (std::ceil(vgprs / gfx11::kVgprGranule) * gfx11::kVgprGranule)) * kSimds;
  const double fitting = std::min(std::floor(kLdsBytes / lds_bytes), std::floor(waves_by_vgprs / form.waves()));
  if (fitting < 1) return std::numeric_limits<double>::infinity();
  const double resident = std::min(fitting, ceil_div(groups, kWgps));

  double wave_clocks = form.wave_m / 16.0 * (form.wave_n / 16.0) * (form.block_k / 16.0) * kWmmaClocks;
  if (form.unit == ProductUnit::kFma) {
    wave_clocks = form.wave_m * form.wave_n / 32.0 * form.block_k / fma_rate(size, true);
  }
  const SideStaging staging = staging_of(form, shape, size);
  const double multiply = ceil_div(form.waves() * resident, kSimds) * (wave_clocks * products + staging.permutes);
  const double lines = form.waves() * resident / gfx11::kCusPerWgp * staging.lines * kLineClocks;
  const double fragments = form.waves() * fragment_elements(form) * form.block_k * size;
  const double lds = resident * (lds_step + fragments * products) / (kLdsBytesPerClock * kLdsEfficiency);
  const double step_bytes = (form.block_m * shape.row_bytes + form.block_n * shape.column_bytes) * form.block_k;
  const double active = std::min(groups, kWgps * resident);
  const double memory = active * step_bytes / (gfx11::kL2BytesPerClock * kL2Efficiency);
  // Of a workgroup by itself; what it does not load ahead it waits for.
  const double alone = multiply / resident + kBarrierClocks * (form.buffers == 1 ? 2 : 1) +
                       (form.loads == ContractionForm::Loads::kAtOnce ? kMemoryLatency : 0);
  const double step = std::max({multiply, lds, lines, memory, alone, kMemoryLatency});
  const double steps = ceil_div(depth, form.block_k);
  const double clocks = ceil_div(groups, kWgps * resident) * (steps * step + 2 * kMemoryLatency);
  const double unique =
      (rows * shape.row_bytes + columns * shape.column_bytes) * depth * static_cast<double>(shape.batch);
  return std::max(clocks, unique / kMemoryBytesPerClock);
}

double predict_lane_clocks(const ProductShape& shape) {
  const double fmas = static_cast<double>(shape.rows) * static_cast<double>(shape.columns) *
                      static_cast<double>(shape.depth) * static_cast<double>(shape.batch * shape.products);
  return std::max(fmas / (kWgps * kSimds * 32 * kLaneEfficiency), static_cast<double>(shape.depth) * kLaneStepClocks);
}

std::vector<ContractionForm> candidate_forms(const Contraction& contraction) {
  const ProductShape shape = shape_of(contraction);
  std::vector<std::pair<double, ContractionForm>> found;
  const auto add = [&](ContractionForm form) {
    const uint32_t size = staged_bytes(contraction, form.unit);
    // Not where most of a block would be empty.
    if (form.block_m > 2 * shape.rows || form.block_n > 2 * shape.columns) return;
    if (form.loads == ContractionForm::Loads::kAtOnce && !can_load_at_once(contraction, form, shape)) return;
    if (!is_valid_form(form, size) || (size == 8 && form.buffers > 1)) return;
    const double clocks = predict_clocks(form, shape, size);
    if (std::isfinite(clocks)) found.emplace_back(clocks, form);
  };
  if (shape.rows < kMinSide || shape.columns < kMinSide) return {};
  for (const ProductUnit unit : {ProductUnit::kWmmaF16, ProductUnit::kWmmaBf16, ProductUnit::kWmmaI8}) {
    if (!can_compute(contraction, unit)) continue;
    for (ContractionForm form : kWmmaForms) {
      form.unit = unit;
      if (unit == ProductUnit::kWmmaI8) form.block_k *= 2;
      add(form);
    }
  }
  for (const ContractionForm& form : kFmaForms) add(form);
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ContractionForm> forms;
  for (const auto& [clocks, form] : found) forms.push_back(form);
  return forms;
}

std::optional<ContractionForm> choose_form(const Contraction& contraction) {
  const std::vector<ContractionForm> forms = candidate_forms(contraction);
  if (forms.empty()) return std::nullopt;
  const ProductShape shape = shape_of(contraction);
  const double clocks = predict_clocks(forms[0], shape, staged_bytes(contraction, forms[0].unit));
  if (clocks >= predict_lane_clocks(shape)) return std::nullopt;
  return forms[0];
}

}  // namespace bw::compiler
