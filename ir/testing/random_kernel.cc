#include "ir/testing/random_kernel.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "ir/testing/nodes.h"
#include "ir/testing/random_source.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace bw::ir::testing {
namespace {

class Generator {
 public:
  Generator(uint64_t seed, const RandomKernelOptions& options) : random_(seed), options_(options) {
    kernel_.name = fmt::format("random_{}", seed);
  }

  Kernel run() {
    const DType stored = dtype();
    add_grid(stored);
    add_inputs();
    std::vector<NodePtr> scope = grid_;
    std::vector<NodePtr> values = {load(scope)};
    const int64_t reductions = random_.pick(0, 2);
    for (int64_t i = 0; i < reductions; ++i) values.push_back(reduction(scope, i == 0));
    grow(values, scope);
    // The store depends on the whole grid, whatever folding left of the value.
    kernel_.stores.push_back(builder_.store(kernel_.params[0], out_index_, cast(values.back(), stored)));
    const Status status = verify_kernel(kernel_);
    if (!status.is_ok()) fmt::print(stderr, "{}\n{}", status.message(), print_kernel(kernel_));
    BW_CHECK(status.is_ok());
    return std::move(kernel_);
  }

 private:
  DType dtype() { return random_.any(options_.dtypes); }

  NodePtr cast(const NodePtr& x, DType to) { return builder_.op(Op::kCast, to, {x}); }

  NodePtr add_param(DType dtype, std::vector<int64_t> shape) {
    const uint64_t position = kernel_.params.size();
    kernel_.params.push_back(builder_.param(position, fmt::format("p{}", position), dtype, std::move(shape)));
    return kernel_.params.back();
  }

  void add_grid(DType stored) {
    constexpr RangeKind kKinds[] = {RangeKind::kGlobalX, RangeKind::kGlobalY, RangeKind::kGlobalZ};
    std::vector<int64_t> shape;
    const int64_t dimensions = random_.pick(1, 3);
    for (int64_t i = 0; i < dimensions; ++i) {
      Dim extent = random_.pick(2, 9);
      if (random_.one_in(6) && kernel_.variables.empty()) extent = Dim(add_variable(), random_.pick(1, 3));
      grid_.push_back(builder_.range(extent, kKinds[i]));
      shape.push_back(extent.max());
    }
    out_index_ = builder_.constant(DType::kI32, int64_t{0});
    for (size_t i = 0; i < grid_.size(); ++i) {
      out_index_ = builder_.add(builder_.mul(out_index_, shape[i]), grid_[i]);
    }
    add_param(stored, std::move(shape));
  }

  NodePtr add_variable() {
    kernel_.variables.push_back(builder_.variable(variable_node("n", 1, random_.pick(2, 7))));
    return kernel_.variables.back();
  }

  void add_inputs() {
    const int64_t count = random_.pick(1, 3);
    for (int64_t i = 0; i < count; ++i) add_param(dtype(), {random_.pick(1, 40), random_.pick(1, 5)});
  }

  // An index made of the ranges in scope, divided and clamped to fit.
  NodePtr load(const std::vector<NodePtr>& scope) {
    const NodePtr& param = kernel_.params[static_cast<size_t>(random_.pick(1, std::ssize(kernel_.params) - 1))];
    const int64_t count = max_element_count(param->shape);
    NodePtr index = random_.any(scope);
    const int64_t terms = random_.pick(0, 3);
    for (int64_t i = 0; i < terms; ++i) {
      index = builder_.add(builder_.mul(index, random_.pick(1, 6)), random_.any(scope));
      if (random_.one_in(3)) index = builder_.idiv(index, random_.pick(1, 4));
      if (random_.one_in(3)) index = builder_.mod(index, random_.pick(1, 9));
      if (random_.one_in(4)) index = builder_.add(index, random_.pick(-4, 4));
    }
    return builder_.load(param, builder_.clamp(index, 0, count - 1));
  }

  NodePtr constant(DType dtype) {
    if (is_float(dtype)) return builder_.constant(dtype, static_cast<double>(random_.pick(-16, 16)) / 8);
    if (dtype == DType::kBool) return builder_.constant(dtype, random_.pick(0, 1));
    return builder_.constant(dtype, random_.pick(is_signed(dtype) ? -9 : 0, 9));
  }

  NodePtr unary(const NodePtr& x) {
    const DType to = is_float(x->dtype) ? x->dtype : DType::kF32;
    const int64_t first = static_cast<int64_t>(options_.numbers == Numbers::kExact ? Op::kTrunc : Op::kExp2);
    const Op op = static_cast<Op>(random_.pick(first, static_cast<int64_t>(Op::kTrunc)));
    return builder_.op(op, to, {cast(x, to)});
  }

  NodePtr step(const std::vector<NodePtr>& values) {
    const NodePtr& x = random_.one_in(3) ? random_.any(values) : values.back();
    const NodePtr y = random_.one_in(4) ? constant(x->dtype) : cast(random_.any(values), x->dtype);
    switch (random_.pick(0, 6)) {
      case 0:
        return unary(x);
      case 1:
        return cast(x, dtype());
      case 2:
        return builder_.op(Op::kWhere, x->dtype, {cast(random_.any(values), DType::kBool), x, y});
      case 3:
        if (x->dtype == DType::kBool) return builder_.op(Op::kXor, x->dtype, {x, y});
        return builder_.op(Op::kMulAcc, x->dtype, {x, y, cast(random_.any(values), x->dtype)});
      case 4:
        return builder_.op(random_.one_in(2) ? Op::kCmpLt : Op::kCmpNe, DType::kBool, {x, y});
      default:
        return binary(x, y);
    }
  }

  NodePtr binary(const NodePtr& x, const NodePtr& y) {
    const std::vector<Op> any = {Op::kAdd, Op::kMul, Op::kMax};
    const std::vector<Op> bits = {Op::kAdd, Op::kMul, Op::kMax, Op::kAnd, Op::kOr, Op::kXor};
    const std::vector<Op> integers = {Op::kAdd, Op::kMul, Op::kMax, Op::kAnd,  Op::kOr,
                                      Op::kXor, Op::kShl, Op::kShr, Op::kIDiv, Op::kMod};
    const Op op = random_.any(is_float(x->dtype) ? any : x->dtype == DType::kBool ? bits : integers);
    return builder_.op(op, x->dtype, {x, y});
  }

  void grow(std::vector<NodePtr>& values, const std::vector<NodePtr>& scope) {
    for (int i = 0; i < options_.steps; ++i) values.push_back(random_.one_in(4) ? load(scope) : step(values));
  }

  NodePtr reduction(const std::vector<NodePtr>& outer, bool can_share) {
    std::vector<NodePtr> scope = outer;
    std::vector<NodePtr> inputs = {nullptr};
    const int64_t loops = random_.pick(1, 2);
    for (int64_t i = 0; i < loops; ++i) {
      const bool is_unrolled = random_.one_in(4);
      inputs.push_back(
          builder_.range(random_.pick(1, is_unrolled ? 4 : 9), is_unrolled ? RangeKind::kUnroll : RangeKind::kLoop));
    }
    if (can_share && random_.one_in(3)) {
      kernel_.workgroup_size = random_.one_in(2) ? 32 : 64;
      inputs.push_back(builder_.range(kernel_.workgroup_size, RangeKind::kGroup));
    }
    scope.insert(scope.end(), inputs.begin() + 1, inputs.end());
    std::vector<NodePtr> values = {load(scope)};
    grow(values, scope);
    NodePtr value = values.back();
    if (value->dtype == DType::kBool) value = cast(value, DType::kI32);
    const Op op = random_.any(std::vector<Op>{Op::kReduceAdd, Op::kReduceAdd, Op::kReduceMax, Op::kReduceMul});
    inputs[0] = value;
    const DType result = value->dtype;
    return builder_.op(op, result, std::move(inputs));
  }

  RandomSource random_;
  const RandomKernelOptions& options_;
  KernelBuilder builder_;
  Kernel kernel_;
  std::vector<NodePtr> grid_;
  NodePtr out_index_;
};

}  // namespace

Kernel random_kernel(uint64_t seed, const RandomKernelOptions& options) {
  return Generator(seed, options).run();
}

}  // namespace bw::ir::testing
