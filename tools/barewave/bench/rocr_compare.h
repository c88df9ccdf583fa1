// Owns: ROCr's side of a comparison, in a process of its own, and the table of both sides. Not here: what is timed
// (rocr_cases.h).
//
// A process can open a GPU once, so the two runtimes do not share one. On an emulated card the process runs under
// `barewave shim`, with the engine that this runtime's side has.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "tools/barewave/bench/bench_machine.h"
#include "tools/barewave/bench/timed_run.h"

namespace bw::tools {

struct RocrOptions {
  std::string library_path;
  int64_t repetitions = 0;
};

// Empty if ROCr has none of the cases.
Result<std::vector<TimedResult>> time_rocr(const std::vector<TimedCase>& cases, const BenchMachine& machine,
                                           const RocrOptions& options);

// Medians of the cases that both have, and by how much ROCr's is longer.
std::string comparison_text(const std::vector<TimedResult>& results, const BenchMachine& machine);

}  // namespace bw::tools
