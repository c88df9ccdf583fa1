// Owns: random valid graphs with memory for their params, for holding transformations and the compiler against the
// evaluator. The same seed and options give the same graph on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "ir/builder.h"
#include "ir/evaluator.h"
#include "ir/node.h"

namespace bw::ir::testing {

// Which elementwise ops on floating point are used.
enum class Numbers : uint8_t {
  kExact,  // no exp2, log2, sin, sqrt, recip: what is left has one right result per op, given the rounding
  kAny,
};
enum class Extents : uint8_t { kStatic, kSymbolicToo };
enum class Stores : uint8_t { kNone, kSome };

struct RandomGraphOptions {
  int steps = 12;              // nodes made on purpose; others come along
  int64_t max_elements = 256;  // of any value
  std::vector<DType> dtypes = {DType::kF32, DType::kF16, DType::kI32, DType::kU8, DType::kBool};
  Numbers numbers = Numbers::kExact;
  Extents extents = Extents::kSymbolicToo;
  Stores stores = Stores::kSome;
};

struct RandomGraph {
  std::vector<NodePtr> outputs;    // at least one; no output is a kParam
  std::vector<NodePtr> params;     // ids 0, 1 ..
  std::vector<NodePtr> variables;  // at most one
};

RandomGraph random_graph(Builder& builder, uint64_t seed, const RandomGraphOptions& options);

// Memory for params and values for variables. Floating point is small multiples of 1/8, integers lie around 0.
class RandomInputs {
 public:
  RandomInputs(const std::vector<NodePtr>& params, const std::vector<NodePtr>& variables, uint64_t seed);

  const EvaluatorInputs& inputs() const { return inputs_; }
  std::map<uint64_t, std::vector<std::byte>>& memory() { return memory_; }

 private:
  std::map<uint64_t, std::vector<std::byte>> memory_;
  EvaluatorInputs inputs_;
};

}  // namespace bw::ir::testing
