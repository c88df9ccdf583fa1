// Owns: the part of ContractionTiles about the elements of the output that a lane holds. The rest is in
// contraction_tiles.cc.
#include "compiler/contraction_tiles.h"

namespace bw::compiler {
namespace {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;

constexpr uint64_t kAccumulatorParam = uint64_t{1} << 32;

}  // namespace

bool ContractionTiles::is_accumulator(const Node& node) {
  return node.op == Op::kLoad && node.inputs[0]->attr<ir::ParamAttr>().id >= kAccumulatorParam;
}

size_t ContractionTiles::accumulator_product(const Node& load) {
  return load.inputs[0]->attr<ir::ParamAttr>().id - kAccumulatorParam;
}

OutputGroup ContractionTiles::output_group(const NodePtr& row, const std::vector<NodePtr>& columns,
                                           const std::vector<int64_t>& accumulators) {
  OutputGroup group;
  group.inside = is_own(rows_, row);
  const bool together =
      columns_.extent.is_static() && columns_.extent.offset % static_cast<int64_t>(columns.size()) == 0;
  if (together) group.inside = conjunction(group.inside, is_own(columns_, columns[0]));
  for (size_t i = 0; i < columns.size(); ++i) {
    std::unordered_map<const Node*, NodePtr> known{{rows_.range.get(), row}, {columns_.range.get(), columns[i]}};
    if (batch_ != nullptr) known[contraction_.batch.get()] = batch_;
    for (size_t p = 0; p < contraction_.products.size(); ++p) {
      const NodePtr& reduction = contraction_.products[p].reduction;
      const NodePtr param = b_.param(kAccumulatorParam + p, "", reduction->dtype, {int64_t{1} << 16});
      known[reduction.get()] = b_.load(param, b_.constant(DType::kI32, accumulators[i]));
    }
    const Node& store = *kernel_.stores[0];
    OutputGroup::Element element;
    if (!together) element.inside = is_own(columns_, columns[i]);
    element.index = rebuild(store.inputs[1], known);
    element.value = rebuild(store.inputs[2], known);
    group.elements.push_back(std::move(element));
  }
  return group;
}

NodePtr ContractionTiles::is_own(const SideState& side, const NodePtr& index) {
  if (side.extent.is_static() && side.extent.offset % side.block == 0) return nullptr;
  if (!side.begins_early) return inside(index, side.extent);
  const NodePtr last_of_before = b_.add(b_.mul(side.group, side.block), -1);
  return b_.op(Op::kCmpLt, DType::kBool, {last_of_before, index});
}

NodePtr ContractionTiles::wave_start(const SideState& side) {
  return b_.add(block_start(side, 1), b_.mul(side.wave_number, side.wave));
}

std::vector<OutputGroup> ContractionTiles::outputs() {
  return is_wmma() ? wmma_outputs() : fma_outputs();
}

// D's register i of lane l is row 2 * i + l / 16 (here: of the column operand), column l % 16. Source: RDNA3 ISA guide,
// "Wave matrix multiply accumulate".
std::vector<OutputGroup> ContractionTiles::wmma_outputs() {
  constexpr uint32_t kRegisters = 8;
  const uint32_t tiles_m = tiles(Side::kRows);
  const uint32_t tiles_n = tiles(Side::kColumns);
  const bool rows_in_place = rows_.order == Order::kInPlace;
  const bool by_register = columns_.order == Order::kByRegister;
  const NodePtr row = b_.add(wave_start(rows_), b_.mul(b_.mod(lane_, kTile), rows_in_place ? 1 : tiles_m));
  const NodePtr half = b_.idiv(b_.mod(lane_, kWave), kTile);
  const NodePtr column = b_.add(wave_start(columns_), b_.mul(half, by_register ? kRegisters : tiles_n));
  const uint32_t groups = by_register ? tiles_n : kRegisters;
  const uint32_t members = by_register ? kRegisters : tiles_n;
  std::vector<OutputGroup> result;
  for (uint32_t tile_m = 0; tile_m < tiles_m; ++tile_m) {
    for (uint32_t g = 0; g < groups; ++g) {
      std::vector<NodePtr> columns;
      std::vector<int64_t> accumulators;
      for (uint32_t e = 0; e < members; ++e) {
        const uint32_t tile_n = by_register ? g : e;
        const uint32_t i = by_register ? e : g;
        columns.push_back(
            b_.add(column, by_register ? int64_t{tile_n} * kTile + i : int64_t{2} * i * tiles_n + tile_n));
        accumulators.push_back(int64_t{tile_m * tiles_n + tile_n} * kRegisters + i);
      }
      result.push_back(output_group(b_.add(row, rows_in_place ? tile_m * kTile : tile_m), columns, accumulators));
    }
  }
  return result;
}

std::vector<OutputGroup> ContractionTiles::fma_outputs() {
  const uint32_t tiles_m = tiles(Side::kRows);
  const uint32_t tiles_n = tiles(Side::kColumns);
  const NodePtr in_wave = b_.mod(lane_, kWave);
  const NodePtr row = b_.add(wave_start(rows_), b_.mul(b_.idiv(in_wave, kLanesN), vector_));
  const NodePtr column = b_.add(wave_start(columns_), b_.mul(b_.mod(in_wave, kLanesN), vector_));
  std::vector<OutputGroup> result;
  for (uint32_t i = 0; i < tiles_m; ++i) {
    for (uint32_t j = 0; j < tiles_n; j += vector_) {
      std::vector<NodePtr> columns;
      std::vector<int64_t> accumulators;
      for (uint32_t v = 0; v < vector_; ++v) {
        columns.push_back(b_.add(column, int64_t{j} * kLanesN + v));
        accumulators.push_back(int64_t{i} * tiles_n + j + v);
      }
      const int64_t in_tile = int64_t{i / vector_} * kLanesM * vector_ + i % vector_;
      result.push_back(output_group(b_.add(row, in_tile), columns, accumulators));
    }
  }
  return result;
}

}  // namespace bw::compiler
