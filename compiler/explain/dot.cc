// Owns: the graph for Graphviz.
#include <fmt/format.h>

#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/explain/picture.h"
#include "compiler/explain/report.h"
#include "compiler/lower_llvm_plan.h"
#include "ir/text.h"

namespace bw::compiler::explain {
namespace {

using ir::Node;
using ir::NodePtr;
using ir::Op;

// A tile that is written out has thousands of nodes; beyond these a kernel is only its name.
constexpr size_t kMaxNodesOfKernel = 60;

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + "\"";
}

// What the node computes with, without indices and ranges.
std::vector<NodePtr> operands(const Node& node) {
  if (node.op == Op::kLoad) return {};
  if (node.op == Op::kStore) return {node.inputs[2]};
  if (ir::is_reduce(node.op)) return {node.inputs[0]};
  return node.inputs;
}

std::vector<NodePtr> value_nodes(const ir::Kernel& kernel) {
  std::vector<NodePtr> result;
  std::unordered_set<const Node*> seen;
  std::vector<NodePtr> open(kernel.stores.begin(), kernel.stores.end());
  while (!open.empty()) {
    const NodePtr node = open.back();
    open.pop_back();
    if (!seen.insert(node.get()).second) continue;
    result.push_back(node);
    for (const NodePtr& operand : operands(*node)) open.push_back(operand);
  }
  return result;
}

std::string label(const Node& node) {
  if (node.op == Op::kConst && ir::is_float(node.dtype)) {
    return fmt::format("{:.9g}", std::get<double>(node.attr<ir::ConstAttr>().value));
  }
  if (node.op == Op::kConst || node.op == Op::kVariable || node.op == Op::kRange) return ir::print_expression(node);
  std::string text = fmt::format("{} {}", ir::name(node.op), ir::name(node.dtype));
  if (ir::is_reduce(node.op)) {
    for (const NodePtr& range : reduction_ranges(node)) {
      text += fmt::format("\nover {}", ir::print_dim(range->attr<ir::RangeAttr>().extent));
    }
  }
  return text;
}

class Dot {
 public:
  explicit Dot(const Explanation& explanation) : explanation_(explanation) {}

  std::string run() {
    text_ = "digraph program {\n  node [fontname=\"sans-serif\", fontsize=10, shape=box];\n";
    for (size_t i = 0; i < explanation_.kernels.size(); ++i) kernel(i);
    for (const size_t buffer : buffers_) {
      const BufferPlan& plan = explanation_.schedule.buffers[buffer];
      text_ +=
          fmt::format("  b{} [shape={}, label={}];\n", buffer, plan.kind == BufferKind::kParam ? "cylinder" : "ellipse",
                      quoted(fmt::format("{}\n{}B", buffer_name(explanation_, buffer),
                                         print_quantity(static_cast<double>(plan.size_bytes)))));
    }
    return text_ + edges_ + "}\n";
  }

 private:
  void kernel(size_t number) {
    const KernelFacts& facts = explanation_.kernels[number];
    const ScheduledKernel& scheduled = explanation_.schedule.kernels[number];
    text_ +=
        fmt::format("  subgraph cluster_{} {{\n    label={};\n", number,
                    quoted(fmt::format("{}: {}\n{}, {}", number, facts.name,
                                       print_seconds(facts.roofline.total_seconds()), name(facts.roofline.bound))));
    for (const KernelPart& part : scheduled.parts) add_part(number, scheduled.launch, part);
    text_ += "  }\n";
  }

  void add_part(size_t number, const Launch& launch, const KernelPart& part) {
    const std::vector<NodePtr> nodes = value_nodes(part.kernel);
    const bool is_shown = nodes.size() <= kMaxNodesOfKernel;
    std::unordered_map<const Node*, std::string> names;
    const std::string whole = fmt::format("k{}_{}", number, next_++);
    if (!is_shown) {
      text_ += fmt::format("    {} [label={}];\n", whole,
                           quoted(fmt::format("{}\n{} operations", part.kernel.name, nodes.size())));
    }
    for (const NodePtr& node : nodes) {
      names[node.get()] = is_shown ? fmt::format("n{}", next_++) : whole;
      if (is_shown) text_ += fmt::format("    {} [label={}];\n", names[node.get()], quoted(label(*node)));
    }
    std::set<std::string> edges;
    for (const NodePtr& node : nodes) {
      const std::string& own = names[node.get()];
      if (is_shown) {
        for (const NodePtr& operand : operands(*node)) edges.insert(fmt::format("{} -> {}", names[operand.get()], own));
      }
      if (node->op != Op::kLoad && node->op != Op::kStore) continue;
      const size_t buffer = launch.buffers[part.arguments[memory_param(*node).attr<ir::ParamAttr>().id]];
      buffers_.insert(buffer);
      edges.insert(node->op == Op::kLoad ? fmt::format("b{} -> {}", buffer, own)
                                         : fmt::format("{} -> b{}", own, buffer));
    }
    for (const std::string& edge : edges) edges_ += "  " + edge + ";\n";
  }

  const Explanation& explanation_;
  std::string text_;
  std::string edges_;
  std::set<size_t> buffers_;
  size_t next_ = 0;
};

}  // namespace

std::string print_dot(const Explanation& explanation) {
  return Dot(explanation).run();
}

}  // namespace bw::compiler::explain
