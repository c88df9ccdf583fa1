#include "ir/analysis/index_analysis.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "ir/fold.h"
#include "ir/interval.h"

namespace bw::ir::analysis {
namespace {

using Wide = __int128;

bool is_counted(const Node& node) {
  return !is_float(node.dtype);
}

// u64 beyond i64 has no form.
bool has_form(const Node& node) {
  return is_integer(node.dtype) && node.dtype != DType::kU64;
}

IndexForm atom_form(const NodePtr& node) {
  return {{{node, 1}}, 0};
}

// Counts of the width and more are taken modulo the width.
bool is_plain_shift(const Node& node, int64_t count) {
  return count >= 0 && count < 8 * static_cast<int64_t>(size_bytes(node.dtype)) && count < 62;
}

std::optional<int64_t> saturated(Wide value) {
  if (value > std::numeric_limits<int64_t>::max() || value < std::numeric_limits<int64_t>::min()) return std::nullopt;
  return static_cast<int64_t>(value);
}

}  // namespace

// Sums, differences and products with constants that cannot wrap.
IndexForm IndexAnalysis::compute_form(const NodePtr& node) {
  if (!has_form(*node) || bounds_.of(node).overflow) return atom_form(node);
  if (const std::optional<int64_t> value = integer_constant(node)) return {{}, *value};
  if (is_single_iteration(*node)) return {};
  const auto of_input = [&](size_t i) -> const IndexForm& { return facts_.at(node->inputs[i]).form; };
  IndexForm sum;
  switch (node->op) {
    case Op::kAdd:
      if (add_scaled(sum, of_input(0), 1) && add_scaled(sum, of_input(1), 1)) return sum;
      break;
    case Op::kMul:
      for (const size_t i : {size_t{1}, size_t{0}}) {
        if (of_input(i).is_constant() && add_scaled(sum, of_input(1 - i), of_input(i).constant)) return sum;
      }
      break;
    case Op::kShl:
      if (of_input(1).is_constant() && is_plain_shift(*node, of_input(1).constant) &&
          add_scaled(sum, of_input(0), int64_t{1} << of_input(1).constant)) {
        return sum;
      }
      break;
    case Op::kCast:
      if (has_form(*node->inputs[0])) return of_input(0);
      break;
    default:
      break;
  }
  return atom_form(node);
}

std::optional<Division> IndexAnalysis::division_of(const NodePtr& node) {
  if (node->inputs.size() != 2 || !has_form(*node)) return std::nullopt;
  const std::optional<int64_t> constant = integer_constant(node->inputs[1]);
  if (!constant.has_value() || *constant <= 0 || bounds(node->inputs[0]).low < 0) return std::nullopt;
  switch (node->op) {
    case Op::kIDiv:
      return Division{node->inputs[0], *constant, true};
    case Op::kMod:
      return Division{node->inputs[0], *constant, false};
    case Op::kShr:
      if (!is_plain_shift(*node, *constant)) return std::nullopt;
      return Division{node->inputs[0], int64_t{1} << *constant, true};
    case Op::kAnd:
      if (*constant >= int64_t{1} << 61 || !std::has_single_bit(static_cast<uint64_t>(*constant) + 1)) {
        return std::nullopt;
      }
      return Division{node->inputs[0], *constant + 1, false};
    default:
      return std::nullopt;
  }
}

Congruence IndexAnalysis::binary_congruence(const Node& node) {
  const auto of = [&](size_t i) -> const Congruence& { return facts_.at(node.inputs[i]).congruence; };
  const std::optional<int64_t> constant = integer_constant(node.inputs[1]);
  const bool is_natural = is_integer(node.dtype) && bounds(node.inputs[0]).low >= 0;
  switch (node.op) {
    case Op::kAdd:
      return add(of(0), of(1));
    case Op::kMul:
      return multiply(of(0), of(1));
    case Op::kShl:
      if (!constant.has_value() || !is_plain_shift(node, *constant)) return Congruence::anything();
      return multiply(of(0), Congruence::exactly(int64_t{1} << *constant));
    case Op::kIDiv:
      return constant.value_or(0) > 0 ? divide(of(0), *constant, is_natural) : Congruence::anything();
    case Op::kMod:
      return constant.value_or(0) > 0 ? remainder(of(0), *constant, is_natural) : Congruence::anything();
    case Op::kMax:
      return join(of(0), of(1));
    case Op::kAnd: {
      if (!constant.has_value() || *constant == 0) return Congruence::anything();
      // The zeros at the end of a mask.
      const int zeros = std::countr_zero(static_cast<uint64_t>(*constant));
      return zeros > 61 ? Congruence::anything() : Congruence{int64_t{1} << zeros, 0};
    }
    default:
      return Congruence::anything();
  }
}

Congruence IndexAnalysis::compute_congruence(const NodePtr& node) {
  if (node->dtype == DType::kBool || node->dtype == DType::kU64) return Congruence::anything();
  if (const std::optional<int64_t> value = integer_constant(node)) return Congruence::exactly(*value);
  if (is_single_iteration(*node)) return Congruence::exactly(0);
  Congruence result;
  if (node->op == Op::kWhere) {
    result = join(facts_.at(node->inputs[1]).congruence, facts_.at(node->inputs[2]).congruence);
  } else if (node->op == Op::kCast && is_integer(node->inputs[0]->dtype) && node->inputs[0]->dtype != DType::kU64) {
    result = facts_.at(node->inputs[0]).congruence;
  } else if (const std::optional<Division> division = division_of(node)) {
    const Congruence& dividend = facts_.at(division->dividend).congruence;
    result = division->is_quotient ? divide(dividend, division->divisor, true)
                                   : remainder(dividend, division->divisor, true);
  } else if (is_binary(node->op)) {
    result = binary_congruence(*node);
  }
  return bounds_.of(node).overflow ? wrapped(result, node->dtype) : result;
}

// Kernels have no more than 64 ranges; should there be more, the last bit stands for several.
uint64_t IndexAnalysis::range_bit(const NodePtr& range) {
  const auto known = std::find(ranges_.begin(), ranges_.end(), range);
  const auto position = static_cast<size_t>(known - ranges_.begin());
  if (known == ranges_.end()) ranges_.push_back(range);
  return uint64_t{1} << std::min<size_t>(position, 63);
}

IndexAnalysis::Facts IndexAnalysis::compute(const NodePtr& node) {
  Facts result;
  if (node->op == Op::kRange) result.ranges = range_bit(node);
  for (size_t i = 0; i < node->inputs.size(); ++i) {
    if (!is_reduce(node->op) || i == 0) result.ranges |= facts_.at(node->inputs[i]).ranges;
  }
  for (size_t i = 1; is_reduce(node->op) && i < node->inputs.size(); ++i) {
    // What the shared bit stands for may be more than what is consumed.
    const uint64_t bit = range_bit(node->inputs[i]);
    if (bit != uint64_t{1} << 63) result.ranges &= ~bit;
  }
  result.form = compute_form(node);
  if (is_counted(*node)) result.congruence = compute_congruence(node);
  return result;
}

const IndexAnalysis::Facts& IndexAnalysis::facts(const NodePtr& node) {
  const auto known = facts_.find(node);
  if (known != facts_.end()) return known->second;
  std::vector<NodePtr> waiting = {node};
  while (!waiting.empty()) {
    const NodePtr top = waiting.back();
    const size_t depth = waiting.size();
    if (!facts_.contains(top)) {
      for (const NodePtr& input : top->inputs) {
        if (!facts_.contains(input)) waiting.push_back(input);
      }
      if (waiting.size() > depth) continue;
      Facts made = compute(top);
      facts_.emplace(top, std::move(made));
    }
    waiting.pop_back();
  }
  return facts_.at(node);
}

const IndexForm& IndexAnalysis::form(const NodePtr& node) {
  return facts(node).form;
}

const Congruence& IndexAnalysis::congruence(const NodePtr& node) {
  return facts(node).congruence;
}

Interval IndexAnalysis::atom_bounds(const NodePtr& atom) {
  Interval known = bounds_.of(atom);
  const std::optional<Division> division = division_of(atom);
  if (!division.has_value()) return known;
  const Interval dividend = bounds(division->dividend);
  if (dividend.low < 0) return known;
  if (division->is_quotient) {
    known.low = std::max(known.low, dividend.low / division->divisor);
    known.high = std::min(known.high, dividend.high / division->divisor);
  } else {
    known.high = std::min(known.high, dividend.high);
  }
  return known;
}

// Replaces everything but variables by its least or greatest value.
std::optional<IndexForm> IndexAnalysis::extreme(const IndexForm& form, Side side) {
  IndexForm result;
  result.constant = form.constant;
  for (const auto& [atom, coefficient] : form.terms) {
    const bool wants_high = (side == Side::kHigh) == (coefficient > 0);
    if (atom->op == Op::kVariable) {
      if (!add_term(result, atom, coefficient)) return std::nullopt;
      continue;
    }
    IndexForm bound;
    if (atom->op == Op::kRange) {
      if (wants_high) bound = form_of(atom->attr<RangeAttr>().extent);
      bound.constant -= wants_high ? 1 : 0;
    } else {
      const Interval interval = atom_bounds(atom);
      bound.constant = wants_high ? interval.high : interval.low;
    }
    if (!add_scaled(result, bound, coefficient)) return std::nullopt;
  }
  return result;
}

// A range with an extent of variable + offset has iterations only where the variable is above -offset.
void IndexAnalysis::collect_minima(const IndexForm& form, std::unordered_map<const Node*, int64_t>& minima) {
  for (const IndexForm::Term& term : form.terms) {
    if (term.atom->op == Op::kRange) {
      const Dim& extent = term.atom->attr<RangeAttr>().extent;
      if (extent.is_static()) continue;
      int64_t& minimum = minima.try_emplace(extent.variable.get(), std::numeric_limits<int64_t>::min()).first->second;
      minimum = std::max(minimum, 1 - extent.offset);
    } else if (const std::optional<Division> division = division_of(term.atom)) {
      collect_minima(facts(division->dividend).form, minima);
    }
  }
}

// `of`: the sum whose extreme `form` is.
std::optional<int64_t> IndexAnalysis::extreme_over_variables(const IndexForm& form, Side side, const IndexForm& of) {
  std::unordered_map<const Node*, int64_t> minima;
  if (!form.terms.empty()) collect_minima(of, minima);
  Wide sum = form.constant;
  for (const auto& [variable, coefficient] : form.terms) {
    const auto& attr = variable->attr<VariableAttr>();
    int64_t low = attr.min;
    // Where the ranges never have an iteration, any bound holds.
    if (const auto it = minima.find(variable.get()); it != minima.end())
      low = std::min(std::max(low, it->second), attr.max);
    const bool wants_high = (side == Side::kHigh) == (coefficient > 0);
    sum += Wide{coefficient} * (wants_high ? attr.max : low);
  }
  return saturated(sum);
}

std::optional<Interval> IndexAnalysis::bounds_of(const IndexForm& form) {
  const std::optional<IndexForm> low = extreme(form, Side::kLow);
  const std::optional<IndexForm> high = extreme(form, Side::kHigh);
  if (!low.has_value() || !high.has_value()) return std::nullopt;
  const std::optional<int64_t> least = extreme_over_variables(*low, Side::kLow, form);
  const std::optional<int64_t> greatest = extreme_over_variables(*high, Side::kHigh, form);
  if (!least.has_value() || !greatest.has_value()) return std::nullopt;
  return Interval{*least, *greatest, false};
}

Interval IndexAnalysis::bounds(const NodePtr& node) {
  Interval known = bounds_.of(node);
  if (!has_form(*node) || known.overflow) return known;
  const IndexForm& sum = form(node);
  const bool is_atom = sum.terms.size() == 1 && sum.terms[0].atom == node;
  if (is_atom) {
    const Interval better = atom_bounds(node);
    return {better.low, better.high, known.overflow};
  }
  const std::optional<Interval> of_form = bounds_of(sum);
  if (!of_form.has_value() || of_form->low > of_form->high) return known;
  known.low = std::max(known.low, of_form->low);
  known.high = std::min(known.high, of_form->high);
  return known;
}

bool IndexAnalysis::is_within(const NodePtr& node, const Dim& extent) {
  const Interval known = bounds(node);
  if (known.low < 0 || known.overflow) return false;
  if (known.high < extent.min()) return true;
  const std::optional<IndexForm> beyond = subtract(form(node), form_of(extent));
  const std::optional<Interval> by = beyond.has_value() ? bounds_of(*beyond) : std::nullopt;
  return by.has_value() && by->high < 0;
}

std::optional<SymbolicInterval> IndexAnalysis::symbolic_bounds(const NodePtr& node) {
  const IndexForm& sum = form(node);
  std::optional<IndexForm> low = extreme(sum, Side::kLow);
  std::optional<IndexForm> high = extreme(sum, Side::kHigh);
  if (!low.has_value() || !high.has_value()) return std::nullopt;
  return SymbolicInterval{*std::move(low), *std::move(high)};
}

std::optional<int64_t> IndexAnalysis::difference(const NodePtr& a, const NodePtr& b) {
  form(a);
  const std::optional<IndexForm> rest = subtract(form(a), form(b));
  if (!rest.has_value() || !rest->is_constant()) return std::nullopt;
  return rest->constant;
}

bool IndexAnalysis::is_quasi_affine(const NodePtr& node) {
  const IndexForm& sum = form(node);
  return std::all_of(sum.terms.begin(), sum.terms.end(), [&](const IndexForm::Term& term) {
    if (term.atom->op == Op::kRange || term.atom->op == Op::kVariable) return true;
    const std::optional<Division> division = division_of(term.atom);
    return division.has_value() && is_quasi_affine(division->dividend);
  });
}

bool IndexAnalysis::depends_on(const NodePtr& node, const NodePtr& range) {
  return (facts(node).ranges & range_bit(range)) != 0;
}

std::vector<NodePtr> IndexAnalysis::ranges_of(const NodePtr& node) {
  const uint64_t bits = facts(node).ranges;
  std::vector<NodePtr> result;
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if ((bits >> std::min<size_t>(i, 63) & 1) != 0) result.push_back(ranges_[i]);
  }
  return result;
}

}  // namespace bw::ir::analysis
