#include "ir/pass.h"

#include <string>

#include "ir/text.h"
#include "ir/verifier.h"

namespace bw::ir {

Result<std::vector<NodePtr>> run_verified_pass(std::string_view name, std::span<const NodePtr> outputs,
                                               const GraphPass& pass) {
  BW_RETURN_IF_ERROR(verify_graph(outputs).with_context(fmt::format("before the pass {}", name)));
  BW_ASSIGN(std::vector<NodePtr> result, pass(outputs));
  BW_RETURN_IF_ERROR(verify_graph(result).with_context(fmt::format("after the pass {}", name)));
  bool is_same = result.size() == outputs.size();
  for (size_t i = 0; is_same && i < result.size(); ++i) {
    is_same = result[i]->dtype == outputs[i]->dtype && result[i]->shape == outputs[i]->shape;
    if (is_same) continue;
    return error(StatusCode::kInvalidArgument, "after the pass {}: output {} is {}, not as before {}", name, i,
                 print_node(*result[i]), print_node(*outputs[i]));
  }
  if (is_same) return result;
  return error(StatusCode::kInvalidArgument, "after the pass {}: {} outputs, not {}", name, result.size(),
               outputs.size());
}

Result<std::vector<NodePtr>> run_pass(std::string_view name, std::span<const NodePtr> outputs, const GraphPass& pass) {
  return kVerifyPasses ? run_verified_pass(name, outputs, pass) : pass(outputs);
}

Status verify_pass(std::string_view name, const Kernel& kernel) {
  if (!kVerifyPasses) return Status::ok();
  return verify_kernel(kernel).with_context(fmt::format("after the pass {}", name));
}

}  // namespace bw::ir
