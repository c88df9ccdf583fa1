#include "ir/scalar_ops.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "ir/float_format.h"

namespace bw::ir {
namespace {

Value integer_value(int64_t value) {
  return {value, 0};
}
Value real_value(double value) {
  return {0, value};
}

double compute_unary(Op op, double x) {
  switch (op) {
    case Op::kExp2:
      return std::exp2(x);
    case Op::kLog2:
      return std::log2(x);
    case Op::kSin:
      return std::sin(x);
    case Op::kSqrt:
      return std::sqrt(x);
    case Op::kRecip:
      return 1.0 / x;
    default:
      return std::trunc(x);
  }
}

double compute_binary_real(Op op, double x, double y) {
  switch (op) {
    case Op::kAdd:
      return x + y;
    case Op::kMul:
      return x * y;
    default:
      if (std::isnan(x) || std::isnan(y)) return std::isnan(x) ? y : x;  // fmax gives a NaN for a signalling one
      return std::fmax(x, y);
  }
}

bool less(DType dtype, int64_t x, int64_t y) {
  return dtype == DType::kU64 ? static_cast<uint64_t>(x) < static_cast<uint64_t>(y) : x < y;
}

int64_t divide(Op op, DType dtype, int64_t x, int64_t y) {
  if (y == 0) return 0;
  if (dtype == DType::kU64) {
    const auto a = static_cast<uint64_t>(x);
    const auto b = static_cast<uint64_t>(y);
    return static_cast<int64_t>(op == Op::kIDiv ? a / b : a % b);
  }
  // The smallest number divided by -1 wraps.
  if (y == -1) return op == Op::kIDiv ? static_cast<int64_t>(0 - static_cast<uint64_t>(x)) : 0;
  return op == Op::kIDiv ? x / y : x % y;
}

int64_t compute_binary_bool(Op op, int64_t x, int64_t y) {
  if (op == Op::kAdd || op == Op::kOr || op == Op::kMax) return x | y;
  return op == Op::kXor ? x ^ y : x & y;
}

int64_t compute_binary_integer(Op op, DType dtype, int64_t x, int64_t y) {
  const auto a = static_cast<uint64_t>(x);
  const auto b = static_cast<uint64_t>(y);
  const unsigned count = static_cast<unsigned>(b % (8 * size_bytes(dtype)));
  switch (op) {
    case Op::kAdd:
      return static_cast<int64_t>(a + b);
    case Op::kMul:
      return static_cast<int64_t>(a * b);
    case Op::kIDiv:
    case Op::kMod:
      return divide(op, dtype, x, y);
    case Op::kMax:
      return less(dtype, x, y) ? y : x;
    case Op::kAnd:
      return x & y;
    case Op::kOr:
      return x | y;
    case Op::kXor:
      return x ^ y;
    case Op::kShl:
      return static_cast<int64_t>(a << count);
    default:
      return dtype == DType::kU64 ? static_cast<int64_t>(a >> count) : x >> count;
  }
}

bool compare(Op op, DType dtype, Value x, Value y) {
  if (is_float(dtype)) return op == Op::kCmpLt ? x.real < y.real : x.real != y.real;
  return op == Op::kCmpLt ? less(dtype, x.integer, y.integer) : x.integer != y.integer;
}

// a * b + c with one rounding to f16. The sum in double precision is made odd where it is not exact, so that rounding
// it once more cannot err on a tie.
double fused_f16(double a, double b, double c) {
  const double product = a * b;  // exact: 22 bits
  const double sum = product + c;
  if (!std::isfinite(sum)) return sum;
  const double of_c = sum - product;
  const double rest = (product - (sum - of_c)) + (c - of_c);
  if (rest == 0 || (std::bit_cast<uint64_t>(sum) & 1) != 0) return sum;
  const double towards = rest > 0 ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  return std::nextafter(sum, towards);
}

double compute_mul_acc(DType dtype, double a, double b, double c, Rounding rounding) {
  if (rounding == Rounding::kDouble || dtype == DType::kF64) return std::fma(a, b, c);
  if (dtype == DType::kF16) return fused_f16(a, b, c);
  return std::fma(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c));
}

// Truncates and saturates; NaN gives 0.
int64_t real_to_integer(DType to, double value) {
  if (std::isnan(value)) return 0;
  const double truncated = std::trunc(value);
  if (to == DType::kU64) {
    if (truncated <= 0) return 0;
    if (truncated >= 0x1p64) return -1;
    return static_cast<int64_t>(static_cast<uint64_t>(truncated));
  }
  if (truncated <= static_cast<double>(min_integer(to))) return min_integer(to);
  if (truncated >= static_cast<double>(max_integer(to))) return max_integer(to);
  return static_cast<int64_t>(truncated);
}

double integer_to_real(DType from, DType to, int64_t value, Rounding rounding) {
  const auto bits = static_cast<uint64_t>(value);
  // By way of double precision, a 64-bit integer would be rounded twice.
  if (rounding == Rounding::kToDType && to == DType::kF32) {
    return from == DType::kU64 ? static_cast<float>(bits) : static_cast<float>(value);
  }
  return from == DType::kU64 ? static_cast<double>(bits) : static_cast<double>(value);
}

Value cast(DType from, DType to, Value x, Rounding rounding) {
  if (to == DType::kBool) return integer_value(is_float(from) ? x.real != 0 : x.integer != 0);
  if (is_float(from) && is_float(to)) return x;
  if (is_float(from)) return integer_value(real_to_integer(to, x.real));
  if (is_float(to)) return real_value(integer_to_real(from, to, x.integer, rounding));
  return integer_value(wrap_integer(to, x.integer));
}

Value bitcast(DType from, DType to, Value x) {
  std::array<std::byte, 8> raw{};
  encode_element(from, x, raw.data());
  return decode_element(to, raw.data());
}

Value compute(Op op, DType from, DType to, std::span<const Value> inputs, Rounding rounding) {
  if (is_unary(op)) return real_value(compute_unary(op, inputs[0].real));
  switch (op) {
    case Op::kCmpLt:
    case Op::kCmpNe:
      return integer_value(compare(op, from, inputs[0], inputs[1]));
    case Op::kWhere:
      return inputs[0].integer != 0 ? inputs[1] : inputs[2];
    case Op::kMulAcc:
      if (is_float(to)) {
        return real_value(compute_mul_acc(to, inputs[0].real, inputs[1].real, inputs[2].real, rounding));
      }
      return integer_value(compute_binary_integer(
          Op::kAdd, to, compute_binary_integer(Op::kMul, to, inputs[0].integer, inputs[1].integer), inputs[2].integer));
    case Op::kCast:
      return cast(from, to, inputs[0], rounding);
    case Op::kBitcast:
      return bitcast(from, to, inputs[0]);
    default:
      break;
  }
  BW_CHECK(is_binary(op));
  if (is_float(to)) return real_value(compute_binary_real(op, inputs[0].real, inputs[1].real));
  if (to == DType::kBool) return integer_value(compute_binary_bool(op, inputs[0].integer, inputs[1].integer));
  return integer_value(compute_binary_integer(op, to, inputs[0].integer, inputs[1].integer));
}

template <typename T>
T read_raw(const std::byte* raw) {
  T value;
  std::memcpy(&value, raw, sizeof(T));
  return value;
}

template <typename T>
void write_raw(T value, std::byte* raw) {
  std::memcpy(raw, &value, sizeof(T));
}

}  // namespace

int64_t wrap_integer(DType dtype, int64_t value) {
  if (dtype == DType::kBool) return value & 1;
  const unsigned unused = 64 - 8 * size_bytes(dtype);
  const uint64_t shifted = static_cast<uint64_t>(value) << unused;
  return is_signed(dtype) ? static_cast<int64_t>(shifted) >> unused : static_cast<int64_t>(shifted >> unused);
}

Value constant_value(DType dtype, const Scalar& scalar) {
  if (const auto* real = std::get_if<double>(&scalar)) return real_value(round_to_dtype(dtype, *real));
  return integer_value(wrap_integer(dtype, std::get<int64_t>(scalar)));
}

Value apply_elementwise(Op op, DType from, DType to, std::span<const Value> inputs, Rounding rounding) {
  Value result = compute(op, from, to, inputs, rounding);
  if (!is_float(to)) {
    result.integer = wrap_integer(to, result.integer);
  } else if (rounding == Rounding::kToDType) {
    result.real = round_to_dtype(to, result.real);
  }
  return result;
}

Value apply_reduce(Op op, DType dtype, Value a, Value b) {
  const Op step = op == Op::kReduceAdd ? Op::kAdd : op == Op::kReduceMul ? Op::kMul : Op::kMax;
  return apply_elementwise(step, dtype, dtype, std::array<Value, 2>{a, b}, Rounding::kDouble);
}

Value round_reduction(DType dtype, Value total, Rounding rounding) {
  if (is_float(dtype) && rounding == Rounding::kToDType) total.real = round_to_dtype(dtype, total.real);
  return total;
}

Value reduce_identity(Op op, DType dtype) {
  if (op == Op::kReduceMax) {
    return is_float(dtype) ? real_value(-std::numeric_limits<double>::infinity()) : integer_value(min_integer(dtype));
  }
  const int64_t identity = op == Op::kReduceMul ? 1 : 0;
  return is_float(dtype) ? real_value(identity == 1 ? 1.0 : 0.0) : integer_value(identity);
}

Value decode_element(DType dtype, const std::byte* raw) {
  switch (dtype) {
    case DType::kF64:
      return real_value(read_raw<double>(raw));
    case DType::kF32:
      return real_value(read_raw<float>(raw));
    case DType::kF16:
      return real_value(f16_to_double(read_raw<uint16_t>(raw)));
    case DType::kBF16:
      return real_value(bf16_to_double(read_raw<uint16_t>(raw)));
    case DType::kBool:
      return integer_value(read_raw<uint8_t>(raw) != 0);
    default: {
      uint64_t bits = 0;
      std::memcpy(&bits, raw, size_bytes(dtype));
      return integer_value(wrap_integer(dtype, static_cast<int64_t>(bits)));
    }
  }
}

void encode_element(DType dtype, Value value, std::byte* raw) {
  switch (dtype) {
    case DType::kF64:
      return write_raw(value.real, raw);
    case DType::kF32:
      return write_raw(static_cast<float>(value.real), raw);
    case DType::kF16:
      return write_raw(f16_from_double(value.real), raw);
    case DType::kBF16:
      return write_raw(bf16_from_double(value.real), raw);
    default:
      std::memcpy(raw, &value.integer, size_bytes(dtype));
  }
}

}  // namespace bw::ir
