// The part of KernelEmitter that takes the scale of a quantised block out of the block's sum: sum(x * (q * scale))
// becomes scale * sum(x * q), a multiplication less for each element. A quant of 8 bits times an f16 scale is exact in
// f32, so the sums differ by the order of roundings only, and by overflow only where x is beyond 2^119.
#include <algorithm>

#include "compiler/lower_llvm_emit.h"

namespace bw::compiler {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using llvm::Value;

namespace {

constexpr int64_t kMaxQuant = 1 << 8;  // as a magnitude: quants of up to 8 bits, signed or not

}  // namespace

// reduce_add(where(condition, x * (quant * scale + offset), 0)), where the condition and the offset may be missing.
// Only x and the quant change along the range.
struct KernelEmitter::ScaledSum {
  NodePtr condition;
  NodePtr x;
  NodePtr quant;
  NodePtr scale;
  NodePtr offset;
};

bool KernelEmitter::is_constant_along(const Node& node, const Node& range) const {
  return (plan_.of(&node).free & plan_.bit(&range)) == 0 && known(&node) != nullptr;
}

bool KernelEmitter::find_scaled_quant(const NodePtr& weight, const Node& range, ScaledSum& sum) {
  if (weight->op != Op::kMul && weight->op != Op::kMulAcc) return false;
  for (size_t i = 0; i < 2; ++i) {
    const NodePtr& quant = weight->inputs[i];
    const NodePtr& scale = weight->inputs[1 - i];
    if (quant->op != Op::kCast || !ir::is_integer(quant->inputs[0]->dtype)) continue;
    if (scale->op != Op::kCast || scale->inputs[0]->dtype != DType::kF16) continue;
    const ir::Interval bounds = bounds_.of(quant->inputs[0]);
    if (bounds.low < -kMaxQuant || bounds.high > kMaxQuant || !is_constant_along(*scale, range)) continue;
    sum.quant = quant;
    sum.scale = scale;
    if (weight->op == Op::kMul) return true;
    sum.offset = weight->inputs[2];
    return is_constant_along(*sum.offset, range);
  }
  return false;
}

bool KernelEmitter::find_scaled_sum(const Node& reduction, const Node& range, ScaledSum& sum) {
  if (reduction.op != Op::kReduceAdd || reduction.dtype != DType::kF32) return false;
  NodePtr value = reduction.inputs[0];
  if (value->op == Op::kWhere && is_identity(reduction, *value->inputs[2])) {
    sum.condition = value->inputs[0];
    if (!is_constant_along(*sum.condition, range)) return false;
    value = value->inputs[1];
  }
  if (value->op != Op::kMul) return false;
  for (size_t i = 0; i < 2; ++i) {
    sum.x = value->inputs[i];
    if (find_scaled_quant(value->inputs[1 - i], range, sum)) return true;
  }
  return false;
}

// Carries out the innermost range, if it is written out and all of the group are such sums. Sums with offsets share the
// sum of their x.
bool KernelEmitter::emit_scaled_sums(std::span<const NodePtr> group, const NodePtr& range,
                                     std::vector<Value*>& accumulators) {
  const auto& attr = range->attr<ir::RangeAttr>();
  if (!is_written_out(attr)) return false;
  std::vector<ScaledSum> sums(group.size());
  std::vector<NodePtr> roots;
  std::vector<const Node*> offset_xs;  // each once
  Value* zero = ops_.constant(DType::kF32, 0.0);
  for (size_t i = 0; i < group.size(); ++i) {
    if (!find_scaled_sum(*group[i], *range, sums[i])) return false;
    roots.insert(roots.end(), {sums[i].x, sums[i].quant});
    if (sums[i].offset == nullptr) continue;
    if (std::ranges::find(offset_xs, sums[i].x.get()) == offset_xs.end()) offset_xs.push_back(sums[i].x.get());
  }
  std::vector<Value*> partial(group.size(), zero);
  std::vector<Value*> sums_of_x(offset_xs.size(), zero);
  for (int64_t element = 0; element < attr.extent.offset; ++element) {
    emit_iteration(*range, {.constant = element}, [&] {
      emit_ready(roots);
      if (!status_.is_ok()) return;
      for (size_t i = 0; i < sums.size(); ++i) {
        partial[i] = ops_.fused_multiply_add(known(sums[i].x.get()), known(sums[i].quant.get()), partial[i]);
      }
      for (size_t i = 0; i < offset_xs.size(); ++i) sums_of_x[i] = b_.CreateFAdd(sums_of_x[i], known(offset_xs[i]));
    });
  }
  if (!status_.is_ok()) return true;
  for (size_t i = 0; i < sums.size(); ++i) {
    Value* total = ops_.fused_multiply_add(partial[i], known(sums[i].scale.get()), accumulators[i]);
    if (sums[i].offset != nullptr) {
      const auto place = std::ranges::find(offset_xs, sums[i].x.get()) - offset_xs.begin();
      total = ops_.fused_multiply_add(sums_of_x[static_cast<size_t>(place)], known(sums[i].offset.get()), total);
    }
    const NodePtr& condition = sums[i].condition;
    accumulators[i] = condition == nullptr ? total : b_.CreateSelect(known(condition.get()), total, accumulators[i]);
  }
  return true;
}

}  // namespace bw::compiler
