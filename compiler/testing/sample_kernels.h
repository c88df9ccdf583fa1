// Owns: small kernels for the tests of code generation.
#pragma once

#include <vector>

#include "ir/kernel.h"

namespace bw::compiler::testing {

// out[i] = x[i] * 2 + 1, f32
ir::Kernel scale_kernel(int64_t count, uint32_t workgroup_size);
// out[i] = op(in0[i], in1[i], ..), element types as given; `output` is that of the result.
ir::Kernel elementwise_kernel(ir::Op op, const std::vector<ir::DType>& inputs, ir::DType output, int64_t count);
// out[y, x] = sum over k of a[y, k] * b[k, x], f32, square
ir::Kernel matmul_kernel(int64_t size);
// out[r] = op over i of x[r, i]; with a workgroup size beyond 1 its lanes share each row.
ir::Kernel reduce_kernel(ir::Op op, ir::DType dtype, int64_t rows, int64_t columns, uint32_t workgroup_size);
// out[0] = sum over i < n of x[i], f32, n the variable "n" in 0..max
ir::Kernel symbolic_sum_kernel(int64_t max);
// out[y, x] = exp2(x[y, x] - max over j of x[y, j]) / sum of these, f32: three loops, each hoisted to where it belongs
ir::Kernel softmax_kernel(int64_t rows, int64_t columns);
// The same, a row dealt out to a group of lanes and each lane's part of it written out; `columns` divides evenly.
ir::Kernel row_softmax_kernel(int64_t rows, int64_t columns, uint32_t lanes, uint32_t workgroup_size);

// Every elementwise op on every combination of dtypes for which it is defined.
struct ElementwiseCase {
  ir::Op op;
  std::vector<ir::DType> inputs;
  ir::DType output;
  std::string name;
};
std::vector<ElementwiseCase> all_elementwise_cases();

}  // namespace bw::compiler::testing
