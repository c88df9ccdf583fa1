#include "ir/interval.h"

#include <algorithm>
#include <bit>
#include <initializer_list>
#include <limits>

namespace bw::ir {
namespace {

using Wide = __int128;

constexpr int64_t kMaxI64 = std::numeric_limits<int64_t>::max();
const Interval kEither = {0, 1, false};

// Whether the values may lie beyond what an Interval can say.
bool is_open(DType dtype, const Interval& a) {
  return dtype == DType::kU64 && a.high == kMaxI64;
}

// The smallest interval around the values.
struct Hull {
  bool empty = true;
  Wide low = 0;
  Wide high = 0;

  void include(Wide value) {
    low = empty ? value : std::min(low, value);
    high = empty ? value : std::max(high, value);
    empty = false;
  }
};

Interval mul_interval(DType dtype, const Interval& a, const Interval& b) {
  Hull hull;
  for (Wide x : {Wide{a.low}, Wide{a.high}}) {
    for (Wide y : {Wide{b.low}, Wide{b.high}}) hull.include(x * y);
  }
  return fit_interval(dtype, hull.low, hull.high);
}

// Truncating division is monotonic in each operand as long as the divisor keeps its sign.
Interval idiv_interval(DType dtype, const Interval& a, const Interval& b) {
  Hull hull;
  const auto include_quotients = [&](int64_t low, int64_t high) {
    if (low > high) return;
    for (Wide x : {Wide{a.low}, Wide{a.high}}) {
      for (Wide y : {Wide{low}, Wide{high}}) hull.include(x / y);
    }
  };
  include_quotients(std::max<int64_t>(b.low, 1), b.high);
  include_quotients(b.low, std::min<int64_t>(b.high, -1));
  if (b.low <= 0 && b.high >= 0) hull.include(0);
  return fit_interval(dtype, hull.low, hull.high);
}

Interval mod_interval(const Interval& a, const Interval& b) {
  const Wide divisor_low = b.low > 0 ? Wide{b.low} : b.high < 0 ? -Wide{b.high} : Wide{0};
  const Wide divisor_high = std::max(b.low < 0 ? -Wide{b.low} : Wide{b.low}, b.high < 0 ? -Wide{b.high} : Wide{b.high});
  if (-Wide{a.low} < divisor_low && Wide{a.high} < divisor_low) return {a.low, a.high, false};
  const Wide most = std::max<Wide>(divisor_high - 1, 0);
  const Wide low = a.low >= 0 ? Wide{0} : std::max<Wide>(a.low, -most);
  const Wide high = a.high <= 0 ? Wide{0} : std::min<Wide>(a.high, most);
  return {static_cast<int64_t>(low), static_cast<int64_t>(high), false};
}

Interval and_interval(DType dtype, const Interval& a, const Interval& b) {
  if (a.low >= 0 && b.low >= 0) return {0, std::min(a.high, b.high), false};
  if (a.low >= 0) return {0, a.high, false};
  if (b.low >= 0) return {0, b.high, false};
  return whole_range(dtype);
}

// Of or and xor: no bit above the highest of either can be set.
Interval or_interval(Op op, DType dtype, const Interval& a, const Interval& b) {
  if (a.low < 0 || b.low < 0) return whole_range(dtype);
  const auto highest = static_cast<uint64_t>(std::max(a.high, b.high));
  const uint64_t ones = highest == 0 ? 0 : ~uint64_t{0} >> std::countl_zero(highest);
  return {op == Op::kOr ? std::max(a.low, b.low) : 0, static_cast<int64_t>(ones), false};
}

Interval shift_interval(Op op, DType dtype, const Interval& a, const Interval& count) {
  const int64_t width = 8 * size_bytes(dtype);
  if (count.low < 0 || count.high >= width) {
    if (op == Op::kShl) return whole_range(dtype);
    return {std::min<int64_t>(a.low, 0), std::max<int64_t>(a.high, 0), false};
  }
  Hull hull;
  for (Wide x : {Wide{a.low}, Wide{a.high}}) {
    for (int64_t n : {count.low, count.high}) hull.include(op == Op::kShl ? x * (Wide{1} << n) : x >> n);
  }
  return fit_interval(dtype, hull.low, hull.high);
}

Interval compare_interval(Op op, bool open, const Interval& a, const Interval& b) {
  const Interval yes = {1, 1, false};
  const Interval no = {0, 0, false};
  if (op == Op::kCmpLt) {
    if (a.high < b.low) return yes;
    return a.low >= b.high && !open ? no : kEither;
  }
  if (open) return kEither;
  if (a.high < b.low || b.high < a.low) return yes;
  return a.low == a.high && b.low == b.high && a.low == b.low ? no : kEither;
}

Interval bool_interval(Op op, const Interval& a, const Interval& b) {
  if (op == Op::kAdd || op == Op::kOr || op == Op::kMax) {
    return {std::max(a.low, b.low), std::max(a.high, b.high), false};
  }
  if (op == Op::kXor) return compare_interval(Op::kCmpNe, false, a, b);
  return {std::min(a.low, b.low), std::min(a.high, b.high), false};
}

// Of a u64 that may be larger than an Interval can say.
Interval open_interval(Op op, DType dtype, const Interval& a, const Interval& b) {
  if (op == Op::kAnd) return and_interval(dtype, a, b);
  if (op == Op::kMod && b.low > 0 && b.high < kMaxI64) return {0, b.high - 1, false};
  if (op == Op::kAdd || op == Op::kMul || op == Op::kShl) return {0, kMaxI64, true};
  return whole_range(dtype);
}

}  // namespace

Interval whole_range(DType dtype) {
  return {min_integer(dtype), max_integer(dtype), false};
}

Interval fit_interval(DType dtype, Wide low, Wide high) {
  if (low < min_integer(dtype) || high > max_integer(dtype)) {
    return {min_integer(dtype), max_integer(dtype), true};
  }
  return {static_cast<int64_t>(low), static_cast<int64_t>(high), false};
}

Interval binary_interval(Op op, DType dtype, const Interval& a, const Interval& b) {
  const bool open = is_open(dtype, a) || is_open(dtype, b);
  if (op == Op::kCmpLt || op == Op::kCmpNe) return compare_interval(op, open, a, b);
  if (dtype == DType::kBool) return bool_interval(op, a, b);
  if (open) return open_interval(op, dtype, a, b);
  switch (op) {
    case Op::kAdd:
      return fit_interval(dtype, Wide{a.low} + b.low, Wide{a.high} + b.high);
    case Op::kMul:
      return mul_interval(dtype, a, b);
    case Op::kIDiv:
      return idiv_interval(dtype, a, b);
    case Op::kMod:
      return mod_interval(a, b);
    case Op::kMax:
      return {std::max(a.low, b.low), std::max(a.high, b.high), false};
    case Op::kAnd:
      return and_interval(dtype, a, b);
    case Op::kOr:
    case Op::kXor:
      return or_interval(op, dtype, a, b);
    default:
      return shift_interval(op, dtype, a, b);
  }
}

Interval cast_interval(DType from, DType to, const Interval& a) {
  if (is_float(from)) return whole_range(to);
  if (to == DType::kBool) return {a.low > 0 || a.high < 0 ? 1 : 0, a.low == 0 && a.high == 0 ? 0 : 1, false};
  if (is_open(from, a)) return {min_integer(to), max_integer(to), to != DType::kU64};
  return fit_interval(to, a.low, a.high);
}

Interval bitcast_interval(DType from, DType to, const Interval& a) {
  if (is_float(from) || is_open(from, a) || a.low < 0 || a.high > max_integer(to)) return whole_range(to);
  return {a.low, a.high, false};
}

Interval reduce_interval(Op op, DType dtype, const Interval& value, int64_t min_count, int64_t max_count) {
  if (is_open(dtype, value)) return whole_range(dtype);
  if (op == Op::kReduceMax) {
    return {min_count > 0 ? value.low : min_integer(dtype), std::max(value.high, min_integer(dtype)), false};
  }
  if (op == Op::kReduceMul) {
    const bool stays = value.low >= 0 && value.high <= 1;
    return stays ? Interval{0, 1, false} : Interval{min_integer(dtype), max_integer(dtype), true};
  }
  const Wide low = Wide{value.low} * (value.low < 0 ? max_count : min_count);
  const Wide high = Wide{value.high} * (value.high > 0 ? max_count : min_count);
  return fit_interval(dtype, low, high);
}

}  // namespace bw::ir
