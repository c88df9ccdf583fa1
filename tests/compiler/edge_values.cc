#include "tests/compiler/edge_values.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "ir/evaluator.h"

namespace bw::testing {
namespace {

using ir::DType;

struct FloatFormat {
  int mantissa_bits;  // without the hidden one
  int min_exponent;   // of the smallest normal number
  int max_exponent;
};

FloatFormat format_of(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return {10, -14, 15};
    case DType::kBF16:
      return {7, -126, 127};
    case DType::kF32:
      return {23, -126, 127};
    default:
      return {52, -1022, 1023};
  }
}

std::vector<uint64_t> edge_bits(DType dtype) {
  const unsigned bits = ir::size_bytes(dtype) * 8;
  const uint64_t all = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  const uint64_t top = uint64_t{1} << (bits - 1);
  if (dtype == DType::kBool) return {0, 1};
  if (!ir::is_float(dtype)) {
    return {0,    1,   2,       3,   5,       7,       31,       100,     bits - 1,
            bits, all, all - 1, top, top + 1, top - 1, top >> 1, all / 3, all & 0xff80};
  }
  const FloatFormat format = format_of(dtype);
  const uint64_t one = static_cast<uint64_t>(format.max_exponent) << format.mantissa_bits;
  const uint64_t ulp_bit = 1;
  const uint64_t infinity = (uint64_t{2} * static_cast<uint64_t>(format.max_exponent) + 1) << format.mantissa_bits;
  const uint64_t half = uint64_t{1} << (format.mantissa_bits - 1);
  const uint64_t exponent = uint64_t{1} << format.mantissa_bits;
  std::vector<uint64_t> values = {0,
                                  ulp_bit,
                                  exponent - 1,    // largest denormal
                                  exponent,        // smallest normal
                                  one - exponent,  // 0.5
                                  one,             // 1
                                  one + ulp_bit,   // and its neighbours
                                  one - ulp_bit,
                                  one + half,                 // 1.5
                                  one + exponent + half / 2,  // 2.25
                                  one + 5 * exponent + 3,
                                  one + 8 * exponent - 1,  // just under 256
                                  one + 15 * exponent,
                                  infinity - 1,  // largest number
                                  infinity,
                                  infinity + half,  // quiet NaN
                                  infinity + 1};    // signalling NaN
  const size_t count = values.size();
  for (size_t i = 0; i < count; ++i) values.push_back(values[i] | top);
  return values;
}

std::vector<std::byte> pack(DType dtype, const std::vector<uint64_t>& bits) {
  const size_t size = ir::size_bytes(dtype);
  std::vector<std::byte> raw(bits.size() * size);
  for (size_t i = 0; i < bits.size(); ++i) std::memcpy(raw.data() + i * size, &bits[i], size);
  return raw;
}

}  // namespace

std::vector<std::byte> edge_elements(DType dtype) {
  return pack(dtype, edge_bits(dtype));
}

std::vector<std::byte> moderate_elements(DType dtype, size_t count, std::mt19937_64& random) {
  std::vector<double> values(count);
  for (double& value : values) {
    if (ir::is_float(dtype)) {
      value = std::uniform_real_distribution<double>(-2, 2)(random);
    } else {
      const int64_t low = ir::is_signed(dtype) ? -100 : 0;
      value = static_cast<double>(std::uniform_int_distribution<int64_t>(low, dtype == DType::kBool ? 1 : 100)(random));
    }
  }
  std::vector<std::byte> raw(count * ir::size_bytes(dtype));
  ir::encode_elements(dtype, values, raw);
  return raw;
}

std::vector<std::byte> mixed_elements(DType dtype, size_t count, std::mt19937_64& random) {
  const std::vector<uint64_t> edges = edge_bits(dtype);
  const std::vector<std::byte> moderate = moderate_elements(dtype, count, random);
  const size_t size = ir::size_bytes(dtype);
  std::vector<uint64_t> bits(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t kind = random() % 4;
    if (kind < 2) bits[i] = edges[random() % edges.size()];
    if (kind == 2) bits[i] = dtype == DType::kBool ? random() % 2 : random();
    if (kind == 3) std::memcpy(&bits[i], moderate.data() + i * size, size);
  }
  return pack(dtype, bits);
}

double ulp_distance(DType dtype, double actual, double expected) {
  if (std::isnan(actual) || std::isnan(expected)) {
    return std::isnan(actual) && std::isnan(expected) ? 0 : std::numeric_limits<double>::infinity();
  }
  if (actual == expected) return 0;
  const FloatFormat format = format_of(dtype);
  const double beyond = std::ldexp(1.0, std::min(format.max_exponent, 1022) + 1);
  if (std::isinf(actual)) actual = std::copysign(beyond, actual);
  if (std::isinf(expected)) expected = std::copysign(beyond, expected);
  const int exponent = expected == 0 ? format.min_exponent : std::max(std::ilogb(expected), format.min_exponent);
  return std::abs(actual - expected) / std::ldexp(1.0, exponent - format.mantissa_bits);
}

std::string compare_elements(DType dtype, std::span<const std::byte> actual, std::span<const std::byte> expected,
                             double ulp) {
  const size_t size = ir::size_bytes(dtype);
  const std::vector<double> a = ir::decode_elements(dtype, actual);
  const std::vector<double> e = ir::decode_elements(dtype, expected);
  for (size_t i = 0; i < e.size(); ++i) {
    if (std::memcmp(actual.data() + i * size, expected.data() + i * size, size) == 0) continue;
    const double distance = ir::is_float(dtype) ? ulp_distance(dtype, a[i], e[i]) : ulp + 1;
    if (distance > ulp)
      return fmt::format("element {}: {} ({:a}), expected {} ({:a}), {} ulp", i, a[i], a[i], e[i], e[i], distance);
  }
  return "";
}

}  // namespace bw::testing
