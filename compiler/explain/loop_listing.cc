#include "compiler/explain/loop_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/lower_llvm_plan.h"
#include "ir/text.h"
#include "ir/text_names.h"

namespace bw::compiler::explain {
namespace {

using ir::Node;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

// An expression of more nodes is given a name, so that lines stay readable.
constexpr size_t kMaxInlineNodes = 14;

std::string range_name(const Node& range) {
  const auto& attr = range.attr<ir::RangeAttr>();
  return fmt::format("{}{}", ir::kRangeKindNames[static_cast<size_t>(attr.kind)], attr.id);
}

std::string_view infix(Op op) {
  switch (op) {
    case Op::kAdd:
      return " + ";
    case Op::kMul:
      return " * ";
    case Op::kIDiv:
      return " / ";
    case Op::kMod:
      return " % ";
    case Op::kCmpLt:
      return " < ";
    case Op::kCmpNe:
      return " != ";
    case Op::kAnd:
      return " & ";
    case Op::kOr:
      return " | ";
    case Op::kXor:
      return " ^ ";
    case Op::kShl:
      return " << ";
    case Op::kShr:
      return " >> ";
    default:
      return "";
  }
}

// As C ranks them; 0: a call.
int rank_of(Op op) {
  switch (op) {
    case Op::kMul:
    case Op::kIDiv:
    case Op::kMod:
      return 7;
    case Op::kAdd:
      return 6;
    case Op::kShl:
    case Op::kShr:
      return 5;
    case Op::kCmpLt:
    case Op::kCmpNe:
      return 4;
    case Op::kAnd:
      return 3;
    case Op::kXor:
      return 2;
    case Op::kOr:
      return 1;
    default:
      return 0;
  }
}

const char* stem(Op reduction) {
  if (reduction == Op::kReduceAdd) return "sum";
  return reduction == Op::kReduceMul ? "product" : "largest";
}

std::string initial_value(const Node& reduction) {
  if (reduction.op == Op::kReduceAdd) return "0";
  if (reduction.op == Op::kReduceMul) return "1";
  return ir::is_float(reduction.dtype) ? "-inf" : "smallest";
}

bool same_ranges(const Node& a, const Node& b) {
  return std::equal(a.inputs.begin() + 1, a.inputs.end(), b.inputs.begin() + 1, b.inputs.end());
}

bool is_leaf(const Node& node) {
  return node.op == Op::kConst || node.op == Op::kRange || node.op == Op::kVariable || node.op == Op::kParam;
}

class Listing {
 public:
  Listing(const ir::Kernel& kernel, const KernelForm& form, const KernelPlan& plan)
      : kernel_(kernel), is_lane_form_(std::holds_alternative<LaneForm>(form)), plan_(plan) {
    count_uses();
  }

  std::vector<std::string> run() {
    for (size_t axis = 3; axis-- > 0;) {
      if (plan_.global[axis] != nullptr) open_grid(*plan_.global[axis], axis);
    }
    if (plan_.group != nullptr) {
      open(fmt::format("for {} in 0..{}", range_name(*plan_.group), plan_.group_size),
           "the lanes of a group, side by side");
    }
    // Stores that are free in the same loops stand in the same loops.
    std::map<RangeMask, std::vector<NodePtr>> groups;
    for (const NodePtr& store : kernel_.stores) groups[plan_.of(store.get()).free & ~plan_.given].push_back(store);
    for (const auto& [loops, stores] : groups) print_stores(loops, stores);
    return std::move(lines_);
  }

 private:
  using Names = std::unordered_map<const Node*, std::string>;

  void count_uses() {
    for (const NodePtr& node : plan_.order) {
      for (const NodePtr& input : node->inputs) ++uses_[input.get()];
    }
    for (const NodePtr& node : plan_.order) {
      size_t size = 1;
      for (const NodePtr& input : node->inputs) size += input_size(*input);
      sizes_[node.get()] = size;
    }
  }
  // What an input adds to a line: one word if it has a name.
  size_t input_size(const Node& node) const { return is_named(node) ? 1 : sizes_.at(&node); }
  bool is_named(const Node& node) const {
    if (is_leaf(node) || node.op == Op::kStore) return false;
    if (ir::is_reduce(node.op)) return true;
    return uses_.at(&node) > 1 || sizes_.at(&node) > kMaxInlineNodes;
  }

  void line(const std::string& text, std::string_view note = "") {
    std::string whole = std::string(2 * depth_, ' ') + text;
    if (!note.empty()) whole += fmt::format("{:{}}  # {}", "", whole.size() < 40 ? 40 - whole.size() : 0, note);
    lines_.push_back(std::move(whole));
  }
  void open(const std::string& text, std::string_view note) {
    line(text, note);
    ++depth_;
  }

  void open_grid(const Node& range, size_t axis) {
    std::string note = fmt::format("grid {}", "xyz"[axis]);
    if (!is_lane_form_) {
      note += ", tiles as the form says";
    } else if (axis == 0) {
      const uint32_t places = kernel_.workgroup_size / plan_.group_size;
      note += plan_.group_size == 1
                  ? fmt::format(", a lane each, {} to a workgroup", places)
                  : fmt::format(", a group of {} lanes each, {} to a workgroup", plan_.group_size, places);
    } else {
      note += ", a workgroup each";
    }
    open(fmt::format("for {} in 0..{}", range_name(range), ir::print_dim(range.attr<ir::RangeAttr>().extent)), note);
  }

  void open_loop(const Node& range) {
    const auto& attr = range.attr<ir::RangeAttr>();
    open(fmt::format("for {} in 0..{}", range_name(range), ir::print_dim(attr.extent)),
         attr.kind == RangeKind::kUnroll ? "written out" : "");
  }

  void print_stores(RangeMask loops, std::span<const NodePtr> stores) {
    const size_t depth = depth_;
    Names names;
    RangeMask active = 0;
    statements(stores, active, names);
    for (const Node* range : plan_.ranges) {
      if ((plan_.bit(range) & loops) == 0) continue;
      open_loop(*range);
      active |= plan_.bit(range);
      statements(stores, active, names);
    }
    for (const NodePtr& store : stores) {
      line(fmt::format("{}[{}] = {}", parameter(*store), expression(*store->inputs[1], 0, names),
                       expression(*store->inputs[2], 0, names)));
    }
    depth_ = depth;
  }

  // What is still to be computed for `roots` in the loops of `active`, inputs first.
  std::vector<NodePtr> ready(std::span<const NodePtr> roots, RangeMask active, const Names& names) const {
    std::vector<NodePtr> result;
    for (const NodePtr& node : ir::topological_order(roots)) {
      if (!is_named(*node)) continue;  // also variables that only extents name, which the plan does not have
      const bool is_here = (plan_.of(node.get()).free & ~plan_.given & ~active) == 0;
      if (is_here && !names.contains(node.get())) result.push_back(node);
    }
    return result;
  }

  void statements(std::span<const NodePtr> roots, RangeMask active, Names& names) {
    const std::vector<NodePtr> nodes = ready(roots, active, names);
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (names.contains(nodes[i].get())) continue;
      if (!ir::is_reduce(nodes[i]->op)) {
        const std::string text = expression(*nodes[i], 0, names);
        std::string name = fmt::format("t{}", next_++);
        line(fmt::format("{} = {}", name, text));
        names[nodes[i].get()] = std::move(name);
        continue;
      }
      // Further reductions over the same ranges go along if all that they need from outside is there.
      std::vector<NodePtr> group = {nodes[i]};
      for (size_t k = i + 1; k < nodes.size(); ++k) {
        if (!ir::is_reduce(nodes[k]->op) || !same_ranges(*nodes[i], *nodes[k])) continue;
        const std::vector<NodePtr> missing = ready(std::span(&nodes[k]->inputs[0], 1), active, names);
        if (missing.empty()) group.push_back(nodes[k]);
      }
      reduce(group, active, names);
    }
  }

  void reduce(std::span<const NodePtr> group, RangeMask active, Names& names) {
    const size_t depth = depth_;
    std::vector<std::string> accumulators;
    std::vector<NodePtr> values;
    for (const NodePtr& reduction : group) {
      accumulators.push_back(fmt::format("{}{}", stem(reduction->op), next_++));
      values.push_back(reduction->inputs[0]);
      line(fmt::format("{} = {}", accumulators.back(), initial_value(*reduction)));
    }
    Names inner = names;
    const Node* lanes = nullptr;
    for (const NodePtr& range : reduction_ranges(*group[0])) {
      if (range.get() == plan_.group) {
        lanes = range.get();
        continue;
      }
      open_loop(*range);
      active |= plan_.bit(range.get());
      statements(values, active, inner);
    }
    for (size_t i = 0; i < group.size(); ++i) {
      const std::string value = expression(*values[i], 0, inner);
      const Op op = group[i]->op;
      if (op == Op::kReduceMax) {
        line(fmt::format("{0} = max({0}, {1})", accumulators[i], value));
      } else {
        line(fmt::format("{} {} {}", accumulators[i], op == Op::kReduceAdd ? "+=" : "*=", value));
      }
    }
    depth_ = depth;
    for (size_t i = 0; i < group.size(); ++i) {
      names[group[i].get()] = accumulators[i];
      if (lanes != nullptr)
        line(fmt::format("{0} = {1} of {0} over {2}", accumulators[i], stem(group[i]->op), range_name(*lanes)));
    }
  }

  std::string parameter(const Node& access) const {
    const Node& param = memory_param(access);
    const std::string& name = param.attr<ir::ParamAttr>().name;
    const ir::DType dtype = memory_dtype(access);
    return dtype == param.dtype ? name : fmt::format("{}.{}", name, ir::name(dtype));
  }

  std::string expression(const Node& node, int outer, const Names& names) const {
    if (const auto found = names.find(&node); found != names.end()) return found->second;
    if (node.op == Op::kConst) return constant(node);
    if (node.op == Op::kRange) return range_name(node);
    if (node.op == Op::kVariable) return node.attr<ir::VariableAttr>().name;
    if (node.op == Op::kLoad) return fmt::format("{}[{}]", parameter(node), expression(*node.inputs[1], 0, names));
    if (const std::string_view sign = infix(node.op); !sign.empty()) {
      const int own = rank_of(node.op);
      const std::string text =
          expression(*node.inputs[0], own, names) + std::string(sign) + expression(*node.inputs[1], own + 1, names);
      return own < outer ? "(" + text + ")" : text;
    }
    const bool converts = node.op == Op::kCast || node.op == Op::kBitcast;
    std::string text = std::string(converts && node.op == Op::kCast ? ir::name(node.dtype) : ir::name(node.op)) + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      text += (i == 0 ? "" : ", ") + expression(*node.inputs[i], 0, names);
    }
    if (node.op == Op::kBitcast) text += fmt::format(", {}", ir::name(node.dtype));
    return text + ")";
  }

  static std::string constant(const Node& node) {
    const ir::Scalar& value = node.attr<ir::ConstAttr>().value;
    if (const int64_t* integer = std::get_if<int64_t>(&value)) return fmt::format("{}", *integer);
    return fmt::format("{:.9g}", std::get<double>(value));
  }

  const ir::Kernel& kernel_;
  const bool is_lane_form_;
  const KernelPlan& plan_;
  std::unordered_map<const Node*, size_t> uses_;
  std::unordered_map<const Node*, size_t> sizes_;  // in nodes, as far as it is written in one line
  std::vector<std::string> lines_;
  size_t depth_ = 0;
  size_t next_ = 1;
};

}  // namespace

Result<std::string> print_loops(const ir::Kernel& kernel, const KernelForm& form, size_t max_lines) {
  BW_ASSIGN(const KernelPlan plan, plan_kernel(kernel));
  const std::vector<std::string> lines = Listing(kernel, form, plan).run();
  std::string text;
  for (size_t i = 0; i < std::min(lines.size(), max_lines); ++i) text += lines[i] + "\n";
  if (lines.size() > max_lines) text += fmt::format("... {} more lines\n", lines.size() - max_lines);
  return text;
}

}  // namespace bw::compiler::explain
