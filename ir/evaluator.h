// Owns: carrying out programs on the host, slowly and exactly as the ops are defined: the reference that compiled
// kernels are held against. Floating point is computed in double precision and rounded to the dtype only where
// `Rounding::kToDType`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

enum class Rounding : uint8_t { kDouble, kToDType };

struct EvaluatorInputs {
  std::map<uint64_t, std::span<std::byte>> params;  // by ParamAttr::id, raw elements; kStore writes to them
  std::map<std::string, int64_t> variables;         // by name
};

// Elements of one output as doubles (u64/i64 beyond 2^53 lose digits: use evaluate_kernel for those), row-major.
Result<std::vector<double>> evaluate_graph(const NodePtr& output, const EvaluatorInputs& inputs, Rounding rounding);

// Is told of what evaluate_kernel carries out: each computed op (a reduction for every value that it takes in), and
// each element that is loaded or stored. `counters`: where the ranges of find_ranges() (ir/ranges.h) are.
class KernelObserver {
 public:
  virtual ~KernelObserver() = default;
  virtual void on_compute(const Node& node, std::span<const int64_t> counters) = 0;
  virtual void on_access(const Node& access, int64_t element, std::span<const int64_t> counters) = 0;
};

// Runs all stores of a kernel. An index outside its param is an error that names it. A value is computed again where a
// range that it depends on has moved on.
Status evaluate_kernel(const Kernel& kernel, const EvaluatorInputs& inputs, Rounding rounding,
                       KernelObserver* observer = nullptr);

// Converts between raw elements and doubles.
std::vector<double> decode_elements(DType dtype, std::span<const std::byte> raw);
void encode_elements(DType dtype, std::span<const double> values, std::span<std::byte> raw);

}  // namespace bw::ir
