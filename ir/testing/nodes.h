// Owns: nodes that tests of kernels need and that ir::KernelBuilder only takes from graphs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "ir/node.h"

namespace bw::ir::testing {

inline NodePtr variable_node(std::string name, int64_t min, int64_t max) {
  Node node;
  node.op = Op::kVariable;
  node.dtype = DType::kI32;
  node.attribute = VariableAttr{std::move(name), min, max};
  return make_node(std::move(node));
}

}  // namespace bw::ir::testing
