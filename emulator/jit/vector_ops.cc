#include "emulator/jit/vector_ops.h"

namespace bw::emulator::jit {
namespace {

VectorOpTable make_table() {
  VectorOpTable table;
  const HandlerTable& h = handlers();
  for (auto add :
       {add_integer_ops, add_bit_ops, add_mask_ops, add_float_ops, add_double_ops, add_convert_ops, add_function_ops})
    add(table, h);
  table.erase(nullptr);
  return table;
}

bool is_scalar(const Source& source) {
  return source.kind == SourceKind::kScalar ||
         (source.kind == SourceKind::kModified && (source.modifiers & kFromScalar) != 0);
}

const VectorOp* find_op(Handler handler) {
  static const VectorOpTable table = make_table();
  const auto it = table.find(handler);
  return it == table.end() ? nullptr : &it->second;
}

const VectorOp* op_of(const Step& step) {
  return find_op(step.inner != nullptr ? step.inner : step.run);
}

}  // namespace

VectorEmit vector_emit_of(Handler handler) {
  const VectorOp* op = find_op(handler);
  return op == nullptr ? nullptr : op->emit;
}

bool is_strip_step(const Step& step, unsigned lanes) {
  const VectorOp* op = op_of(step);
  if (op == nullptr || !is_dpp_strip_step(step, lanes) || step.clamp || step.omod != 0 || step.dst_high) return false;
  const bool writes_exec = op->mask_to != nullptr && step.*(op->mask_to) == kExecSlot;
  if (step.inner != nullptr && writes_exec) return false;
  for (const Source& source : step.src) {
    // A piece that is executed again has an EXEC of its own.
    if (is_scalar(source) && (source.index == kExecSlot || source.index == kExecSlot + 1)) return false;
    const bool has_half = source.kind == SourceKind::kModified && (source.modifiers & (kHigh | kSign16)) != 0;
    if (has_half && !op->takes_halves) return false;
  }
  return true;
}

StripSlots strip_slots_of(const Step& step) {
  StripSlots slots;
  const VectorOp* op = op_of(step);
  for (unsigned i = 0; i < 3; ++i) {
    const Source& source = step.src[i];
    if (op->reads_mask && i == 2) {
      if (source.kind == SourceKind::kScalar) slots.mask_read = source.index;
      continue;
    }
    if (!is_scalar(source)) continue;
    slots.values.push_back(source.index);
    slots.values.push_back(static_cast<uint16_t>(source.index + 1));  // for operands of 64 bits
  }
  if (op->mask_to != nullptr) slots.mask_written = step.*(op->mask_to);
  return slots;
}

}  // namespace bw::emulator::jit
