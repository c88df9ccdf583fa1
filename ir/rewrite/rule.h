// Owns: rewriting rules as data: what is replaced, by what, and when. Not here: the rules (ir/rewrite/rules.h), and who
// applies them (ir/fold.h at kernel level, ir/rewrite/simplify_graph.h at graph level).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/bounds.h"
#include "ir/node.h"

namespace bw::ir::rewrite {

// What the rules see of a program, and how they make nodes; one for kernels and one for graphs.
class RuleHost {
 public:
  virtual ~RuleHost() = default;
  // The value of a node that is a constant (in a graph: in all its elements).
  virtual std::optional<Scalar> constant_value(const NodePtr& node) = 0;
  // A constant like `like`, which has the shape that is wanted.
  virtual NodePtr make_constant(DType dtype, Scalar value, const Node& like) = 0;
  // An elementwise op; simplified in turn.
  virtual NodePtr make(Op op, DType dtype, std::vector<NodePtr> inputs) = 0;
  virtual Interval bounds(const NodePtr& node) = 0;
};

enum class RuleGroup : uint8_t { kAlgebraic, kIndex, kDType };

// The dtypes of the operands (of a kWhere: of the values; of a cast: of what is cast) for which a rule holds.
enum class RuleTypes : uint8_t { kAny, kInteger, kIntegerOrBool, kIndexTypes, kFloat, kNumber, kBool };
bool admits(RuleTypes types, DType dtype);

// What the letters of a pattern stand for.
class Match {
 public:
  Match(const Node& root, RuleHost& host) : root_(root), host_(host) {}

  const Node& root() const { return root_; }
  const NodePtr& node(char letter) const { return *nodes_[node_place(letter)]; }
  // Of the letters of constants, integers or bool.
  int64_t constant(char letter) const { return constants_[constant_place(letter)]; }
  Interval bounds(char letter) const { return host_.bounds(node(letter)); }
  // Gives a letter of the replacement its value, wrapped to the dtype where it is used.
  void set(char letter, int64_t value) { constants_[constant_place(letter)] = value; }

 private:
  friend class Pattern;
  static size_t node_place(char letter) { return letter == 'b' ? 3 : static_cast<size_t>(letter - 'x'); }
  static size_t constant_place(char letter) { return letter == 'k' ? 2 : static_cast<size_t>(letter - 'c'); }

  const Node& root_;
  RuleHost& host_;
  std::array<const NodePtr*, 4> nodes_{};  // among what the root holds
  std::array<int64_t, 3> constants_{};
};

// A pattern is written as "add(x, 0)": ops by the names of the text form; x, y, z, b any node (b: bool), the same
// letter the same node; c, d integer constants; numbers themselves, "-0.0" that very zero, "~0" all bits set, "true"
// and "false". Constants of commutative ops come second. A replacement may also have k: the constant that the condition
// has computed; its ops have the dtype of what they replace, compared values that of the nodes beside them.
struct Rule {
  std::string_view name;
  RuleGroup group = RuleGroup::kAlgebraic;
  RuleTypes types = RuleTypes::kAny;
  std::string_view pattern;
  std::string_view replacement;
  bool (*condition)(Match& match) = nullptr;
};

// A pattern or replacement, parsed.
class Pattern {
 public:
  // A mistake in the text is our bug (BW_CHECK).
  explicit Pattern(std::string_view text);

  enum class Kind : uint8_t { kNode, kConstant, kNumber, kOp };
  Kind kind() const { return kind_; }
  Op op() const { return op_; }
  char letter() const { return letter_; }
  const std::vector<Pattern>& inputs() const { return inputs_; }
  // The number as a constant of the dtype.
  Scalar number(DType dtype) const;

  // Fills in the letters. The root need not be interned.
  bool matches(const Node& root, Match& match) const;
  // Makes the nodes; `dtype` is that of the result.
  NodePtr build(const Match& match, DType dtype) const;

 private:
  Pattern() = default;
  static Pattern parse(std::string_view text, size_t& at);
  bool matches_node(const NodePtr& node, Match& match) const;

  Kind kind_ = Kind::kNode;
  Op op_ = Op::kConst;
  char letter_ = 0;
  double number_ = 0;
  bool all_ones_ = false;
  std::vector<Pattern> inputs_;
};

// Rules, parsed, by the op at their root.
class RuleSet {
 public:
  explicit RuleSet(std::span<const Rule> rules);

  // What the first rule that applies makes of the node, or null.
  NodePtr apply(const Node& node, RuleHost& host) const;

  struct Entry {
    const Rule* rule = nullptr;
    Pattern pattern;
    Pattern replacement;
  };
  // What one rule makes of the node, or null.
  static NodePtr apply(const Entry& entry, const Node& node, RuleHost& host);
  const std::vector<Entry>& of(Op op) const { return by_op_[static_cast<size_t>(op)]; }

 private:
  std::array<std::vector<Entry>, kOpCount> by_op_;
};

}  // namespace bw::ir::rewrite
