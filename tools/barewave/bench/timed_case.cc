#include "tools/barewave/bench/timed_case.h"

#include <algorithm>

namespace bw::tools {

double IterationTimes::quantile(double part) {
  if (times_ns_.empty()) return 0;
  const auto index = static_cast<ptrdiff_t>(static_cast<double>(times_ns_.size()) * part);
  std::nth_element(times_ns_.begin(), times_ns_.begin() + index, times_ns_.end());
  return times_ns_[static_cast<size_t>(index)];
}

double IterationTimes::median_ns() {
  return quantile(0.5);
}

void IterationTimes::report(uint64_t parts) {
  state_.counters["p50"] = median_ns();
  state_.counters["p99"] = quantile(0.99);
  if (parts > 1) state_.counters["p50_per_kernel"] = median_ns() / static_cast<double>(parts);
}

}  // namespace bw::tools
