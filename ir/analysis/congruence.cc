#include "ir/analysis/congruence.h"

#include <limits>
#include <numeric>

namespace bw::ir::analysis {
namespace {

using Wide = __int128;

Wide magnitude(Wide value) {
  return value < 0 ? -value : value;
}

Wide wide_gcd(Wide a, Wide b) {
  a = magnitude(a);
  b = magnitude(b);
  while (b != 0) {
    const Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

bool fits(Wide value) {
  return value <= std::numeric_limits<int64_t>::max() && value >= std::numeric_limits<int64_t>::min();
}

// Nothing is known where the numbers do not fit.
Congruence make(Wide modulus, Wide remainder) {
  if (!fits(modulus)) return Congruence::anything();
  if (modulus == 0) {
    return fits(remainder) ? Congruence::exactly(static_cast<int64_t>(remainder)) : Congruence::anything();
  }
  Wide rest = remainder % modulus;
  if (rest < 0) rest += modulus;
  return {static_cast<int64_t>(modulus), static_cast<int64_t>(rest)};
}

}  // namespace

int64_t Congruence::common_factor() const {
  const Wide factor = wide_gcd(modulus, remainder);
  return fits(factor) ? static_cast<int64_t>(factor) : 1;
}

bool Congruence::is_modulo(int64_t n, int64_t wanted) const {
  return modulus % n == 0 && (Wide{remainder} - wanted) % n == 0;
}

Congruence add(const Congruence& a, const Congruence& b) {
  return make(wide_gcd(a.modulus, b.modulus), Wide{a.remainder} + b.remainder);
}

Congruence multiply(const Congruence& a, const Congruence& b) {
  const Wide mixed = wide_gcd(Wide{a.modulus} * b.remainder, Wide{b.modulus} * a.remainder);
  return make(wide_gcd(Wide{a.modulus} * b.modulus, mixed), Wide{a.remainder} * b.remainder);
}

Congruence join(const Congruence& a, const Congruence& b) {
  const Wide common = wide_gcd(a.modulus, b.modulus);
  return make(wide_gcd(common, Wide{a.remainder} - b.remainder), a.remainder);
}

Congruence reduced(const Congruence& a, int64_t n) {
  return make(wide_gcd(a.modulus, n), a.remainder);
}

Congruence divide(const Congruence& a, int64_t n, bool is_natural) {
  if (a.modulus == 0) return Congruence::exactly(a.remainder / n);
  if (a.modulus % n != 0) return Congruence::anything();
  if (a.remainder % n != 0 && !is_natural) return Congruence::anything();
  return make(a.modulus / n, a.remainder / n);
}

Congruence remainder(const Congruence& a, int64_t n, bool is_natural) {
  if (a.modulus == 0) return Congruence::exactly(a.remainder % n);
  const Congruence rest = reduced(a, n);
  const bool is_one_value = rest.modulus == n && (is_natural || rest.remainder == 0);
  return is_one_value ? Congruence::exactly(rest.remainder) : rest;
}

Congruence wrapped(const Congruence& a, DType dtype) {
  const uint32_t bits = dtype == DType::kBool ? 1 : 8 * size_bytes(dtype);
  // A divisor of 2^64 does as well, and fits.
  return reduced(a, int64_t{1} << (bits < 62 ? bits : 62));
}

}  // namespace bw::ir::analysis
