// Owns: random instructions of gfx1100 of every implemented row of the table that does not decide where the wave goes
// next, with all modifiers, on the registers and the memory of RandomProgramFrame. Not here: programs of them
// (random_program.h).
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"
#include "tests/fuzz/random_frame.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {

class RandomInstructions {
 public:
  // `llvm`: for the wave size.
  RandomInstructions(uint32_t wave_size, LlvmMc& llvm);

  struct Chosen {
    const amdgpu::gfx11::InstructionInfo* info = nullptr;
    std::vector<uint32_t> dwords;
    std::string text;
    std::string before;  // assembler text that has to come first: brings addresses into the memory there is
  };
  enum class From : uint8_t { kAll, kTranslated };  // kTranslated: what the JIT has code of its own for
  Chosen make(From from, std::mt19937& random);
  // Of this row; nothing if some attempts gave no valid operands.
  std::optional<Chosen> make_of(const amdgpu::gfx11::InstructionInfo& info, std::mt19937& random);
  // Rows of the table that can occur.
  std::span<const amdgpu::gfx11::InstructionInfo* const> rows() const { return rows_; }

 private:
  std::optional<Chosen> try_row(const amdgpu::gfx11::InstructionInfo& info, std::mt19937& random);
  std::vector<uint32_t> random_dwords(const amdgpu::gfx11::InstructionInfo& info, std::mt19937& random) const;
  uint32_t random_code(const amdgpu::gfx11::InstructionInfo& info, const amdgpu::gfx11::OperandInfo& operand,
                       std::mt19937& random) const;

  const uint32_t wave_size_;
  LlvmMc& llvm_;
  std::vector<const amdgpu::gfx11::InstructionInfo*> rows_, translated_rows_;
};

}  // namespace bw::test
