// Owns: the translation of one decoded instruction to steps: handler chosen, operands resolved to registers or rows of
// constants.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"
#include "emulator/shader/step.h"

namespace bw::emulator {

// Constants spread over the lanes of a row, low and high dwords; each value once. Rows never move.
class ConstantPool {
 public:
  const Row* get(uint64_t value);

 private:
  std::deque<std::array<Row, 2>> rows_;
  std::unordered_map<uint64_t, const Row*> by_value_;
};

// Appends the steps of `in`: one, but for VOPD, whose halves become steps of their own. Operands that lie outside the
// register file make a step that faults as illegal, operations without handler one that faults as unimplemented.
void resolve(const amdgpu::gfx11::Instruction& in, uint64_t pc, uint32_t wave_size, ConstantPool& constants,
             std::vector<Step>& out);

}  // namespace bw::emulator
