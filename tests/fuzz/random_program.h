// Owns: random gfx1100 programs for holding one engine of shader cores against another: straight-line vector, scalar
// and LDS instructions, between a prologue that gives all registers and LDS known contents and an epilogue that stores
// all registers. Not here: running and comparing them (program_fuzz.h).
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {

// A program is started with one wave a workgroup, and with
//   s[0:1] the address of kInputBytes that v0..v63 of all lanes and then s0..s63 are loaded from
//   s[2:3] the address of kOutputBytes for each workgroup: a row of 64 dwords for each of v0..v63, s0..s63, VCC, EXEC,
//          M0 and SCC, with a dword for each lane
//   s4     the workgroup's number
//   LDS    kLdsBytes
struct RandomProgramFrame {
  static constexpr uint32_t kVgprs = 64;
  static constexpr uint32_t kSgprs = 64;
  static constexpr uint32_t kRowBytes = 256;
  static constexpr uint32_t kInputBytes = kVgprs * kRowBytes + kSgprs * 4;
  static constexpr uint32_t kOutputRows = kVgprs + kSgprs + 6;
  static constexpr uint32_t kOutputBytes = kOutputRows * kRowBytes;
  static constexpr uint32_t kLdsBytes = 4096;

  static std::string row_name(uint32_t row);
};

class RandomProgramGenerator {
 public:
  explicit RandomProgramGenerator(uint32_t wave_size);

  struct Program {
    std::vector<uint32_t> code;
    std::string text;  // the random part, one instruction a line
  };
  Program make(std::mt19937& random, size_t instruction_count);
  // Rows of the table that can occur.
  size_t row_count() const { return rows_.size(); }

 private:
  struct Chosen {
    std::vector<uint32_t> dwords;
    std::string text;
  };
  Chosen make_instruction(std::mt19937& random);
  std::optional<Chosen> try_instruction(const amdgpu::gfx11::InstructionInfo& info, std::mt19937& random);
  uint32_t random_code(const amdgpu::gfx11::InstructionInfo& info, const amdgpu::gfx11::OperandInfo& operand,
                       std::mt19937& random) const;
  void append(const std::string& text, Program* program);

  const uint32_t wave_size_;
  LlvmMc llvm_;
  std::vector<const amdgpu::gfx11::InstructionInfo*> rows_;
  std::vector<uint32_t> prologue_, epilogue_;
};

}  // namespace bw::test
