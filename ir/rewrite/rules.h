// Owns: the rules of elementwise ops, all there are: the same for kernels and for graphs. Each is exact, bit by bit,
// for all inputs (but for the payload of a NaN); rules_test.cc evaluates both sides of each. Not here: sums of products
// (ir/linear.h), which are gathered rather than matched, and the movement of tensors (ir/rewrite/simplify_graph.h).
#pragma once

#include <span>

#include "ir/rewrite/rule.h"

namespace bw::ir::rewrite {

std::span<const Rule> elementwise_rules();
// The same, parsed; made once.
const RuleSet& elementwise_rule_set();

// Whether casting from `from` to `to` keeps every value: integers and bool among themselves, and floating point.
bool holds_all(DType to, DType from);

}  // namespace bw::ir::rewrite
