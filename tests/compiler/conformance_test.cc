// Compiled kernels on the emulated shader cores against the evaluation of the same kernels on the host.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "compiler/testing/sample_kernels.h"
#include "ir/text.h"
#include "tests/compiler/edge_values.h"
#include "tests/compiler/shader_runner.h"

namespace bw::testing {
namespace {

using compiler::testing::ElementwiseCase;
using ir::DType;
using ir::Op;

using Buffers = std::map<uint64_t, std::vector<std::byte>>;

ir::EvaluatorInputs inputs_of(Buffers& buffers, std::map<std::string, int64_t> variables = {}) {
  ir::EvaluatorInputs inputs{.params = {}, .variables = std::move(variables)};
  for (auto& [id, bytes] : buffers) inputs.params[id] = bytes;
  return inputs;
}

// Strict, so that each kernel is also seen to wait for its loads and to keep clear of hazards.
ShaderRunner& runner() {
  static const std::unique_ptr<ShaderRunner> made = ShaderRunner::create(2, emulator::Strictness::kOn).value();
  return *made;
}

// Runs a kernel both ways.
Status run_both(const ir::Kernel& kernel, Buffers& on_card, Buffers& on_host,
                const std::map<std::string, int64_t>& variables = {}) {
  const Status evaluated = ir::evaluate_kernel(kernel, inputs_of(on_host, variables), ir::Rounding::kToDType);
  BW_RETURN_IF_ERROR(Status(evaluated).with_context("evaluator"));
  return runner().run(kernel, inputs_of(on_card, variables));
}

// Runs both ways and compares param 0; returns what is wrong, "" if nothing.
std::string run_and_compare(const ir::Kernel& kernel, const Buffers& buffers, double ulp,
                            const std::map<std::string, int64_t>& variables = {}) {
  Buffers on_card = buffers;
  Buffers on_host = buffers;
  const Status ran = run_both(kernel, on_card, on_host, variables);
  if (!ran.is_ok()) return ran.message();
  for (const auto& [id, bytes] : on_host) {
    const std::string different = compare_elements(kernel.params[id]->dtype, on_card.at(id), bytes, ulp);
    if (!different.empty()) return fmt::format("param {}: {}", id, different);
  }
  return "";
}

bool is_transcendental(Op op) {
  return op == Op::kExp2 || op == Op::kLog2 || op == Op::kSin || op == Op::kSqrt || op == Op::kRecip;
}

// What compiler/lower_llvm.h promises.
double allowed_ulp(const ElementwiseCase& test) {
  if (is_transcendental(test.op)) return test.output == DType::kF32 ? 2 : 1;
  // The evaluator's fused multiply-add, and its casts by way of double, may round twice.
  if (test.op == Op::kMulAcc && ir::is_float(test.output)) return 1;
  return test.op == Op::kCast && ir::is_float(test.output) && ir::size_bytes(test.inputs[0]) == 8 ? 1 : 0;
}

// All pairs of edge values first, then a mixture.
Buffers elementwise_buffers(const ElementwiseCase& test, size_t& count) {
  std::mt19937_64 random(20240607);
  std::vector<std::vector<std::byte>> edges;
  for (const DType dtype : test.inputs) edges.push_back(edge_elements(dtype));
  const auto edge_count = [&](size_t i) { return edges[i].size() / ir::size_bytes(test.inputs[i]); };
  const size_t pairs = edges.size() == 2 ? edge_count(0) * edge_count(1) : edge_count(edges.size() - 1);
  count = pairs + 1500;
  Buffers buffers;
  buffers[0].resize(count * ir::size_bytes(test.output));
  size_t stride = 1;
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const size_t size = ir::size_bytes(test.inputs[i]);
    std::vector<std::byte> bytes = mixed_elements(test.inputs[i], count, random);
    for (size_t k = 0; k < pairs && edges.size() <= 2; ++k) {
      std::memcpy(bytes.data() + k * size, edges[i].data() + k / stride % edge_count(i) * size, size);
    }
    stride *= edge_count(i);
    buffers[i + 1] = std::move(bytes);
  }
  return buffers;
}

// Keeps to arguments for which there is one result to compare with.
void restrict_arguments(const ElementwiseCase& test, Buffers& buffers) {
  const DType dtype = test.inputs[0];
  std::vector<double> x = ir::decode_elements(dtype, buffers[1]);
  for (double& value : x) {
    if (!std::isfinite(value)) continue;
    // Beyond, the sine is only promised to be a number within [-1, 1].
    if (test.op == Op::kSin && std::abs(value) > 0x1p50) value = 1;
  }
  // The evaluator works on numbers, so that a signalling NaN may leave it quiet.
  const bool moves_nans = test.op == Op::kBitcast && ir::is_float(dtype);
  if (test.op == Op::kSin || moves_nans) ir::encode_elements(dtype, x, buffers[1]);
}

std::set<std::string> check_elementwise(Op op) {
  std::set<std::string> problems;
  for (const ElementwiseCase& test : compiler::testing::all_elementwise_cases()) {
    if (test.op != op || (is_transcendental(op) && test.output == DType::kF64 && op != Op::kSqrt && op != Op::kRecip))
      continue;
    size_t count = 0;
    Buffers buffers = elementwise_buffers(test, count);
    restrict_arguments(test, buffers);
    const ir::Kernel kernel =
        compiler::testing::elementwise_kernel(test.op, test.inputs, test.output, static_cast<int64_t>(count));
    const std::string problem = run_and_compare(kernel, buffers, allowed_ulp(test));
    if (!problem.empty()) problems.insert(test.name + ": " + problem);
  }
  return problems;
}

class ElementwiseConformance : public ::testing::TestWithParam<Op> {};

TEST_P(ElementwiseConformance, AgreesWithTheEvaluatorOnEveryDtype) {
  for (const std::string& problem : check_elementwise(GetParam())) ADD_FAILURE() << problem;
}

std::vector<Op> elementwise_ops() {
  std::vector<Op> ops;
  for (int i = 0; i < ir::kOpCount; ++i) {
    if (ir::is_elementwise(static_cast<Op>(i))) ops.push_back(static_cast<Op>(i));
  }
  return ops;
}

INSTANTIATE_TEST_SUITE_P(AllOps, ElementwiseConformance, ::testing::ValuesIn(elementwise_ops()),
                         [](const auto& op) { return std::string(ir::name(op.param)); });

TEST(ReductionConformance, EveryDtypeForEachSizeOfWorkgroup) {
  std::mt19937_64 random(7);
  for (const Op op : {Op::kReduceAdd, Op::kReduceMul, Op::kReduceMax}) {
    for (int i = 0; i < ir::kDTypeCount; ++i) {
      const DType dtype = static_cast<DType>(i);
      if (dtype == DType::kBool) continue;
      for (const uint32_t lanes : {1u, 2u, 8u, 16u, 32u, 64u, 1024u}) {
        constexpr size_t kRows = 3;
        constexpr size_t kColumns = 1024;
        Buffers buffers;
        buffers[0].resize(kRows * ir::size_bytes(dtype));
        buffers[1] = moderate_elements(dtype, kRows * kColumns, random);
        const ir::Kernel kernel = compiler::testing::reduce_kernel(op, dtype, kRows, kColumns, lanes);
        // A sum's error grows with what it adds up, not with its result.
        const bool exact = op == Op::kReduceMax || !ir::is_float(dtype);
        if (op == Op::kReduceMul && ir::is_float(dtype)) buffers[1].assign(buffers[1].size(), std::byte{0});
        const double ulp = exact ? 0 : dtype == DType::kF64 ? 1e6 : dtype == DType::kF32 ? 4096 : 4096;
        EXPECT_EQ(run_and_compare(kernel, buffers, ulp), "") << ir::name(op) << " " << ir::name(dtype) << " " << lanes;
      }
    }
  }
}

TEST(LoopConformance, SymbolicTripCountsFromZeroOn) {
  std::mt19937_64 random(8);
  for (const int64_t n : {0, 1, 3, 4, 5, 8, 511, 512}) {
    Buffers buffers;
    buffers[0].resize(4);
    buffers[1] = moderate_elements(DType::kF32, 512, random);
    EXPECT_EQ(run_and_compare(compiler::testing::symbolic_sum_kernel(512), buffers, 64, {{"n", n}}), "") << n;
  }
}

// The product of the matrices 1 and 2. A sum of n terms that are not all positive may be far smaller than they are, so
// its error is bounded by them: n roundings of fused multiply-adds on the card, those of the product and of the sum in
// the evaluator, 2^-24 each, of the sum of the terms' magnitudes (Higham, Accuracy and Stability of Numerical
// Algorithms, 3.1; terms of second order are below 2^-24 of that).
std::string multiply_and_compare(int64_t size, const Buffers& buffers) {
  Buffers on_card = buffers;
  Buffers on_host = buffers;
  const Status ran = run_both(compiler::testing::matmul_kernel(size), on_card, on_host);
  if (!ran.is_ok()) return ran.message();
  const std::vector<double> a = ir::decode_elements(DType::kF32, buffers.at(1));
  const std::vector<double> b = ir::decode_elements(DType::kF32, buffers.at(2));
  const std::vector<double> got = ir::decode_elements(DType::kF32, on_card.at(0));
  const std::vector<double> want = ir::decode_elements(DType::kF32, on_host.at(0));
  for (int64_t i = 0; i < size * size; ++i) {
    double magnitude = 0;
    for (int64_t k = 0; k < size; ++k) magnitude += std::abs(a[i / size * size + k] * b[k * size + i % size]);
    const double bound = static_cast<double>(size + 3) * 0x1p-24 * magnitude;
    if (!(std::abs(got[i] - want[i]) <= bound)) {
      return fmt::format("element {}: {}, expected {} within {}", i, got[i], want[i], bound);
    }
  }
  return "";
}

TEST(LoopConformance, MatmulAndSoftmax) {
  std::mt19937_64 random(9);
  for (const int64_t size : {1, 2, 7, 16, 65}) {
    const auto count = static_cast<size_t>(size * size);
    Buffers buffers;
    buffers[0].resize(count * 4);
    for (const uint64_t id : {1, 2}) buffers[id] = moderate_elements(DType::kF32, count, random);
    EXPECT_EQ(multiply_and_compare(size, buffers), "") << size;
    buffers.erase(2);
    EXPECT_EQ(run_and_compare(compiler::testing::softmax_kernel(size, size), buffers, 16), "") << size;
  }
}

// Groups of all sizes, with groups to spare in the last workgroup.
TEST(LoopConformance, RowsDealtOutToGroupsOfLanes) {
  std::mt19937_64 random(11);
  for (const uint32_t lanes : {1u, 2u, 4u, 16u, 32u, 64u, 128u, 1024u}) {
    for (const uint32_t groups : {1u, 2u, 3u, 8u}) {
      if (lanes * groups > 1024) continue;
      constexpr int64_t kRows = 5;
      const int64_t columns = lanes * (lanes > 64 ? 4 : 3);
      const auto count = static_cast<size_t>(kRows * columns);
      Buffers buffers;
      buffers[0].resize(count * 4);
      buffers[1] = moderate_elements(DType::kF32, count, random);
      const auto kernel = compiler::testing::row_softmax_kernel(kRows, columns, lanes, lanes * groups);
      EXPECT_EQ(run_and_compare(kernel, buffers, 64), "") << lanes << " lanes, " << groups << " groups";
    }
  }
}

TEST(LoopConformance, SurplusWorkItemsTouchNothing) {
  std::mt19937_64 random(10);
  for (const int64_t count : {1, 31, 32, 33, 63, 64, 65, 1000}) {
    Buffers buffers;
    buffers[0].resize(static_cast<size_t>(count) * 4);
    buffers[1] = moderate_elements(DType::kF32, static_cast<size_t>(count), random);
    EXPECT_EQ(run_and_compare(compiler::testing::scale_kernel(count, 64), buffers, 0), "") << count;
  }
}

}  // namespace
}  // namespace bw::testing
