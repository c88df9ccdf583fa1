#include "ir/testing/random_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "ir/testing/random_source.h"

namespace bw::ir::testing {
namespace {

class Generator {
 public:
  Generator(Builder& builder, uint64_t seed, const RandomGraphOptions& options)
      : builder_(builder), random_(seed), options_(options) {}

  RandomGraph run() {
    add_param();
    add_param();
    if (options_.extents == Extents::kSymbolicToo && random_.one_in(2)) shrink_by_variable();
    for (int i = 0; i < options_.steps; ++i) step();
    const int64_t count = random_.pick(1, 3);
    for (int64_t i = 0; i < count; ++i) graph_.outputs.push_back(output(random_.any(pool_)));
    // The last value made depends on the most.
    graph_.outputs.push_back(output(pool_.back()));
    if (options_.stores == Stores::kSome && random_.one_in(3)) add_store(pool_.back());
    return std::move(graph_);
  }

 private:
  NodePtr output(const NodePtr& node) { return node->op == Op::kParam ? builder_.contiguous(node).value() : node; }

  // What does not fit, or is too large, is left out.
  void keep(Result<NodePtr> node) {
    if (!node.is_ok() || max_element_count(node.value()->shape) > options_.max_elements) return;
    pool_.push_back(std::move(node).value());
  }

  DType dtype() { return random_.any(options_.dtypes); }

  NodePtr new_param(DType dtype, const std::vector<int64_t>& shape) {
    const uint64_t id = graph_.params.size();
    NodePtr param = builder_.param(id, fmt::format("p{}", id), dtype, shape).value();
    graph_.params.push_back(param);
    return param;
  }

  void add_param() {
    std::vector<int64_t> shape;
    const int64_t rank = random_.pick(0, 3);
    for (int64_t i = 0; i < rank; ++i) shape.push_back(random_.pick(1, 6));
    keep(new_param(dtype(), shape));
    if (pool_.empty()) pool_.push_back(graph_.params.back());
  }

  void shrink_by_variable() {
    NodePtr n = builder_.variable("n", 1, random_.pick(1, 5)).value();
    graph_.variables.push_back(n);
    const int64_t max = n->attr<VariableAttr>().max;
    NodePtr source = new_param(dtype(), {max + 2, 3});
    if (random_.one_in(2)) {
      keep(builder_.shrink(source, {0, 0}, {Dim(n, random_.pick(0, 2)), 3}));
    } else {
      keep(builder_.shrink(source, {Dim(n, 0), 0}, {Dim(n, 2), 3}));
    }
  }

  // A value of this shape and dtype: another of the pool, or a constant.
  NodePtr partner(const NodePtr& x, DType dtype) {
    std::vector<NodePtr> fitting;
    for (const NodePtr& node : pool_) {
      if (node->shape == x->shape) fitting.push_back(node);
    }
    if (!random_.one_in(4)) return builder_.cast(random_.any(fitting), dtype).value();
    return constant(dtype);
  }

  NodePtr constant(DType dtype) {
    if (is_float(dtype)) return builder_.constant(dtype, static_cast<double>(random_.pick(-16, 16)) / 8).value();
    if (dtype == DType::kBool) return builder_.constant(dtype, random_.pick(0, 1)).value();
    return builder_.constant(dtype, random_.pick(is_signed(dtype) ? -9 : 0, 9)).value();
  }

  void step() {
    const NodePtr& x = random_.one_in(3) ? pool_.back() : random_.any(pool_);
    switch (random_.pick(0, 11)) {
      case 0:
      case 1:
        return binary(NodePtr(x));
      case 2:
        return unary(NodePtr(x));
      case 3:
        return ternary(NodePtr(x));
      case 4:
        return keep(builder_.cast(x, dtype()));
      case 5:
      case 6:
      case 7:
        return movement(NodePtr(x));
      case 8:
        return reduce(NodePtr(x));
      case 9:
        return gather(NodePtr(x));
      case 10:
        return random_.one_in(2) ? keep(builder_.range(random_.pick(1, 8))) : keep(constant(dtype()));
      default:
        return random_.one_in(2) ? keep(builder_.contiguous(x)) : add_param();
    }
  }

  void unary(NodePtr x) {
    if (!is_float(x->dtype)) x = builder_.cast(x, DType::kF32).value();
    if (options_.numbers == Numbers::kExact) return keep(builder_.unary(Op::kTrunc, x));
    keep(builder_.unary(static_cast<Op>(random_.pick(static_cast<int>(Op::kExp2), static_cast<int>(Op::kTrunc))), x));
  }

  void binary(const NodePtr& x) {
    const Op op = static_cast<Op>(random_.pick(static_cast<int>(Op::kAdd), static_cast<int>(Op::kShr)));
    keep(builder_.binary(op, x, partner(x, x->dtype)));
  }

  void ternary(const NodePtr& x) {
    if (random_.one_in(2)) {
      keep(builder_.mul_acc(x, partner(x, x->dtype), partner(x, x->dtype)));
    } else {
      keep(builder_.where(partner(x, DType::kBool), x, partner(x, x->dtype)));
    }
  }

  void movement(const NodePtr& x) {
    const Shape& shape = x->shape;
    switch (random_.pick(0, 5)) {
      case 0:
        return reshape(x);
      case 1: {
        std::vector<int> axes(shape.size());
        std::iota(axes.begin(), axes.end(), 0);
        for (size_t i = axes.size(); i > 1; --i) {
          std::swap(axes[i - 1], axes[static_cast<size_t>(random_.pick(0, static_cast<int64_t>(i) - 1))]);
        }
        return keep(builder_.permute(x, std::move(axes)));
      }
      case 2: {
        Shape to = shape;
        for (Dim& dim : to) {
          if (dim == Dim(1)) dim = random_.pick(1, 4);
        }
        return keep(builder_.expand(x, std::move(to)));
      }
      case 3: {
        std::vector<int64_t> before;
        std::vector<int64_t> after;
        for (size_t i = 0; i < shape.size(); ++i) {
          before.push_back(random_.pick(0, 2));
          after.push_back(random_.pick(0, 1));
        }
        return keep(builder_.pad(x, std::move(before), std::move(after)));
      }
      case 4:
        return shrink(x);
      default: {
        std::vector<int> axes;
        for (size_t i = 0; i < shape.size(); ++i) {
          if (random_.one_in(2)) axes.push_back(static_cast<int>(i));
        }
        return keep(builder_.flip(x, std::move(axes)));
      }
    }
  }

  void shrink(const NodePtr& x) {
    std::vector<Dim> begin;
    std::vector<Dim> end = x->shape;
    for (Dim& dim : end) {
      const int64_t first = random_.pick(0, std::min<int64_t>(1, dim.min() > 1 ? 1 : 0));
      begin.push_back(first);
      if (dim.is_static()) dim = random_.pick(first + 1, dim.offset);
    }
    keep(builder_.shrink(x, std::move(begin), std::move(end)));
  }

  // Joins two neighbours, splits an axis, or adds one of extent 1.
  void reshape(const NodePtr& x) {
    Shape shape = x->shape;
    const auto at = shape.begin() + random_.pick(0, static_cast<int64_t>(shape.size()));
    if (random_.one_in(3) || at == shape.end()) {
      shape.insert(at, Dim(1));
      return keep(builder_.reshape(x, std::move(shape)));
    }
    if (!at->is_static()) return;
    if (random_.one_in(2) && at + 1 != shape.end() && (at + 1)->is_static()) {
      *at = at->offset * (at + 1)->offset;
      shape.erase(at + 1);
    } else {
      const int64_t factor = at->offset % 2 == 0 ? 2 : at->offset % 3 == 0 ? 3 : 1;
      const int64_t rest = at->offset / factor;
      *at = factor;
      shape.insert(at + 1, Dim(rest));
    }
    keep(builder_.reshape(x, std::move(shape)));
  }

  void reduce(NodePtr x) {
    if (x->dtype == DType::kBool) x = builder_.cast(x, DType::kI32).value();
    std::vector<int> axes;
    for (size_t i = 0; i < x->shape.size(); ++i) {
      if (random_.one_in(2)) axes.push_back(static_cast<int>(i));
    }
    const Op op = static_cast<Op>(random_.pick(static_cast<int>(Op::kReduceAdd), static_cast<int>(Op::kReduceMax)));
    keep(builder_.reduce(op, x, std::move(axes)));
  }

  void gather(const NodePtr& source) {
    NodePtr index = random_.any(pool_);
    if (!is_integer(index->dtype)) index = builder_.cast(index, DType::kI32).value();
    keep(builder_.gather(source, index));
  }

  // A store of the value into part of a param of its own, as an output.
  void add_store(const NodePtr& value) {
    std::vector<int64_t> shape;
    std::vector<Dim> begin;
    std::vector<Dim> end;
    for (const Dim& dim : value->shape) {
      const int64_t first = random_.pick(0, 1);
      shape.push_back(dim.max() + first + random_.pick(0, 1));
      begin.push_back(first);
      end.push_back(Dim(dim.variable, dim.offset + first));
    }
    NodePtr target = new_param(value->dtype, shape);
    Result<NodePtr> view = builder_.shrink(target, std::move(begin), std::move(end));
    BW_CHECK(view.is_ok());
    Result<NodePtr> stored = builder_.store(view.value(), value);
    BW_CHECK(stored.is_ok());
    graph_.outputs.push_back(std::move(stored).value());
  }

  Builder& builder_;
  RandomSource random_;
  const RandomGraphOptions& options_;
  RandomGraph graph_;
  std::vector<NodePtr> pool_;
};

double random_element(RandomSource& random, DType dtype) {
  if (dtype == DType::kBool) return static_cast<double>(random.pick(0, 1));
  if (is_float(dtype)) return static_cast<double>(random.pick(-16, 16)) / 8;
  return static_cast<double>(random.pick(is_signed(dtype) ? -9 : 0, 9));
}

}  // namespace

RandomGraph random_graph(Builder& builder, uint64_t seed, const RandomGraphOptions& options) {
  return Generator(builder, seed, options).run();
}

RandomInputs::RandomInputs(const std::vector<NodePtr>& params, const std::vector<NodePtr>& variables, uint64_t seed) {
  RandomSource random(seed);
  for (const NodePtr& param : params) {
    std::vector<double> values(static_cast<size_t>(max_element_count(param->shape)));
    for (double& value : values) value = random_element(random, param->dtype);
    std::vector<std::byte>& raw = memory_[param->attr<ParamAttr>().id];
    raw.resize(values.size() * size_bytes(param->dtype));
    encode_elements(param->dtype, values, raw);
    inputs_.params[param->attr<ParamAttr>().id] = raw;
  }
  for (const NodePtr& variable : variables) {
    const auto& attr = variable->attr<VariableAttr>();
    inputs_.variables[attr.name] = random.pick(attr.min, attr.max);
  }
}

}  // namespace bw::ir::testing
