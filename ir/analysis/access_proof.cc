#include "ir/analysis/access_proof.h"

#include <algorithm>

#include "ir/analysis/index_search.h"
#include "ir/infer.h"
#include "ir/text.h"

namespace bw::ir::analysis {
namespace {

bool is_within(const Interval& bounds, int64_t count) {
  return !bounds.overflow && bounds.low >= 0 && bounds.high < count;
}

// Of the memory that is accessed, also where it is read as elements of another type.
const std::string& memory_name(const Node& access) {
  const Node* param = access.inputs[0].get();
  while (param->op == Op::kBitcast) param = param->inputs[0].get();
  return param->attr<ParamAttr>().name;
}

Status not_proven(const Node& access, const Interval& bounds, int64_t count, const SearchResult& search) {
  const Node& param = *access.inputs[0];
  std::string why = "no values were found for which it does so, but neither was a proof that there are none";
  if (search.found.has_value()) {
    why = (search.found->is_certain ? "with " : "if these can be the values: ") + search.found->print();
  }
  return error(StatusCode::kInvalidArgument, "{}: the index {} lies in {}..{}{}, but {} '{}' has {} elements: {}",
               print_node(access), print_expression(*access.inputs[1]), bounds.low, bounds.high,
               bounds.overflow ? " (it can overflow)" : "", describe(param), memory_name(access), count, why);
}

}  // namespace

std::string CounterExample::print() const {
  std::string text;
  for (const auto& [node, value] : values) {
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", print_expression(*node), value);
  }
  return fmt::format("{}{}it is {}", text, text.empty() ? "" : " ", index);
}

std::string AccessProof::explain() const {
  const std::string place =
      fmt::format("{} {}[{}]", name(access->op), memory_name(*access), print_expression(*access->inputs[1]));
  const std::string within = fmt::format("within {}..{} of {} elements", bounds.low, bounds.high, element_count);
  switch (method) {
    case ProofMethod::kInterval:
      return fmt::format("{}: {}, by intervals", place, within);
    case ProofMethod::kRelational:
      return fmt::format("{}: {}, because {} <= index <= {} for all variables", place, within, symbolic->low.print(),
                         symbolic->high.print());
    case ProofMethod::kEnumeration:
      return fmt::format("{}: within 0..{}, as all {} combinations of values show", place, element_count - 1,
                         combinations);
  }
  return place;
}

Result<AccessProof> prove_access(IndexAnalysis& analysis, const NodePtr& access) {
  const NodePtr& index = access->inputs[1];
  AccessProof proof;
  proof.access = access;
  proof.element_count = max_element_count(access->inputs[0]->shape);
  proof.bounds = analysis.interval(index);
  if (is_within(proof.bounds, proof.element_count)) return proof;
  proof.method = ProofMethod::kRelational;
  proof.symbolic = analysis.symbolic_bounds(index);
  const Interval better = analysis.bounds(index);
  if (proof.symbolic.has_value() && is_within(better, proof.element_count)) {
    proof.bounds = better;
    return proof;
  }
  const SearchResult search = find_outside(index, proof.element_count);
  if (search.found.has_value() || !search.is_exhaustive) {
    return not_proven(*access, proof.bounds, proof.element_count, search);
  }
  proof.method = ProofMethod::kEnumeration;
  proof.bounds = {0, proof.element_count - 1, false};
  proof.combinations = search.tried;
  return proof;
}

Result<std::vector<AccessProof>> prove_accesses(const Kernel& kernel) {
  IndexAnalysis analysis;
  std::vector<AccessProof> proofs;
  for (const NodePtr& node : topological_order(kernel.stores)) {
    if (node->op != Op::kLoad && node->op != Op::kStore) continue;
    BW_ASSIGN(AccessProof proof, prove_access(analysis, node));
    proofs.push_back(std::move(proof));
  }
  return proofs;
}

}  // namespace bw::ir::analysis
