#include "tests/fuzz/graph_fuzz.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <vector>

#include "ir/evaluator.h"
#include "ir/testing/random_graph.h"
#include "tensor/device_executor.h"
#include "tensor/expression/expression.h"
#include "tensor/runtime.h"
#include "tests/fuzz/random_workload.h"

namespace bw::test {
namespace {

using ir::NodePtr;

// An emulated card and what computes on it.
struct Machine {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::shared_ptr<tensor::Runtime> runtime;

  static Result<Machine> create(const GraphFuzzOptions& options) {
    emulator::EmulatedOptions emulated;
    emulated.engine = options.engine;
    emulated.strictness = options.strictness;
    Machine machine;
    BW_ASSIGN(machine.driver, emulator::EmulatedDriver::create(std::move(emulated)));
    tensor::RuntimeOptions runtime;
    runtime.compiler_threads = 2;
    BW_ASSIGN(machine.runtime, tensor::Runtime::create(*machine.driver, runtime));
    return machine;
  }
};

bool is_close(double got, double want, double tolerance) {
  if (got == want || (std::isnan(got) && std::isnan(want))) return true;
  return std::abs(got - want) <= tolerance * (1 + std::abs(want));
}

// Error: the first element that is wrong.
Status compare(const NodePtr& output, size_t number, std::span<const std::byte> raw,
               const ir::testing::RandomInputs& inputs, double tolerance) {
  BW_ASSIGN(const std::vector<double> want, ir::evaluate_graph(output, inputs.inputs(), ir::Rounding::kToDType));
  const std::vector<double> got = ir::decode_elements(output->dtype, raw);
  // Where an extent is symbolic, there is memory for its maximum.
  if (got.size() < want.size()) return error(StatusCode::kDataLoss, "output {}: {} elements", number, got.size());
  for (size_t i = 0; i < want.size(); ++i) {
    if (is_close(got[i], want[i], tolerance)) continue;
    return error(StatusCode::kDataLoss, "output {}, element {}: got {}, expected {}", number, i, got[i], want[i]);
  }
  return Status::ok();
}

Status run_one(Machine& machine, const Workload& workload, uint64_t seed, uint64_t& kernels) {
  BW_ASSIGN(const std::vector<tensor::Tensor> tensors, tensor::parse_expression(machine.runtime, workload.text));
  std::vector<NodePtr> outputs;
  for (const tensor::Tensor& tensor : tensors) outputs.push_back(tensor.node());
  std::vector<NodePtr> params;
  std::vector<NodePtr> variables;
  for (const NodePtr& node : ir::topological_order(outputs)) {
    if (node->op == ir::Op::kParam) params.push_back(node);
    if (node->op == ir::Op::kVariable) variables.push_back(node);
  }
  ir::testing::RandomInputs inputs(params, variables, seed);
  for (const NodePtr& param : params) {
    BW_RETURN_IF_ERROR(
        machine.runtime->buffer_of(param)->write(0, inputs.memory().at(param->attr<ir::ParamAttr>().id)));
  }
  BW_ASSIGN(const std::unique_ptr<tensor::PreparedProgram> program, machine.runtime->prepare(outputs));
  kernels += program->cost().kernel_count;
  BW_RETURN_IF_ERROR(program->run(inputs.inputs().variables));
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::vector<std::byte> raw(static_cast<size_t>(ir::max_element_count(outputs[i]->shape)) *
                               ir::size_bytes(outputs[i]->dtype));
    BW_RETURN_IF_ERROR(program->outputs()[i]->read(0, raw));
    BW_RETURN_IF_ERROR(compare(outputs[i], i, raw, inputs, workload.tolerance));
  }
  return Status::ok();
}

}  // namespace

std::string check_program(const std::string& text, uint64_t seed, double tolerance, const GraphFuzzOptions& options) {
  auto machine = Machine::create(options);
  if (!machine.is_ok()) return machine.status().message();
  uint64_t kernels = 0;
  const Status status = run_one(machine.value(), {"given", text, tolerance}, seed, kernels);
  return status.is_ok() ? "" : status.message() + "\n  " + text;
}

GraphFuzzResult fuzz_graphs(const GraphFuzzOptions& options) {
  GraphFuzzResult result;
  auto machine = Machine::create(options);
  if (!machine.is_ok()) {
    result.failure = machine.status().message();
    return result;
  }
  const auto begin = std::chrono::steady_clock::now();
  const size_t kinds = workload_kinds().size();
  for (uint64_t seed = options.seed; result.programs < options.count; ++seed) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    if (passed.count() >= options.seconds) break;
    const size_t kind = seed % kinds;
    if (!options.only.empty() && options.only != workload_kinds()[kind]) continue;
    const Workload workload = random_workload(seed, kind);
    const Status status = run_one(machine.value(), workload, seed, result.kernels);
    ++result.programs;
    if (status.is_ok()) continue;
    result.failure = fmt::format("seed {}, {}: {}\n  {}", seed, workload.kind, status.message(), workload.text);
    break;
  }
  return result;
}

}  // namespace bw::test
