#include "ir/analysis/index_form.h"

#include <algorithm>

#include "ir/text.h"

namespace bw::ir::analysis {

int64_t IndexForm::coefficient_of(const Node* atom) const {
  for (const Term& term : terms) {
    if (term.atom.get() == atom) return term.coefficient;
  }
  return 0;
}

bool IndexForm::is_affine() const {
  return std::all_of(terms.begin(), terms.end(),
                     [](const Term& term) { return term.atom->op == Op::kRange || term.atom->op == Op::kVariable; });
}

std::string IndexForm::print() const {
  std::string text;
  const auto append = [&](bool is_negative, const std::string& magnitude) {
    if (text.empty()) {
      text = (is_negative ? "-" : "") + magnitude;
    } else {
      text += (is_negative ? " - " : " + ") + magnitude;
    }
  };
  for (const Term& term : terms) {
    const bool is_negative = term.coefficient < 0;
    const uint64_t size = is_negative ? -static_cast<uint64_t>(term.coefficient) : term.coefficient;
    std::string atom = print_expression(*term.atom);
    if (size != 1) atom = fmt::format("{}*{}", size, term.atom->inputs.empty() ? atom : "(" + atom + ")");
    append(is_negative, atom);
  }
  if (constant != 0 || terms.empty()) {
    append(constant < 0, std::to_string(constant < 0 ? -static_cast<uint64_t>(constant) : constant));
  }
  return text;
}

bool add_term(IndexForm& sum, const NodePtr& atom, int64_t coefficient) {
  if (coefficient == 0) return true;
  for (size_t i = 0; i < sum.terms.size(); ++i) {
    IndexForm::Term& known = sum.terms[i];
    if (known.atom != atom) continue;
    if (__builtin_add_overflow(known.coefficient, coefficient, &known.coefficient)) return false;
    if (known.coefficient == 0) sum.terms.erase(sum.terms.begin() + static_cast<ptrdiff_t>(i));
    return true;
  }
  sum.terms.push_back({atom, coefficient});
  return true;
}

bool add_scaled(IndexForm& sum, const IndexForm& other, int64_t factor) {
  int64_t product = 0;
  if (__builtin_mul_overflow(other.constant, factor, &product)) return false;
  if (__builtin_add_overflow(sum.constant, product, &sum.constant)) return false;
  for (const IndexForm::Term& term : other.terms) {
    if (__builtin_mul_overflow(term.coefficient, factor, &product)) return false;
    if (!add_term(sum, term.atom, product)) return false;
  }
  return true;
}

std::optional<IndexForm> subtract(const IndexForm& a, const IndexForm& b) {
  IndexForm difference = a;
  if (!add_scaled(difference, b, -1)) return std::nullopt;
  return difference;
}

IndexForm form_of(const Dim& dim) {
  IndexForm form;
  form.constant = dim.offset;
  if (!dim.is_static()) form.terms.push_back({dim.variable, 1});
  return form;
}

}  // namespace bw::ir::analysis
