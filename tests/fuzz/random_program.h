// Owns: random gfx1100 programs for holding one engine of shader cores against another: random instructions in loops
// and divergent parts, with branches over some and changes of MODE, between the prologue and the epilogue of the frame.
// Not here: the instructions (random_instruction.h), running and comparing programs (program_fuzz.h).
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/random_instruction.h"

namespace bw::test {

class RandomProgramGenerator {
 public:
  explicit RandomProgramGenerator(uint32_t wave_size);

  struct Program {
    std::vector<uint32_t> code;
    std::string text;  // the random part, one instruction a line
  };
  Program make(std::mt19937& random, size_t instruction_count);

 private:
  void append(const std::string& text, Program* program);
  void add_instruction(std::mt19937& random, Program* program);
  void add_mode_change(std::mt19937& random, Program* program);
  void add_other(std::mt19937& random, Program* program);
  void add_part(std::mt19937& random, size_t instruction_count, unsigned depth, Program* program);
  void add_loop(std::mt19937& random, size_t instruction_count, unsigned depth, Program* program);
  void add_divergent(std::mt19937& random, size_t instruction_count, unsigned depth, Program* program);
  void add_skipped(std::mt19937& random, size_t instruction_count, unsigned depth, Program* program);
  std::string exec_save(unsigned depth) const;

  const uint32_t wave_size_;
  LlvmMc llvm_;
  RandomInstructions instructions_;
  RandomInstructions::From from_ = RandomInstructions::From::kAll;  // of the program in the making
  std::vector<uint32_t> prologue_, epilogue_;
};

}  // namespace bw::test
