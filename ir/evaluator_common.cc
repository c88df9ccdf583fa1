#include "ir/evaluator_common.h"

#include <array>

#include "ir/scalar_ops.h"
#include "ir/text.h"

namespace bw::ir {

Result<int64_t> variable_value(const Node& variable, const EvaluatorInputs& inputs) {
  const auto& attr = variable.attr<VariableAttr>();
  const auto it = inputs.variables.find(attr.name);
  if (it == inputs.variables.end()) {
    return error(StatusCode::kInvalidArgument, "evaluating: the variable '{}' has no value", attr.name);
  }
  if (it->second < attr.min || it->second > attr.max) {
    return error(StatusCode::kInvalidArgument, "evaluating: {} is not a value of the variable '{}' ({}..{})",
                 it->second, attr.name, attr.min, attr.max);
  }
  return it->second;
}

Result<int64_t> dim_value(const Dim& dim, const EvaluatorInputs& inputs) {
  if (dim.is_static()) return dim.offset;
  BW_ASSIGN(const int64_t value, variable_value(*dim.variable, inputs));
  return value + dim.offset;
}

Result<std::span<std::byte>> param_memory(const Node& param, const EvaluatorInputs& inputs) {
  const auto it = inputs.params.find(param.attr<ParamAttr>().id);
  if (it == inputs.params.end()) {
    return error(StatusCode::kInvalidArgument, "evaluating: {} has no memory", print_node(param));
  }
  const auto needed = static_cast<uint64_t>(max_element_count(param.shape)) * size_bytes(param.dtype);
  if (it->second.size() < needed) {
    return error(StatusCode::kInvalidArgument, "evaluating: {} has {} bytes of memory, but needs {}", print_node(param),
                 it->second.size(), needed);
  }
  return it->second.first(needed);
}

std::vector<double> decode_elements(DType dtype, std::span<const std::byte> raw) {
  const size_t size = size_bytes(dtype);
  std::vector<double> values;
  values.reserve(raw.size() / size);
  for (size_t at = 0; at + size <= raw.size(); at += size) {
    const std::array<Value, 1> element = {decode_element(dtype, raw.data() + at)};
    values.push_back(apply_elementwise(Op::kCast, dtype, DType::kF64, element, Rounding::kDouble).real);
  }
  return values;
}

void encode_elements(DType dtype, std::span<const double> values, std::span<std::byte> raw) {
  const size_t size = size_bytes(dtype);
  for (size_t i = 0; i < values.size() && (i + 1) * size <= raw.size(); ++i) {
    const std::array<Value, 1> real = {Value{0, values[i]}};
    const Value element = apply_elementwise(Op::kCast, DType::kF64, dtype, real, Rounding::kToDType);
    encode_element(dtype, element, raw.data() + i * size);
  }
}

}  // namespace bw::ir
