#include "compiler/contraction_tiles.h"

#include <algorithm>
#include <bit>

#include "amdgpu/gfx11/limits.h"
#include "base/bits.h"
#include "base/check.h"
#include "ir/fold.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

constexpr uint32_t kUnit = 16;       // bytes of the widest access to LDS and memory
constexpr uint32_t kBanks = 8;       // units that LDS's 32 banks of 4 bytes move at once
constexpr uint32_t kRowBytes = 128;  // of LDS, one word of each bank

NodePtr zero_of(ir::KernelBuilder& b, DType dtype) {
  return b.constant(dtype, ir::is_float(dtype) ? ir::Scalar(0.0) : ir::Scalar(int64_t{0}));
}

void collect_loads(const NodePtr& node, std::vector<NodePtr>& loads) {
  const NodePtr roots[] = {node};
  for (const NodePtr& found : ir::topological_order(roots)) {
    if (found->op == Op::kLoad) loads.push_back(found);
  }
}

// Whether `b` lies right behind `a` in the same memory.
bool is_next(const NodePtr& a, const NodePtr& b) {
  const auto [rest_a, constant_a] = split_constant(a->inputs[1]);
  const auto [rest_b, constant_b] = split_constant(b->inputs[1]);
  return a->inputs[0] == b->inputs[0] && rest_a == rest_b && constant_b == constant_a + 1;
}

}  // namespace

std::pair<NodePtr, int64_t> split_constant(const NodePtr& index) {
  if (const auto value = ir::integer_constant(index)) return {nullptr, *value};
  if (index->op != Op::kAdd) return {index, 0};
  const auto value = ir::integer_constant(index->inputs[1]);
  return value ? std::pair{index->inputs[0], *value} : std::pair{index, int64_t{0}};
}

bool is_valid_form(const ContractionForm& form, uint32_t staged_bytes) {
  constexpr uint32_t kTile = ContractionTiles::kTile;
  const uint32_t lanes = form.lanes();
  if (form.block_m % form.wave_m != 0 || form.block_n % form.wave_n != 0 || lanes > 1024) return false;
  const uint32_t unit = kUnit / staged_bytes;
  if (form.block_k % std::max(unit, kTile) != 0 && form.unit != ProductUnit::kFma) return false;
  if (form.block_k % unit != 0) return false;
  for (const auto& [block, wave, across] : {std::tuple{form.block_m, form.wave_m, ContractionTiles::kLanesM},
                                            std::tuple{form.block_n, form.wave_n, ContractionTiles::kLanesN}}) {
    const uint32_t bytes = block * form.block_k * staged_bytes;
    if (bytes % (lanes * kUnit) != 0 || lanes % (form.block_k / unit) != 0) return false;
    if (form.unit == ProductUnit::kFma) {
      if (wave % (across * unit) != 0 || block / unit > lanes) return false;
    } else if (wave % kTile != 0 || wave / kTile > 6) {
      return false;
    }
  }
  return true;
}

ContractionTiles::ContractionTiles(const ir::Kernel& kernel, const Contraction& contraction,
                                   const ContractionForm& form)
    : kernel_(kernel), contraction_(contraction), form_(form), lanes_(form.lanes()) {
  lane_ = b_.range(static_cast<int64_t>(lanes_), RangeKind::kGroup);
  wave_ = b_.idiv(lane_, kWave);
  step_ = b_.range(ceil_div(depth_extent(contraction).max(), form.block_k), RangeKind::kLoop);
  if (contraction.batch != nullptr) {
    batch_ = b_.range(contraction.batch->attr<ir::RangeAttr>().extent.max(), RangeKind::kGlobalZ);
  }
  rows_.block = form.block_m;
  rows_.wave = form.wave_m;
  rows_.range = contraction.rows;
  columns_.block = form.block_n;
  columns_.wave = form.wave_n;
  columns_.range = contraction.columns;
  for (SideState* side : {&rows_, &columns_}) {
    side->extent = side->range->attr<ir::RangeAttr>().extent;
    side->group = b_.range(std::max<int64_t>(ceil_div(side->extent.max(), side->block), 1),
                           side == &rows_ ? RangeKind::kGlobalY : RangeKind::kGlobalX);
  }
  const int64_t across = form.block_n / form.wave_n;
  rows_.wave_number = b_.idiv(wave_, across);
  columns_.wave_number = b_.mod(wave_, across);
  make_side(rows_, contraction.row_operands);
  make_side(columns_, contraction.column_operands);
  vector_ = kUnit / ir::size_bytes(rows_.dtype);
}

void ContractionTiles::make_side(SideState& side, const std::vector<NodePtr>& operands) {
  for (const NodePtr& operand : operands) side.operands.push_back(operand_for(operand, form_.unit));
  side.dtype = form_.unit == ProductUnit::kFma ? contraction_.accumulator : side.operands[0]->dtype;
  for (const NodePtr& operand : side.operands) {
    side.along_depth.push_back(is_along_depth(side, operand));
    side.lds_offsets.push_back(buffer_bytes_);
    if (is_wmma()) {
      const uint32_t chunks = form_.block_k * ir::size_bytes(side.dtype) / kUnit;
      buffer_bytes_ += chunks * chunk_stride(side) * kUnit;
    } else {
      buffer_bytes_ += form_.block_k * side.block * ir::size_bytes(side.dtype);
    }
  }
  if (std::find(side.along_depth.begin(), side.along_depth.end(), false) == side.along_depth.end()) {
    side.order = &side == &rows_ ? Order::kInPlace : Order::kByRegister;
  }
  side.begins_early = can_begin_early(side);
}

bool ContractionTiles::can_begin_early(const SideState& side) const {
  const Dim& extent = side.extent;
  if (!extent.is_static() || extent.offset % side.block == 0) return false;
  // Of two blocks LLVM selects the start by a condition, which it keeps in vector registers: no scalar address.
  if (extent.offset <= int64_t{2} * side.block) return false;
  // So many neighbours are stored, and staged, together.
  if (extent.offset % kTile != 0 || (side.order == Order::kInterleaved && kTile % (side.wave / kTile) != 0))
    return false;
  for (size_t operand = 0; operand < side.operands.size(); ++operand) {
    if (extent.offset % side_run(side, operand) != 0) return false;
  }
  return true;
}

NodePtr ContractionTiles::block_start(const SideState& side, uint32_t factor) {
  const NodePtr start = b_.mul(side.group, side.block / factor);
  return side.begins_early ? b_.clamp(start, 0, (side.extent.offset - side.block) / factor) : start;
}

ContractionTiles::Guarded ContractionTiles::in_block(const SideState& side, const NodePtr& quotient, uint32_t factor) {
  return neighbours(b_.add(block_start(side, factor), quotient), factor, side.extent,
                    side.begins_early ? factor : side.block);
}

uint32_t ContractionTiles::chunk_stride(const SideState& side) const {
  const uint32_t chunks = form_.block_k * ir::size_bytes(side.dtype) / kUnit;
  return side.block + std::max(kBanks / chunks, 1u);
}

// As many chunks as a wave stages at once, so far apart that they fill a row of LDS.
std::pair<uint32_t, uint32_t> ContractionTiles::swizzle(const SideState& side) const {
  const uint32_t size = ir::size_bytes(side.dtype);
  const uint32_t run = kUnit / size;
  const uint32_t count = std::min(form_.block_k / run, kRowBytes / kUnit);
  return {count, kRowBytes / size / count};
}

uint32_t ContractionTiles::tiles(Side which) const {
  const SideState& state = side(which);
  if (is_wmma()) return state.wave / kTile;
  return state.wave / (which == Side::kRows ? kLanesM : kLanesN);
}

NodePtr ContractionTiles::rebuild(const NodePtr& node, std::unordered_map<const Node*, NodePtr>& known) {
  if (const auto it = known.find(node.get()); it != known.end()) return it->second;
  NodePtr result;
  switch (node->op) {
    case Op::kConst:
      result = b_.constant(node->dtype, node->attr<ir::ConstAttr>().value);
      break;
    case Op::kVariable:
      result = b_.variable(node);
      break;
    case Op::kParam: {
      std::vector<int64_t> shape;
      for (const Dim& dim : node->shape) shape.push_back(dim.max());
      const auto& attr = node->attr<ir::ParamAttr>();
      result = b_.param(attr.id, attr.name, node->dtype, std::move(shape));
      break;
    }
    case Op::kLoad: {
      const NodePtr index = rebuild(node->inputs[1], known);
      result = b_.load(rebuild(node->inputs[0], known), index);
      break;
    }
    default: {
      BW_CHECK(ir::is_elementwise(node->op));
      std::vector<NodePtr> inputs;
      for (const NodePtr& input : node->inputs) inputs.push_back(rebuild(input, known));
      result = b_.op(node->op, node->dtype, std::move(inputs));
    }
  }
  known.emplace(node.get(), result);
  return result;
}

NodePtr ContractionTiles::at(const SideState& side, const NodePtr& operand, const NodePtr& index,
                             const NodePtr& depth) {
  std::unordered_map<const Node*, NodePtr> known{{side.range.get(), index}};
  if (batch_ != nullptr) known[contraction_.batch.get()] = batch_;
  NodePtr rest = depth;
  for (size_t i = contraction_.depth.size(); i-- > 1;) {
    const int64_t extent = contraction_.depth[i]->attr<ir::RangeAttr>().extent.offset;
    known[contraction_.depth[i].get()] = b_.mod(rest, extent);
    rest = b_.idiv(rest, extent);
  }
  known[contraction_.depth[0].get()] = rest;
  return rebuild(operand, known);
}

// By the bytes of the loads that have their neighbours along the depth, and along the side.
bool ContractionTiles::is_along_depth(const SideState& side, const NodePtr& operand) {
  constexpr int64_t kFew = 4;
  const Dim depth = depth_extent(contraction_);
  const NodePtr i = b_.mul(b_.range(ceil_div(side.extent.max(), kFew), RangeKind::kLoop), kFew);
  const NodePtr k = b_.mul(b_.range(ceil_div(depth.max(), kFew), RangeKind::kLoop), kFew);
  std::vector<NodePtr> here;
  std::vector<NodePtr> deeper;
  std::vector<NodePtr> beside;
  collect_loads(at(side, operand, i, k), here);
  collect_loads(at(side, operand, i, b_.add(k, 1)), deeper);
  collect_loads(at(side, operand, b_.add(i, 1), k), beside);
  uint64_t along_depth = 0;
  uint64_t along_side = 0;
  for (const NodePtr& load : here) {
    const auto follows = [&](const NodePtr& other) { return is_next(load, other); };
    const uint32_t bytes = ir::size_bytes(load->dtype);
    if (std::any_of(deeper.begin(), deeper.end(), follows)) along_depth += bytes;
    if (std::any_of(beside.begin(), beside.end(), follows)) along_side += bytes;
  }
  return along_depth >= along_side;
}

NodePtr ContractionTiles::inside(const NodePtr& index, const Dim& extent) {
  return b_.op(Op::kCmpLt, DType::kBool, {index, b_.dim(extent)});
}

NodePtr ContractionTiles::conjunction(const NodePtr& a, const NodePtr& b) {
  if (a == nullptr || b == nullptr || a == b) return a == nullptr ? b : a;
  return b_.op(Op::kAnd, DType::kBool, {a, b});
}

ContractionTiles::Guarded ContractionTiles::neighbours(const NodePtr& quotient, uint32_t factor, const Dim& extent,
                                                       uint32_t block) {
  Guarded result;
  const bool together = extent.is_static() && extent.offset % factor == 0;
  const bool whole = extent.is_static() && extent.offset % block == 0;
  NodePtr base = quotient;
  NodePtr all_inside;
  if (together && !whole) {
    all_inside = inside(quotient, Dim(extent.offset / factor));
    base = b_.clamp(quotient, 0, extent.offset / factor - 1);
  }
  for (uint32_t i = 0; i < factor; ++i) {
    NodePtr index = b_.add(b_.mul(base, factor), i);
    NodePtr is_inside = all_inside;
    if (!together) {
      is_inside = inside(index, extent);
      const NodePtr last = b_.add(b_.dim(extent), -1);
      index = b_.op(Op::kWhere, index->dtype, {is_inside, index, last});
    }
    result.indices.push_back(std::move(index));
    result.inside.push_back(std::move(is_inside));
  }
  return result;
}

void ContractionTiles::add_elements(const SideState& side, size_t operand, const Guarded& indices, const Guarded& depth,
                                    StagedPart& part) {
  for (const NodePtr& index : indices.indices) {
    for (size_t k = 0; k < depth.indices.size(); ++k) {
      NodePtr element = at(side, side.operands[operand], index, depth.indices[k]);
      if (element->dtype != side.dtype) element = b_.op(Op::kCast, side.dtype, {element});
      // What lies beyond the depth must not count; rows and columns beyond the output are never stored.
      if (depth.inside[k] != nullptr) {
        element = b_.op(Op::kWhere, side.dtype, {depth.inside[k], element, zero_of(b_, side.dtype)});
      }
      part.elements.push_back(std::move(element));
    }
  }
}

// Neighbours along the depth, and along the side, that a lane stages together.
uint32_t ContractionTiles::depth_run(const SideState& side, size_t operand) const {
  const uint32_t unit = kUnit / ir::size_bytes(side.dtype);
  if (side.along_depth[operand]) return unit;
  return is_wmma() ? 4 : 1;
}

uint32_t ContractionTiles::side_run(const SideState& side, size_t operand) const {
  if (side.along_depth[operand]) return 1;
  return is_wmma() ? side.wave / kTile : kUnit / ir::size_bytes(side.dtype);
}

uint32_t ContractionTiles::passes(const SideState& side, size_t operand) const {
  const uint32_t jobs = side.block / side_run(side, operand) * (form_.block_k / depth_run(side, operand));
  return (jobs + lanes_ - 1) / lanes_;
}

std::vector<StagedPart> ContractionTiles::stage() {
  std::vector<StagedPart> parts;
  for (const SideState* side : {&rows_, &columns_}) {
    for (size_t operand = 0; operand < side->operands.size(); ++operand) {
      for (uint32_t pass = 0; pass < passes(*side, operand); ++pass) {
        parts.push_back(side->along_depth[operand] ? stage_along_depth(*side, operand, pass)
                                                   : stage_along_side(*side, operand, pass));
      }
    }
  }
  return parts;
}

NodePtr ContractionTiles::at_position(const SideState& side, const NodePtr& position) {
  if (side.order == Order::kInPlace) return position;
  if (side.order == Order::kByRegister) {
    const NodePtr half = b_.mul(b_.mod(position, 2), kTile / 2);
    const NodePtr in_tile = b_.add(half, b_.idiv(b_.mod(position, kTile), 2));
    return b_.add(b_.mul(b_.idiv(position, kTile), kTile), in_tile);
  }
  const NodePtr in_tile = b_.mul(b_.mod(position, kTile), side.wave / kTile);
  const NodePtr tile = b_.idiv(b_.mod(position, side.wave), kTile);
  return b_.add(b_.mul(b_.idiv(position, side.wave), side.wave), b_.add(in_tile, tile));
}

StagedPart ContractionTiles::stage_along_depth(const SideState& side, size_t operand, uint32_t pass) {
  const uint32_t size = ir::size_bytes(side.dtype);
  const uint32_t run = depth_run(side, operand);
  const uint32_t chunks = form_.block_k / run;
  const NodePtr chunk = b_.mod(lane_, chunks);
  const NodePtr position = b_.add(b_.idiv(lane_, chunks), int64_t{pass} * (lanes_ / chunks));
  NodePtr row = position;
  if (is_wmma()) row = at_position(side, position);
  const NodePtr depth = b_.add(b_.mul(step_, chunks), chunk);
  StagedPart part;
  add_elements(side, operand, in_block(side, row, 1), neighbours(depth, run, depth_extent(contraction_), form_.block_k),
               part);
  if (is_wmma()) {
    const NodePtr unit = b_.add(b_.mul(chunk, chunk_stride(side)), position);
    StagedPart::Store store{b_.add(b_.mul(unit, kUnit), side.lds_offsets[operand]), {}};
    for (size_t i = 0; i < run; ++i) store.elements.push_back(i);
    part.stores.push_back(std::move(store));
    return part;
  }
  const auto [swizzles, step] = swizzle(side);
  const NodePtr swizzle = b_.mul(b_.mod(chunk, swizzles), step);
  const NodePtr place = b_.op(Op::kXor, DType::kI32, {position, swizzle});
  const NodePtr first = b_.add(b_.mul(chunk, int64_t{run} * side.block), place);
  for (uint32_t i = 0; i < run; ++i) {
    const int64_t constant = int64_t{i} * side.block * size + side.lds_offsets[operand];
    part.stores.push_back({b_.add(b_.mul(first, size), constant), {i}});
  }
  return part;
}

StagedPart ContractionTiles::stage_along_side(const SideState& side, size_t operand, uint32_t pass) {
  const uint32_t size = ir::size_bytes(side.dtype);
  const uint32_t unit = kUnit / size;
  const uint32_t side_run = this->side_run(side, operand);
  const uint32_t depth_run = this->depth_run(side, operand);
  // Lanes that fill a unit together come first, so that their stores meet different banks.
  const uint32_t sharers = is_wmma() ? unit / depth_run : 1;
  const uint32_t quotients = side.block / side_run;
  const NodePtr job = b_.add(lane_, int64_t{pass} * lanes_);
  const NodePtr sharer = b_.mod(job, sharers);
  const NodePtr quotient = b_.mod(b_.idiv(job, sharers), quotients);
  const NodePtr chunk = b_.idiv(job, int64_t{sharers} * quotients);
  const NodePtr depth = b_.add(b_.mul(step_, form_.block_k / depth_run), b_.add(b_.mul(chunk, sharers), sharer));
  StagedPart part;
  add_elements(side, operand, in_block(side, quotient, side_run),
               neighbours(depth, depth_run, depth_extent(contraction_), form_.block_k), part);
  const uint32_t offset = side.lds_offsets[operand];
  if (!is_wmma()) {
    const NodePtr place = b_.add(b_.mul(chunk, side.block), b_.mul(quotient, side_run));
    StagedPart::Store store{b_.add(b_.mul(place, size), offset), {}};
    for (size_t i = 0; i < side_run; ++i) store.elements.push_back(i);
    part.stores.push_back(std::move(store));
    return part;
  }
  const NodePtr position = b_.add(b_.mul(b_.idiv(quotient, kTile), side.wave), b_.mod(quotient, kTile));
  const NodePtr first = b_.add(b_.mul(b_.add(b_.mul(chunk, chunk_stride(side)), position), kUnit),
                               b_.mul(sharer, int64_t{depth_run} * size));
  for (uint32_t i = 0; i < side_run; ++i) {
    StagedPart::Store store{b_.add(first, int64_t{i} * kTile * kUnit + offset), {}};
    for (uint32_t k = 0; k < depth_run; ++k) store.elements.push_back(i * depth_run + k);
    part.stores.push_back(std::move(store));
  }
  return part;
}

NodePtr ContractionTiles::fragment(Side which, size_t operand, uint32_t tile, uint32_t k, uint32_t part) {
  const SideState& state = side(which);
  const uint32_t size = ir::size_bytes(state.dtype);
  const NodePtr wave_base = b_.mul(state.wave_number, state.wave);
  const uint32_t offset = state.lds_offsets[operand];
  if (is_wmma()) {
    const uint32_t chunk = k * size / kUnit + part;
    const NodePtr unit = b_.add(wave_base, b_.mod(lane_, kTile));
    const int64_t constant = (int64_t{chunk} * chunk_stride(state) + tile * kTile) * kUnit + offset;
    return b_.add(b_.mul(unit, kUnit), constant);
  }
  const uint32_t across = which == Side::kRows ? kLanesM : kLanesN;
  const NodePtr in_wave = b_.mod(lane_, kWave);
  const NodePtr mine = which == Side::kRows ? b_.idiv(in_wave, kLanesN) : b_.mod(in_wave, kLanesN);
  NodePtr base = b_.add(wave_base, b_.mul(mine, vector_));
  uint32_t rest = tile / vector_ * across * vector_;
  if (state.along_depth[operand]) {
    const auto [swizzles, step] = swizzle(state);
    const uint32_t swizzled = k / vector_ % swizzles * step;
    // The bits that only the constant part of the position can have are swizzled here and now.
    const uint32_t constant_bits = (state.wave - 1) & ~(across * vector_ - 1);
    base = b_.op(Op::kXor, DType::kI32, {base, b_.constant(DType::kI32, int64_t{swizzled & ~constant_bits})});
    rest ^= swizzled & constant_bits;
  }
  return b_.add(b_.mul(base, size), (int64_t{k} * state.block + rest) * size + offset);
}

}  // namespace bw::compiler
