// Matrix products through LDS tiles on the emulated shader cores, in every form that the cost model knows, against sums
// in double precision. The elements are small integers, so that all sums are exact and results must be equal.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "compiler/cost_model.h"
#include "ir/verifier.h"
#include "tests/compiler/shader_runner.h"

namespace bw::testing {
namespace {

using compiler::Contraction;
using compiler::ContractionForm;
using compiler::ProductUnit;
using ir::DType;
using ir::KernelBuilder;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

enum class Extras : uint8_t {
  kNone,
  kEpilogue,   // relu(sum + bias[n]) + residual[m, n]
  kPrologue,   // the row operand times scale[m], both widened, minus 1 where k is odd
  kTwoSums,    // a * b + a * c: two products that share the row operand
  kTwoDepths,  // the depth as two ranges, the inner one of 3
};

struct Case {
  int64_t m, n, k;
  DType operand = DType::kF32;
  DType output = DType::kF32;
  bool a_transposed = false;  // a is [k, m]
  bool b_transposed = false;  // b is [n, k]
  int64_t batch = 1;
  Extras extras = Extras::kNone;
  bool all_forms = false;  // also of a rarer type
};

DType accumulator_of(DType operand) {
  if (operand == DType::kI8 || operand == DType::kU8) return DType::kI32;
  return operand == DType::kF16 || operand == DType::kBF16 ? DType::kF32 : operand;
}

// Params: 0 the output, 1 a, 2 b, 3 bias or scale or c, 4 the residual.
class Product {
 public:
  explicit Product(const Case& test) : test_(test), accumulator_(accumulator_of(test.operand)) { build(); }

  const ir::Kernel& kernel() const { return kernel_; }

  // Which differ from zero in every place that could be mixed up with another.
  std::vector<double> element_values(size_t param) const {
    const ir::Node& node = *kernel_.params[param];
    const bool positive = node.dtype == DType::kU8;
    std::vector<double> values(static_cast<size_t>(ir::max_element_count(node.shape)));
    uint32_t state = static_cast<uint32_t>(param) * 2654435761u + 12345u;
    for (double& value : values) {
      state = state * 1664525u + 1013904223u;
      const int small = static_cast<int>(state >> 24) % 7;
      value = positive ? small : small - 3;
    }
    return values;
  }

  std::vector<double> expected() const {
    const std::vector<double> a = element_values(1);
    const std::vector<double> b = element_values(2);
    const std::vector<double> third = kernel_.params.size() > 3 ? element_values(3) : std::vector<double>{};
    const std::vector<double> fourth = kernel_.params.size() > 4 ? element_values(4) : std::vector<double>{};
    const auto [m, n, k] = std::tuple{test_.m, test_.n, test_.k};
    std::vector<double> result(static_cast<size_t>(test_.batch * m * n));
    for (int64_t z = 0; z < test_.batch; ++z) {
      for (int64_t y = 0; y < m; ++y) {
        for (int64_t x = 0; x < n; ++x) {
          double sum = 0;
          for (int64_t i = 0; i < k; ++i) {
            double row = a[static_cast<size_t>(z * m * k + (test_.a_transposed ? i * m + y : y * k + i))];
            const auto of_b = static_cast<size_t>(z * n * k + (test_.b_transposed ? x * k + i : i * n + x));
            if (test_.extras == Extras::kPrologue) row = row * third[static_cast<size_t>(y)] - (i % 2);
            sum += row * b[of_b];
            if (test_.extras == Extras::kTwoSums) sum += row * third[of_b];
          }
          const auto at = static_cast<size_t>((z * m + y) * n + x);
          if (test_.extras == Extras::kEpilogue) {
            sum = std::max(sum + third[static_cast<size_t>(x)], 0.0) + fourth[at];
          }
          result[at] = sum;
        }
      }
    }
    return result;
  }

 private:
  void build() {
    const auto [m, n, k] = std::tuple{test_.m, test_.n, test_.k};
    const NodePtr x = b_.range(n, RangeKind::kGlobalX);
    const NodePtr y = b_.range(m, RangeKind::kGlobalY);
    const NodePtr z = test_.batch > 1 ? b_.range(test_.batch, RangeKind::kGlobalZ) : b_.constant(DType::kI32, 0);
    std::vector<NodePtr> depth{b_.range(k, RangeKind::kLoop)};
    NodePtr i = depth[0];
    if (test_.extras == Extras::kTwoDepths) {
      depth = {b_.range(k / 3, RangeKind::kLoop), b_.range(3, RangeKind::kLoop)};
      i = b_.add(b_.mul(depth[0], 3), depth[1]);
    }
    const NodePtr out = param("out", test_.output, {test_.batch, m, n});
    const NodePtr a = param("a", test_.operand, {test_.batch, m, k});
    const NodePtr b = param("b", test_.operand, {test_.batch, n, k});
    const auto at = [&](const NodePtr& array, const NodePtr& outer, const NodePtr& inner, int64_t rows,
                        int64_t columns) {
      const NodePtr index = b_.add(b_.mul(b_.add(b_.mul(z, rows), outer), columns), inner);
      return widened(b_.load(array, index));
    };
    NodePtr row = test_.a_transposed ? at(a, i, y, k, m) : at(a, y, i, m, k);
    const NodePtr column = test_.b_transposed ? at(b, x, i, n, k) : at(b, i, x, k, n);
    if (test_.extras == Extras::kPrologue) row = with_prologue(row, y, i);
    NodePtr value = sum(row, column, depth);
    if (test_.extras == Extras::kTwoSums) {
      const NodePtr c = param("c", test_.operand, {test_.batch, n, k});
      const NodePtr other = test_.b_transposed ? at(c, x, i, n, k) : at(c, i, x, k, n);
      value = b_.op(Op::kAdd, accumulator_, {value, sum(row, other, depth)});
    }
    const NodePtr position = b_.add(b_.mul(b_.add(b_.mul(z, m), y), n), x);
    if (test_.extras == Extras::kEpilogue) value = with_epilogue(value, x, position);
    if (value->dtype != test_.output) value = b_.op(Op::kCast, test_.output, {value});
    kernel_.name = "product";
    kernel_.stores = {b_.store(out, position, value)};
  }

  NodePtr param(const char* name, DType dtype, std::vector<int64_t> shape) {
    kernel_.params.push_back(b_.param(kernel_.params.size(), name, dtype, std::move(shape)));
    return kernel_.params.back();
  }
  NodePtr widened(NodePtr value) {
    return value->dtype == accumulator_ ? value : b_.op(Op::kCast, accumulator_, {std::move(value)});
  }
  NodePtr sum(const NodePtr& row, const NodePtr& column, const std::vector<NodePtr>& depth) {
    std::vector<NodePtr> inputs{b_.op(Op::kMul, accumulator_, {row, column})};
    inputs.insert(inputs.end(), depth.begin(), depth.end());
    return b_.op(Op::kReduceAdd, accumulator_, std::move(inputs));
  }
  NodePtr with_prologue(const NodePtr& row, const NodePtr& y, const NodePtr& i) {
    const NodePtr scale = widened(b_.load(param("scale", test_.operand, {test_.m}), y));
    const NodePtr odd = widened(b_.mod(i, 2));
    const NodePtr minus = b_.op(Op::kMul, accumulator_, {odd, widened(b_.constant(DType::kI32, -1))});
    return b_.op(Op::kAdd, accumulator_, {b_.op(Op::kMul, accumulator_, {row, scale}), minus});
  }
  NodePtr with_epilogue(const NodePtr& value, const NodePtr& x, const NodePtr& position) {
    const NodePtr bias = widened(b_.load(param("bias", DType::kF32, {test_.n}), x));
    const NodePtr residual =
        widened(b_.load(param("residual", DType::kF32, {test_.batch, test_.m, test_.n}), position));
    const NodePtr zero = widened(b_.constant(DType::kI32, 0));
    const NodePtr relu = b_.op(Op::kMax, accumulator_, {b_.op(Op::kAdd, accumulator_, {value, bias}), zero});
    return b_.op(Op::kAdd, accumulator_, {relu, residual});
  }

  const Case test_;
  const DType accumulator_;
  KernelBuilder b_;
  ir::Kernel kernel_;
};

ShaderRunner& runner() {
  static const std::unique_ptr<ShaderRunner> made = ShaderRunner::create(2, emulator::Strictness::kOn).value();
  return *made;
}

void check_form(const Product& product, const ContractionForm& form, const Case& test) {
  SCOPED_TRACE(compiler::print_form(form));
  ir::Kernel kernel = product.kernel();
  kernel.workgroup_size = form.lanes();
  std::map<uint64_t, std::vector<std::byte>> memory;
  ir::EvaluatorInputs inputs;
  for (size_t i = 0; i < kernel.params.size(); ++i) {
    const std::vector<double> values = product.element_values(i);
    memory[i].resize(values.size() * ir::size_bytes(kernel.params[i]->dtype));
    ir::encode_elements(kernel.params[i]->dtype, values, memory[i]);
    inputs.params[i] = memory[i];
  }
  const auto groups = [](int64_t extent, uint32_t block) {
    return static_cast<uint32_t>((extent + block - 1) / block);
  };
  const std::array<uint32_t, 3> grid{groups(test.n, form.block_n), groups(test.m, form.block_m),
                                     static_cast<uint32_t>(test.batch)};
  const Status ran = runner().run(kernel, form, grid, inputs);
  ASSERT_TRUE(ran.is_ok()) << ran.message();
  const std::vector<double> got = ir::decode_elements(test.output, memory[0]);
  const std::vector<double> expected = product.expected();
  for (size_t i = 0; i < got.size(); ++i) {
    const auto n = static_cast<size_t>(test.n);
    ASSERT_EQ(got[i], expected[i]) << "at row " << i / n << ", column " << i % n;
  }
}

// In every form; of the rarer types in the best two, unless the case asks for all.
void check(const Case& test) {
  const Product product(test);
  const Status verified = ir::verify_kernel(product.kernel());
  ASSERT_TRUE(verified.is_ok()) << verified.message();
  const std::optional<Contraction> contraction = compiler::match_contraction(product.kernel());
  ASSERT_TRUE(contraction.has_value());
  std::vector<ContractionForm> forms = compiler::candidate_forms(*contraction);
  ASSERT_FALSE(forms.empty());
  const bool frequent = test.operand == DType::kF32 || test.operand == DType::kF16;
  if (!frequent && !test.all_forms) forms.resize(std::min<size_t>(forms.size(), 2));
  for (const ContractionForm& form : forms) {
    check_form(product, form, test);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Contraction, ShapesThatDivideAndShapesThatDoNot) {
  const int64_t shapes[][3] = {{128, 128, 64}, {16, 16, 16}, {17, 16, 1}, {31, 67, 15}, {130, 70, 50}};
  for (const auto& [m, n, k] : shapes) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", m, n, k));
    check({.m = m, .n = n, .k = k});
    check({.m = m, .n = n, .k = k, .operand = DType::kF16});
  }
}

// The last block of rows, or columns, begins early enough to end with the output: elements of two blocks are stored
// once. 384 x 128 is what a workgroup computes that loads each step at once.
TEST(Contraction, LastBlocksOverlapThoseBefore) {
  const auto check_at_once = [](const Case& test) {
    const Product product(test);
    for (const ContractionForm& form : compiler::candidate_forms(*compiler::match_contraction(product.kernel()))) {
      if (form.loads == ContractionForm::Loads::kAtOnce) check_form(product, form, test);
    }
  };
  for (const Extras extras : {Extras::kNone, Extras::kEpilogue}) {
    for (const bool b_transposed : {false, true}) {
      SCOPED_TRACE(fmt::format("{}, {}", static_cast<int>(extras), b_transposed ? "NT" : "NN"));
      check_at_once(
          {.m = 784, .n = 272, .k = 256, .operand = DType::kF16, .b_transposed = b_transposed, .extras = extras});
    }
  }
  check_at_once({.m = 784, .n = 272, .k = 512, .operand = DType::kI8, .output = DType::kI32});
  check({.m = 400, .n = 144, .k = 64, .operand = DType::kF16});
  check({.m = 400, .n = 144, .k = 64, .operand = DType::kF16, .a_transposed = true});
  check({.m = 144, .n = 80, .k = 16});
}

TEST(Contraction, LoadsAtOnceOnlyWhatNeedsNoGuardsAndNoComputing) {
  const auto has_such = [](const Case& test) {
    const Product product(test);
    return std::ranges::any_of(
        compiler::candidate_forms(*compiler::match_contraction(product.kernel())),
        [](const ContractionForm& form) { return form.loads == ContractionForm::Loads::kAtOnce; });
  };
  EXPECT_TRUE(has_such({.m = 784, .n = 272, .k = 256, .operand = DType::kF16}));
  EXPECT_FALSE(has_such({.m = 752, .n = 272, .k = 256, .operand = DType::kF16}));  // two blocks
  EXPECT_FALSE(has_such({.m = 784, .n = 272, .k = 272, .operand = DType::kF16}));  // no multiple of a step
  EXPECT_FALSE(has_such({.m = 784, .n = 272, .k = 64, .operand = DType::kF16}));   // few steps
  EXPECT_FALSE(has_such({.m = 785, .n = 272, .k = 256, .operand = DType::kF16}));
  EXPECT_FALSE(has_such({.m = 784, .n = 272, .k = 256, .operand = DType::kF16, .extras = Extras::kPrologue}));
}

TEST(Contraction, AllLayoutsAndTypes) {
  for (const DType operand : {DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kF64}) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        SCOPED_TRACE(fmt::format("{} {}{}", ir::name(operand), a_transposed ? "T" : "N", b_transposed ? "T" : "N"));
        const DType output = accumulator_of(operand);
        check({.m = 64,
               .n = 32,
               .k = 64,
               .operand = operand,
               .output = output,
               .a_transposed = a_transposed,
               .b_transposed = b_transposed});
        if (a_transposed || !b_transposed) continue;
        check({.m = 29,
               .n = 21,
               .k = 41,
               .operand = operand,
               .output = output,
               .a_transposed = a_transposed,
               .b_transposed = b_transposed});
      }
    }
  }
}

// Waves of 16, 32 and 64 columns load 1, 2 and 4 neighbours; a depth or side that no word divides, bytes one by one.
TEST(Contraction, BytesAreTransposedOnTheirWayIntoLds) {
  for (const DType operand : {DType::kI8, DType::kU8}) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{128, 128, 128}, {128, 132, 68}, {65, 66, 66}}) {
      SCOPED_TRACE(fmt::format("{} {} x {} x {}", ir::name(operand), m, n, k));
      for (const bool a_transposed : {false, true}) {
        check({.m = m,
               .n = n,
               .k = k,
               .operand = operand,
               .output = DType::kI32,
               .a_transposed = a_transposed,
               .all_forms = true});
      }
    }
  }
}

TEST(Contraction, ShortFloatsAreStoredRounded) {
  check({.m = 64, .n = 64, .k = 40, .operand = DType::kF16, .output = DType::kF16, .b_transposed = true});
  check({.m = 33, .n = 47, .k = 40, .operand = DType::kF16, .output = DType::kF16});
}

TEST(Contraction, EpilogueSeesTheElementsPlace) {
  for (const DType operand : {DType::kF32, DType::kF16}) {
    check(
        {.m = 64, .n = 64, .k = 32, .operand = operand, .b_transposed = true, .batch = 3, .extras = Extras::kEpilogue});
    check({.m = 33, .n = 47, .k = 20, .operand = operand, .batch = 2, .extras = Extras::kEpilogue});
  }
}

TEST(Contraction, PrologueIsComputedWhileStaging) {
  for (const DType operand : {DType::kF32, DType::kF16}) {
    check({.m = 64, .n = 64, .k = 48, .operand = operand, .b_transposed = true, .extras = Extras::kPrologue});
    check({.m = 33, .n = 47, .k = 21, .operand = operand, .batch = 2, .extras = Extras::kPrologue});
  }
}

TEST(Contraction, SumsThatShareAnOperandAreOneLoop) {
  for (const DType operand : {DType::kF32, DType::kF16}) {
    check({.m = 64, .n = 64, .k = 48, .operand = operand, .b_transposed = true, .extras = Extras::kTwoSums});
    check({.m = 33, .n = 47, .k = 21, .operand = operand, .extras = Extras::kTwoSums});
  }
}

TEST(Contraction, SeveralRangesAreOneDepth) {
  for (const DType operand : {DType::kF32, DType::kF16}) {
    check({.m = 32, .n = 64, .k = 96, .operand = operand, .b_transposed = true, .extras = Extras::kTwoDepths});
    check({.m = 33, .n = 47, .k = 21, .operand = operand, .extras = Extras::kTwoDepths});
  }
}

}  // namespace
}  // namespace bw::testing
