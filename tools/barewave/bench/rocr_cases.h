// Owns: the cases that ROCr can be timed with as this runtime is, under the same names with "rocr/" before them. Not
// here: starting ROCr's side and putting both beside each other (rocr_compare.h).
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "tools/barewave/bench/timed_run.h"

namespace bw::tools {

// Whether a case of this name exists for ROCr, and whether it is one of host costs.
enum class RocrCase : uint8_t { kNone, kHostCost, kExecuted };
RocrCase rocr_case_of(const std::string& name);

// Whether what programs leave is looked at: not on a card that executes nothing.
enum class RocrResults : uint8_t { kVerified, kNotExecuted };

// Runs the cases through the library; those that ROCr has not are left out.
Status run_rocr_cases(const std::vector<TimedCase>& cases, const std::string& library_path, int64_t iterations,
                      RocrResults results, TimedReport& report);

}  // namespace bw::tools
