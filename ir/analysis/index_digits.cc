#include "ir/analysis/index_digits.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace bw::ir::analysis {
namespace {

// (range / low) % (high / low); a high of 0 is none.
struct Slice {
  NodePtr range;
  int64_t low = 1;
  int64_t high = 0;
};

std::optional<Slice> slice_of(IndexAnalysis& analysis, const NodePtr& atom) {
  if (atom->op == Op::kRange) return Slice{atom, 1, 0};
  const std::optional<Division> division = analysis.division_of(atom);
  if (!division.has_value()) return std::nullopt;
  const IndexForm& dividend = analysis.form(division->dividend);
  if (dividend.terms.size() != 1 || dividend.terms[0].coefficient != 1 || dividend.constant != 0) return std::nullopt;
  std::optional<Slice> slice = slice_of(analysis, dividend.terms[0].atom);
  int64_t cut = 0;
  if (!slice.has_value() || __builtin_mul_overflow(slice->low, division->divisor, &cut)) return std::nullopt;
  if (slice->high != 0 && slice->high % cut != 0) return std::nullopt;
  (division->is_quotient ? slice->low : slice->high) = cut;
  return slice;
}

// The parts of one range that an index is made of.
struct Parts {
  std::vector<std::pair<Slice, int64_t>> slices;  // with coefficients
  std::set<int64_t> cuts = {1};
};

// Digits from cut to cut; the coefficient of each is what the slices that it is part of make of it.
bool add_digits(const Parts& parts, const Dim& extent, DigitForm& form) {
  const std::vector<int64_t> cuts(parts.cuts.begin(), parts.cuts.end());
  for (size_t i = 0; i < cuts.size(); ++i) {
    const bool is_last = i + 1 == cuts.size();
    if (!is_last && cuts[i + 1] % cuts[i] != 0) return false;
    Dim count = extent;
    if (!is_last) count = Dim(cuts[i + 1] / cuts[i]);
    if (cuts.size() > 1 && is_last) {
      if (!extent.is_static() || extent.offset % cuts[i] != 0) return false;
      count = Dim(extent.offset / cuts[i]);
    }
    __int128 step = 0;
    for (const auto& [slice, coefficient] : parts.slices) {
      const bool is_inside = cuts[i] >= slice.low && (slice.high == 0 || cuts[i] < slice.high);
      if (is_inside) step += static_cast<__int128>(coefficient) * (cuts[i] / slice.low);
    }
    constexpr __int128 kLimit = std::numeric_limits<int64_t>::max() / 4;
    if (step > kLimit || step < -kLimit) return false;
    if (step == 0) continue;
    if (step < 0) {
      // Counted from the other end.
      int64_t way = 0;
      if (!count.is_static() || __builtin_mul_overflow(static_cast<int64_t>(step), count.offset - 1, &way))
        return false;
      if (__builtin_add_overflow(form.offset, way, &form.offset)) return false;
      step = -step;
    }
    if (count != Dim(1)) form.digits.push_back({static_cast<int64_t>(step), count});
  }
  return true;
}

}  // namespace

Dim resolved(const Dim& dim, const VariableValues& values) {
  if (dim.is_static()) return dim;
  const auto it = values.find(dim.variable->attr<VariableAttr>().name);
  return it == values.end() ? dim : Dim(it->second + dim.offset);
}

std::optional<DigitForm> digits_of(IndexAnalysis& analysis, const NodePtr& index, const VariableValues& values) {
  const IndexForm& sum = analysis.form(index);
  DigitForm form;
  form.offset = sum.constant;
  std::vector<std::pair<NodePtr, Parts>> ranges;
  for (const auto& [atom, coefficient] : sum.terms) {
    if (atom->op == Op::kVariable) {
      const auto known = values.find(atom->attr<VariableAttr>().name);
      int64_t product = 0;
      if (known == values.end()) {
        form.variables.push_back({atom, coefficient});
      } else if (__builtin_mul_overflow(known->second, coefficient, &product) ||
                 __builtin_add_overflow(form.offset, product, &form.offset)) {
        return std::nullopt;
      }
      continue;
    }
    const std::optional<Slice> slice = slice_of(analysis, atom);
    if (!slice.has_value()) return std::nullopt;
    auto parts =
        std::find_if(ranges.begin(), ranges.end(), [&](const auto& known) { return known.first == slice->range; });
    if (parts == ranges.end()) parts = ranges.insert(parts, {slice->range, {}});
    parts->second.slices.emplace_back(*slice, coefficient);
    parts->second.cuts.insert(slice->low);
    if (slice->high != 0) parts->second.cuts.insert(slice->high);
  }
  for (const auto& [range, parts] : ranges) {
    if (!add_digits(parts, resolved(range->attr<RangeAttr>().extent, values), form)) return std::nullopt;
  }
  std::stable_sort(form.digits.begin(), form.digits.end(), [](const Digit& a, const Digit& b) {
    return std::pair(a.step, a.count.offset) < std::pair(b.step, b.count.offset);
  });
  return form;
}

}  // namespace bw::ir::analysis
