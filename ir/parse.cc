// Owns: parsing programs. The form is described in ir/text.h. Whatever the text, the result is a verified program or an
// error.

#include <algorithm>
#include <limits>

#include "ir/infer.h"
#include "ir/kernel_rules.h"
#include "ir/lexer.h"
#include "ir/text.h"
#include "ir/text_names.h"
#include "ir/verifier.h"

namespace bw::ir {
namespace {

class Parser {
 public:
  Parser(std::string_view text, Level level) : lexer_(text), level_(level) {}

  Result<std::vector<NodePtr>> graph() {
    BW_RETURN_IF_ERROR(lexer_.expect_word("graph"));
    BW_RETURN_IF_ERROR(lexer_.expect('{'));
    while (lexer_.peek() == '%') BW_RETURN_IF_ERROR(definition());
    BW_RETURN_IF_ERROR(lexer_.expect_word("return"));
    std::vector<NodePtr> outputs;
    if (lexer_.peek() == '%') {
      BW_ASSIGN(outputs, nodes_until(0));
    }
    BW_RETURN_IF_ERROR(end());
    BW_RETURN_IF_ERROR(verify_graph(outputs).with_context("line 1, column 1"));
    return outputs;
  }

  Result<Kernel> kernel() {
    BW_RETURN_IF_ERROR(lexer_.expect_word("kernel"));
    BW_ASSIGN(const std::string_view name, lexer_.word());
    kernel_.name = std::string(name);
    BW_RETURN_IF_ERROR(key("workgroup"));
    const Lexer::Place place = lexer_.place();
    BW_ASSIGN(const uint64_t size, lexer_.unsigned_integer());
    if (size > std::numeric_limits<uint32_t>::max()) return Lexer::error_at(place, "the workgroup is too large");
    kernel_.workgroup_size = static_cast<uint32_t>(size);
    BW_RETURN_IF_ERROR(lexer_.expect('{'));
    while (!lexer_.at_end() && lexer_.peek() != '}') {
      BW_RETURN_IF_ERROR(lexer_.peek() == '%' ? definition() : store());
    }
    BW_RETURN_IF_ERROR(end());
    BW_RETURN_IF_ERROR(verify_kernel(kernel_).with_context("line 1, column 1"));
    return std::move(kernel_);
  }

 private:
  Status end() {
    BW_RETURN_IF_ERROR(lexer_.expect('}'));
    return lexer_.at_end() ? Status::ok() : lexer_.error_here("expected nothing after the closing brace");
  }

  Status key(std::string_view name) {
    BW_RETURN_IF_ERROR(lexer_.expect_word(name));
    return lexer_.expect('=');
  }

  Result<NodePtr> node() {
    const Lexer::Place place = lexer_.place();
    BW_ASSIGN(const uint64_t number, lexer_.reference());
    if (number >= nodes_.size()) return Lexer::error_at(place, fmt::format("%{} is not defined above", number));
    return nodes_[number];
  }

  // "%1, %2" and then the closing sign; 0: nothing closes it.
  Result<std::vector<NodePtr>> nodes_until(char closing) {
    std::vector<NodePtr> result;
    do {
      BW_ASSIGN(NodePtr next, node());
      result.push_back(std::move(next));
    } while (lexer_.accept(','));
    if (closing != 0) BW_RETURN_IF_ERROR(lexer_.expect(closing));
    return result;
  }

  Result<Dim> dim() {
    if (lexer_.peek() != '%') {
      BW_ASSIGN(const int64_t extent, lexer_.integer());
      return Dim(extent);
    }
    const Lexer::Place place = lexer_.place();
    BW_ASSIGN(NodePtr variable, node());
    if (variable->op != Op::kVariable) return Lexer::error_at(place, "an extent can only refer to a variable");
    int64_t offset = 0;
    if (lexer_.peek() == '+' || lexer_.peek() == '-') {
      BW_ASSIGN(offset, lexer_.integer());
    }
    return Dim(std::move(variable), offset);
  }

  // "[a, b]" of what `element` parses.
  template <typename T, typename Element>
  Result<std::vector<T>> list(const Element& element) {
    BW_RETURN_IF_ERROR(lexer_.expect('['));
    std::vector<T> result;
    if (lexer_.accept(']')) return result;
    do {
      BW_ASSIGN(T value, element());
      result.push_back(std::move(value));
    } while (lexer_.accept(','));
    BW_RETURN_IF_ERROR(lexer_.expect(']'));
    return result;
  }

  Result<std::vector<Dim>> dims() {
    return list<Dim>([this] { return dim(); });
  }

  Result<std::vector<int64_t>> integers() {
    return list<int64_t>([this] { return lexer_.integer(); });
  }

  Result<std::vector<int>> axes() {
    return list<int>([this]() -> Result<int> {
      const Lexer::Place place = lexer_.place();
      BW_ASSIGN(const int64_t axis, lexer_.integer());
      if (axis < 0 || axis >= static_cast<int64_t>(kMaxRank)) return Lexer::error_at(place, "no such axis");
      return static_cast<int>(axis);
    });
  }

  // %N = op dtype [shape] (inputs) attributes
  Status definition() {
    const Lexer::Place begin = lexer_.place();
    BW_ASSIGN(const uint64_t number, lexer_.reference());
    if (number != nodes_.size()) return Lexer::error_at(begin, fmt::format("expected %{} next", nodes_.size()));
    BW_RETURN_IF_ERROR(lexer_.expect('='));
    Node node;
    const Lexer::Place place = lexer_.place();
    BW_ASSIGN(const std::string_view op_name, lexer_.word());
    const std::optional<Op> op = op_from_name(op_name);
    if (!op.has_value()) return Lexer::error_at(place, fmt::format("no operation '{}'", op_name.substr(0, 40)));
    node.op = *op;
    const Lexer::Place dtype_place = lexer_.place();
    BW_ASSIGN(const std::string_view dtype_name, lexer_.word());
    const std::optional<DType> dtype = dtype_from_name(dtype_name);
    if (!dtype.has_value()) return Lexer::error_at(dtype_place, fmt::format("no dtype '{}'", dtype_name.substr(0, 40)));
    node.dtype = *dtype;
    if (level_ == Level::kKernel && node.op == Op::kStore) return Lexer::error_at(place, "a store has no number");
    if (level_ == Level::kGraph || node.op == Op::kParam) {
      BW_ASSIGN(node.shape, dims());
    }
    if (lexer_.accept('(')) {
      BW_ASSIGN(node.inputs, nodes_until(')'));
    }
    BW_RETURN_IF_ERROR(attribute(node));
    BW_RETURN_IF_ERROR(finish(place, std::move(node)));
    return Status::ok();
  }

  Status store() {
    const Lexer::Place place = lexer_.place();
    BW_RETURN_IF_ERROR(lexer_.expect_word("store"));
    BW_RETURN_IF_ERROR(lexer_.expect('('));
    Node node;
    node.op = Op::kStore;
    BW_ASSIGN(node.inputs, nodes_until(')'));
    node.dtype = node.inputs[0]->dtype;
    Status status = verify_kernel_node(node);
    if (!status.is_ok()) return Lexer::error_at(place, status.message());
    kernel_.stores.push_back(make_node(std::move(node)));
    return Status::ok();
  }

  // Checks the node by itself, so that the error can name its place.
  Status finish(Lexer::Place place, Node node) {
    if (level_ == Level::kKernel) {
      const Status status = verify_kernel_node(node);
      if (!status.is_ok()) return Lexer::error_at(place, status.message());
    } else {
      const Result<Inferred> inferred = infer(node);
      if (!inferred.is_ok()) return Lexer::error_at(place, inferred.status().message());
      if (inferred.value().dtype != node.dtype || inferred.value().shape != node.shape) {
        return Lexer::error_at(place, fmt::format("{} is {} {}, not {}", name(node.op), name(inferred.value().dtype),
                                                  print_shape(inferred.value().shape), describe(node)));
      }
    }
    NodePtr made = make_node(std::move(node));
    if (level_ == Level::kKernel && made->op == Op::kParam) kernel_.params.push_back(made);
    if (level_ == Level::kKernel && made->op == Op::kVariable) kernel_.variables.push_back(made);
    nodes_.push_back(std::move(made));
    return Status::ok();
  }

  Status attribute(Node& node) {
    switch (node.op) {
      case Op::kConst:
        return constant(node);
      case Op::kParam:
        return param(node);
      case Op::kVariable:
        return variable(node);
      case Op::kRange:
        return range(node);
      case Op::kReshape:
      case Op::kExpand:
        node.attribute = ShapeAttr{node.shape};
        return Status::ok();
      case Op::kPad:
        return pad(node);
      case Op::kShrink:
        return shrink(node);
      default:
        break;
    }
    const bool has_axes = node.op == Op::kPermute || node.op == Op::kFlip || is_reduce(node.op);
    if (!has_axes || level_ == Level::kKernel) return Status::ok();
    BW_RETURN_IF_ERROR(key("axes"));
    AxesAttr attr;
    BW_ASSIGN(attr.axes, axes());
    node.attribute = std::move(attr);
    return Status::ok();
  }

  Status constant(Node& node) {
    BW_RETURN_IF_ERROR(key("value"));
    if (is_float(node.dtype)) {
      BW_ASSIGN(const double value, lexer_.real());
      node.attribute = ConstAttr{value};
    } else {
      BW_ASSIGN(const int64_t value, lexer_.integer());
      node.attribute = ConstAttr{value};
    }
    return Status::ok();
  }

  Status param(Node& node) {
    ParamAttr attr;
    BW_RETURN_IF_ERROR(key("id"));
    BW_ASSIGN(attr.id, lexer_.unsigned_integer());
    BW_ASSIGN(attr.name, lexer_.quoted());
    node.attribute = std::move(attr);
    return Status::ok();
  }

  Status variable(Node& node) {
    VariableAttr attr;
    BW_RETURN_IF_ERROR(key("min"));
    BW_ASSIGN(attr.min, lexer_.integer());
    BW_RETURN_IF_ERROR(key("max"));
    BW_ASSIGN(attr.max, lexer_.integer());
    BW_ASSIGN(attr.name, lexer_.quoted());
    node.attribute = std::move(attr);
    return Status::ok();
  }

  Status range(Node& node) {
    RangeAttr attr;
    if (level_ == Level::kGraph) {
      if (node.shape.size() != 1) return lexer_.error_here("a range has one axis");
      attr.extent = node.shape[0];
      node.attribute = std::move(attr);
      return Status::ok();
    }
    BW_RETURN_IF_ERROR(key("extent"));
    BW_ASSIGN(attr.extent, dim());
    BW_RETURN_IF_ERROR(key("id"));
    const Lexer::Place place = lexer_.place();
    BW_ASSIGN(const uint64_t id, lexer_.unsigned_integer());
    if (id > std::numeric_limits<uint32_t>::max()) return Lexer::error_at(place, "the id does not fit 32 bits");
    attr.id = static_cast<uint32_t>(id);
    const Lexer::Place kind_place = lexer_.place();
    BW_ASSIGN(const std::string_view kind, lexer_.word());
    const auto known = std::find(kRangeKindNames.begin(), kRangeKindNames.end(), kind);
    if (known == kRangeKindNames.end()) {
      return Lexer::error_at(kind_place, fmt::format("no kind of range '{}'", kind.substr(0, 40)));
    }
    attr.kind = static_cast<RangeKind>(known - kRangeKindNames.begin());
    node.attribute = std::move(attr);
    return Status::ok();
  }

  Status pad(Node& node) {
    PadAttr attr;
    BW_RETURN_IF_ERROR(key("before"));
    BW_ASSIGN(attr.before, integers());
    BW_RETURN_IF_ERROR(key("after"));
    BW_ASSIGN(attr.after, integers());
    node.attribute = std::move(attr);
    return Status::ok();
  }

  Status shrink(Node& node) {
    ShrinkAttr attr;
    BW_RETURN_IF_ERROR(key("begin"));
    BW_ASSIGN(attr.begin, dims());
    BW_RETURN_IF_ERROR(key("end"));
    BW_ASSIGN(attr.end, dims());
    node.attribute = std::move(attr);
    return Status::ok();
  }

  Lexer lexer_;
  Level level_;
  std::vector<NodePtr> nodes_;
  Kernel kernel_;
};

}  // namespace

Result<std::vector<NodePtr>> parse_graph(std::string_view text) {
  return Parser(text, Level::kGraph).graph();
}

Result<Kernel> parse_kernel(std::string_view text) {
  return Parser(text, Level::kKernel).kernel();
}

}  // namespace bw::ir
