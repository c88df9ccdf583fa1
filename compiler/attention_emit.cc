// The part of AttentionEmitter that goes through the positions.
#include "compiler/attention_emit.h"

#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/IntrinsicsAMDGPU.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "ir/ranges.h"

namespace bw::compiler {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using llvm::Value;

namespace {

constexpr uint32_t kMaxVector = 4;     // floats of LDS that one access moves
constexpr uint32_t kAccessBytes = 16;  // of memory that one access moves
// Elements of a key that a lane has on their way together, and positions whose values it has: several loads of 16
// bytes, but less with many rows, whose queries, weights and sums need the registers.
constexpr uint32_t kElementsAtOnce = 16;
constexpr uint32_t kPositionsAtOnce = 8;
constexpr uint32_t kProductsAtOnce = 64;

uint32_t at_once(uint32_t most, uint32_t rows) {
  return std::bit_floor(std::clamp(kProductsAtOnce / rows, kMaxVector, most));
}
constexpr double kNothing = -std::numeric_limits<double>::infinity();

// The largest power of two up to `most` that divides.
uint32_t power_of_two_divisor(uint32_t value, uint32_t most) {
  return std::min<uint32_t>(most, value & (~value + 1));
}

// The size of the elements in memory that a value is made of; of the smallest.
uint32_t element_bytes(const NodePtr& value) {
  uint32_t bytes = sizeof(float);
  for (const NodePtr& node : ir::topological_order(std::span(&value, 1))) {
    if (node->op == Op::kLoad) bytes = std::min(bytes, ir::size_bytes(memory_dtype(*node)));
  }
  return bytes;
}

}  // namespace

AttentionEmitter::AttentionEmitter(const ir::Kernel& kernel, const KernelPlan& plan, const AttentionForm& form,
                                   llvm::Function& function)
    : KernelEmitter(kernel, plan, function), form_(form) {}

std::vector<Value**> AttentionEmitter::Running::all() {
  std::vector<Value**> result;
  for (Value*& value : largest) result.push_back(&value);
  for (Value*& value : weights) result.push_back(&value);
  for (Values& row : sums) {
    for (Value*& value : row) result.push_back(&value);
  }
  return result;
}

Status AttentionEmitter::emit() {
  BW_RETURN_IF_ERROR(match());
  scopes_.push_back({});
  lay_out();
  bind_arguments();
  bind_places();
  load_queries();
  emit_barrier();
  merge(visit_blocks(count_positions()));
  b_.CreateRetVoid();
  return std::move(status_);
}

Status AttentionEmitter::match() {
  BW_ASSIGN(const ir::KernelRanges ranges, ir::find_ranges(kernel_));
  const auto pattern = find_attention(kernel_, ranges);
  const auto wrong = [this](const char* what) {
    return error(StatusCode::kUnsupported, "lowering kernel {} as '{}': {}", kernel_.name, print_form(form_), what);
  };
  if (!pattern.has_value()) return wrong("it is no attention");
  pattern_ = *pattern;
  constexpr AttentionAxis kAxes[] = {AttentionAxis::kColumn, AttentionAxis::kRow, AttentionAxis::kBatch};
  RangeMask others = plan_.of(kernel_.stores[0].get()).free;
  for (size_t i = 0; i < 3; ++i) {
    if (plan_.global[i] == nullptr) continue;
    const AttentionAxis axis = attention_axis(pattern_, ranges, *plan_.global[i]);
    const bool is_batch_of_rows = i == 2 && axis == AttentionAxis::kRow;
    if (axis != kAxes[i] && !is_batch_of_rows) return wrong("a range of the grid lies along another axis");
    others &= ~plan_.bit(plan_.global[i]);
  }
  if (others != 0) return wrong("its stores are in a loop");
  column_ = plan_.global[0];
  row_ = plan_.global[1];
  batch_ = plan_.global[2];
  if (column_ == nullptr || !column_->attr<ir::RangeAttr>().extent.is_static())
    return wrong("its columns are symbolic");
  if (kernel_.workgroup_size != form_.waves * kWaveSize || form_.queries == 0)
    return wrong("the workgroup does not fit");
  return Status::ok();
}

void AttentionEmitter::lay_out() {
  columns_ = static_cast<uint32_t>(column_->attr<ir::RangeAttr>().extent.offset);
  elements_ = static_cast<uint32_t>(pattern_.element->attr<ir::RangeAttr>().extent.offset);
  // At most twice as many as floats: sums are floats, and what is smaller still would leave lanes without columns.
  const uint32_t vector = std::min(kAccessBytes / element_bytes(pattern_.value), 2 * kMaxVector);
  vector_ = power_of_two_divisor(columns_, form_.queries > 8 ? kMaxVector : vector);
  const uint32_t lanes = columns_ / vector_;
  group_ = std::min(std::bit_ceil(lanes), kWaveSize);
  groups_ = kWaveSize / group_;
  chunks_ = (lanes + kWaveSize - 1) / kWaveSize;
  lay_out_lds();
}

void AttentionEmitter::bind_places() {
  lane_ = place_.lane(kernel_.workgroup_size);
  lane_of_wave_ = b_.CreateAnd(lane_, word(kWaveSize - 1));
  wave_ = form_.waves == 1 ? word(0) : uniform(b_.CreateLShr(lane_, std::countr_zero(kWaveSize)));
  place_in_group_ = b_.CreateAnd(lane_of_wave_, word(group_ - 1));
  group_of_lane_ = b_.CreateLShr(lane_of_wave_, std::countr_zero(group_));
  first_row_ = word(0);
  if (batch_ != nullptr) {
    const int64_t count = batch_->attr<ir::RangeAttr>().extent.max();
    scopes_.back().active |= plan_.bit(batch_);
    scopes_.back().values[batch_] = place_.workgroup(2, count);
  }
  if (row_ != nullptr) {
    const int64_t tiles = (row_->attr<ir::RangeAttr>().extent.max() + form_.queries - 1) / form_.queries;
    first_row_ = b_.CreateMul(place_.workgroup(1, tiles), word(form_.queries), "", true, true);
  }
}

void AttentionEmitter::with_range(const NodePtr& range, const Split& value, Body body) {
  emit_iteration(*range, value, body);
}

// The row at `first_row_ + row + offset`, or the last one where that is beyond the end.
void AttentionEmitter::with_row(Value* row, uint32_t offset, Body body) {
  if (row_ == nullptr) return body();
  const ir::Dim& extent = row_->attr<ir::RangeAttr>().extent;
  Value* at = row == nullptr ? first_row_ : b_.CreateAdd(first_row_, row, "", true, true);
  Split split{.rest = at, .constant = offset, .low = 0, .high = std::max<int64_t>(extent.max() - 1 - offset, 0)};
  if (!extent.is_static() || extent.offset % form_.queries != 0) {
    Value* last = b_.CreateSub(dim_value(extent), word(1));
    at = b_.CreateAdd(at, word(offset), "", true, true);
    split = {.rest = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, at, last),
             .constant = 0,
             .low = 0,
             .high = std::max<int64_t>(extent.max() - 1, 0)};
  }
  emit_iteration(*row_, split, body);
}

Value* AttentionEmitter::compute(const NodePtr& node) {
  emit_ready(std::span(&node, 1));
  Value* value = known(node.get());
  if (value != nullptr) return value;
  fail(error(StatusCode::kUnsupported, "lowering kernel {} as '{}': a value depends on more than its place",
             kernel_.name, print_form(form_)));
  return llvm::PoisonValue::get(ops_.register_type(node->dtype));
}

Value* AttentionEmitter::computed_as_f32(const NodePtr& node) {
  return to_f32(compute(node), node->dtype);
}

void AttentionEmitter::load_queries() {
  for_each_item(form_.queries * elements_, [&](Value* item) {
    Value* row = b_.CreateUDiv(item, word(elements_));
    const Split element{
        .rest = b_.CreateURem(item, word(elements_)), .constant = 0, .low = 0, .high = int64_t{elements_} - 1};
    with_row(row, 0, [&] {
      with_range(pattern_.element, element, [&] { store_lds(queries_, item, 0, computed_as_f32(pattern_.query)); });
    });
  });
}

// Positions that any row of the workgroup sees.
Value* AttentionEmitter::count_positions() {
  Value* all = dim_value(pattern_.position->attr<ir::RangeAttr>().extent);
  if (pattern_.last == nullptr) return all;
  Value* most = word(0);
  for (uint32_t row = 0; row < form_.queries; ++row) {
    with_row(nullptr, row, [&] {
      Value* last = compute(pattern_.last);
      with_range(pattern_.position, {.constant = 0}, [&] {
        Value* count = b_.CreateSub(last, compute(pattern_.masked_position));
        if (!pattern_.last_excluded) count = b_.CreateAdd(count, word(1));
        most = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, most, count);
      });
    });
  }
  return uniform(b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, most, all));
}

AttentionEmitter::Running AttentionEmitter::visit_blocks(Value* end) {
  Running running;
  running.largest.assign(form_.queries, real(kNothing));
  running.weights.assign(form_.queries, real(0));
  running.sums.assign(form_.queries, Values(vector_ * chunks_, real(0)));
  Value* begin = b_.CreateMul(wave_, word(kWaveSize), "", true, true);
  const std::vector<Value**> carried = running.all();
  loop(begin, end, word(int64_t{kWaveSize} * form_.waves), carried,
       [&](Value* first) { visit_block(first, end, running); });
  return running;
}

void AttentionEmitter::visit_block(Value* first, Value* end, Running& running) {
  Value* at = b_.CreateAdd(first, lane_of_wave_, "", true, true);
  Value* is_inside = b_.CreateICmpULT(at, end);
  Value* position = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, at, b_.CreateSub(end, word(1)));
  const int64_t high = std::max<int64_t>(pattern_.position->attr<ir::RangeAttr>().extent.max() - 1, 0);
  with_range(pattern_.position, {.rest = position, .constant = 0, .low = 0, .high = high}, [&] {
    const Values dots = inner_products();
    for (uint32_t row = 0; row < form_.queries; ++row) weigh(row, score_of(row, dots[row], is_inside), running);
  });
  sync_wave();
  add_values(first, end, running);
}

// Of the lane's key with each row's query.
AttentionEmitter::Values AttentionEmitter::inner_products() {
  Values dots(form_.queries, real(0));
  std::vector<Value**> carried;
  for (Value*& dot : dots) carried.push_back(&dot);
  const uint32_t step = power_of_two_divisor(elements_, at_once(kElementsAtOnce, form_.queries));
  loop(word(0), word(elements_), word(step), carried, [&](Value* at) {
    Values keys;
    const int64_t high = int64_t{elements_} - 1;
    for (uint32_t i = 0; i < step; ++i) {
      with_range(pattern_.element, {.rest = at, .constant = i, .low = 0, .high = high - i},
                 [&] { keys.push_back(computed_as_f32(pattern_.key)); });
    }
    const uint32_t width = std::min(step, kMaxVector);
    for (uint32_t row = 0; row < form_.queries; ++row) {
      for (uint32_t i = 0; i < step; i += width) {
        Value* query = load_lds(queries_, at, int64_t{row} * elements_ + i, width);
        for (uint32_t j = 0; j < width; ++j) {
          Value* part = width == 1 ? query : b_.CreateExtractElement(query, j);
          dots[row] = ops_.fused_multiply_add(part, keys[i + j], dots[row]);
        }
      }
    }
  });
  return dots;
}

// In f32; -inf for lanes that have no position.
Value* AttentionEmitter::score_of(uint32_t row, Value* dot, Value* is_inside) {
  Value* score = nullptr;
  with_row(nullptr, row, [&] {
    scopes_.back().values[pattern_.dot.get()] = from_f32(dot, pattern_.dot->dtype);
    score = computed_as_f32(pattern_.score);
  });
  return b_.CreateSelect(is_inside, score, real(kNothing));
}

// Of scores in f32, relative to the largest; in f32.
Value* AttentionEmitter::weight_of(Value* score, Value* largest) {
  // Whatever row and position score and largest belong to: weights depend on nothing else.
  scopes_.push_back({.active = ~RangeMask{0}, .hidden = 0, .values = {}, .splits = {}});
  scopes_.back().values[pattern_.score.get()] = from_f32(score, pattern_.score->dtype);
  scopes_.back().values[pattern_.maximum.get()] = from_f32(largest, pattern_.maximum->dtype);
  Value* weight = computed_as_f32(pattern_.weight);
  scopes_.pop_back();
  return weight;
}

// Takes the block's scores of a row in, and leaves the weights for add_values().
void AttentionEmitter::weigh(uint32_t row, Value* score, Running& running) {
  Value* largest =
      b_.CreateBinaryIntrinsic(llvm::Intrinsic::maxnum, running.largest[row], reduce(Op::kReduceMax, score));
  // As long as all scores are -inf, 0 stands for the largest, so that weights are 0 and not NaN.
  Value* finite = b_.CreateSelect(b_.CreateFCmpOEQ(largest, real(kNothing)), real(0), largest);
  Value* weight = weight_of(score, finite);
  Value* rescale = weight_of(running.largest[row], finite);
  running.largest[row] = largest;
  running.weights[row] = ops_.fused_multiply_add(running.weights[row], rescale, weight);
  for (Value*& sum : running.sums[row]) sum = b_.CreateFMul(sum, rescale);
  Value* base = b_.CreateAdd(b_.CreateMul(wave_, word(int64_t{form_.queries} * kWaveSize)), lane_of_wave_);
  store_lds(weights_, base, int64_t{row} * kWaveSize, weight);
}

void AttentionEmitter::add_values(Value* first, Value* end, Running& running) {
  const uint32_t floats = std::max(vector_ * chunks_, kMaxVector);  // of a position, in each lane
  const uint32_t most = std::bit_floor(std::max(at_once(kPositionsAtOnce, form_.queries) * kMaxVector / floats, 1U));
  if (groups_ == 1) {
    // Whole steps, and what is left one by one.
    Value* last = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, end, b_.CreateAdd(first, word(kWaveSize)));
    Value* count = b_.CreateSub(last, first);
    Value* whole = b_.CreateAnd(count, word(-int64_t{most}));
    const std::vector<Value**> carried = running.all();
    loop(word(0), whole, word(most), carried, [&](Value* at) { add_values_at(first, end, at, most, running); });
    loop(whole, count, word(1), carried, [&](Value* at) { add_values_at(first, end, at, 1, running); });
    return;
  }
  // The first group has positions until the end, if any has.
  const uint32_t positions = kWaveSize / groups_;
  const uint32_t step = std::min(positions, most);
  Value* count = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, b_.CreateSub(end, first), word(positions));
  const std::vector<Value**> carried = running.all();
  loop(word(0), count, word(step), carried, [&](Value* at) { add_values_at(first, end, at, step, running); });
}

// `count` positions of each group of lanes, from the group's position number `step` on.
void AttentionEmitter::add_values_at(Value* first, Value* end, Value* step, uint32_t count, Running& running) {
  Value* in_block = b_.CreateAdd(b_.CreateMul(group_of_lane_, word(kWaveSize / groups_)), step);
  std::vector<Values> values(count);
  for (uint32_t i = 0; i < count; ++i) {
    Value* at = b_.CreateAdd(b_.CreateAdd(first, in_block), word(i));
    Value* is_inside = nullptr;
    if (groups_ > 1) {
      is_inside = b_.CreateICmpULT(at, end);
      at = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, at, b_.CreateSub(end, word(1)));
    }
    for (uint32_t chunk = 0; chunk < chunks_; ++chunk) {
      for (Value* value : load_value(at, chunk)) {
        // What lies beyond the end has no part in the sum, not even times 0.
        values[i].push_back(is_inside == nullptr ? value : b_.CreateSelect(is_inside, value, real(0)));
      }
    }
  }
  Value* base = b_.CreateAdd(b_.CreateMul(wave_, word(int64_t{form_.queries} * kWaveSize)), in_block);
  const uint32_t width = std::min(count, kMaxVector);
  for (uint32_t row = 0; row < form_.queries; ++row) {
    for (uint32_t i = 0; i < count; i += width) {
      Value* weights = load_lds(weights_, base, int64_t{row} * kWaveSize + i, width);
      for (uint32_t j = 0; j < width; ++j) {
        Value* weight = width == 1 ? weights : b_.CreateExtractElement(weights, j);
        for (size_t k = 0; k < running.sums[row].size(); ++k) {
          running.sums[row][k] = ops_.fused_multiply_add(weight, values[i + j][k], running.sums[row][k]);
        }
      }
    }
  }
}

// The lane's columns of the value at a position. Lanes beyond the last column repeat it.
AttentionEmitter::Values AttentionEmitter::load_value(Value* position, uint32_t chunk) {
  Values result;
  const int64_t high = std::max<int64_t>(pattern_.position->attr<ir::RangeAttr>().extent.max() - 1, 0);
  Value* place = b_.CreateAdd(place_in_group_, word(int64_t{chunk} * kWaveSize));
  if (columns_ / vector_ != group_ * chunks_) {
    place = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, place, word(columns_ / vector_ - 1));
  }
  Value* first = b_.CreateMul(place, word(vector_), "", true, true);
  with_range(pattern_.position, {.rest = position, .constant = 0, .low = 0, .high = high}, [&] {
    for (uint32_t i = 0; i < vector_; ++i) {
      const Split column{.rest = first, .constant = i, .low = 0, .high = int64_t{columns_} - vector_};
      emit_iteration(*column_, column, [&] { result.push_back(computed_as_f32(pattern_.value)); });
    }
  });
  return result;
}

}  // namespace bw::compiler
