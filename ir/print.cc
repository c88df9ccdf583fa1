// Owns: printing programs. The form is described in ir/text.h. Not here: single nodes and expressions for messages
// (ir/print_node.cc).

#include "ir/print.h"

#include <cmath>
#include <unordered_map>

#include "ir/text.h"
#include "ir/text_names.h"

namespace bw::ir {
namespace {

// Prints the nodes of one program, numbering them as they come.
class ProgramPrinter {
 public:
  explicit ProgramPrinter(Level level) : level_(level) {}

  void print(const NodePtr& node) {
    if (numbers_.contains(node.get())) return;
    const bool is_statement = level_ == Level::kKernel && node->op == Op::kStore;
    text_ += "  ";
    if (!is_statement) text_ += fmt::format("%{} = ", numbers_.size());
    text_ += name(node->op);
    if (!is_statement) text_ += fmt::format(" {}", name(node->dtype));
    if (level_ == Level::kGraph || node->op == Op::kParam) text_ += " " + dims(node->shape);
    if (!node->inputs.empty()) {
      text_ += " (";
      for (size_t i = 0; i < node->inputs.size(); ++i) text_ += (i == 0 ? "" : ", ") + number(node->inputs[i]);
      text_ += ")";
    }
    text_ += print_attribute(*node, level_, [this](const Dim& dim) { return this->dim(dim); });
    text_ += "\n";
    if (!is_statement) numbers_.emplace(node.get(), numbers_.size());
  }

  std::string number(const NodePtr& node) const {
    const auto it = numbers_.find(node.get());
    return it == numbers_.end() ? "%?" : fmt::format("%{}", it->second);
  }

  std::string& text() { return text_; }

 private:
  std::string dim(const Dim& dim) const {
    if (dim.is_static()) return fmt::format("{}", dim.offset);
    return dim.offset == 0 ? number(dim.variable) : fmt::format("{}{:+}", number(dim.variable), dim.offset);
  }

  std::string dims(const Shape& shape) const {
    return print_list(shape, [this](const Dim& d) { return dim(d); });
  }

  Level level_;
  std::unordered_map<const Node*, size_t> numbers_;
  std::string text_;
};

std::string quoted(std::string_view name) {
  std::string text = "\"";
  for (char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text + "\"";
}

// Turns the attribute of a node into " key=value ..".
struct AttributePrinter {
  const Node& node;
  Level level;
  const std::function<std::string(const Dim&)>& dim;

  std::string dims(const std::vector<Dim>& values) const { return print_list(values, dim); }
  template <typename T>
  std::string numbers(const std::vector<T>& values) const {
    return print_list(values, [](T value) { return fmt::format("{}", value); });
  }

  std::string operator()(const std::monostate&) const { return ""; }
  std::string operator()(const ConstAttr& attr) const { return " value=" + print_scalar(attr.value); }
  std::string operator()(const ParamAttr& attr) const { return fmt::format(" id={} {}", attr.id, quoted(attr.name)); }
  std::string operator()(const VariableAttr& attr) const {
    return fmt::format(" min={} max={} {}", attr.min, attr.max, quoted(attr.name));
  }
  std::string operator()(const RangeAttr& attr) const {
    if (level == Level::kGraph) return "";  // the shape says it
    return fmt::format(" extent={} id={} {}", dim(attr.extent), attr.id,
                       kRangeKindNames[static_cast<size_t>(attr.kind)]);
  }
  std::string operator()(const ShapeAttr&) const { return ""; }  // the shape says it
  std::string operator()(const AxesAttr& attr) const { return " axes=" + numbers(attr.axes); }
  std::string operator()(const PadAttr& attr) const {
    return " before=" + numbers(attr.before) + " after=" + numbers(attr.after);
  }
  std::string operator()(const ShrinkAttr& attr) const {
    return " begin=" + dims(attr.begin) + " end=" + dims(attr.end);
  }
};

}  // namespace

std::string print_scalar(const Scalar& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return fmt::format("{}", *integer);
  const double real = std::get<double>(value);
  return std::isnan(real) ? "nan" : fmt::format("{:a}", real);
}

std::string print_attribute(const Node& node, Level level, const std::function<std::string(const Dim&)>& dim) {
  return std::visit(AttributePrinter{node, level, dim}, node.attribute);
}

std::string print_graph(std::span<const NodePtr> outputs) {
  ProgramPrinter printer(Level::kGraph);
  printer.text() = "graph {\n";
  for (const NodePtr& node : topological_order(outputs)) printer.print(node);
  printer.text() += "  return";
  for (size_t i = 0; i < outputs.size(); ++i) printer.text() += (i == 0 ? " " : ", ") + printer.number(outputs[i]);
  return printer.text() + "\n}\n";
}

std::string print_kernel(const Kernel& kernel) {
  ProgramPrinter printer(Level::kKernel);
  printer.text() = fmt::format("kernel {} workgroup={} {{\n", kernel.name, kernel.workgroup_size);
  for (const NodePtr& param : kernel.params) printer.print(param);
  for (const NodePtr& variable : kernel.variables) printer.print(variable);
  for (const NodePtr& node : topological_order(kernel.stores)) printer.print(node);
  return printer.text() + "}\n";
}

}  // namespace bw::ir
