#include "ir/rewrite/rules.h"

#include "ir/scalar_ops.h"

namespace bw::ir::rewrite {
namespace {

using enum RuleGroup;
using enum RuleTypes;

int64_t width(const Match& match) {
  return 8 * static_cast<int64_t>(size_bytes(match.root().dtype));
}

// Sums and products of indices are gathered as a whole (ir/linear.h), which keeps their bounds.
bool is_index(const Match& m) {
  return admits(RuleTypes::kIndexTypes, m.root().dtype);
}
bool adds(Match& m) {
  if (is_index(m)) return false;
  m.set('k', static_cast<int64_t>(static_cast<uint64_t>(m.constant('c')) + static_cast<uint64_t>(m.constant('d'))));
  return true;
}
bool multiplies(Match& m) {
  if (is_index(m)) return false;
  m.set('k', static_cast<int64_t>(static_cast<uint64_t>(m.constant('c')) * static_cast<uint64_t>(m.constant('d'))));
  return true;
}
bool intersects(Match& m) {
  m.set('k', m.constant('c') & m.constant('d'));
  return true;
}
bool unites(Match& m) {
  m.set('k', m.constant('c') | m.constant('d'));
  return true;
}
bool differs(Match& m) {
  m.set('k', m.constant('c') ^ m.constant('d'));
  return true;
}

// Counts that stay below the width when added.
bool shifts_add(Match& m) {
  const auto is_plain = [&](int64_t count) { return count >= 0 && count < width(m); };
  if (!is_plain(m.constant('c')) || !is_plain(m.constant('d'))) return false;
  m.set('k', m.constant('c') + m.constant('d'));
  return is_plain(m.constant('k'));
}

bool is_u64(const Match& m) {
  return m.node('x')->dtype == DType::kU64;
}

bool x_is_above_y(Match& m) {
  return !is_u64(m) && m.bounds('x').low >= m.bounds('y').high;
}
bool y_is_above_x(Match& m) {
  return !is_u64(m) && m.bounds('y').low >= m.bounds('x').high;
}
bool b_is_true(Match& m) {
  return m.bounds('b').low == 1;
}
bool b_is_false(Match& m) {
  return m.bounds('b').high == 0;
}

// |x| < c.
bool is_below_divisor(Match& m) {
  const Interval bounds = m.bounds('x');
  return m.constant('c') > 1 && bounds.low > -m.constant('c') && bounds.high < m.constant('c');
}
bool divisors_multiply(Match& m) {
  int64_t product = 0;
  if (m.constant('c') <= 0 || m.constant('d') <= 0) return false;
  if (__builtin_mul_overflow(m.constant('c'), m.constant('d'), &product)) return false;
  m.set('k', product);
  return product <= max_integer(m.root().dtype);
}
bool divisor_divides(Match& m) {
  return m.constant('c') > 0 && m.constant('d') > 0 && m.constant('c') % m.constant('d') == 0;
}
bool quotient_of_remainder(Match& m) {
  if (!divisor_divides(m) || m.bounds('x').low < 0) return false;
  m.set('k', m.constant('c') / m.constant('d'));
  return true;
}

bool is_same_dtype(Match& m) {
  return m.node('x')->dtype == m.root().dtype;
}
// The cast inside lost nothing, so what it was cast from can be cast at once. From a floating-point number to an
// integer it would saturate, between integers it wraps: that is kept apart.
bool inner_cast_is_exact(Match& m) {
  const DType from = m.node('x')->dtype;
  const DType between = m.root().inputs[0]->dtype;
  if (!holds_all(between, from)) return false;
  return !is_float(between) || is_float(m.root().dtype);
}
// Both casts keep low bits of an integer.
bool both_casts_wrap(Match& m) {
  const DType between = m.root().inputs[0]->dtype;
  return is_integer(m.node('x')->dtype) && is_integer(between) && is_integer(m.root().dtype) &&
         size_bytes(m.root().dtype) <= size_bytes(between);
}
bool is_from_bool(Match& m) {
  return m.node('b')->dtype == DType::kBool;
}
// The low bits of a sum, a product or a mask are those of its inputs' low bits.
bool narrows_x(Match& m) {
  const DType narrow = m.root().dtype;
  const DType between = m.root().inputs[0]->dtype;
  return m.node('x')->dtype == narrow && is_integer(narrow) && is_integer(between) &&
         size_bytes(between) >= size_bytes(narrow);
}
bool narrows_x_and_y(Match& m) {
  return narrows_x(m) && m.node('y')->dtype == m.root().dtype;
}
bool narrows_x_and_c(Match& m) {
  m.set('k', m.constant('c'));
  return narrows_x(m);
}
// Quotients by what fits are no larger than the dividend.
bool narrows_division(Match& m) {
  m.set('k', m.constant('c'));
  return narrows_x(m) && holds_all(m.root().inputs[0]->dtype, m.root().dtype) && m.constant('c') > 0 &&
         m.constant('c') <= max_integer(m.root().dtype);
}
// Both sides of a comparison were the same dtype, and lost nothing.
bool compares_widened(Match& m) {
  const DType from = m.node('x')->dtype;
  return m.node('y')->dtype == from && from != DType::kBool && holds_all(m.root().inputs[0]->dtype, from);
}
bool compares_widened_to_constant(Match& m) {
  const DType from = m.node('x')->dtype;
  m.set('k', m.constant('c'));
  return is_integer(from) && from != DType::kU64 && holds_all(m.root().inputs[0]->dtype, from) &&
         m.constant('c') >= min_integer(from) && m.constant('c') <= max_integer(from);
}

// Through an integer: a NaN of another floating-point format may not come back with the same bits.
bool is_back_to_first(Match& m) {
  return m.node('x')->dtype == m.root().dtype && !is_float(m.root().inputs[0]->dtype);
}

// An op's rules are tried in this order.
constexpr Rule kRules[] = {
    // Adding +0.0 would turn -0.0 into +0.0; adding -0.0 changes nothing.
    {"add_zero", kAlgebraic, kIntegerOrBool, "add(x, 0)", "x"},
    {"add_negative_zero", kAlgebraic, kFloat, "add(x, -0.0)", "x"},
    {"add_constants", kAlgebraic, kInteger, "add(add(x, c), d)", "add(x, k)", adds},
    {"or_true", kAlgebraic, kBool, "add(x, true)", "true"},
    {"or_self", kAlgebraic, kBool, "add(x, x)", "x"},
    {"mul_one", kAlgebraic, kAny, "mul(x, 1)", "x"},
    {"mul_zero", kAlgebraic, kIntegerOrBool, "mul(x, 0)", "0"},
    {"mul_constants", kAlgebraic, kInteger, "mul(mul(x, c), d)", "mul(x, k)", multiplies},
    {"negate_twice", kAlgebraic, kFloat, "mul(mul(x, -1), -1)", "x"},
    {"and_self_bool", kAlgebraic, kBool, "mul(x, x)", "x"},
    {"idiv_one", kAlgebraic, kInteger, "idiv(x, 1)", "x"},
    {"idiv_zero", kAlgebraic, kInteger, "idiv(x, 0)", "0"},
    {"mod_one", kAlgebraic, kInteger, "mod(x, 1)", "0"},
    {"mod_zero", kAlgebraic, kInteger, "mod(x, 0)", "0"},
    {"trunc_trunc", kAlgebraic, kFloat, "trunc(trunc(x))", "trunc(x)"},
    {"max_self", kAlgebraic, kAny, "max(x, x)", "x"},
    {"and_self", kAlgebraic, kIntegerOrBool, "and(x, x)", "x"},
    {"and_zero", kAlgebraic, kIntegerOrBool, "and(x, 0)", "0"},
    {"and_ones", kAlgebraic, kIntegerOrBool, "and(x, ~0)", "x"},
    {"and_constants", kAlgebraic, kInteger, "and(and(x, c), d)", "and(x, k)", intersects},
    {"or_self_bits", kAlgebraic, kIntegerOrBool, "or(x, x)", "x"},
    {"or_zero", kAlgebraic, kIntegerOrBool, "or(x, 0)", "x"},
    {"or_ones", kAlgebraic, kIntegerOrBool, "or(x, ~0)", "~0"},
    {"or_constants", kAlgebraic, kInteger, "or(or(x, c), d)", "or(x, k)", unites},
    {"xor_self", kAlgebraic, kIntegerOrBool, "xor(x, x)", "0"},
    {"xor_zero", kAlgebraic, kIntegerOrBool, "xor(x, 0)", "x"},
    {"xor_constants", kAlgebraic, kIntegerOrBool, "xor(xor(x, c), d)", "xor(x, k)", differs},
    {"shl_zero", kAlgebraic, kInteger, "shl(x, 0)", "x"},
    {"shl_shl", kAlgebraic, kInteger, "shl(shl(x, c), d)", "shl(x, k)", shifts_add},
    {"shr_zero", kAlgebraic, kInteger, "shr(x, 0)", "x"},
    {"shr_shr", kAlgebraic, kInteger, "shr(shr(x, c), d)", "shr(x, k)", shifts_add},
    {"less_self", kAlgebraic, kAny, "cmplt(x, x)", "false"},
    {"differs_self", kAlgebraic, kIntegerOrBool, "cmpne(x, x)", "false"},
    {"differs_false", kAlgebraic, kBool, "cmpne(x, false)", "x"},
    {"not_not", kAlgebraic, kBool, "cmpne(cmpne(b, true), true)", "b"},
    {"where_same", kAlgebraic, kAny, "where(b, x, x)", "x"},
    {"where_not", kAlgebraic, kAny, "where(cmpne(b, true), x, y)", "where(b, y, x)"},
    {"where_true_false", kAlgebraic, kBool, "where(b, true, false)", "b"},
    {"where_false_true", kAlgebraic, kBool, "where(b, false, true)", "cmpne(b, true)"},

    // What bounds decide.
    {"where_always", kIndex, kAny, "where(b, x, y)", "x", b_is_true},
    {"where_never", kIndex, kAny, "where(b, x, y)", "y", b_is_false},
    {"max_left", kIndex, kIntegerOrBool, "max(x, y)", "x", x_is_above_y},
    {"max_right", kIndex, kIntegerOrBool, "max(x, y)", "y", y_is_above_x},
    {"idiv_small", kIndex, kIndexTypes, "idiv(x, c)", "0", is_below_divisor},
    {"idiv_idiv", kIndex, kIndexTypes, "idiv(idiv(x, c), d)", "idiv(x, k)", divisors_multiply},
    {"idiv_mod", kIndex, kIndexTypes, "idiv(mod(x, c), d)", "mod(idiv(x, d), k)", quotient_of_remainder},
    {"mod_small", kIndex, kIndexTypes, "mod(x, c)", "x", is_below_divisor},
    {"mod_mod", kIndex, kIndexTypes, "mod(mod(x, c), d)", "mod(x, d)", divisor_divides},

    {"cast_same", kDType, kAny, "cast(x)", "x", is_same_dtype},
    {"cast_exact", kDType, kAny, "cast(cast(x))", "cast(x)", inner_cast_is_exact},
    {"cast_narrower", kDType, kInteger, "cast(cast(x))", "cast(x)", both_casts_wrap},
    {"narrow_add", kDType, kInteger, "cast(add(cast(x), cast(y)))", "add(x, y)", narrows_x_and_y},
    {"narrow_add_constant", kDType, kInteger, "cast(add(cast(x), c))", "add(x, k)", narrows_x_and_c},
    {"narrow_mul", kDType, kInteger, "cast(mul(cast(x), cast(y)))", "mul(x, y)", narrows_x_and_y},
    {"narrow_mul_constant", kDType, kInteger, "cast(mul(cast(x), c))", "mul(x, k)", narrows_x_and_c},
    {"narrow_and", kDType, kInteger, "cast(and(cast(x), cast(y)))", "and(x, y)", narrows_x_and_y},
    {"narrow_and_constant", kDType, kInteger, "cast(and(cast(x), c))", "and(x, k)", narrows_x_and_c},
    {"narrow_or", kDType, kInteger, "cast(or(cast(x), cast(y)))", "or(x, y)", narrows_x_and_y},
    {"narrow_xor", kDType, kInteger, "cast(xor(cast(x), cast(y)))", "xor(x, y)", narrows_x_and_y},
    {"narrow_idiv", kDType, kInteger, "cast(idiv(cast(x), c))", "idiv(x, k)", narrows_division},
    {"narrow_mod", kDType, kInteger, "cast(mod(cast(x), c))", "mod(x, k)", narrows_division},
    {"narrow_less", kDType, kNumber, "cmplt(cast(x), cast(y))", "cmplt(x, y)", compares_widened},
    {"narrow_less_constant", kDType, kInteger, "cmplt(cast(x), c)", "cmplt(x, k)", compares_widened_to_constant},
    {"narrow_differs", kDType, kNumber, "cmpne(cast(x), cast(y))", "cmpne(x, y)", compares_widened},
    {"narrow_differs_constant", kDType, kInteger, "cmpne(cast(x), c)", "cmpne(x, k)", compares_widened_to_constant},
    {"cast_differs_zero", kDType, kNumber, "cmpne(cast(b), 0)", "b", is_from_bool},
    {"bitcast_same", kDType, kAny, "bitcast(x)", "x", is_same_dtype},
    {"bitcast_bitcast", kDType, kAny, "bitcast(bitcast(x))", "x", is_back_to_first},
};

// Bits of the significand, with the hidden one, and of the exponent.
struct FloatFormat {
  int significand;
  int exponent;
};
FloatFormat format_of(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return {11, 5};
    case DType::kBF16:
      return {8, 8};
    case DType::kF32:
      return {24, 8};
    default:
      return {53, 11};
  }
}

}  // namespace

bool holds_all(DType to, DType from) {
  if (is_float(to) != is_float(from)) return false;
  if (is_float(to)) {
    const FloatFormat wide = format_of(to);
    const FloatFormat narrow = format_of(from);
    return wide.significand >= narrow.significand && wide.exponent >= narrow.exponent;
  }
  if (from == DType::kU64) return to == DType::kU64;
  return min_integer(to) <= min_integer(from) && max_integer(to) >= max_integer(from) && to != DType::kBool;
}

std::span<const Rule> elementwise_rules() {
  return kRules;
}

const RuleSet& elementwise_rule_set() {
  static const RuleSet kSet(kRules);
  return kSet;
}

}  // namespace bw::ir::rewrite
