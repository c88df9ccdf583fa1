// Owns: running a pass over a program with the verifier before and after it, in builds with assertions.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

#ifdef NDEBUG
inline constexpr bool kVerifyPasses = false;
#else
inline constexpr bool kVerifyPasses = true;
#endif

using GraphPass = std::function<Result<std::vector<NodePtr>>(std::span<const NodePtr>)>;

// Verifies the graph before and after, and that the outputs keep their dtypes and shapes.
// Error: kInvalidArgument with the name of the pass and what is wrong, or what the pass returned.
Result<std::vector<NodePtr>> run_verified_pass(std::string_view name, std::span<const NodePtr> outputs,
                                               const GraphPass& pass);

// The same where kVerifyPasses, else the pass alone.
Result<std::vector<NodePtr>> run_pass(std::string_view name, std::span<const NodePtr> outputs, const GraphPass& pass);

// Of a pass that makes or changes a kernel: verifies it where kVerifyPasses.
Status verify_pass(std::string_view name, const Kernel& kernel);

}  // namespace bw::ir
