// Owns: the proof that loads and stores stay within their params, and the values that show where one does not. Not
// here: what is known of an index by itself (ir/analysis/index_analysis.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "ir/analysis/index_analysis.h"
#include "ir/kernel.h"

namespace bw::ir::analysis {

enum class ProofMethod : uint8_t {
  kInterval,     // interval arithmetic over the expression
  kRelational,   // bounds of its form: a range ends before its extent, whatever the variables are
  kEnumeration,  // every combination of values was tried
};

// How it is known that 0 <= index < element_count.
struct AccessProof {
  NodePtr access;  // kLoad or kStore
  int64_t element_count = 0;
  ProofMethod method = ProofMethod::kInterval;
  Interval bounds;                           // of the index
  std::optional<SymbolicInterval> symbolic;  // kRelational
  uint64_t combinations = 0;                 // kEnumeration: that were tried

  // "store out[x1*4 + loop2]: within 0..127 of 128 elements, by intervals".
  std::string explain() const;
};

// Values of ranges and variables, and of what the index takes from memory, for which an index lies outside.
struct CounterExample {
  std::vector<std::pair<NodePtr, int64_t>> values;
  int64_t index = 0;
  // Whether such values can occur: ranges, variables and elements of memory take all their values; other parts of an
  // index (reductions, conversions of floating-point numbers) may not.
  bool is_certain = true;

  // "x1 = 3, n = 7: 40".
  std::string print() const;
};

// Error: kInvalidArgument with the access, the expression, its bounds, the size, and a counter-example; or where none
// was found, that.
Result<AccessProof> prove_access(IndexAnalysis& analysis, const NodePtr& access);

// Of every load and store, in topological order. The kernel's structure was verified.
Result<std::vector<AccessProof>> prove_accesses(const Kernel& kernel);

}  // namespace bw::ir::analysis
