#include "ir/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/builder.h"
#include "ir/testing/random_graph.h"
#include "ir/testing/random_kernel.h"
#include "ir/testing/random_source.h"
#include "ir/verifier.h"

namespace bw::ir {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGraph = R"(graph {
  %0 = param f32 [4, 8] id=7 "x"
  %1 = reduce_add f32 [4, 1] (%0) axes=[1]
  return %1
}
)";

constexpr const char* kKernel = R"(kernel sum workgroup=32 {
  %0 = param f32 [4] id=0 "out"
  %1 = param f32 [4, 8] id=1 "x"
  %2 = variable i32 min=0 max=7 "pos"
  %3 = range i32 extent=4 id=1 global_x
  %4 = const i32 value=8
  %5 = mul i32 (%3, %4)
  %6 = range i32 extent=%2+1 id=2 loop
  %7 = add i32 (%5, %6)
  %8 = load f32 (%1, %7)
  %9 = reduce_add f32 (%8, %6)
  store (%0, %3, %9)
}
)";

std::string graph_error(std::string_view text) {
  Result<std::vector<NodePtr>> parsed = parse_graph(text);
  return parsed.is_ok() ? "parsed" : parsed.status().message();
}

std::string kernel_error(std::string_view text) {
  Result<Kernel> parsed = parse_kernel(text);
  return parsed.is_ok() ? "parsed" : parsed.status().message();
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Text, GraphsRoundTrip) {
  EXPECT_EQ(print_graph(parse_graph(kGraph).value()), kGraph);
}

TEST(Text, KernelsRoundTrip) {
  EXPECT_EQ(print_kernel(parse_kernel(kKernel).value()), kKernel);
}

TEST(Text, ConstantsAreExact) {
  Builder builder;
  std::vector<NodePtr> outputs;
  for (double value : {0.1, -0.0, 0x1p-1074, std::numeric_limits<double>::max(), std::nan(""),
                       -std::numeric_limits<double>::infinity()}) {
    outputs.push_back(builder.constant(DType::kF64, value).value());
  }
  for (int64_t value : {INT64_MIN, INT64_MAX, int64_t{-1}}) {
    outputs.push_back(builder.constant(DType::kI64, value).value());
    outputs.push_back(builder.constant(DType::kU64, value).value());
  }
  const std::string text = print_graph(outputs);
  const std::vector<NodePtr> parsed = parse_graph(text).value();
  ASSERT_EQ(parsed.size(), outputs.size());
  for (size_t i = 0; i < parsed.size(); ++i) EXPECT_TRUE(shallow_equal(*parsed[i], *outputs[i])) << text;
  EXPECT_THAT(text, HasSubstr("const f64 [] value=0x1.999999999999ap-4"));
}

TEST(Text, NamesAreEscaped) {
  Builder builder;
  const std::string name = std::string("a\"b\\c\n\0", 7) + "\xff";
  std::vector<NodePtr> outputs = {builder.param(0, name, DType::kF32, {1}).value()};
  const std::string text = print_graph(outputs);
  EXPECT_THAT(text, HasSubstr(R"("a\x22b\x5cc\x0a\x00\xff")"));
  EXPECT_EQ(parse_graph(text).value()[0]->attr<ParamAttr>().name, name);
}

TEST(Text, SymbolicExtentsNameTheirVariable) {
  Builder builder;
  NodePtr pos = builder.variable("pos", 0, 3).value();
  NodePtr x = builder.param(0, "x", DType::kF32, {5}).value();
  std::vector<NodePtr> outputs = {builder.shrink(x, {Dim(pos, 0)}, {Dim(pos, 2)}).value(),
                                  builder.shrink(x, {0}, {Dim(pos, 1)}).value(), builder.range(Dim(pos, 0)).value()};
  const std::string text = print_graph(outputs);
  EXPECT_THAT(text, HasSubstr("begin=[%0] end=[%0+2]"));
  EXPECT_EQ(print_graph(parse_graph(text).value()), text);
}

TEST(Text, RandomGraphsRoundTrip) {
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    Builder builder;
    const testing::RandomGraph graph = testing::random_graph(builder, seed, {.numbers = testing::Numbers::kAny});
    ASSERT_TRUE(verify_graph(graph.outputs).is_ok()) << seed << verify_graph(graph.outputs).message();
    const std::string text = print_graph(graph.outputs);
    Result<std::vector<NodePtr>> parsed = parse_graph(text);
    ASSERT_TRUE(parsed.is_ok()) << "seed " << seed << ": " << parsed.status().message() << "\n" << text;
    ASSERT_EQ(print_graph(parsed.value()), text) << "seed " << seed;
  }
}

TEST(Text, RandomGraphsPrintTheSameFromAnotherBuilder) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Builder a;
    Builder b;
    const testing::RandomGraph first = testing::random_graph(a, seed, {});
    const testing::RandomGraph second = testing::random_graph(b, seed, {});
    ASSERT_EQ(print_graph(first.outputs), print_graph(second.outputs)) << seed;
  }
}

TEST(Text, RandomGraphsEvaluateTheSameAfterARoundTrip) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Builder builder;
    const testing::RandomGraph graph = testing::random_graph(builder, seed, {});
    const std::vector<NodePtr> parsed = parse_graph(print_graph(graph.outputs)).value();
    for (size_t i = 0; i < parsed.size(); ++i) {
      testing::RandomInputs a(graph.params, graph.variables, seed);
      testing::RandomInputs b(graph.params, graph.variables, seed);
      Result<std::vector<double>> x = evaluate_graph(graph.outputs[i], a.inputs(), Rounding::kToDType);
      Result<std::vector<double>> y = evaluate_graph(parsed[i], b.inputs(), Rounding::kToDType);
      ASSERT_TRUE(x.is_ok() && y.is_ok()) << seed << x.status().message() << y.status().message();
      ASSERT_EQ(x.value().size(), y.value().size());
      for (size_t k = 0; k < x.value().size(); ++k) {
        ASSERT_TRUE(x.value()[k] == y.value()[k] || (std::isnan(x.value()[k]) && std::isnan(y.value()[k]))) << seed;
      }
      ASSERT_EQ(a.memory(), b.memory());
    }
  }
}

TEST(Text, RandomKernelsRoundTripAndRunTheSame) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const Kernel kernel = testing::random_kernel(seed, {.numbers = testing::Numbers::kAny});
    const std::string text = print_kernel(kernel);
    Result<Kernel> parsed = parse_kernel(text);
    ASSERT_TRUE(parsed.is_ok()) << "seed " << seed << ": " << parsed.status().message() << "\n" << text;
    ASSERT_EQ(print_kernel(parsed.value()), text) << "seed " << seed;
    if (seed % 4 != 0) continue;
    testing::RandomInputs a(kernel.params, kernel.variables, seed);
    testing::RandomInputs b(kernel.params, kernel.variables, seed);
    const Status first = evaluate_kernel(kernel, a.inputs(), Rounding::kToDType);
    ASSERT_TRUE(first.is_ok()) << "seed " << seed << ": " << first.message() << "\n" << text;
    ASSERT_TRUE(evaluate_kernel(parsed.value(), b.inputs(), Rounding::kToDType).is_ok());
    ASSERT_EQ(a.memory(), b.memory()) << "seed " << seed;
  }
}

TEST(TextErrors, NameLineAndColumn) {
  EXPECT_EQ(graph_error(""), "line 1, column 1: expected a word, not the end of the text");
  EXPECT_EQ(graph_error("kernel {"), "line 1, column 1: expected 'graph', not 'kernel'");
  EXPECT_EQ(graph_error(replaced(kGraph, "reduce_add", "softmax")), "line 3, column 8: no operation 'softmax'");
  EXPECT_EQ(graph_error(replaced(kGraph, "param f32", "param f31")), "line 2, column 14: no dtype 'f31'");
  EXPECT_EQ(graph_error(replaced(kGraph, "(%0)", "(%9)")), "line 3, column 31: %9 is not defined above");
  EXPECT_EQ(graph_error(replaced(kGraph, "(%0)", "(%99999999999999999999)")),
            "line 3, column 32: the number does not fit 64 bits");
  EXPECT_EQ(graph_error(replaced(kGraph, "%1 =", "%2 =")), "line 3, column 3: expected %1 next");
  EXPECT_EQ(graph_error(replaced(kGraph, "[4, 8]", "[4, -8]")),
            "line 2, column 8: param: the extent -8 of [4, -8] can be negative");
  EXPECT_EQ(graph_error(replaced(kGraph, "[4, 1]", "[4, 2]")),
            "line 3, column 8: reduce_add is f32 [4, 1], not f32 [4, 2]");
  EXPECT_EQ(graph_error(replaced(kGraph, "axes=[1]", "axes=[2]")),
            "line 3, column 8: reduce_add: f32 [4, 8] has no axis 2");
  EXPECT_EQ(graph_error(replaced(kGraph, "\"x\"", "\"x")), "line 2, column 32: a name must end on its line");
  EXPECT_EQ(graph_error(std::string(kGraph) + "graph"), "line 6, column 1: expected nothing after the closing brace");
}

TEST(TextErrors, OfKernels) {
  EXPECT_EQ(kernel_error(replaced(kKernel, "store (%0, %3, %9)", "")),
            "line 1, column 1: verifying kernel sum: kernel sum: it stores nothing");
  EXPECT_EQ(kernel_error(replaced(kKernel, "global_x", "global_w")), "line 5, column 32: no kind of range 'global_w'");
  EXPECT_EQ(kernel_error(replaced(kKernel, "extent=%2+1", "extent=%4+1")),
            "line 8, column 25: an extent can only refer to a variable");
  EXPECT_EQ(kernel_error(replaced(kKernel, "mul i32", "mul i64")),
            "line 7, column 8: mul i64 (range i32 extent=4 id=1 global_x, const i32 value=8): the dtype must be i32");
  EXPECT_THAT(kernel_error(replaced(kKernel, "value=8", "value=9")), HasSubstr("has 32 elements"));
  EXPECT_EQ(kernel_error(replaced(kKernel, "workgroup=32", "workgroup=99999999999")),
            "line 1, column 22: the workgroup is too large");
  EXPECT_THAT(kernel_error(replaced(kKernel, "store (", "%10 = store f32 (")), HasSubstr("a store has no number"));
}

TEST(TextErrors, DeepAndLongTextIsParsedOrRefused) {
  std::string graph = "graph {\n  %0 = param f32 [1] id=0 \"x\"\n";
  std::string kernel =
      "kernel k workgroup=1 {\n  %0 = param i32 [1] id=0 \"x\"\n  %1 = const i32 value=0\n  %2 = load i32 (%0, %1)\n";
  constexpr int kDepth = 50000;
  for (int i = 1; i < kDepth; ++i) graph += fmt::format("  %{} = add f32 [1] (%{}, %{})\n", i, i - 1, i - 1);
  for (int i = 3; i < kDepth; ++i) kernel += fmt::format("  %{} = add i32 (%{}, %{})\n", i, i - 1, i - 1);
  EXPECT_TRUE(parse_graph(graph + fmt::format("  return %{}\n}}\n", kDepth - 1)).is_ok());
  EXPECT_THAT(kernel_error(kernel + fmt::format("  store (%0, %1, %{})\n}}\n", kDepth - 1)),
              HasSubstr("is deeper than 4000 nodes"));
  EXPECT_THAT(graph_error("graph {" + std::string(100000, '(')), HasSubstr("line 1, column 8"));
  EXPECT_THAT(graph_error("graph { %0 = const f32 " + std::string(100000, '[')), HasSubstr("line 1, column 25"));
}

// Text that was damaged at random parses or is refused; what parses verifies.
template <typename Parse>
void check_mutations(const std::string& text, testing::RandomSource& random, const Parse& parse) {
  constexpr std::string_view kSigns = "%0123456789=[](){},+-.\"\\ \nabcdefghijklmnopqrstuvwxyz_x\xff";
  for (int i = 0; i < 20; ++i) {
    std::string mutated = text;
    const int64_t changes = random.pick(1, 4);
    for (int64_t k = 0; k < changes && !mutated.empty(); ++k) {
      const auto at = static_cast<size_t>(random.pick(0, std::ssize(mutated) - 1));
      const auto length = static_cast<size_t>(random.pick(1, 12));
      const char sign = kSigns[static_cast<size_t>(random.pick(0, std::ssize(kSigns) - 1))];
      switch (random.pick(0, 5)) {
        case 0:
          mutated.erase(at, length);
          break;
        case 1:
          mutated.insert(at, mutated.substr(static_cast<size_t>(random.pick(0, std::ssize(mutated) - 1)), length));
          break;
        case 2:
          mutated.insert(at, 1, sign);
          break;
        case 3:
          mutated.insert(at, fmt::format("{}", random.bits() >> random.pick(0, 63)));
          break;
        case 4:
          mutated.resize(at);
          break;
        default:
          mutated[at] = sign;
      }
    }
    parse(mutated);
  }
}

TEST(TextErrors, DamagedGraphsAreRefusedOrVerify) {
  testing::RandomSource random(1);
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Builder builder;
    const std::string text = print_graph(testing::random_graph(builder, seed, {}).outputs);
    check_mutations(text, random, [](const std::string& mutated) {
      Result<std::vector<NodePtr>> parsed = parse_graph(mutated);
      if (!parsed.is_ok()) {
        ASSERT_THAT(parsed.status().message(), HasSubstr("line ")) << mutated;
        ASSERT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
        return;
      }
      const std::string printed = print_graph(parsed.value());
      ASSERT_EQ(print_graph(parse_graph(printed).value()), printed) << mutated;
    });
  }
}

TEST(TextErrors, DamagedKernelsAreRefusedOrStayWithinBounds) {
  testing::RandomSource random(2);
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const std::string text = print_kernel(testing::random_kernel(seed, {}));
    check_mutations(text, random, [seed](const std::string& mutated) {
      Result<Kernel> parsed = parse_kernel(mutated);
      if (!parsed.is_ok()) {
        ASSERT_THAT(parsed.status().message(), HasSubstr("line ")) << mutated;
        return;
      }
      const std::string printed = print_kernel(parsed.value());
      ASSERT_EQ(print_kernel(parse_kernel(printed).value()), printed) << mutated;
      const bool is_small = mutated.find("extent=") != std::string::npos && seed % 8 == 0;
      int64_t iterations = 1;
      for (const NodePtr& node : topological_order(parsed.value().stores)) {
        if (node->op == Op::kRange)
          iterations = std::min<int64_t>(iterations, 1 << 20) * node->attr<RangeAttr>().extent.max();
      }
      if (!is_small || iterations > 1 << 16) return;
      for (const NodePtr& param : parsed.value().params) {
        if (max_element_count(param->shape) > 1 << 16) return;
      }
      testing::RandomInputs inputs(parsed.value().params, parsed.value().variables, seed);
      const Status status = evaluate_kernel(parsed.value(), inputs.inputs(), Rounding::kToDType);
      ASSERT_TRUE(status.is_ok()) << status.message() << "\n" << mutated;
    });
  }
}

TEST(PrintExpression, WritesIndexArithmeticAsInC) {
  KernelBuilder builder;
  NodePtr x = builder.range(64, RangeKind::kGlobalX);
  NodePtr loop = builder.range(8, RangeKind::kLoop);
  NodePtr index = builder.add(builder.mul(builder.mod(builder.add(x, loop), 7), 32), builder.idiv(x, 4));
  EXPECT_EQ(print_expression(*index), "(global_x1 + loop2)%7*32 + global_x1/4");
  NodePtr load = builder.load(builder.param(1, "ids", DType::kI32, {64}), x);
  EXPECT_EQ(print_expression(*builder.clamp(load, 0, 9)),
            "where(max(ids[global_x1], 0) < 9, max(ids[global_x1], 0), 9)");
}

}  // namespace
}  // namespace bw::ir
