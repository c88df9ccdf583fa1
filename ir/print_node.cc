// Owns: printing single nodes and expressions for messages. They may be broken: nothing here relies on the verifier.

#include <string>

#include "ir/print.h"
#include "ir/text.h"

namespace bw::ir {
namespace {

// An expression for a message is cut off here.
constexpr int kMaxDepth = 12;
constexpr size_t kMaxLength = 400;

std::string brief(const Node& node) {
  std::string text = fmt::format("{} {}", name(node.op), name(node.dtype));
  if (!node.shape.empty()) text += fmt::format(" {}", print_shape(node.shape));
  const bool is_leaf = node.inputs.empty();
  return is_leaf ? text + print_attribute(node, Level::kKernel, print_dim) : text;
}

// What binds tighter has the larger number.
int precedence(Op op) {
  if (op == Op::kAdd || op == Op::kCmpLt || op == Op::kCmpNe) return op == Op::kAdd ? 2 : 1;
  return op == Op::kMul || op == Op::kIDiv || op == Op::kMod ? 3 : 4;
}

std::string_view infix(Op op) {
  switch (op) {
    case Op::kAdd:
      return " + ";
    case Op::kMul:
      return "*";
    case Op::kIDiv:
      return "/";
    case Op::kMod:
      return "%";
    case Op::kCmpLt:
      return " < ";
    case Op::kCmpNe:
      return " != ";
    default:
      return "";
  }
}

std::string leaf_text(const Node& node) {
  if (const auto* attr = std::get_if<ConstAttr>(&node.attribute)) return print_scalar(attr->value);
  if (const auto* attr = std::get_if<ParamAttr>(&node.attribute)) return attr->name;
  if (const auto* attr = std::get_if<VariableAttr>(&node.attribute)) return attr->name;
  if (const auto* attr = std::get_if<RangeAttr>(&node.attribute)) {
    return fmt::format("{}{}", kRangeKindNames[static_cast<size_t>(attr->kind)], attr->id);
  }
  return std::string(name(node.op));
}

void append_expression(const Node* node, int outer, int depth, std::string& text) {
  if (node == nullptr || depth > kMaxDepth || text.size() > kMaxLength) {
    text += "..";
    return;
  }
  if (node->inputs.empty()) {
    text += leaf_text(*node);
    return;
  }
  const std::string_view sign = infix(node->op);
  if (!sign.empty() && node->inputs.size() == 2) {
    const int own = precedence(node->op);
    if (own < outer) text += "(";
    append_expression(node->inputs[0].get(), own, depth + 1, text);
    text += sign;
    // a - (b - c): the right side of an operator of the same rank keeps its parentheses.
    append_expression(node->inputs[1].get(), own + 1, depth + 1, text);
    if (own < outer) text += ")";
    return;
  }
  const bool is_load = node->op == Op::kLoad && node->inputs.size() == 2 && node->inputs[0] != nullptr;
  text += is_load ? leaf_text(*node->inputs[0]) : std::string(name(node->op));
  text += is_load ? '[' : '(';
  for (size_t i = is_load ? 1 : 0; i < node->inputs.size(); ++i) {
    if (i > (is_load ? 1u : 0u)) text += ", ";
    append_expression(node->inputs[i].get(), 0, depth + 1, text);
  }
  text += is_load ? ']' : ')';
}

}  // namespace

std::string print_dim(const Dim& dim) {
  if (dim.is_static()) return fmt::format("{}", dim.offset);
  const auto* attr = std::get_if<VariableAttr>(&dim.variable->attribute);
  const std::string_view variable = attr != nullptr ? std::string_view(attr->name) : name(dim.variable->op);
  return dim.offset == 0 ? std::string(variable) : fmt::format("{}{:+}", variable, dim.offset);
}

std::string print_shape(const Shape& shape) {
  return print_list(shape, print_dim);
}

std::string print_node(const Node& node) {
  if (node.inputs.empty()) return brief(node);
  std::string text = brief(node) + " (";
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (i > 0) text += ", ";
    text += node.inputs[i] == nullptr ? "nothing" : brief(*node.inputs[i]);
  }
  return text + ")" + print_attribute(node, Level::kKernel, print_dim);
}

std::string print_expression(const Node& node) {
  std::string text;
  append_expression(&node, 0, 0, text);
  return text;
}

}  // namespace bw::ir
