// Owns: printing programs. The form is described in ir/text.h.

#include "ir/text.h"

namespace bw::ir {

std::string print_dim(const Dim& dim) {
  if (dim.is_static()) return fmt::format("{}", dim.offset);
  const auto* attr = std::get_if<VariableAttr>(&dim.variable->attribute);
  const std::string_view variable = attr != nullptr ? std::string_view(attr->name) : name(dim.variable->op);
  return dim.offset == 0 ? std::string(variable) : fmt::format("{}{:+}", variable, dim.offset);
}

std::string print_shape(const Shape& shape) {
  std::string text = "[";
  for (const Dim& dim : shape) text += (text.size() == 1 ? "" : ", ") + print_dim(dim);
  return text + "]";
}

std::string print_node(const Node& node) {
  std::string text = fmt::format("{} {} {}", name(node.op), name(node.dtype), print_shape(node.shape));
  return text;
}

}  // namespace bw::ir
