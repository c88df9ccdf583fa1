// Owns: holding random programs, compiled and run on the emulated card, against the evaluator on the host.
#pragma once

#include <cstdint>
#include <string>

#include "emulator/driver.h"

namespace bw::test {

struct GraphFuzzOptions {
  uint64_t seed = 1;   // of the first program; each takes the next
  double seconds = 0;  // after which no further program is begun
  uint64_t count = 0;  // programs at most
  emulator::ShaderEngine engine = emulator::ShaderEngine::kJit;
  emulator::Strictness strictness = emulator::Strictness::kOff;
  std::string only{};  // this kind of workload alone; "": all in turn
};

struct GraphFuzzResult {
  uint64_t programs = 0;
  uint64_t kernels = 0;
  std::string failure;  // seed, kind, the program and what is wrong; empty if all is well
};

// One program, with inputs of this seed: empty, or what is wrong.
std::string check_program(const std::string& text, uint64_t seed, double tolerance, const GraphFuzzOptions& options);

GraphFuzzResult fuzz_graphs(const GraphFuzzOptions& options);

}  // namespace bw::test
