// Owns: counting what an evaluation of a kernel carries out, and comparing it with what was counted before it ran.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/analysis/costs.h"
#include "ir/evaluator.h"
#include "ir/kernel.h"
#include "ir/ranges.h"

namespace bw::ir::testing {

// Counts for how many different values of the ranges that matter each op was computed, and which elements were touched.
class CountingObserver : public KernelObserver {
 public:
  explicit CountingObserver(const Kernel& kernel);

  void on_compute(const Node& node, std::span<const int64_t> counters) override;
  void on_access(const Node& access, int64_t element, std::span<const int64_t> counters) override;

  // By op and dtype of the operands, as analysis::OpCount has them.
  std::map<std::pair<Op, DType>, uint64_t> ops() const;
  // Different elements, by the position of the param.
  uint64_t read(uint64_t param) const;
  uint64_t written(uint64_t param) const;

 private:
  KernelRanges ranges_;
  std::map<const Node*, std::set<std::vector<int64_t>>> computed_;
  std::map<uint64_t, std::set<int64_t>> read_;
  std::map<uint64_t, std::set<int64_t>> written_;
};

struct CostTally {
  int exact = 0;    // counts that said they were
  int bounded = 0;  // upper bounds
};

// What differs, a line each; "" where the costs agree with what was counted.
std::string check_costs(const analysis::KernelCosts& costs, const analysis::VariableValues& values,
                        const CountingObserver& counted, CostTally& tally);

}  // namespace bw::ir::testing
