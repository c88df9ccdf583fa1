// The part of IndexAnalysis that follows an index along a range.
#include <bit>
#include <numeric>

#include "ir/analysis/index_analysis.h"

namespace bw::ir::analysis {
namespace {

constexpr RangeRun kUnknown = {0, 1};
constexpr RangeRun kUnchanged = {0, 0};

// Where `length` neighbours of one block stay between two multiples of g: start + stride * (0 .. length - 1), where the
// start is m modulo g.
bool stays_between(int64_t stride, int64_t length, int64_t m, int64_t g) {
  const __int128 way = static_cast<__int128>(stride) * (length - 1);
  return m + way < g && m + way >= 0;
}

}  // namespace

// What is known of a sum in iterations that are multiples of `length`.
Congruence IndexAnalysis::at_block_start(const IndexForm& form, const NodePtr& range, int64_t length) {
  Congruence sum = Congruence::exactly(form.constant);
  for (const IndexForm::Term& term : form.terms) {
    const bool is_range = term.atom == range;
    const Congruence of_atom = is_range ? Congruence{length, 0} : congruence(term.atom);
    sum = add(sum, multiply(of_atom, Congruence::exactly(term.coefficient)));
  }
  return sum;
}

RangeRun IndexAnalysis::run_of_atom(const NodePtr& atom, const NodePtr& range) {
  if (atom == range) return {1, 0};
  if (!depends_on(atom, range)) return kUnchanged;
  const std::optional<Division> division = division_of(atom);
  if (!division.has_value()) return kUnknown;
  const IndexForm& dividend = form(division->dividend);
  const int64_t n = division->divisor;
  const RangeRun inner = run_of(dividend, range);
  if (inner.length == 1) return kUnknown;
  constexpr int64_t kMaxStride = int64_t{1} << 62;
  if (inner.stride > kMaxStride || inner.stride < -kMaxStride) return kUnknown;
  if (inner.stride % n == 0) return {division->is_quotient ? inner.stride / n : 0, inner.length};
  // The longest blocks that no multiple of the divisor cuts: one period, or a power of two.
  const int64_t step = std::abs(inner.stride);
  int64_t length = n % step == 0 ? n / step : static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n / step)));
  while (length > 1) {
    const int64_t allowed = std::gcd(length, inner.length);
    const Congruence start = reduced(at_block_start(dividend, range, allowed), n);
    const int64_t g = start.modulus == 0 ? n : start.modulus;
    const int64_t m = start.modulus == 0 ? start.remainder % n : start.remainder;
    if (allowed > 1 && stays_between(inner.stride, allowed, m, g)) {
      return {division->is_quotient ? 0 : inner.stride, allowed};
    }
    length = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(length - 1)));
  }
  return kUnknown;
}

RangeRun IndexAnalysis::run_of(const IndexForm& form, const NodePtr& range) {
  RangeRun sum = kUnchanged;
  for (const auto& [atom, coefficient] : form.terms) {
    const RangeRun of_atom = run_of_atom(atom, range);
    int64_t change = 0;
    if (__builtin_mul_overflow(of_atom.stride, coefficient, &change)) return kUnknown;
    if (__builtin_add_overflow(sum.stride, change, &sum.stride)) return kUnknown;
    sum.length = std::gcd(sum.length, of_atom.length);
    if (sum.length == 1) return kUnknown;
  }
  return sum;
}

RangeRun IndexAnalysis::run(const NodePtr& node, const NodePtr& range) {
  if (is_float(node->dtype)) return depends_on(node, range) ? kUnknown : kUnchanged;
  const IndexForm& sum = form(node);
  return run_of(sum, range);
}

std::optional<int64_t> IndexAnalysis::stride(const NodePtr& node, const NodePtr& range) {
  const RangeRun whole = run(node, range);
  const int64_t extent = range->attr<RangeAttr>().extent.max();
  if (whole.length != 0 && whole.length < extent) return std::nullopt;
  return whole.stride;
}

}  // namespace bw::ir::analysis
