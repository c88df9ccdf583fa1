#include "ir/linear.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/bits.h"
#include "ir/scalar_ops.h"

namespace bw::ir {
namespace {

// Sums beyond these are left as they are.
constexpr int kMaxDepth = 64;
constexpr size_t kMaxTerms = 32;

// Whether the node is `op` with a constant as its second input.
bool is_by_constant(const NodePtr& node, Op op) {
  return node->op == op && integer_constant(node->inputs[1]).has_value();
}

int64_t divisor_of(const NodePtr& node) {
  return *integer_constant(node->inputs[1]);
}

void erase_terms(Linear& sum, size_t a, size_t b) {
  sum.terms.erase(sum.terms.begin() + static_cast<ptrdiff_t>(std::max(a, b)));
  sum.terms.erase(sum.terms.begin() + static_cast<ptrdiff_t>(std::min(a, b)));
}

}  // namespace

NodePtr LinearFolder::fold(const Node& node) {
  const std::optional<int64_t> constant = integer_constant(node.inputs[1]);
  switch (node.op) {
    case Op::kAdd:
      return fold_sum(node);
    case Op::kMul:
      return constant.has_value() ? fold_sum(node) : nullptr;
    case Op::kShl:
      // Two to the power of the width less one is negative; as a factor it means the same.
      if (!constant.has_value()) return nullptr;
      return builder_.op(
          Op::kMul, node.dtype,
          {node.inputs[0], builder_.op(Op::kShl, node.dtype, {this->constant(node.dtype, 1), node.inputs[1]})});
    case Op::kIDiv:
      return constant.value_or(0) > 1 ? fold_idiv(node.inputs[0], *constant) : nullptr;
    case Op::kMod:
      return constant.value_or(0) > 1 ? fold_mod(node.inputs[0], *constant) : nullptr;
    case Op::kCmpLt:
      return constant.has_value() ? fold_less(node.inputs[0], *constant) : nullptr;
    default:
      return nullptr;
  }
}

// Modulo the width, sums and products may always be gathered. What is gathered may lose its proof, though, where the
// partial sums are larger than before; then the node stays as it was.
NodePtr LinearFolder::fold_sum(const Node& node) {
  NodePtr original = builder_.intern(node);
  Linear sum = linearize(original);
  while (join_division_and_remainder(sum, node.dtype)) {
  }
  NodePtr gathered = build(std::move(sum), node.dtype);
  const bool is_worse = builder_.bounds_.of(gathered).overflow && !builder_.bounds_.of(original).overflow;
  return is_worse ? original : gathered;
}

NodePtr LinearFolder::fold_idiv(const NodePtr& x, int64_t divisor) {
  const DType dtype = x->dtype;
  const Interval bounds = builder_.bounds_.of(x);
  const Linear sum = linearize(x);
  if (!sum.exact) return nullptr;
  const Split parts = split(sum, divisor);
  const bool divides = parts.remainder.terms.empty() && parts.remainder.constant == 0;
  if (divides) return build_exact(parts.quotient, dtype);
  // From here on, truncating is rounding down only for what is not negative.
  if (bounds.low < 0) return nullptr;
  const WideInterval rest = bounds_of(parts.remainder);
  const bool has_quotient = !parts.quotient.terms.empty() || parts.quotient.constant != 0;
  if (has_quotient && rest.low >= 0) {
    if (rest.high < divisor) return build_exact(parts.quotient, dtype);
    NodePtr a = build_exact(parts.quotient, dtype);
    NodePtr b = build_exact(parts.remainder, dtype);
    if (a == nullptr || b == nullptr) return nullptr;
    return builder_.op(Op::kAdd, dtype, {a, builder_.op(Op::kIDiv, dtype, {b, constant(dtype, divisor)})});
  }
  return idiv_by_common_factor(sum, dtype, divisor);
}

NodePtr LinearFolder::fold_mod(const NodePtr& x, int64_t divisor) {
  const DType dtype = x->dtype;
  const Interval bounds = builder_.bounds_.of(x);
  const Linear sum = linearize(x);
  if (!sum.exact) return nullptr;
  const Split parts = split(sum, divisor);
  if (parts.remainder.terms.empty() && parts.remainder.constant == 0) return constant(dtype, 0);
  if (bounds.low < 0) return nullptr;
  const WideInterval rest = bounds_of(parts.remainder);
  const bool has_quotient = !parts.quotient.terms.empty() || parts.quotient.constant != 0;
  if (has_quotient && rest.low >= 0) {
    NodePtr remainder = build_exact(parts.remainder, dtype);
    if (remainder == nullptr || rest.high < divisor) return remainder;
    return builder_.op(Op::kMod, dtype, {remainder, constant(dtype, divisor)});
  }
  return mod_by_common_factor(sum, dtype, divisor);
}

// (g * a + r) / (g * m) = a / m where 0 <= r < g, for a sum that is not negative.
NodePtr LinearFolder::idiv_by_common_factor(const Linear& sum, DType dtype, int64_t divisor) {
  for (int64_t factor : common_factors(sum, divisor)) {
    const Split parts = split(sum, factor);
    const WideInterval rest = bounds_of(parts.remainder);
    if (rest.low < 0 || rest.high >= factor) continue;
    NodePtr a = build_exact(parts.quotient, dtype);
    if (a == nullptr) continue;
    return builder_.op(Op::kIDiv, dtype, {a, constant(dtype, divisor / factor)});
  }
  return nullptr;
}

// (g * a + r) % (g * m) = g * (a % m) + r, likewise.
NodePtr LinearFolder::mod_by_common_factor(const Linear& sum, DType dtype, int64_t divisor) {
  for (int64_t factor : common_factors(sum, divisor)) {
    const Split parts = split(sum, factor);
    const WideInterval rest = bounds_of(parts.remainder);
    if (rest.low < 0 || rest.high >= factor) continue;
    NodePtr a = build_exact(parts.quotient, dtype);
    NodePtr r = build_exact(parts.remainder, dtype);
    if (a == nullptr || r == nullptr) continue;
    NodePtr high = builder_.op(Op::kMod, dtype, {a, constant(dtype, divisor / factor)});
    return builder_.op(Op::kAdd, dtype, {builder_.op(Op::kMul, dtype, {high, constant(dtype, factor)}), r});
  }
  return nullptr;
}

// g * a + r < g * m is a < m where 0 <= r < g.
NodePtr LinearFolder::fold_less(const NodePtr& x, int64_t limit) {
  const Linear sum = linearize(x);
  if (!sum.exact || sum.terms.empty()) return nullptr;
  for (int64_t factor : common_factors(sum, limit)) {
    const Split parts = split(sum, factor);
    const WideInterval rest = bounds_of(parts.remainder);
    if (rest.low < 0 || rest.high >= factor) continue;
    NodePtr a = build_exact(parts.quotient, x->dtype);
    if (a == nullptr) continue;
    return builder_.op(Op::kCmpLt, DType::kBool, {a, constant(x->dtype, limit / factor)});
  }
  return nullptr;
}

Linear LinearFolder::linearize(const NodePtr& node) {
  Linear sum;
  collect(sum, node, 1, node->dtype, 0);
  std::erase_if(sum.terms, [](const Linear::Term& term) { return term.coefficient == 0; });
  return sum;
}

void LinearFolder::collect(Linear& sum, const NodePtr& node, int64_t coefficient, DType dtype, int depth) {
  if (const std::optional<int64_t> value = integer_constant(node)) {
    int64_t product = 0;
    sum.exact = sum.exact && !__builtin_mul_overflow(*value, coefficient, &product) &&
                !__builtin_add_overflow(sum.constant, product, &product);
    const uint64_t wrapped =
        static_cast<uint64_t>(sum.constant) + static_cast<uint64_t>(*value) * static_cast<uint64_t>(coefficient);
    sum.constant = static_cast<int64_t>(wrapped);
    return;
  }
  if (depth < kMaxDepth && sum.terms.size() < kMaxTerms && collect_product(sum, node, coefficient, dtype, depth)) {
    return;
  }
  add_term(sum, node, coefficient, dtype);
}

// Takes a sum or a product with a constant apart, also below a cast that widens it.
bool LinearFolder::collect_product(Linear& sum, const NodePtr& node, int64_t coefficient, DType dtype, int depth) {
  const bool is_product = is_by_constant(node, Op::kMul);
  if (node->op != Op::kAdd && !is_product) {
    const bool is_widening = node->op == Op::kCast && node->dtype == DType::kI64 &&
                             node->inputs[0]->dtype == DType::kI32 && node->inputs[0]->op != Op::kCast;
    if (!is_widening || builder_.bounds_.of(node->inputs[0]).overflow) return false;
    return collect_product(sum, node->inputs[0], coefficient, dtype, depth + 1);
  }
  const bool overflow = builder_.bounds_.of(node).overflow;
  // Below a widening cast only what is exact may be taken apart.
  if (overflow && node->dtype != dtype) return false;
  sum.exact = sum.exact && !overflow;
  if (!is_product) {
    collect(sum, node->inputs[0], coefficient, dtype, depth + 1);
    collect(sum, node->inputs[1], coefficient, dtype, depth + 1);
    return true;
  }
  int64_t product = 0;
  if (__builtin_mul_overflow(coefficient, divisor_of(node), &product)) sum.exact = false;
  collect(sum, node->inputs[0], product, dtype, depth + 1);
  return true;
}

void LinearFolder::add_term(Linear& sum, const NodePtr& node, int64_t coefficient, DType dtype) {
  const NodePtr term = node->dtype == dtype ? node : builder_.make(Op::kCast, dtype, {node});
  for (Linear::Term& known : sum.terms) {
    if (known.node != term) continue;
    if (__builtin_add_overflow(known.coefficient, coefficient, &known.coefficient)) sum.exact = false;
    return;
  }
  sum.terms.push_back({term, coefficient});
}

// c*(x % n) + c*n*(x / n) = c*x, also where x is itself a division by a constant whose quotient was divided again.
bool LinearFolder::join_division_and_remainder(Linear& sum, DType dtype) {
  for (size_t i = 0; i < sum.terms.size(); ++i) {
    const NodePtr rest = sum.terms[i].node;
    const int64_t coefficient = sum.terms[i].coefficient;
    int64_t of_quotient = 0;
    if (!is_by_constant(rest, Op::kMod) || divisor_of(rest) <= 1 ||
        __builtin_mul_overflow(coefficient, divisor_of(rest), &of_quotient)) {
      continue;
    }
    // What x / n folds to is what it looks like in the sum.
    const NodePtr x = rest->inputs[0];
    const NodePtr quotient = builder_.op(Op::kIDiv, dtype, {x, rest->inputs[1]});
    for (size_t j = 0; j < sum.terms.size(); ++j) {
      const Linear::Term other = sum.terms[j];
      if (other.coefficient != of_quotient) continue;
      NodePtr joined;
      if (other.node == quotient) joined = x;
      const bool nested = is_by_constant(other.node, Op::kMod) && other.node->inputs[0] == quotient;
      int64_t divisor = 0;
      if (nested && builder_.bounds_.of(x).low >= 0 &&
          !__builtin_mul_overflow(divisor_of(rest), divisor_of(other.node), &divisor) && divisor > 0 &&
          divisor <= max_integer(dtype)) {
        joined = builder_.op(Op::kMod, dtype, {x, constant(dtype, divisor)});
      }
      if (joined == nullptr) continue;
      erase_terms(sum, i, j);
      collect(sum, joined, coefficient, dtype, 0);
      std::erase_if(sum.terms, [](const Linear::Term& term) { return term.coefficient == 0; });
      return true;
    }
  }
  return false;
}

// Largest positive coefficient first, the constant last, so that partial sums stay within what the whole needs.
NodePtr LinearFolder::build(Linear sum, DType dtype) {
  for (Linear::Term& term : sum.terms) term.coefficient = wrap_integer(dtype, term.coefficient);
  std::erase_if(sum.terms, [](const Linear::Term& term) { return term.coefficient == 0; });
  std::sort(sum.terms.begin(), sum.terms.end(), [this](const Linear::Term& a, const Linear::Term& b) {
    if (a.coefficient != b.coefficient) return a.coefficient > b.coefficient;
    return builder_.serial(a.node) < builder_.serial(b.node);
  });
  NodePtr result;
  for (const Linear::Term& term : sum.terms) {
    NodePtr product = term.node;
    if (term.coefficient != 1) product = builder_.make(Op::kMul, dtype, {product, constant(dtype, term.coefficient)});
    result = result == nullptr ? product : builder_.make(Op::kAdd, dtype, {result, product});
  }
  const int64_t rest = wrap_integer(dtype, sum.constant);
  if (result == nullptr) return constant(dtype, rest);
  return rest == 0 ? result : builder_.make(Op::kAdd, dtype, {result, constant(dtype, rest)});
}

NodePtr LinearFolder::build_exact(const Linear& sum, DType dtype) {
  const auto fits = [dtype](int64_t value) { return wrap_integer(dtype, value) == value; };
  if (!fits(sum.constant)) return nullptr;
  for (const Linear::Term& term : sum.terms) {
    if (!fits(term.coefficient)) return nullptr;
  }
  NodePtr built = build(sum, dtype);
  return linearize(built).exact ? built : nullptr;
}

LinearFolder::WideInterval LinearFolder::bounds_of(const Linear& sum) {
  WideInterval result = {sum.constant, sum.constant};
  for (const Linear::Term& term : sum.terms) {
    const Interval bounds = builder_.bounds_.of(term.node);
    const __int128 a = __int128{bounds.low} * term.coefficient;
    const __int128 b = __int128{bounds.high} * term.coefficient;
    // 32 such terms could leave 128 bits only if each had 122; then the interval says nothing anyway.
    constexpr __int128 kLimit = __int128{1} << 120;
    result.low += std::max(std::min(a, b), -kLimit);
    result.high += std::min(std::max(a, b), kLimit);
  }
  return result;
}

LinearFolder::Split LinearFolder::split(const Linear& sum, int64_t divisor) {
  Split parts;
  for (const Linear::Term& term : sum.terms) {
    if (term.coefficient % divisor == 0) {
      parts.quotient.terms.push_back({term.node, term.coefficient / divisor});
    } else {
      parts.remainder.terms.push_back(term);
    }
  }
  parts.quotient.constant = floor_div(sum.constant, divisor);
  parts.remainder.constant = sum.constant - parts.quotient.constant * divisor;
  return parts;
}

// The common factors of a divisor with the coefficients, from the largest, without 1.
std::vector<int64_t> LinearFolder::common_factors(const Linear& sum, int64_t divisor) {
  std::vector<int64_t> factors;
  for (const Linear::Term& term : sum.terms) {
    if (term.coefficient == std::numeric_limits<int64_t>::min() || divisor == std::numeric_limits<int64_t>::min()) {
      continue;
    }
    const int64_t factor = std::gcd(term.coefficient, divisor);
    if (factor > 1) factors.push_back(factor);
  }
  std::sort(factors.begin(), factors.end(), std::greater<>());
  factors.erase(std::unique(factors.begin(), factors.end()), factors.end());
  return factors;
}

}  // namespace bw::ir
