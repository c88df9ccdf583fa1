#include "ir/builder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/infer.h"
#include "ir/text.h"

namespace bw::ir {
namespace {

Node make(Op op, std::vector<NodePtr> inputs, Attribute attribute = {}) {
  Node node;
  node.op = op;
  if (!inputs.empty() && inputs[0] != nullptr) node.dtype = inputs[0]->dtype;
  node.inputs = std::move(inputs);
  node.attribute = std::move(attribute);
  return node;
}

Node leaf(Op op, DType dtype, Attribute attribute) {
  Node node = make(op, {}, std::move(attribute));
  node.dtype = dtype;
  return node;
}

Status check_not_null(const Node& node) {
  for (const NodePtr& input : node.inputs) {
    if (input == nullptr) return error(StatusCode::kInvalidArgument, "{}: an input is missing", name(node.op));
  }
  return Status::ok();
}

Status wrong_op(std::string_view function, Op op) {
  return error(StatusCode::kInvalidArgument, "{} is not a {} operation", name(op), function);
}

}  // namespace

NodePtr Builder::intern(Node node) {
  const size_t hash = shallow_hash(node);
  const auto [first, last] = nodes_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    NodePtr known = it->second.lock();
    if (known != nullptr && shallow_equal(*known, node)) return known;
  }
  if (nodes_.size() >= sweep_at_) {
    std::erase_if(nodes_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<size_t>(1024, 2 * nodes_.size());
  }
  NodePtr made = make_node(std::move(node));
  nodes_.emplace(hash, made);
  return made;
}

Result<NodePtr> Builder::finish(Node node) {
  BW_RETURN_IF_ERROR(check_not_null(node));
  BW_ASSIGN(Inferred inferred, infer(node));
  node.dtype = inferred.dtype;
  node.shape = std::move(inferred.shape);
  return intern(std::move(node));
}

Result<NodePtr> Builder::constant(DType dtype, Scalar value) {
  if (is_float(dtype)) {
    const auto* integer = std::get_if<int64_t>(&value);
    double real = integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
    // One NaN, so that equal programs are equal and print equally.
    if (std::isnan(real)) real = std::numeric_limits<double>::quiet_NaN();
    value = real;
  }
  return finish(leaf(Op::kConst, dtype, ConstAttr{value}));
}

Result<NodePtr> Builder::param(uint64_t id, std::string name, DType dtype, std::vector<int64_t> shape) {
  Node node = leaf(Op::kParam, dtype, ParamAttr{id, std::move(name)});
  node.shape.assign(shape.begin(), shape.end());
  return finish(std::move(node));
}

Result<NodePtr> Builder::variable(std::string name, int64_t min, int64_t max) {
  return finish(leaf(Op::kVariable, DType::kI32, VariableAttr{std::move(name), min, max}));
}

Result<NodePtr> Builder::range(Dim extent) {
  const DType dtype = range_dtype(extent);
  return finish(leaf(Op::kRange, dtype, RangeAttr{std::move(extent), 0, RangeKind::kLoop}));
}

Result<NodePtr> Builder::unary(Op op, NodePtr x) {
  if (!is_unary(op)) return wrong_op("unary", op);
  return finish(make(op, {std::move(x)}));
}

// Gives the scalars among the inputs of an elementwise op the shape of the others.
Status Builder::expand_scalars(std::vector<NodePtr>& inputs) {
  Shape shape;
  for (const NodePtr& input : inputs) {
    if (input != nullptr && shape.empty()) shape = input->shape;
  }
  for (NodePtr& input : inputs) {
    if (input == nullptr || !input->shape.empty() || shape.empty()) continue;
    BW_ASSIGN(NodePtr ones, reshape(input, Shape(shape.size(), Dim(1))));
    BW_ASSIGN(input, expand(ones, shape));
  }
  return Status::ok();
}

Result<NodePtr> Builder::binary(Op op, NodePtr x, NodePtr y) {
  if (!is_binary(op)) return wrong_op("binary", op);
  std::vector<NodePtr> inputs = {std::move(x), std::move(y)};
  BW_RETURN_IF_ERROR(expand_scalars(inputs));
  return finish(make(op, std::move(inputs)));
}

Result<NodePtr> Builder::where(NodePtr condition, NodePtr x, NodePtr y) {
  std::vector<NodePtr> inputs = {std::move(condition), std::move(x), std::move(y)};
  BW_RETURN_IF_ERROR(expand_scalars(inputs));
  return finish(make(Op::kWhere, std::move(inputs)));
}

Result<NodePtr> Builder::mul_acc(NodePtr a, NodePtr b, NodePtr c) {
  std::vector<NodePtr> inputs = {std::move(a), std::move(b), std::move(c)};
  BW_RETURN_IF_ERROR(expand_scalars(inputs));
  return finish(make(Op::kMulAcc, std::move(inputs)));
}

Result<NodePtr> Builder::cast(NodePtr x, DType dtype) {
  if (x != nullptr && x->dtype == dtype) return x;
  Node node = make(Op::kCast, {std::move(x)});
  node.dtype = dtype;
  return finish(std::move(node));
}

Result<NodePtr> Builder::bitcast(NodePtr x, DType dtype) {
  if (x != nullptr && x->dtype == dtype) return x;
  Node node = make(Op::kBitcast, {std::move(x)});
  node.dtype = dtype;
  return finish(std::move(node));
}

Result<NodePtr> Builder::reshape(NodePtr x, Shape shape) {
  if (x != nullptr && x->shape == shape) return x;
  return finish(make(Op::kReshape, {std::move(x)}, ShapeAttr{std::move(shape)}));
}

Result<NodePtr> Builder::permute(NodePtr x, std::vector<int> axes) {
  bool identity = x != nullptr && axes.size() == x->shape.size();
  for (size_t i = 0; identity && i < axes.size(); ++i) identity = axes[i] == static_cast<int>(i);
  if (identity) return x;
  return finish(make(Op::kPermute, {std::move(x)}, AxesAttr{std::move(axes)}));
}

Result<NodePtr> Builder::expand(NodePtr x, Shape shape) {
  if (x != nullptr && x->shape == shape) return x;
  return finish(make(Op::kExpand, {std::move(x)}, ShapeAttr{std::move(shape)}));
}

Result<NodePtr> Builder::pad(NodePtr x, std::vector<int64_t> before, std::vector<int64_t> after) {
  const auto is_zero = [](int64_t amount) { return amount == 0; };
  if (x != nullptr && before.size() == x->shape.size() && after.size() == x->shape.size() &&
      std::all_of(before.begin(), before.end(), is_zero) && std::all_of(after.begin(), after.end(), is_zero)) {
    return x;
  }
  return finish(make(Op::kPad, {std::move(x)}, PadAttr{std::move(before), std::move(after)}));
}

Result<NodePtr> Builder::shrink(NodePtr x, std::vector<Dim> begin, std::vector<Dim> end) {
  if (x != nullptr && end == x->shape && begin == std::vector<Dim>(end.size(), Dim(0))) return x;
  return finish(make(Op::kShrink, {std::move(x)}, ShrinkAttr{std::move(begin), std::move(end)}));
}

Result<NodePtr> Builder::flip(NodePtr x, std::vector<int> axes) {
  if (x != nullptr && axes.empty()) return x;
  std::sort(axes.begin(), axes.end());
  return finish(make(Op::kFlip, {std::move(x)}, AxesAttr{std::move(axes)}));
}

Result<NodePtr> Builder::reduce(Op op, NodePtr x, std::vector<int> axes) {
  if (!is_reduce(op)) return wrong_op("reduce", op);
  if (x != nullptr && axes.empty()) return x;
  std::sort(axes.begin(), axes.end());
  return finish(make(op, {std::move(x)}, AxesAttr{std::move(axes)}));
}

Result<NodePtr> Builder::gather(NodePtr source, NodePtr index) {
  return finish(make(Op::kGather, {std::move(source), std::move(index)}));
}

Result<NodePtr> Builder::store(NodePtr view, NodePtr value) {
  return finish(make(Op::kStore, {std::move(view), std::move(value)}));
}

Result<NodePtr> Builder::contiguous(NodePtr x) {
  return finish(make(Op::kContiguous, {std::move(x)}));
}

}  // namespace bw::ir
