#include "ir/kernel.h"

#include <cmath>
#include <limits>

#include "base/check.h"
#include "ir/fold.h"
#include "ir/infer.h"

namespace bw::ir {
namespace {

bool is_index(const NodePtr& node) {
  return node->dtype == DType::kI32 || node->dtype == DType::kI64;
}

bool fits_i32(int64_t value) {
  return value >= min_integer(DType::kI32) && value <= max_integer(DType::kI32);
}

void check_reduction(const Node& node) {
  BW_CHECK(node.inputs.size() >= 2 && node.inputs[0]->dtype == node.dtype);
  BW_CHECK(check_reduce_dtype(node).is_ok());
  for (size_t i = 1; i < node.inputs.size(); ++i) BW_CHECK(node.inputs[i]->op == Op::kRange);
}

}  // namespace

NodePtr KernelBuilder::intern(NodePtr node) {
  const size_t hash = shallow_hash(*node);
  const auto [first, last] = nodes_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (shallow_equal(*it->second, *node)) return it->second;
  }
  nodes_.emplace(hash, node);
  serials_.emplace(node.get(), static_cast<uint32_t>(serials_.size()));
  return node;
}

uint32_t KernelBuilder::serial(const NodePtr& node) const {
  const auto it = serials_.find(node.get());
  BW_CHECK(it != serials_.end());  // a node of another builder
  return it->second;
}

NodePtr KernelBuilder::intern(Node node) {
  return intern(make_node(std::move(node)));
}

NodePtr KernelBuilder::make(Op op, DType dtype, std::vector<NodePtr> inputs) {
  Node node;
  node.op = op;
  node.dtype = dtype;
  node.inputs = std::move(inputs);
  return intern(std::move(node));
}

NodePtr KernelBuilder::constant(DType dtype, Scalar value) {
  if (is_float(dtype)) {
    const auto* integer = std::get_if<int64_t>(&value);
    double real = integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
    if (std::isnan(real)) real = std::numeric_limits<double>::quiet_NaN();
    value = real;
  }
  Node node;
  node.op = Op::kConst;
  node.dtype = dtype;
  node.attribute = ConstAttr{value};
  BW_CHECK(check_leaf_attribute(node).is_ok());
  return intern(std::move(node));
}

NodePtr KernelBuilder::param(uint64_t position, std::string name, DType dtype, std::vector<int64_t> shape) {
  Node node;
  node.op = Op::kParam;
  node.dtype = dtype;
  node.shape.assign(shape.begin(), shape.end());
  node.attribute = ParamAttr{position, std::move(name)};
  BW_CHECK(check_leaf_attribute(node).is_ok());
  return intern(std::move(node));
}

NodePtr KernelBuilder::variable(const NodePtr& graph_variable) {
  BW_CHECK(graph_variable->op == Op::kVariable);
  return intern(graph_variable);
}

NodePtr KernelBuilder::range(Dim extent, RangeKind kind) {
  if (extent.variable != nullptr) extent.variable = variable(extent.variable);
  Node node;
  node.op = Op::kRange;
  node.dtype = range_dtype(extent);
  node.attribute = RangeAttr{std::move(extent), next_range_++, kind};
  BW_CHECK(check_leaf_attribute(node).is_ok());
  return intern(std::move(node));
}

NodePtr KernelBuilder::op(Op op, DType dtype, std::vector<NodePtr> inputs) {
  Node node;
  node.op = op;
  node.dtype = dtype;
  node.inputs = std::move(inputs);
  if (is_reduce(op)) {
    if (node.inputs.size() == 1) return node.inputs[0];
    check_reduction(node);
    return Folder(*this).fold_reduction(std::move(node));
  }
  BW_CHECK(is_elementwise(op));
  const Result<DType> inferred = infer_elementwise_dtype(node);
  BW_CHECK(inferred.is_ok() && inferred.value() == dtype);
  return Folder(*this).fold(std::move(node));
}

NodePtr KernelBuilder::load(NodePtr param, NodePtr index) {
  BW_CHECK(param->op == Op::kParam && is_index(index));
  const DType dtype = param->dtype;
  return make(Op::kLoad, dtype, {std::move(param), std::move(index)});
}

NodePtr KernelBuilder::store(NodePtr param, NodePtr index, NodePtr value) {
  BW_CHECK(param->op == Op::kParam && is_index(index) && value->dtype == param->dtype);
  const DType dtype = param->dtype;
  return make(Op::kStore, dtype, {std::move(param), std::move(index), std::move(value)});
}

NodePtr KernelBuilder::dim(const Dim& dim) {
  if (dim.is_static()) return constant(range_dtype(dim), dim.offset);
  return add(variable(dim.variable), dim.offset);
}

NodePtr KernelBuilder::widened(const NodePtr& node) {
  BW_CHECK(is_index(node));
  return op(Op::kCast, DType::kI64, {node});
}

NodePtr KernelBuilder::add(NodePtr a, NodePtr b) {
  // Asked before the sum is folded: modulo 2^32 it may be gathered into one that fits again, but is another.
  if (a->dtype == DType::kI32 && b->dtype == DType::kI32) {
    const Interval x = bounds_.of(a);
    const Interval y = bounds_.of(b);
    if (fits_i32(x.low + y.low) && fits_i32(x.high + y.high)) {
      return op(Op::kAdd, DType::kI32, {std::move(a), std::move(b)});
    }
  }
  return op(Op::kAdd, DType::kI64, {widened(a), widened(b)});
}

NodePtr KernelBuilder::add(NodePtr a, int64_t b) {
  return add(std::move(a), constant(fits_i32(b) ? DType::kI32 : DType::kI64, b));
}

NodePtr KernelBuilder::mul(NodePtr a, int64_t b) {
  if (a->dtype == DType::kI32 && fits_i32(b)) {
    const Interval x = bounds_.of(a);
    if (fits_i32(x.low * b) && fits_i32(x.high * b)) {
      return op(Op::kMul, DType::kI32, {std::move(a), constant(DType::kI32, b)});
    }
  }
  return op(Op::kMul, DType::kI64, {widened(a), constant(DType::kI64, b)});
}

NodePtr KernelBuilder::idiv(NodePtr a, int64_t b) {
  BW_CHECK(b > 0);
  if (!fits_i32(b)) a = widened(a);
  const DType dtype = a->dtype;
  return op(Op::kIDiv, dtype, {std::move(a), constant(dtype, b)});
}

NodePtr KernelBuilder::mod(NodePtr a, int64_t b) {
  BW_CHECK(b > 0);
  if (!fits_i32(b)) a = widened(a);
  const DType dtype = a->dtype;
  return op(Op::kMod, dtype, {std::move(a), constant(dtype, b)});
}

bool KernelBuilder::is_within(const NodePtr& index, const Dim& extent) {
  const Interval known = bounds_.of(index);
  if (known.low >= 0 && known.high < extent.min()) return true;
  return analysis_.is_within(index, extent);
}

NodePtr KernelBuilder::clamp(NodePtr a, int64_t low, int64_t high) {
  BW_CHECK(low <= high && is_index(a));
  if (bounds_.of(a).low >= low && bounds_.of(a).high <= high) return a;
  if (low == 0 && high < std::numeric_limits<int64_t>::max() && is_within(a, Dim(high + 1))) return a;
  if (!fits_i32(low) || !fits_i32(high)) a = widened(a);
  const DType dtype = a->dtype;
  if (bounds_.of(a).low < low) a = op(Op::kMax, dtype, {a, constant(dtype, low)});
  if (bounds_.of(a).high <= high) return a;
  const NodePtr limit = constant(dtype, high);
  if (bounds_.of(a).low >= high) return limit;
  // The comparison is not folded: the proof of the bounds rests on its naming the value itself.
  return op(Op::kWhere, dtype, {make(Op::kCmpLt, DType::kBool, {a, limit}), a, limit});
}

uint32_t group_size(const Kernel& kernel) {
  for (const NodePtr& node : topological_order(kernel.stores)) {
    if (node->op != Op::kRange || node->attr<RangeAttr>().kind != RangeKind::kGroup) continue;
    return static_cast<uint32_t>(node->attr<RangeAttr>().extent.offset);
  }
  return 1;
}

}  // namespace bw::ir
