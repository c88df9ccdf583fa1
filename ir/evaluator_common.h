// Owns: what the graph evaluator and the kernel evaluator share.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "ir/evaluator.h"
#include "ir/node.h"

namespace bw::ir {

// The value of an extent. Error: kInvalidArgument where its variable is missing or out of its bounds.
Result<int64_t> dim_value(const Dim& dim, const EvaluatorInputs& inputs);
Result<int64_t> variable_value(const Node& variable, const EvaluatorInputs& inputs);
// The memory of a param, no longer than its elements. Error: kInvalidArgument where it is missing or too small.
Result<std::span<std::byte>> param_memory(const Node& param, const EvaluatorInputs& inputs);

}  // namespace bw::ir
