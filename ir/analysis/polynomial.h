// Owns: numbers that depend on the variables of a program, as polynomials in them: what a kernel costs, for any size.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/node.h"

namespace bw::ir::analysis {

// Values of variables, by name.
using VariableValues = std::map<std::string, int64_t>;

// A sum of products of variables with coefficients. What leaves 127 bits is from then on the largest number.
class Polynomial {
 public:
  Polynomial() = default;
  Polynomial(int64_t constant);  // NOLINT: implicit by design
  // An extent.
  explicit Polynomial(const Dim& dim);

  Polynomial& operator+=(const Polynomial& other);
  Polynomial& operator*=(const Polynomial& other);
  friend Polynomial operator+(Polynomial a, const Polynomial& b) { return a += b; }
  friend Polynomial operator*(Polynomial a, const Polynomial& b) { return a *= b; }
  bool operator==(const Polynomial&) const = default;

  bool is_constant() const;
  // Of counts: what is below 0 is 0, what does not fit is UINT64_MAX. A variable that is not in `values` is at its
  // maximum.
  uint64_t evaluate(const VariableValues& values) const;
  // All variables at their maxima: the largest count, as extents grow with their variables.
  uint64_t max() const { return evaluate({}); }
  // "2*n*n + 64*n + 3".
  std::string print() const;

 private:
  struct Variable {
    std::string name;
    int64_t max = 0;
    auto operator<=>(const Variable&) const = default;
  };
  using Monomial = std::vector<Variable>;  // ascending, with repetitions

  void add(const Monomial& monomial, __int128 coefficient);

  std::map<Monomial, __int128> terms_;
  bool overflow_ = false;
};

}  // namespace bw::ir::analysis
