#include "tensor/expression/expression.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>

#include "tensor/expression/functions.h"
#include "tensor/expression/token.h"
#include "tensor/expression/value.h"

namespace bw::tensor {
namespace {

constexpr int kMaxDepth = 200;           // of brackets and signs inside each other
constexpr size_t kMaxOperations = 4000;  // which also bounds the depth of the graph

// Python's precedence, weakest first.
struct Operator {
  std::string_view sign;
  int precedence;
};
constexpr std::array<Operator, 17> kOperators = {{{"<", 0},
                                                  {"<=", 0},
                                                  {">", 0},
                                                  {">=", 0},
                                                  {"==", 0},
                                                  {"!=", 0},
                                                  {"|", 1},
                                                  {"^", 2},
                                                  {"&", 3},
                                                  {"<<", 4},
                                                  {">>", 4},
                                                  {"+", 5},
                                                  {"-", 5},
                                                  {"*", 6},
                                                  {"/", 6},
                                                  {"%", 6},
                                                  {"@", 6}}};
constexpr int kUnaryPrecedence = 7;

Tensor combine(std::string_view sign, const Tensor& a, const Tensor& b) {
  if (sign == "<") return a.lt(b);
  if (sign == "<=") return a.le(b);
  if (sign == ">") return a.gt(b);
  if (sign == ">=") return a.ge(b);
  if (sign == "==") return a.eq(b);
  if (sign == "!=") return a.ne(b);
  if (sign == "|") return a | b;
  if (sign == "^") return a ^ b;
  if (sign == "&") return a & b;
  if (sign == "<<") return a << b;
  if (sign == ">>") return a >> b;
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "/") return a / b;
  if (sign == "//") return a.idiv(b);
  if (sign == "%") return a % b;
  return a.matmul(b);
}

// What two numbers without dtype come to; nothing for an operator that has no such meaning.
std::optional<double> fold(std::string_view sign, double a, double b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "/") return a / b;
  return std::nullopt;
}

std::string_view shortened(std::string_view name) {
  return name.substr(0, 40);
}

class Parser {
 public:
  Parser(std::shared_ptr<Runtime> runtime, std::vector<Token> tokens)
      : runtime_(std::move(runtime)), tokens_(std::move(tokens)) {}

  Result<std::vector<Tensor>> run() {
    while (!at_end()) {
      if (accept(";")) continue;
      BW_RETURN_IF_ERROR(statement());
      if (!at_end() && !is(";")) return unexpected("an operator or ';'");
    }
    if (outputs_.empty()) return error_at(token().place, "there is no output (an expression that is given no name)");
    return std::move(outputs_);
  }

 private:
  const Token& token(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool at_end() const { return token().kind == TokenKind::kEnd; }
  bool is(std::string_view sign, size_t ahead = 0) const {
    return token(ahead).kind == TokenKind::kSign && token(ahead).text == sign;
  }
  bool accept(std::string_view sign) {
    if (!is(sign)) return false;
    ++at_;
    return true;
  }
  Status unexpected(std::string_view wanted) const {
    const std::string found = at_end() ? "the end" : fmt::format("'{}'", shortened(token().text));
    return error_at(token().place, fmt::format("expected {}, not {}", wanted, found));
  }
  Status expect(std::string_view sign) {
    if (accept(sign)) return Status::ok();
    return unexpected(fmt::format("'{}'", sign));
  }
  Status count_operation(Place place) {
    if (++operations_ <= kMaxOperations) return Status::ok();
    return error_at(place, fmt::format("more than {} operations", kMaxOperations));
  }

  Status statement() {
    if (token().kind == TokenKind::kName && is("=", 1)) return definition();
    BW_ASSIGN(const Value value, expression(0));
    BW_ASSIGN(Tensor output, to_tensor(value, runtime_, nullptr));
    outputs_.push_back(std::move(output));
    return Status::ok();
  }

  Status definition() {
    const Token name = token();
    at_ += 2;
    if (ir::dtype_from_name(name.text)) return error_at(name.place, fmt::format("'{}' is a dtype", name.text));
    if (values_.contains(name.text)) {
      return error_at(name.place, fmt::format("'{}' is defined twice", shortened(name.text)));
    }
    const bool is_variable = token().kind == TokenKind::kName && token().text == "variable" && is("(", 1);
    BW_ASSIGN(Value value, is_variable ? variable(name) : expression(0));
    values_.emplace(name.text, std::move(value));
    return Status::ok();
  }

  // name = variable(min, max)
  Result<Value> variable(const Token& name) {
    const Place place = token().place;
    at_ += 2;
    BW_ASSIGN(const Value low, expression(0));
    BW_RETURN_IF_ERROR(expect(","));
    BW_ASSIGN(const Value high, expression(0));
    BW_RETURN_IF_ERROR(expect(")"));
    BW_ASSIGN(const int64_t min, to_integer(low));
    BW_ASSIGN(const int64_t max, to_integer(high));
    auto node = runtime_->builder().variable(std::string(name.text), min, max);
    if (!node.is_ok()) return error_at(place, node.status().message());
    return Value{Dim(std::move(node).value(), 0), place};
  }

  // Operators of at least this precedence.
  Result<Value> expression(int precedence) {
    BW_ASSIGN(const Depth depth, enter());
    BW_ASSIGN(Value left, unary());
    while (true) {
      const std::optional<Operator> found = next_operator();
      if (!found || found->precedence < precedence) return left;
      const Place place = token().place;
      ++at_;
      BW_ASSIGN(const Value right, expression(found->precedence + 1));
      BW_ASSIGN(left, apply(found->sign, place, left, right));
    }
  }

  std::optional<Operator> next_operator() const {
    if (token().kind != TokenKind::kSign) return std::nullopt;
    if (token().text == "//") return Operator{"//", 6};
    for (const Operator& candidate : kOperators) {
      if (candidate.sign == token().text) return candidate;
    }
    return std::nullopt;
  }

  Result<Value> apply(std::string_view sign, Place place, const Value& a, const Value& b) {
    BW_RETURN_IF_ERROR(count_operation(place));
    const double* x = a.get<double>();
    const double* y = b.get<double>();
    if (x != nullptr && y != nullptr) {
      const std::optional<double> number = fold(sign, *x, *y);
      if (!number) return error_at(place, fmt::format("'{}' of two numbers (one of them must be a tensor)", sign));
      return Value{*number, a.place};
    }
    if (const Dim* dim = a.get<Dim>(); dim != nullptr && y != nullptr && (sign == "+" || sign == "-")) {
      BW_ASSIGN(const int64_t offset, to_integer(b));
      const int64_t sum = dim->offset + (sign == "+" ? offset : -offset);
      if (sum > int64_t{1} << 40 || sum < -(int64_t{1} << 40)) return error_at(b.place, "the extent is too large");
      return Value{Dim(dim->variable, sum), a.place};
    }
    BW_ASSIGN(const Tensor left, to_tensor(a, runtime_, b.get<Tensor>()));
    BW_ASSIGN(const Tensor right, to_tensor(b, runtime_, &left));
    Tensor result = combine(sign, left, right);
    if (!result.is_ok()) return error_at(place, fmt::format("'{}': {}", sign, result.status().message()));
    return Value{std::move(result), a.place};
  }

  Result<Value> unary() {
    const Place place = token().place;
    const bool minus = is("-");
    if (!minus && !is("~")) return postfix();
    ++at_;
    BW_RETURN_IF_ERROR(count_operation(place));
    BW_ASSIGN(const Value value, expression(kUnaryPrecedence));
    if (const double* number = value.get<double>(); number != nullptr && minus) return Value{-*number, place};
    BW_ASSIGN(const Tensor tensor, to_tensor(value, runtime_, nullptr));
    Tensor result;
    if (minus) {
      result = -tensor;
    } else if (tensor.dtype() == DType::kBool) {
      result = tensor.logical_not();
    } else {
      // All bits flipped. A float has none: the xor says so.
      result = tensor ^ tensor.scalar(ir::is_signed(tensor.dtype()) ? -1.0 : 0.0);
      if (ir::is_integer(tensor.dtype()) && !ir::is_signed(tensor.dtype())) {
        return error_at(place, "'~' of an unsigned integer (write x ^ its largest value)");
      }
    }
    if (!result.is_ok()) return error_at(place, fmt::format("'{}': {}", minus ? "-" : "~", result.status().message()));
    return Value{std::move(result), place};
  }

  // A value with slices and calls of its functions behind it.
  Result<Value> postfix() {
    BW_ASSIGN(Value value, primary());
    while (true) {
      if (is("[")) {
        BW_ASSIGN(value, slices(value));
      } else if (accept(".")) {
        if (token().kind != TokenKind::kName) return unexpected("the name of a function");
        const Token name = token();
        ++at_;
        BW_ASSIGN(value, call_of(name, &value));
      } else {
        return value;
      }
    }
  }

  Result<Value> primary() {
    const Token first = token();
    if (first.kind == TokenKind::kNumber) {
      ++at_;
      return Value{first.number, first.place};
    }
    if (first.kind == TokenKind::kName) {
      ++at_;
      return named(first);
    }
    if (is("[")) return list();
    if (!accept("(")) return unexpected("a value");
    BW_ASSIGN(Value value, expression(0));
    BW_RETURN_IF_ERROR(expect(")"));
    return value;
  }

  Result<Value> named(const Token& name) {
    if (const auto found = values_.find(name.text); found != values_.end()) {
      return Value{found->second.what, name.place};
    }
    if (const std::optional<DType> dtype = ir::dtype_from_name(name.text)) return Value{*dtype, name.place};
    if (name.text == "inf") return Value{std::numeric_limits<double>::infinity(), name.place};
    if (is("(")) return call_of(name, nullptr);
    if (is("[")) return parameter(name);
    if (find_function(name.text) != nullptr) {
      return error_at(name.place, fmt::format("'{}' is a function: it needs arguments", name.text));
    }
    return error_at(name.place, fmt::format("unknown name '{}' (a parameter is declared where it first stands: "
                                            "{}[2, 3]:f32)",
                                            shortened(name.text), shortened(name.text)));
  }

  // name[extents]:dtype
  Result<Value> parameter(const Token& name) {
    const Place place = token().place;
    BW_ASSIGN(const Value extents, list());
    BW_ASSIGN(std::vector<int64_t> shape, to_integers(extents));
    DType dtype = DType::kF32;
    if (accept(":")) {
      const std::optional<DType> found = ir::dtype_from_name(token().text);
      if (token().kind != TokenKind::kName || !found) return unexpected("a dtype (f32, f16, bf16, i8 ..)");
      ++at_;
      dtype = *found;
    }
    const Tensor tensor = Tensor::empty(runtime_, dtype, std::move(shape), std::string(name.text));
    if (!tensor.is_ok()) return error_at(place, tensor.status().message());
    Value value{tensor, name.place};
    values_.emplace(name.text, value);
    return value;
  }

  // [2, n + 1, -1]
  Result<Value> list() {
    const Place place = token().place;
    BW_RETURN_IF_ERROR(expect("["));
    std::vector<Dim> dims;
    while (!accept("]")) {
      if (!dims.empty()) BW_RETURN_IF_ERROR(expect(","));
      BW_ASSIGN(const Value value, expression(0));
      BW_ASSIGN(Dim dim, to_dim(value));
      dims.push_back(std::move(dim));
    }
    return Value{std::move(dims), place};
  }

  Result<Value> call_of(const Token& name, const Value* object) {
    const Function* function = find_function(name.text);
    if (function == nullptr) return error_at(name.place, fmt::format("no function '{}'", shortened(name.text)));
    BW_RETURN_IF_ERROR(count_operation(name.place));
    BW_RETURN_IF_ERROR(expect("("));
    CallArguments arguments;
    if (object != nullptr) arguments.positional.push_back(*object);
    bool is_first = true;
    while (!accept(")")) {
      if (!is_first) BW_RETURN_IF_ERROR(expect(","));
      is_first = false;
      const Token word = token();
      const bool is_named = word.kind == TokenKind::kName && is("=", 1);
      if (is_named) at_ += 2;
      BW_ASSIGN(Value value, expression(0));
      if (is_named) {
        arguments.named.emplace_back(word, std::move(value));
      } else if (arguments.named.empty()) {
        arguments.positional.push_back(std::move(value));
      } else {
        return error_at(value.place, "an argument by position stands after one by name");
      }
    }
    BW_ASSIGN(Tensor result, call(*function, name.place, arguments, runtime_));
    return Value{std::move(result), name.place};
  }

  // One bound of a slice; negative numbers count from the end.
  Result<Dim> bound(const Dim& extent) {
    const Place place = token().place;
    BW_ASSIGN(const Value value, expression(0));
    BW_ASSIGN(Dim dim, to_dim(value));
    if (!dim.is_static() || dim.offset >= 0) return dim;
    if (!extent.is_static()) return error_at(place, "a negative number on an axis whose extent is a variable");
    return Dim(extent.offset + dim.offset);
  }

  Result<Value> slices(const Value& value) {
    const Place place = token().place;
    ++at_;
    const Tensor* tensor = value.get<Tensor>();
    if (tensor == nullptr) return error_at(place, fmt::format("slices of {}", value.kind()));
    Tensor result = *tensor;
    const Shape& shape = tensor->shape();
    std::vector<int> dropped;
    for (size_t axis = 0; !accept("]"); ++axis) {
      if (axis > 0) BW_RETURN_IF_ERROR(expect(","));
      const Place here = token().place;
      if (axis == shape.size()) return error_at(here, fmt::format("the tensor has {} axes", shape.size()));
      BW_RETURN_IF_ERROR(count_operation(here));
      Dim begin(0);
      Dim end = shape[axis];
      if (!is(":")) {
        BW_ASSIGN(begin, bound(shape[axis]));
        end = begin.is_static() ? Dim(begin.offset + 1) : Dim(begin.variable, begin.offset + 1);
        if (!is(":")) dropped.push_back(static_cast<int>(axis));
      }
      if (accept(":")) {
        end = shape[axis];
        if (!is(",") && !is("]")) {
          BW_ASSIGN(end, bound(shape[axis]));
        }
      }
      result = result.slice(static_cast<int>(axis), begin, end);
      if (!result.is_ok()) return error_at(here, result.status().message());
    }
    for (size_t i = dropped.size(); i-- > 0;) result = result.squeeze(dropped[i]);
    if (!result.is_ok()) return error_at(place, result.status().message());
    return Value{std::move(result), value.place};
  }

  // Counts how deep the parser has called itself.
  struct Leave {
    void operator()(int* depth) const { --*depth; }
  };
  using Depth = std::unique_ptr<int, Leave>;
  Result<Depth> enter() {
    if (depth_ >= kMaxDepth) return error_at(token().place, fmt::format("more than {} brackets", kMaxDepth));
    ++depth_;
    return Depth(&depth_);
  }

  std::shared_ptr<Runtime> runtime_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  size_t operations_ = 0;
  std::map<std::string_view, Value> values_;  // parameters and definitions, by name
  std::vector<Tensor> outputs_;
};

}  // namespace

Result<std::vector<Tensor>> parse_expression(const std::shared_ptr<Runtime>& runtime, std::string_view text) {
  if (text.size() > kMaxExpressionBytes) {
    return error(StatusCode::kInvalidArgument, "an expression of {} bytes (at most {})", text.size(),
                 kMaxExpressionBytes);
  }
  BW_ASSIGN(std::vector<Token> tokens, tokenize(text));
  return Parser(runtime, std::move(tokens)).run();
}

}  // namespace bw::tensor
