#include "compiler/schedule_testing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>

#include "base/check.h"
#include "ir/text.h"

namespace bw::compiler::testing {
namespace {

using ir::DType;
using ir::NodePtr;
using ir::Op;
using ir::Shape;

using Bytes = std::vector<std::byte>;

// A pattern that is a NaN, or a large number, in all floating-point types.
constexpr std::byte kPoison{0xff};

Value made(ir::Builder* builder, Result<NodePtr> node) {
  if (!node.is_ok()) ADD_FAILURE() << node.status().message();
  BW_CHECK(node.is_ok());
  return {builder, std::move(node).value()};
}

// Both with the axes of the other that they lack or have as 1.
std::pair<Value, Value> broadcast(const Value& x, const Value& y) {
  Shape a = x.node->shape;
  Shape b = y.node->shape;
  while (a.size() < b.size()) a.insert(a.begin(), 1);
  while (b.size() < a.size()) b.insert(b.begin(), 1);
  Shape both = a;
  for (size_t i = 0; i < a.size(); ++i) both[i] = a[i] == ir::Dim(1) ? b[i] : a[i];
  return {x.reshape(a).expand(both), y.reshape(b).expand(both)};
}

int64_t extent_now(const ir::Dim& dim, const Variables& variables) {
  return dim.offset + (dim.is_static() ? 0 : variables.at(dim.variable->attr<ir::VariableAttr>().name));
}

// Elements of a buffer that is laid out for the largest extents, in the order of the present ones.
std::vector<double> present_elements(const std::vector<double>& all, const Shape& shape, const Variables& variables) {
  std::vector<size_t> positions{0};
  for (const ir::Dim& dim : shape) {
    std::vector<size_t> next;
    for (size_t position : positions) {
      for (int64_t i = 0; i < extent_now(dim, variables); ++i) next.push_back(position * dim.max() + i);
    }
    positions = std::move(next);
  }
  std::vector<double> result;
  for (size_t position : positions) result.push_back(all.at(position));
  return result;
}

std::map<uint64_t, std::span<std::byte>> spans(std::map<uint64_t, Bytes>& memory) {
  std::map<uint64_t, std::span<std::byte>> result;
  for (auto& [id, bytes] : memory) result[id] = bytes;
  return result;
}

// What a failure shows.
std::string programs(const std::vector<NodePtr>& outputs, const Schedule& schedule) {
  return (ir::print_graph(outputs) + "\n" + print_schedule(schedule)).substr(0, 20000);
}

// The first element that differs, if any.
std::optional<size_t> find_difference(const std::vector<double>& actual, const std::vector<double>& expected,
                                      double tolerance) {
  for (size_t i = 0; i < actual.size(); ++i) {
    const bool same = actual[i] == expected[i] || (std::isnan(actual[i]) && std::isnan(expected[i])) ||
                      std::abs(actual[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i]));
    if (!same) return i;
  }
  return std::nullopt;
}

void run_part(const Schedule& schedule, const ScheduledKernel& scheduled, const KernelPart& part,
              std::map<uint64_t, Bytes>& params, std::vector<Bytes>& temporaries, const Variables& variables,
              const KernelRunner& run_kernel) {
  ASSERT_EQ(part.arguments.size(), part.kernel.params.size());
  ir::EvaluatorInputs inputs;
  for (size_t i = 0; i < part.arguments.size(); ++i) {
    const size_t index = scheduled.launch.buffers.at(part.arguments[i]);
    const BufferPlan& buffer = schedule.buffers[index];
    Bytes& bytes = buffer.kind == BufferKind::kParam ? params.at(buffer.param_id) : temporaries[index];
    const ir::Node& param = *part.kernel.params[i];
    const size_t wanted = ir::max_element_count(param.shape) * ir::size_bytes(param.dtype);
    ASSERT_LE(wanted, bytes.size());
    inputs.params[i] = std::span(bytes).first(wanted);
  }
  for (const NodePtr& variable : part.kernel.variables) {
    const std::string& name = variable->attr<ir::VariableAttr>().name;
    inputs.variables[name] = variables.at(name);
  }
  const Status status = run_kernel(part, inputs);
  ASSERT_TRUE(status.is_ok()) << status.message() << "\n" << print_schedule(schedule).substr(0, 20000);
}

void run(const Schedule& schedule, std::map<uint64_t, Bytes>& params, std::vector<Bytes>& temporaries,
         const Variables& variables, const KernelRunner& run_kernel) {
  temporaries.resize(schedule.buffers.size());
  for (size_t i = 0; i < schedule.buffers.size(); ++i) {
    const BufferPlan& buffer = schedule.buffers[i];
    if (buffer.kind == BufferKind::kTemporary) temporaries[i].assign(buffer.size_bytes, kPoison);
  }
  for (const ScheduledKernel& scheduled : schedule.kernels) {
    // Parts have no order: the last one first, unlike the order in which they were found.
    for (size_t part = scheduled.parts.size(); part-- > 0;) {
      run_part(schedule, scheduled, scheduled.parts[part], params, temporaries, variables, run_kernel);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

void check_outputs(const std::vector<NodePtr>& outputs, const std::map<uint64_t, Bytes>& memory,
                   const Schedule& schedule, const Variables& variables, double tolerance,
                   const KernelRunner& run_kernel) {
  std::map<uint64_t, Bytes> params = memory;
  std::vector<Bytes> temporaries;
  run(schedule, params, temporaries, variables, run_kernel);
  if (::testing::Test::HasFatalFailure()) return;
  ASSERT_EQ(schedule.outputs.size(), outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::map<uint64_t, Bytes> fresh = memory;
    const ir::Node& node = *outputs[i];
    const auto expected = ir::evaluate_graph(outputs[i], {spans(fresh), variables}, ir::Rounding::kToDType);
    ASSERT_TRUE(expected.is_ok()) << expected.status().message();
    const BufferPlan& buffer = schedule.buffers[schedule.outputs[i]];
    const Bytes& bytes =
        buffer.kind == BufferKind::kParam ? params.at(buffer.param_id) : temporaries[schedule.outputs[i]];
    const std::vector<double> actual = present_elements(ir::decode_elements(node.dtype, bytes), node.shape, variables);
    ASSERT_EQ(actual.size(), expected.value().size()) << "output " << i;
    const auto wrong = find_difference(actual, expected.value(), tolerance);
    ASSERT_FALSE(wrong.has_value()) << "output " << i << ", element " << *wrong << ": " << actual[*wrong]
                                    << " instead of " << expected.value()[*wrong] << "\n"
                                    << programs(outputs, schedule);
  }
}

}  // namespace

Status evaluate_kernel(const KernelPart& part, const ir::EvaluatorInputs& inputs) {
  return ir::evaluate_kernel(part.kernel, inputs, ir::Rounding::kToDType);
}

Value Value::reshape(Shape shape) const {
  return made(builder, builder->reshape(node, std::move(shape)));
}
Value Value::permute(std::vector<int> axes) const {
  return made(builder, builder->permute(node, std::move(axes)));
}
Value Value::expand(Shape shape) const {
  return made(builder, builder->expand(node, std::move(shape)));
}
Value Value::pad(std::vector<int64_t> before, std::vector<int64_t> after) const {
  return made(builder, builder->pad(node, std::move(before), std::move(after)));
}
Value Value::shrink(std::vector<ir::Dim> begin, std::vector<ir::Dim> end) const {
  return made(builder, builder->shrink(node, std::move(begin), std::move(end)));
}
Value Value::flip(std::vector<int> axes) const {
  return made(builder, builder->flip(node, std::move(axes)));
}
Value Value::reduce(Op op, std::vector<int> axes) const {
  return made(builder, builder->reduce(op, node, std::move(axes)));
}
Value Value::unary(Op op) const {
  return made(builder, builder->unary(op, node));
}
Value Value::cast(DType dtype) const {
  return made(builder, builder->cast(node, dtype));
}
Value Value::bitcast(DType dtype) const {
  return made(builder, builder->bitcast(node, dtype));
}
Value Value::gather(const Value& index) const {
  return made(builder, builder->gather(node, index.node));
}
Value Value::store(const Value& value) const {
  return made(builder, builder->store(node, value.node));
}
Value Value::contiguous() const {
  return made(builder, builder->contiguous(node));
}
Value Value::number(double value) const {
  if (ir::is_float(node->dtype)) return made(builder, builder->constant(node->dtype, value));
  return made(builder, builder->constant(node->dtype, static_cast<int64_t>(value)));
}

Value Value::sigmoid() const {
  const Value power = (*this * number(-1.4426950408889634)).unary(Op::kExp2);
  return (power + number(1)).unary(Op::kRecip);
}
Value Value::silu() const {
  return *this * sigmoid();
}

Value Value::linear(const Value& weight) const {
  Shape rows = node->shape;
  rows.insert(rows.end() - 1, 1);
  const Value products = reshape(rows) * weight;
  const int last = static_cast<int>(rows.size()) - 1;
  Shape result = node->shape;
  result.back() = weight.node->shape[0];
  return products.sum({last}).reshape(result);
}

Value binary(Op op, const Value& x, const Value& y) {
  const auto [a, b] = broadcast(x, y);
  return made(x.builder, x.builder->binary(op, a.node, b.node));
}
Value operator+(const Value& x, const Value& y) {
  return binary(Op::kAdd, x, y);
}
Value operator-(const Value& x, const Value& y) {
  return x + y * y.number(-1);
}
Value operator*(const Value& x, const Value& y) {
  return binary(Op::kMul, x, y);
}
Value select(const Value& condition, const Value& x, const Value& y) {
  const auto [a, b] = broadcast(x, y);
  return made(x.builder, x.builder->where(broadcast(condition, a).first.node, a.node, b.node));
}

Value Inputs::param(DType dtype, std::vector<int64_t> shape) {
  const uint64_t id = seed_++;
  const Value value = made(&builder_, builder_.param(id, fmt::format("p{}", id), dtype, std::move(shape)));
  std::mt19937_64 random(id);
  std::vector<double> elements(ir::max_element_count(value.node->shape));
  const bool real = ir::is_float(dtype);
  const double low = real ? -1 : static_cast<double>(std::max<int64_t>(ir::min_integer(dtype), -1000));
  const double high = real ? 1 : static_cast<double>(std::min<int64_t>(ir::max_integer(dtype), 1000));
  for (double& element : elements) {
    element = low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
    if (!real) element = std::round(element);
  }
  Bytes& bytes = params_[id];
  bytes.resize(elements.size() * ir::size_bytes(dtype));
  ir::encode_elements(dtype, elements, bytes);
  return value;
}

Value Inputs::variable(std::string name, int64_t min, int64_t max) {
  return made(&builder_, builder_.variable(std::move(name), min, max));
}
Value Inputs::range(ir::Dim extent) {
  return made(&builder_, builder_.range(std::move(extent)));
}
Value Inputs::constant(DType dtype, double value) {
  if (ir::is_float(dtype)) return made(&builder_, builder_.constant(dtype, value));
  return made(&builder_, builder_.constant(dtype, static_cast<int64_t>(value)));
}

size_t check_schedule(const std::vector<NodePtr>& outputs, const std::map<uint64_t, Bytes>& memory,
                      const Variables& variables, double tolerance, const KernelRunner& run_kernel) {
  const Result<Schedule> result = schedule(outputs);
  if (!result.is_ok()) {
    ADD_FAILURE() << result.status().message();
    return 0;
  }
  check_outputs(outputs, memory, result.value(), variables, tolerance, run_kernel);
  return result.value().kernels.size();
}

size_t check_schedule(Inputs& inputs, const std::vector<Value>& outputs, const Variables& variables, double tolerance,
                      const KernelRunner& run_kernel) {
  std::vector<NodePtr> nodes;
  for (const Value& output : outputs) nodes.push_back(output.node);
  return check_schedule(nodes, inputs.params(), variables, tolerance, run_kernel);
}

size_t check_others(Inputs& inputs, const std::vector<Value>& outputs, size_t count, double tolerance,
                    const KernelRunner& run_kernel) {
  std::vector<NodePtr> nodes;
  for (const Value& output : outputs) nodes.push_back(output.node);
  const Result<Schedule> result = schedule(nodes, {.others = count});
  if (!result.is_ok()) {
    ADD_FAILURE() << result.status().message();
    return 0;
  }
  size_t checked = 0;
  for (size_t kernel = 0; kernel < result.value().kernels.size(); ++kernel) {
    const ScheduledKernel& scheduled = result.value().kernels[kernel];
    for (size_t part = 0; part < scheduled.parts.size(); ++part) {
      for (const KernelPart& other : scheduled.others[part]) {
        Schedule changed = result.value();
        changed.kernels[kernel].parts[part] = other;
        check_outputs(nodes, inputs.params(), changed, {}, tolerance, run_kernel);
        if (::testing::Test::HasFatalFailure()) return checked;
        ++checked;
      }
    }
  }
  return checked;
}

}  // namespace bw::compiler::testing
