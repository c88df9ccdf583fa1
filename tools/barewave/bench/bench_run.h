// Owns: counting what a benchmark executes and moves, verified. Not here: the cases (bench_case.h), timing
// (timed_run.h), showing the results (bench_report.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "emulator/driver.h"
#include "tools/barewave/bench/bench_case.h"

namespace bw::tools {

// What the launches of a kernel did with one of their arguments.
struct BufferCounts {
  uint64_t size_bytes = 0;  // summed over the launches, as the next
  uint64_t loaded_bytes = 0;
  uint64_t loaded_bytes_128 = 0;
  uint64_t stored_bytes = 0;
};

// All launches of one kernel in one run of the program.
struct KernelCounts {
  tensor::LaunchDescription launch;  // the first
  uint32_t launches = 0;
  uint64_t workgroups = 0;  // of all launches, as the next
  emulator::DispatchCounters counters;
  std::vector<BufferCounts> buffers;  // in argument order
  // What the workgroups of a product must read, each for its own part of the result; nothing where the kernel is none,
  // or gives them no rectangle of it.
  std::optional<uint64_t> tiling_bytes;
};

struct BenchResult {
  std::string name;
  Status status;  // of all below: what could not be run, or came out wrong
  uint64_t minimum_bytes = 0;
  double flops = 0;
  uint32_t launches = 0;              // kernels that a run launches
  std::vector<KernelCounts> kernels;  // in the order of their first launches
};

// Counted, on an emulated card that counts.
BenchResult count_case(const BenchCase& what, const std::shared_ptr<tensor::Runtime>& runtime,
                       emulator::EmulatedDriver& card);

// See KernelCounts.
std::optional<uint64_t> tiling_bytes(const BenchProduct& product, const tensor::LaunchDescription& launch);

}  // namespace bw::tools
