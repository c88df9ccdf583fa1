// Owns: an explanation as text for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "compiler/explain/explanation.h"

namespace bw::compiler::explain {

enum class Listing : uint8_t { kNone, kShown };

struct ReportOptions {
  Listing assembly = Listing::kNone;
  Listing llvm_ir = Listing::kNone;
};

// A line for each kernel: number, name, grid, FLOPs, bytes, registers, occupancy, the least time and what bounds it;
// then the sums.
std::string print_summary(const Explanation& explanation);

// All that is known of one kernel. Listings are there if the explanation was made for it. Errors: see print_loops.
Result<std::string> print_kernel_report(const Explanation& explanation, size_t kernel, const ReportOptions& options);

// "x" for a param of the program, "temporary 3" for what is only there between kernels.
std::string buffer_name(const Explanation& explanation, size_t buffer);

// "1.50 us", "3.2 MB", "120 G": for people. Powers of 1000.
std::string print_seconds(double seconds);
std::string print_quantity(double value);

}  // namespace bw::compiler::explain
