#include "ir/rewrite/rule.h"

#include <cctype>
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "ir/scalar_ops.h"

namespace bw::ir::rewrite {
namespace {

bool is_constant_letter(char letter) {
  return letter == 'c' || letter == 'd' || letter == 'k';
}

bool is_node_letter(char letter) {
  return letter == 'b' || (letter >= 'x' && letter <= 'z');
}

bool is_compare(Op op) {
  return op == Op::kCmpLt || op == Op::kCmpNe;
}

// The dtype of the operands, see RuleTypes.
DType operand_dtype(const Node& node) {
  return node.inputs.back()->dtype;
}

}  // namespace

bool admits(RuleTypes types, DType dtype) {
  switch (types) {
    case RuleTypes::kAny:
      return true;
    case RuleTypes::kInteger:
      return is_integer(dtype);
    case RuleTypes::kIntegerOrBool:
      return !is_float(dtype);
    case RuleTypes::kIndexTypes:
      return dtype == DType::kI32 || dtype == DType::kI64;
    case RuleTypes::kFloat:
      return is_float(dtype);
    case RuleTypes::kNumber:
      return dtype != DType::kBool;
    case RuleTypes::kBool:
      return dtype == DType::kBool;
  }
  return false;
}

Pattern::Pattern(std::string_view text) {
  size_t at = 0;
  *this = parse(text, at);
  BW_CHECK(at == text.size());
}

Pattern Pattern::parse(std::string_view text, size_t& at) {
  Pattern result;
  const size_t start = at;
  while (at < text.size() && text[at] != '(' && text[at] != ')' && text[at] != ',') ++at;
  const std::string word(text.substr(start, at - start));
  BW_CHECK(!word.empty());
  if (at < text.size() && text[at] == '(') {
    const std::optional<Op> op = op_from_name(word);
    BW_CHECK(op.has_value());
    result.kind_ = Kind::kOp;
    result.op_ = *op;
    do {
      ++at;
      while (at < text.size() && text[at] == ' ') ++at;
      result.inputs_.push_back(parse(text, at));
    } while (at < text.size() && text[at] == ',');
    BW_CHECK(at < text.size() && text[at] == ')');
    ++at;
    return result;
  }
  if (word.size() == 1 && std::isalpha(static_cast<unsigned char>(word[0])) != 0) {
    result.kind_ = is_constant_letter(word[0]) ? Kind::kConstant : Kind::kNode;
    BW_CHECK(is_constant_letter(word[0]) || is_node_letter(word[0]));
    result.letter_ = word[0];
    return result;
  }
  result.kind_ = Kind::kNumber;
  result.all_ones_ = word == "~0";
  char* end = nullptr;
  if (!result.all_ones_ && word != "true" && word != "false") {
    result.number_ = std::strtod(word.c_str(), &end);
    BW_CHECK(end != nullptr && *end == 0);
  }
  if (word == "true") result.number_ = 1;
  return result;
}

Scalar Pattern::number(DType dtype) const {
  if (is_float(dtype)) return number_;
  return wrap_integer(dtype, all_ones_ ? -1 : static_cast<int64_t>(number_));
}

bool Pattern::matches_node(const NodePtr& node, Match& match) const {
  switch (kind_) {
    case Kind::kNode: {
      if (letter_ == 'b' && node->dtype != DType::kBool) return false;
      const NodePtr*& known = match.nodes_[Match::node_place(letter_)];
      if (known != nullptr) return *known == node;
      known = &node;
      return true;
    }
    case Kind::kConstant: {
      if (is_float(node->dtype)) return false;
      const std::optional<Scalar> value = match.host_.constant_value(node);
      if (!value.has_value()) return false;
      match.set(letter_, std::get<int64_t>(*value));
      return true;
    }
    case Kind::kNumber: {
      const std::optional<Scalar> value = match.host_.constant_value(node);
      if (!value.has_value()) return false;
      const Scalar wanted = number(node->dtype);
      if (!is_float(node->dtype)) return *value == wanted;
      const double real = std::get<double>(*value);
      return real == std::get<double>(wanted) && std::signbit(real) == std::signbit(std::get<double>(wanted));
    }
    case Kind::kOp:
      return matches(*node, match);
  }
  return false;
}

bool Pattern::matches(const Node& root, Match& match) const {
  if (root.op != op_ || root.inputs.size() != inputs_.size()) return false;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i].matches_node(root.inputs[i], match)) return false;
  }
  return true;
}

NodePtr Pattern::build(const Match& match, DType dtype) const {
  RuleHost& host = match.host_;
  switch (kind_) {
    case Kind::kNode:
      return match.node(letter_);
    case Kind::kConstant:
      return host.make_constant(dtype, wrap_integer(dtype, match.constant(letter_)), match.root());
    case Kind::kNumber:
      return host.make_constant(dtype, number(dtype), match.root());
    case Kind::kOp:
      break;
  }
  std::vector<NodePtr> inputs;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    DType of_input = dtype;
    if (op_ == Op::kWhere && i == 0) of_input = DType::kBool;
    if (is_compare(op_)) {
      const Pattern& first = inputs_[0];
      BW_CHECK(first.kind_ == Kind::kNode);  // whose dtype is known
      of_input = match.node(first.letter_)->dtype;
    }
    inputs.push_back(inputs_[i].build(match, of_input));
  }
  return host.make(op_, is_compare(op_) ? DType::kBool : dtype, std::move(inputs));
}

RuleSet::RuleSet(std::span<const Rule> rules) {
  for (const Rule& rule : rules) {
    Pattern pattern(rule.pattern);
    BW_CHECK(pattern.kind() == Pattern::Kind::kOp);
    by_op_[static_cast<size_t>(pattern.op())].push_back({&rule, pattern, Pattern(rule.replacement)});
  }
}

NodePtr RuleSet::apply(const Entry& entry, const Node& node, RuleHost& host) {
  if (!admits(entry.rule->types, operand_dtype(node))) return nullptr;
  Match match(node, host);
  if (!entry.pattern.matches(node, match)) return nullptr;
  if (entry.rule->condition != nullptr && !entry.rule->condition(match)) return nullptr;
  return entry.replacement.build(match, node.dtype);
}

NodePtr RuleSet::apply(const Node& node, RuleHost& host) const {
  for (const Entry& entry : of(node.op)) {
    if (NodePtr replaced = apply(entry, node, host)) return replaced;
  }
  return nullptr;
}

}  // namespace bw::ir::rewrite
