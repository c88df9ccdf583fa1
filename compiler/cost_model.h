// Owns: predicting how long forms of a kernel take on the card, and choosing among them. Not here: what a form means
// (compiler/kernel_form.h), its code.
//
// The prediction is a roofline per step of the depth: the longest of multiplying, LDS traffic and memory traffic, of
// all workgroups that share a work-group processor, and the latency that nothing hides where too few do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/contraction_match.h"
#include "compiler/kernel_form.h"

namespace bw::compiler {

// A matrix product as far as its costs go; symbolic extents at their largest.
struct ProductShape {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;
  int64_t batch = 1;
  size_t row_operands = 1;
  size_t column_operands = 1;
  size_t products = 1;
  double row_bytes = 4;  // of memory that an element of all row operands takes
  double column_bytes = 4;
  bool is_ragged = false;  // elements are staged one by one
  // Neighbours in memory lie along the side, not along the depth: a transpose on the way into LDS.
  bool rows_turned = false;
  bool columns_turned = false;
};

ProductShape shape_of(const Contraction& contraction);
// Of an element in LDS.
uint32_t staged_bytes(const Contraction& contraction, ProductUnit unit);

// Shader clocks of the whole launch; infinite for a form that does not fit into registers or LDS.
double predict_clocks(const ContractionForm& form, const ProductShape& shape, uint32_t staged_bytes);
// The same where each lane computes a few elements by itself from memory (LaneForm).
double predict_lane_clocks(const ProductShape& shape);

// Forms that can compute the product, the best by prediction first.
std::vector<ContractionForm> candidate_forms(const Contraction& contraction);
// The best form; nothing where lanes by themselves are predicted to be faster.
std::optional<ContractionForm> choose_form(const Contraction& contraction);

}  // namespace bw::compiler
