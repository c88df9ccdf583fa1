// Owns: evaluating graphs.

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <unordered_map>

#include "ir/evaluator.h"
#include "ir/evaluator_common.h"
#include "ir/scalar_ops.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace bw::ir {
namespace {

// One value of a graph may have this many elements here (of 16 bytes each).
constexpr int64_t kMaxTensorElements = int64_t{1} << 27;

template <typename T>
struct Tensor {
  std::vector<int64_t> dims;
  std::vector<T> data;  // row-major

  std::vector<int64_t> strides() const {
    std::vector<int64_t> result(dims.size(), 1);
    for (size_t i = dims.size(); i-- > 1;) result[i - 1] = result[i] * dims[i];
    return result;
  }
};

int64_t element_count(const std::vector<int64_t>& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

// Calls visit(position) for each index of `dims` in row-major order, where position is the sum of the index's entries
// in `tables` (one per axis), or -1 where one of these is negative.
template <typename Visit>
void for_each_position(const std::vector<int64_t>& dims, const std::vector<std::vector<int64_t>>& tables,
                       const Visit& visit) {
  std::vector<int64_t> index(dims.size(), 0);
  const int64_t count = element_count(dims);
  for (int64_t i = 0; i < count; ++i) {
    int64_t position = 0;
    for (size_t axis = 0; axis < dims.size() && position >= 0; ++axis) {
      const int64_t part = tables[axis][static_cast<size_t>(index[axis])];
      position = part < 0 ? -1 : position + part;
    }
    visit(position);
    for (size_t axis = dims.size(); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
}

// The param, or the store before, whose view a store writes to.
const Node* base_of(const Node& store) {
  const Node* base = store.inputs[0].get();
  while (is_movement(base->op)) base = base->inputs[0].get();
  return base;
}

class GraphEvaluator {
 public:
  GraphEvaluator(const EvaluatorInputs& inputs, Rounding rounding) : inputs_(inputs), rounding_(rounding) {}

  Result<std::vector<double>> run(const NodePtr& output) {
    const std::vector<NodePtr> order = topological_order(std::vector<NodePtr>{output});
    for (const NodePtr& node : order) {
      for (const NodePtr& input : node->inputs) ++uses_[input.get()];
      if (node->op == Op::kStore) ++uses_[base_of(*node)];
    }
    ++uses_[output.get()];
    // Params have the value from before all stores.
    for (const NodePtr& node : order) {
      if (node->op != Op::kParam) continue;
      BW_ASSIGN(values_[node.get()], load_param(*node));
    }
    for (const NodePtr& node : order) {
      if (node->op == Op::kParam) continue;
      Result<Tensor<Value>> value = evaluate(*node);
      if (!value.is_ok()) return std::move(value).status().with_context(print_node(*node));
      values_[node.get()] = std::move(value).value();
      for (const NodePtr& input : node->inputs) release(*input);
      if (node->op == Op::kStore) release(*base_of(*node));
    }
    std::vector<double> result;
    for (const Value& element : values_[output.get()].data) {
      const std::array<Value, 1> one = {element};
      result.push_back(apply_elementwise(Op::kCast, output->dtype, DType::kF64, one, Rounding::kDouble).real);
    }
    return result;
  }

 private:
  using Values = Tensor<Value>;

  void release(const Node& node) {
    if (--uses_[&node] == 0) values_.erase(&node);
  }

  const Values& input(const Node& node, size_t i) const { return values_.at(node.inputs[i].get()); }

  Result<std::vector<int64_t>> dims_of(const Shape& shape) const {
    std::vector<int64_t> dims;
    for (const Dim& dim : shape) {
      BW_ASSIGN(const int64_t extent, dim_value(dim, inputs_));
      dims.push_back(extent);
    }
    if (element_count(dims) > kMaxTensorElements) {
      return error(StatusCode::kOutOfMemory, "{} has more elements than the evaluator takes ({})", print_shape(shape),
                   kMaxTensorElements);
    }
    return dims;
  }

  Result<Values> load_param(const Node& node) const {
    BW_ASSIGN(const std::span<std::byte> raw, param_memory(node, inputs_));
    Values result;
    BW_ASSIGN(result.dims, dims_of(node.shape));
    for (size_t at = 0; at < raw.size(); at += size_bytes(node.dtype)) {
      result.data.push_back(decode_element(node.dtype, raw.data() + at));
    }
    return result;
  }

  Result<Values> evaluate(const Node& node) {
    if (is_movement(node.op)) return move(node, input(node, 0), Value{});
    if (is_reduce(node.op)) return reduce(node);
    switch (node.op) {
      case Op::kConst:
        return Values{{}, {constant_value(node.dtype, node.attr<ConstAttr>().value)}};
      case Op::kVariable: {
        BW_ASSIGN(const int64_t value, variable_value(node, inputs_));
        return Values{{}, {Value{value, 0}}};
      }
      case Op::kRange: {
        Values result;
        BW_ASSIGN(result.dims, dims_of(node.shape));
        for (int64_t i = 0; i < result.dims[0]; ++i) result.data.push_back({i, 0});
        return result;
      }
      case Op::kGather:
        return gather(node);
      case Op::kStore:
        return store(node);
      case Op::kContiguous:
        return input(node, 0);
      default:
        return elementwise(node);
    }
  }

  Result<Values> elementwise(const Node& node) {
    const Values& first = input(node, 0);
    const DType from = node.inputs.back()->dtype;
    if (node.op == Op::kBitcast && size_bytes(from) != size_bytes(node.dtype)) return bitcast_param(node);
    Values result{first.dims, std::vector<Value>(first.data.size())};
    std::array<Value, 3> elements;
    for (size_t i = 0; i < first.data.size(); ++i) {
      for (size_t k = 0; k < node.inputs.size(); ++k) elements[k] = input(node, k).data[i];
      const std::span<const Value> used(elements.data(), node.inputs.size());
      result.data[i] = apply_elementwise(node.op, from, node.dtype, used, rounding_);
    }
    return result;
  }

  Result<Values> bitcast_param(const Node& node) {
    const DType from = node.inputs[0]->dtype;
    std::vector<std::byte> raw;
    for (const Value& element : input(node, 0).data) {
      raw.resize(raw.size() + size_bytes(from));
      encode_element(from, element, raw.data() + raw.size() - size_bytes(from));
    }
    Values result;
    BW_ASSIGN(result.dims, dims_of(node.shape));
    for (size_t at = 0; at < raw.size(); at += size_bytes(node.dtype)) {
      result.data.push_back(decode_element(node.dtype, raw.data() + at));
    }
    return result;
  }

  // For each axis of the result of a movement other than reshape: what each index adds to the source's position.
  Result<std::vector<std::vector<int64_t>>> movement_tables(const Node& node, const std::vector<int64_t>& from,
                                                            const std::vector<int64_t>& strides,
                                                            const std::vector<int64_t>& to) const {
    std::vector<std::vector<int64_t>> tables(to.size());
    const auto* axes = std::get_if<AxesAttr>(&node.attribute);
    for (size_t axis = 0; axis < to.size(); ++axis) {
      const size_t source = node.op == Op::kPermute ? static_cast<size_t>(axes->axes[axis]) : axis;
      const bool is_flipped = node.op == Op::kFlip && std::count(axes->axes.begin(), axes->axes.end(), axis) != 0;
      int64_t first = 0;
      if (node.op == Op::kPad) first = -node.attr<PadAttr>().before[axis];
      if (node.op == Op::kShrink) {
        BW_ASSIGN(first, dim_value(node.attr<ShrinkAttr>().begin[axis], inputs_));
      }
      for (int64_t i = 0; i < to[axis]; ++i) {
        int64_t at = is_flipped ? from[source] - 1 - i : i + first;
        if (node.op == Op::kExpand && from[source] == 1) at = 0;
        const bool is_inside = at >= 0 && at < from[source];
        tables[axis].push_back(is_inside ? at * strides[source] : -1);
      }
    }
    return tables;
  }

  // Any movement op, on elements of any type; `zero` is what kPad adds.
  template <typename T>
  Result<Tensor<T>> move(const Node& node, const Tensor<T>& source, T zero) const {
    Tensor<T> result;
    BW_ASSIGN(result.dims, dims_of(node.shape));
    if (node.op == Op::kReshape) {
      result.data = source.data;
      return result;
    }
    BW_ASSIGN(const auto tables, movement_tables(node, source.dims, source.strides(), result.dims));
    for_each_position(result.dims, tables, [&](int64_t position) {
      result.data.push_back(position < 0 ? zero : source.data[static_cast<size_t>(position)]);
    });
    return result;
  }

  Result<Values> reduce(const Node& node) {
    const Values& source = input(node, 0);
    Values result;
    BW_ASSIGN(result.dims, dims_of(node.shape));
    result.data.assign(static_cast<size_t>(element_count(result.dims)), reduce_identity(node.op, node.dtype));
    const std::vector<int64_t> strides = result.strides();
    const std::vector<int>& axes = node.attr<AxesAttr>().axes;
    std::vector<std::vector<int64_t>> tables(source.dims.size());
    for (size_t axis = 0; axis < tables.size(); ++axis) {
      const bool is_reduced = std::count(axes.begin(), axes.end(), axis) != 0;
      for (int64_t i = 0; i < source.dims[axis]; ++i) tables[axis].push_back(is_reduced ? 0 : i * strides[axis]);
    }
    size_t next = 0;
    for_each_position(source.dims, tables, [&](int64_t position) {
      Value& sum = result.data[static_cast<size_t>(position)];
      sum = apply_reduce(node.op, node.dtype, sum, source.data[next++]);
    });
    for (Value& total : result.data) total = round_reduction(node.dtype, total, rounding_);
    return result;
  }

  Result<Values> gather(const Node& node) {
    const Values& source = input(node, 0);
    const Values& index = input(node, 1);
    const bool is_unsigned = node.inputs[1]->dtype == DType::kU64;
    Values result;
    BW_ASSIGN(result.dims, dims_of(node.shape));
    const int64_t rows = source.dims[0];
    const auto row_size = static_cast<ptrdiff_t>(source.data.size()) / rows;
    for (const Value& element : index.data) {
      const bool is_beyond = is_unsigned && element.integer < 0;
      const int64_t row = is_beyond ? rows - 1 : std::clamp<int64_t>(element.integer, 0, rows - 1);
      const auto begin = source.data.begin() + row * row_size;
      result.data.insert(result.data.end(), begin, begin + row_size);
    }
    return result;
  }

  // Where the elements of a view lie in the param that it views.
  Result<Tensor<int64_t>> positions_of_view(const Node& view, const Values& base) const {
    std::vector<const Node*> chain;
    const Node* node = &view;
    for (; is_movement(node->op); node = node->inputs[0].get()) chain.push_back(node);
    Tensor<int64_t> positions{base.dims, std::vector<int64_t>(base.data.size())};
    std::iota(positions.data.begin(), positions.data.end(), 0);
    for (size_t i = chain.size(); i-- > 0;) {
      BW_ASSIGN(positions, move<int64_t>(*chain[i], positions, -1));
    }
    return positions;
  }

  Result<Values> store(const Node& node) {
    const Node* param = base_of(node);
    while (param->op != Op::kParam) param = param->inputs[0].get();
    BW_ASSIGN(const std::span<std::byte> memory, param_memory(*param, inputs_));
    Values result = values_.at(base_of(node));
    BW_ASSIGN(const Tensor<int64_t> positions, positions_of_view(*node.inputs[0], result));
    const Values& value = input(node, 1);
    const size_t size = size_bytes(node.dtype);
    for (size_t i = 0; i < positions.data.size(); ++i) {
      const auto position = static_cast<size_t>(positions.data[i]);
      std::byte* element = memory.data() + position * size;
      encode_element(node.dtype, value.data[i], element);
      result.data[position] = decode_element(node.dtype, element);
    }
    return result;
  }

  const EvaluatorInputs& inputs_;
  Rounding rounding_;
  std::unordered_map<const Node*, Values> values_;
  std::unordered_map<const Node*, size_t> uses_;
};

}  // namespace

Result<std::vector<double>> evaluate_graph(const NodePtr& output, const EvaluatorInputs& inputs, Rounding rounding) {
  BW_RETURN_IF_ERROR(verify_graph(std::span(&output, 1)).with_context("evaluating"));
  return GraphEvaluator(inputs, rounding).run(output);
}

}  // namespace bw::ir
