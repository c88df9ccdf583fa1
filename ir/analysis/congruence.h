// Owns: what is known of an integer modulo a number: the domain in which divisibility is proven. Granger, "Static
// analysis of arithmetical congruences" (1989).
#pragma once

#include <cstdint>

#include "ir/dtype.h"

namespace bw::ir::analysis {

// All values are `remainder` modulo `modulus`, with 0 <= remainder < modulus. A modulus of 0 means that there is one
// value, `remainder`, of any sign. {1, 0} says nothing.
struct Congruence {
  int64_t modulus = 1;
  int64_t remainder = 0;

  static Congruence anything() { return {1, 0}; }
  static Congruence exactly(int64_t value) { return {0, value}; }
  bool operator==(const Congruence&) const = default;

  // The largest number that divides every value; 0 where the only value is 0.
  int64_t common_factor() const;
  // Whether every value is `wanted` modulo n > 0.
  bool is_modulo(int64_t n, int64_t wanted) const;
};

Congruence add(const Congruence& a, const Congruence& b);
Congruence multiply(const Congruence& a, const Congruence& b);
// Either of them.
Congruence join(const Congruence& a, const Congruence& b);
// What is left of it modulo n > 0, as a congruence of the value itself.
Congruence reduced(const Congruence& a, int64_t n);
// The quotient of a division by n > 0. Truncating and rounding down agree where all of it divides, or where no value is
// negative.
Congruence divide(const Congruence& a, int64_t n, bool is_natural);
// The remainder of a division by n > 0, with the sign of the dividend.
Congruence remainder(const Congruence& a, int64_t n, bool is_natural);
// The value after it wrapped around at the width of the dtype.
Congruence wrapped(const Congruence& a, DType dtype);

}  // namespace bw::ir::analysis
