#include "ir/analysis/polynomial.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>

namespace bw::ir::analysis {
namespace {

std::string print_wide(unsigned __int128 value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  return digits;
}

}  // namespace

Polynomial::Polynomial(int64_t constant) {
  add({}, constant);
}

Polynomial::Polynomial(const Dim& dim) : Polynomial(dim.offset) {
  if (dim.is_static()) return;
  const auto& attr = dim.variable->attr<VariableAttr>();
  add({{attr.name, attr.max}}, 1);
}

void Polynomial::add(const Monomial& monomial, __int128 coefficient) {
  __int128& sum = terms_.try_emplace(monomial, 0).first->second;
  overflow_ |= __builtin_add_overflow(sum, coefficient, &sum);
  if (sum == 0) terms_.erase(monomial);
}

Polynomial& Polynomial::operator+=(const Polynomial& other) {
  overflow_ |= other.overflow_;
  for (const auto& [monomial, coefficient] : other.terms_) add(monomial, coefficient);
  return *this;
}

Polynomial& Polynomial::operator*=(const Polynomial& other) {
  Polynomial product;
  product.overflow_ = overflow_ || other.overflow_;
  for (const auto& [a, of_a] : terms_) {
    for (const auto& [b, of_b] : other.terms_) {
      Monomial both;
      std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
      __int128 coefficient = 0;
      product.overflow_ |= __builtin_mul_overflow(of_a, of_b, &coefficient);
      product.add(both, coefficient);
    }
  }
  return *this = std::move(product);
}

bool Polynomial::is_constant() const {
  return std::all_of(terms_.begin(), terms_.end(), [](const auto& term) { return term.first.empty(); });
}

uint64_t Polynomial::evaluate(const VariableValues& values) const {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  bool overflow = overflow_;
  __int128 sum = 0;
  for (const auto& [monomial, coefficient] : terms_) {
    __int128 product = coefficient;
    for (const Variable& variable : monomial) {
      const auto it = values.find(variable.name);
      const int64_t value = it == values.end() ? variable.max : it->second;
      overflow |= __builtin_mul_overflow(product, value, &product);
    }
    overflow |= __builtin_add_overflow(sum, product, &sum);
  }
  if (overflow || sum > __int128{kMax}) return kMax;
  return sum < 0 ? 0 : static_cast<uint64_t>(sum);
}

std::string Polynomial::print() const {
  if (overflow_) return "too large a number";
  std::string text;
  // Products of more variables first.
  std::vector<std::pair<Monomial, __int128>> terms(terms_.begin(), terms_.end());
  std::stable_sort(terms.begin(), terms.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  for (const auto& [monomial, coefficient] : terms) {
    const bool is_negative = coefficient < 0;
    const auto size = static_cast<unsigned __int128>(is_negative ? -coefficient : coefficient);
    std::vector<std::string> factors;
    if (size != 1 || monomial.empty()) factors.push_back(print_wide(size));
    for (const Variable& variable : monomial) factors.push_back(variable.name);
    const std::string_view sign = text.empty() ? (is_negative ? "-" : "") : (is_negative ? " - " : " + ");
    text += fmt::format("{}{}", sign, fmt::join(factors, "*"));
  }
  return text.empty() ? "0" : text;
}

}  // namespace bw::ir::analysis
