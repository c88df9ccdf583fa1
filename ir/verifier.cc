// Owns: the rules of graphs. Those of kernels are in ir/kernel_verifier.cc.

#include "ir/verifier.h"

#include <algorithm>
#include <map>

#include "ir/infer.h"
#include "ir/text.h"

namespace bw::ir {
namespace {

template <typename... Args>
Status wrong(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "{}: {}", print_node(node),
               fmt::format(format, std::forward<Args>(args)...));
}

// What must agree between nodes that have no other connection.
class GraphNames {
 public:
  Status check(const NodePtr& node) {
    if (node->op == Op::kVariable) {
      const auto [it, is_new] = variables_.emplace(node->attr<VariableAttr>().name, node);
      if (!is_new) return wrong(*node, "another variable has the same name: {}", print_node(*it->second));
    }
    if (node->op == Op::kParam) {
      const auto [it, is_new] = params_.emplace(node->attr<ParamAttr>().id, node);
      if (!is_new && (it->second->dtype != node->dtype || it->second->shape != node->shape)) {
        return wrong(*node, "the same param has another dtype or shape elsewhere: {} (bitcast or reshape it)",
                     print_node(*it->second));
      }
    }
    return Status::ok();
  }

 private:
  std::map<std::string, NodePtr> variables_;
  std::map<uint64_t, NodePtr> params_;
};

}  // namespace

Status verify_graph(std::span<const NodePtr> outputs) {
  GraphNames names;
  if (std::find(outputs.begin(), outputs.end(), nullptr) != outputs.end()) {
    return error(StatusCode::kInvalidArgument, "an output of the graph is missing");
  }
  for (const NodePtr& node : topological_order(outputs)) {
    if (std::find(node->inputs.begin(), node->inputs.end(), nullptr) != node->inputs.end()) {
      return wrong(*node, "an input is missing");
    }
    Result<Inferred> inferred = infer(*node);
    if (!inferred.is_ok()) return std::move(inferred).status().with_context(print_node(*node));
    if (inferred->dtype != node->dtype || inferred->shape != node->shape) {
      return wrong(*node, "the result must be {} {}", name(inferred->dtype), print_shape(inferred->shape));
    }
    BW_RETURN_IF_ERROR(names.check(node));
  }
  return Status::ok();
}

}  // namespace bw::ir
