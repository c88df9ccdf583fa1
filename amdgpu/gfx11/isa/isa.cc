#include "amdgpu/gfx11/isa/isa.h"

#include "amdgpu/gfx11/isa/buffer.h"

namespace bw::amdgpu::gfx11 {

std::span<const OperandInfo> InstructionInfo::operands() const {
  return {tables::kOperands + first_operand, operand_count};
}

const OperandInfo* InstructionInfo::operand(Field field) const {
  for (const OperandInfo& info : operands()) {
    if (info.field == field) return &info;
  }
  return nullptr;
}

std::span<const FieldLayout> EncodingLayout::fields() const {
  return {tables::kFieldLayouts + first_field, tables::kFieldLayouts + end_field};
}

std::span<const FieldLayout> ExtraDwordLayout::fields() const {
  return {tables::kFieldLayouts + first_field, tables::kFieldLayouts + end_field};
}

std::span<const InstructionInfo> instructions() {
  return {tables::kInstructions, tables::kInstructionCount};
}

const EncodingLayout& layout(Encoding encoding) {
  return tables::kEncodings[static_cast<size_t>(encoding)];
}

const InstructionInfo* find_instruction(Encoding encoding, uint32_t opcode) {
  const size_t index = static_cast<size_t>(encoding);
  const uint32_t slot = tables::kFirstSlot[index] + opcode;
  if (slot >= tables::kFirstSlot[index + 1]) return nullptr;
  const uint16_t row = tables::kRowOfSlot[slot];
  return row == 0 ? nullptr : &tables::kInstructions[row - 1];
}

const char* name(Op op) {
  return tables::kOpNames[static_cast<size_t>(op)];
}

std::span<const BufferFormatInfo> buffer_formats() {
  return {tables::kBufferFormats, tables::kBufferFormatCount};
}

uint16_t code_category(uint32_t code) {
  return code < 512 ? tables::kCodeCategory[code] : 0;
}

}  // namespace bw::amdgpu::gfx11
