// Owns: what a kernel costs before it runs: operations by kind and dtype, elements read and written, and how often;
// for any values of its variables. Not here: how long that takes (compiler/cost_model.h), and what a form of lowering
// adds (index arithmetic, exchange between lanes).
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "ir/analysis/index_image.h"
#include "ir/analysis/polynomial.h"
#include "ir/kernel.h"

namespace bw::ir::analysis {

// Elementwise ops and reductions of one kind; a reduction counts one for each value that it takes in.
struct OpCount {
  Op op = Op::kAdd;
  DType dtype = DType::kF32;  // of the inputs (kWhere: of the values)
  // Every value computed once: the work that the program asks for.
  Polynomial distinct;
  // Computed again by each lane that needs it, and once for each iteration of the loops that it depends on: the work
  // where each lane goes through the kernel by itself (compiler/kernel_form.h: LaneForm).
  Polynomial by_lanes;
};

struct ParamTraffic {
  Polynomial loads;   // elements that lanes load, as often as they do
  Polynomial stores;  // likewise
  Count read;         // different elements that are loaded
  Count written;      // and stored

  // How often each element that is read is read, on the average; 0 where none is.
  double reuse(const VariableValues& values = {}) const;
};

// Of one launch. Variables that a VariableValues does not name are at their maxima.
struct KernelCosts {
  std::vector<OpCount> ops;          // ascending by op and dtype; as the program states them, index arithmetic included
  std::vector<ParamTraffic> params;  // by position
  std::vector<uint32_t> element_bytes;  // likewise

  // Floating-point operations, by lanes; a multiply-add is two, a conversion or selection
  // none.
  Polynomial flops() const;
  Polynomial flops(DType dtype) const;
  Polynomial distinct_flops() const;
  Count read_bytes() const;
  Count written_bytes() const;
  Count bytes() const;
  // Floating-point operations for each byte that is read or written at least once.
  double intensity(const VariableValues& values = {}) const;
};

struct CostOptions {
  CountEffort effort = CountEffort::kFast;
  VariableValues values;  // of all variables, or empty: the costs are polynomials in them then
};

// Errors: see find_ranges (ir/ranges.h). The kernel was verified.
Result<KernelCosts> count_costs(const Kernel& kernel, const CostOptions& options);

}  // namespace bw::ir::analysis
