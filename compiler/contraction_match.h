// Owns: recognising matrix products: kernels whose stores are made of sums, over some ranges, of a product of two
// expressions of which one does not change along the columns of the output and the other not along its rows. Not here:
// how such a kernel is tiled (compiler/cost_model.h) and its code (compiler/contraction_emit.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/kernel_form.h"
#include "ir/kernel.h"

namespace bw::compiler {

// One reduce_add(mul(row operand, column operand)) of a kernel.
struct ContractionProduct {
  ir::NodePtr reduction;
  size_t row_operand = 0;  // indices into Contraction::row_operands, column_operands
  size_t column_operand = 0;
};

struct Contraction {
  ir::NodePtr rows;                          // the kGlobalY range
  ir::NodePtr columns;                       // kGlobalX
  ir::NodePtr batch;                         // kGlobalZ, or null
  std::vector<ir::NodePtr> depth;            // ranges summed over; all but the first are static
  std::vector<ir::NodePtr> row_operands;     // each depends on rows, depth and batch only
  std::vector<ir::NodePtr> column_operands;  // columns, depth and batch
  std::vector<ContractionProduct> products;
  ir::DType accumulator = ir::DType::kF32;  // of the sums while they are formed
};

// Which ranges each operand of a kernel's products depends on, as bits in the order of the ranges asked for.
struct ContractionAxes {
  uint64_t first = 0;   // only the first operand
  uint64_t second = 0;  // only the second
  uint64_t both = 0;
};

// Nothing where the kernel is no matrix product, or one with a reduction inside an operand, or over more than products.
std::optional<Contraction> match_contraction(const ir::Kernel& kernel);

// For a kernel in which each axis of the output has a range of its own: how they take part in the products. Nothing
// where it is no matrix product.
std::optional<ContractionAxes> find_contraction_axes(const ir::Kernel& kernel, std::span<const ir::NodePtr> axes);

// The operands as a unit takes them: f16 or bf16 without a cast to f32 around them, i8 or u8 without one to i32. Null
// where the unit cannot take the expression.
ir::NodePtr operand_for(const ir::NodePtr& operand, ProductUnit unit);
// Whether the unit computes all products as the kernel means them.
bool can_compute(const Contraction& contraction, ProductUnit unit);
// Elements of `depth`; the first range may be symbolic.
ir::Dim depth_extent(const Contraction& contraction);

}  // namespace bw::compiler
