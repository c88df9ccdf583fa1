#include "compiler/testing/sample_kernels.h"

#include <fmt/format.h>

namespace bw::compiler::testing {

using ir::DType;
using ir::Kernel;
using ir::KernelBuilder;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

namespace {

constexpr DType kF32 = DType::kF32;

bool fits(Op op, DType dtype) {
  const bool integer = ir::is_integer(dtype);
  const bool boolean = dtype == DType::kBool;
  switch (op) {
    case Op::kIDiv:
    case Op::kMod:
    case Op::kShl:
    case Op::kShr:
      return integer;
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
      return integer || boolean;
    default:
      return !ir::is_unary(op) || ir::is_float(dtype);
  }
}

std::vector<DType> all_dtypes() {
  std::vector<DType> dtypes;
  for (int i = 0; i < ir::kDTypeCount; ++i) dtypes.push_back(static_cast<DType>(i));
  return dtypes;
}

}  // namespace

Kernel scale_kernel(int64_t count, uint32_t workgroup_size) {
  KernelBuilder b;
  const NodePtr out = b.param(0, "out", kF32, {count});
  const NodePtr x = b.param(1, "x", kF32, {count});
  const NodePtr i = b.range(count, RangeKind::kGlobalX);
  const NodePtr doubled = b.op(Op::kMul, kF32, {b.load(x, i), b.constant(kF32, 2.0)});
  const NodePtr value = b.op(Op::kAdd, kF32, {doubled, b.constant(kF32, 1.0)});
  return {.name = "scale",
          .params = {out, x},
          .variables = {},
          .stores = {b.store(out, i, value)},
          .workgroup_size = workgroup_size};
}

Kernel elementwise_kernel(Op op, const std::vector<DType>& inputs, DType output, int64_t count) {
  KernelBuilder b;
  Kernel kernel{.name = "elementwise", .params = {}, .variables = {}, .stores = {}, .workgroup_size = 64};
  kernel.params.push_back(b.param(0, "out", output, {count}));
  const NodePtr i = b.range(count, RangeKind::kGlobalX);
  std::vector<NodePtr> loads;
  for (const DType dtype : inputs) {
    kernel.params.push_back(b.param(kernel.params.size(), "in", dtype, {count}));
    loads.push_back(b.load(kernel.params.back(), i));
  }
  kernel.stores.push_back(b.store(kernel.params[0], i, b.op(op, output, loads)));
  return kernel;
}

Kernel matmul_kernel(int64_t size) {
  KernelBuilder b;
  const NodePtr out = b.param(0, "out", kF32, {size, size});
  const NodePtr lhs = b.param(1, "a", kF32, {size, size});
  const NodePtr rhs = b.param(2, "b", kF32, {size, size});
  const NodePtr x = b.range(size, RangeKind::kGlobalX);
  const NodePtr y = b.range(size, RangeKind::kGlobalY);
  const NodePtr k = b.range(size, RangeKind::kLoop);
  const NodePtr row = b.load(lhs, b.add(b.mul(y, size), k));
  const NodePtr column = b.load(rhs, b.add(b.mul(k, size), x));
  const NodePtr sum = b.op(Op::kReduceAdd, kF32, {b.op(Op::kMul, kF32, {row, column}), k});
  return {.name = "matmul",
          .params = {out, lhs, rhs},
          .variables = {},
          .stores = {b.store(out, b.add(b.mul(y, size), x), sum)},
          .workgroup_size = 64};
}

Kernel reduce_kernel(Op op, DType dtype, int64_t rows, int64_t columns, uint32_t workgroup_size) {
  KernelBuilder b;
  const NodePtr out = b.param(0, "out", dtype, {rows});
  const NodePtr x = b.param(1, "x", dtype, {rows, columns});
  const NodePtr row = b.range(rows, RangeKind::kGlobalX);
  std::vector<NodePtr> ranges;
  NodePtr column;
  if (workgroup_size > 1) {
    const NodePtr lane = b.range(workgroup_size, RangeKind::kGroup);
    const NodePtr step = b.range(columns / workgroup_size, RangeKind::kLoop);
    column = b.add(b.mul(step, workgroup_size), lane);
    ranges = {step, lane};
  } else {
    column = b.range(columns, RangeKind::kLoop);
    ranges = {column};
  }
  std::vector<NodePtr> inputs = {b.load(x, b.add(b.mul(row, columns), column))};
  inputs.insert(inputs.end(), ranges.begin(), ranges.end());
  return {.name = "reduce",
          .params = {out, x},
          .variables = {},
          .stores = {b.store(out, row, b.op(op, dtype, inputs))},
          .workgroup_size = workgroup_size};
}

Kernel symbolic_sum_kernel(int64_t max) {
  KernelBuilder b;
  const NodePtr n = std::make_shared<const ir::Node>(ir::Node{.op = Op::kVariable,
                                                              .dtype = DType::kI32,
                                                              .shape = {},
                                                              .inputs = {},
                                                              .attribute = ir::VariableAttr{"n", 0, max}});
  const NodePtr variable = b.variable(n);
  const NodePtr out = b.param(0, "out", kF32, {1});
  const NodePtr x = b.param(1, "x", kF32, {max});
  const NodePtr i = b.range(ir::Dim(variable, 0), RangeKind::kLoop);
  const NodePtr sum = b.op(Op::kReduceAdd, kF32, {b.load(x, i), i});
  return {.name = "symbolic_sum",
          .params = {out, x},
          .variables = {variable},
          .stores = {b.store(out, b.constant(DType::kI32, int64_t{0}), sum)},
          .workgroup_size = 1};
}

Kernel softmax_kernel(int64_t rows, int64_t columns) {
  KernelBuilder b;
  const NodePtr out = b.param(0, "out", kF32, {rows, columns});
  const NodePtr x = b.param(1, "x", kF32, {rows, columns});
  const NodePtr y = b.range(rows, RangeKind::kGlobalX);
  const NodePtr i = b.range(columns, RangeKind::kLoop);
  const auto at = [&](const NodePtr& column) { return b.add(b.mul(y, columns), column); };
  const NodePtr j = b.range(columns, RangeKind::kLoop);
  const NodePtr largest = b.op(Op::kReduceMax, kF32, {b.load(x, at(j)), j});
  const NodePtr negated = b.op(Op::kMul, kF32, {largest, b.constant(kF32, -1.0)});
  const auto exponential = [&](const NodePtr& column) {
    return b.op(Op::kExp2, kF32, {b.op(Op::kAdd, kF32, {b.load(x, at(column)), negated})});
  };
  const NodePtr k = b.range(columns, RangeKind::kLoop);
  const NodePtr sum = b.op(Op::kReduceAdd, kF32, {exponential(k), k});
  const NodePtr value = b.op(Op::kMul, kF32, {exponential(i), b.op(Op::kRecip, kF32, {sum})});
  return {.name = "softmax",
          .params = {out, x},
          .variables = {},
          .stores = {b.store(out, at(i), value)},
          .workgroup_size = 32};
}

Kernel row_softmax_kernel(int64_t rows, int64_t columns, uint32_t lanes, uint32_t workgroup_size) {
  KernelBuilder b;
  const NodePtr out = b.param(0, "out", kF32, {rows, columns});
  const NodePtr x = b.param(1, "x", kF32, {rows, columns});
  const NodePtr y = b.range(rows, RangeKind::kGlobalX);
  const NodePtr lane = b.range(lanes, RangeKind::kGroup);
  const int64_t elements = columns / lanes;
  const NodePtr element = b.range(elements, RangeKind::kUnroll);
  const NodePtr at = b.add(b.mul(y, columns), b.add(b.mul(lane, elements), element));
  const NodePtr value = b.load(x, at);
  const NodePtr largest = b.op(Op::kReduceMax, kF32, {value, element, lane});
  const NodePtr negated = b.op(Op::kMul, kF32, {largest, b.constant(kF32, -1.0)});
  const NodePtr exponential = b.op(Op::kExp2, kF32, {b.op(Op::kAdd, kF32, {value, negated})});
  const NodePtr sum = b.op(Op::kReduceAdd, kF32, {exponential, element, lane});
  const NodePtr result = b.op(Op::kMul, kF32, {exponential, b.op(Op::kRecip, kF32, {sum})});
  return {.name = "row_softmax",
          .params = {out, x},
          .variables = {},
          .stores = {b.store(out, at, result)},
          .workgroup_size = workgroup_size};
}

std::vector<ElementwiseCase> all_elementwise_cases() {
  std::vector<ElementwiseCase> cases;
  const auto add = [&](Op op, std::vector<DType> inputs, DType output) {
    std::string name = fmt::format("{}_{}", ir::name(op), ir::name(inputs[op == Op::kWhere ? 1 : 0]));
    if (op == Op::kCast || op == Op::kBitcast) name += fmt::format("_{}", ir::name(output));
    cases.push_back({op, std::move(inputs), output, std::move(name)});
  };
  for (int i = 0; i < ir::kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    for (const DType dtype : all_dtypes()) {
      if (!fits(op, dtype)) continue;
      const bool compares = op == Op::kCmpLt || op == Op::kCmpNe;
      if (ir::is_unary(op)) add(op, {dtype}, dtype);
      if (ir::is_binary(op)) add(op, {dtype, dtype}, compares ? DType::kBool : dtype);
      if (op == Op::kWhere) add(op, {DType::kBool, dtype, dtype}, dtype);
      if (op == Op::kMulAcc && dtype != DType::kBool) add(op, {dtype, dtype, dtype}, dtype);
      for (const DType to : all_dtypes()) {
        if (op == Op::kCast && to != dtype) add(op, {dtype}, to);
        const bool same_size = ir::size_bytes(to) == ir::size_bytes(dtype);
        const bool boolean = to == DType::kBool || dtype == DType::kBool;
        if (op == Op::kBitcast && to != dtype && same_size && !boolean) add(op, {dtype}, to);
      }
    }
  }
  return cases;
}

}  // namespace bw::compiler::testing
