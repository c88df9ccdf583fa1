#include "tensor/expression/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "ir/text.h"
#include "tensor/planning_executor.h"
#include "tensor/testing/host_runtime.h"

namespace bw::tensor {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<Runtime> planning() {
  return Runtime::create(std::make_unique<PlanningExecutor>());
}

std::vector<Tensor> parse(const std::shared_ptr<Runtime>& runtime, std::string_view text) {
  auto outputs = parse_expression(runtime, text);
  EXPECT_TRUE(outputs.is_ok()) << text << ": " << outputs.status().message();
  return outputs.is_ok() ? std::move(outputs).value() : std::vector<Tensor>{};
}

// "f16 [32, 64]" of the only output.
std::string type_of(std::string_view text) {
  const auto runtime = planning();
  const std::vector<Tensor> outputs = parse(runtime, text);
  if (outputs.size() != 1) return fmt::format("{} outputs", outputs.size());
  return fmt::format("{} {}", ir::name(outputs[0].dtype()), ir::print_shape(outputs[0].shape()));
}

std::string error_of(std::string_view text) {
  const auto outputs = parse_expression(planning(), text);
  EXPECT_FALSE(outputs.is_ok()) << text;
  if (outputs.is_ok()) return "";
  EXPECT_EQ(outputs.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(outputs.status().message().find('\n'), std::string::npos);
  return outputs.status().message();
}

TEST(Expression, ParametersAreDeclaredWhereTheyFirstStand) {
  EXPECT_EQ(type_of("x[4, 5]"), "f32 [4, 5]");
  EXPECT_EQ(type_of("x[4, 5]:f16"), "f16 [4, 5]");
  EXPECT_EQ(type_of("s[]:i8"), "i8 []");
  EXPECT_EQ(type_of("x[4, 5]:f16 * x"), "f16 [4, 5]");
  EXPECT_EQ(type_of("x[4]; # a comment\n y = x + 1").substr(0, 3), "f32");
}

TEST(Expression, OperatorsBindAsInPython) {
  EXPECT_EQ(type_of("a[2, 3] + b[2, 4] @ c[4, 3] * 2 < 7"), "bool [2, 3]");
  // Unlike C: & binds more strongly than ==, and | too.
  EXPECT_EQ(type_of("a[8]:i32 & 3 == 1"), "bool [8]");
  EXPECT_EQ(type_of("a[8]:i32 | 3 < b[8]:i32 << 2"), "bool [8]");
  EXPECT_EQ(type_of("a[8]; b = a + 1; a; b * 2").substr(0, 1), "3");
}

TEST(Expression, SlicesIndicesAndMethods) {
  EXPECT_EQ(type_of("x[8, 6, 4]; y = 1").substr(0, 3), "f32");
  EXPECT_EQ(type_of("t = x[8, 6, 4]; t[2:5, :, 1]"), "f32 [3, 6]");
  EXPECT_EQ(type_of("t = x[8, 6, 4]; t[-3:, 0]"), "f32 [3, 4]");
  EXPECT_EQ(type_of("t = x[8, 6, 4]; t[:-2].permute([2, 0, 1])"), "f32 [4, 6, 6]");
  EXPECT_EQ(type_of("x[8, 6].transpose().reshape([2, 3, -1]).sum(axis=[0, 2], keep=1)"), "f32 [1, 3, 1]");
  EXPECT_EQ(type_of("cat(x[2, 3], y[4, 3], z[1, 3])"), "f32 [7, 3]");
  EXPECT_EQ(type_of("cat(x[2, 3], y[2, 3], axis=-1)"), "f32 [2, 6]");
}

TEST(Expression, VariablesAreExtents) {
  EXPECT_EQ(type_of("n = variable(1, 64); t = x[64, 8]; t[0:n + 0].sum(axis=1)"), "f32 [n]");
  EXPECT_EQ(type_of("n = variable(0, 63); t = x[64, 8]; t[:n + 1]"), "f32 [n+1, 8]");
  EXPECT_EQ(type_of("n = variable(0, 63); x[8]:i32 + n"), "i32 [8]");
  EXPECT_THAT(error_of("n = variable(0, 64); t = x[64, 8]; t[n]"), HasSubstr("column 38"));
}

TEST(Expression, EveryFunctionCanBeCalled) {
  EXPECT_EQ(type_of("where(x[4] < 0, 0, x)"), "f32 [4]");
  EXPECT_EQ(type_of("x[4, 5].softmax(0).argmax()"), "i32 [4]");
  EXPECT_EQ(type_of("gather(t[10, 3], i[2, 2]:i32)"), "f32 [2, 2, 3]");
  EXPECT_EQ(type_of("cast(x[4], bf16).maximum(0)"), "bf16 [4]");
  EXPECT_EQ(type_of("bitcast(x[4, 8]:u8, u32)"), "u32 [4, 2]");
  EXPECT_EQ(type_of("full([2, 2], 0.5, f16) + arange(2, f16)"), "f16 [2, 2]");
  EXPECT_EQ(type_of("mul_acc(a[4], b[4], 1)"), "f32 [4]");
  EXPECT_EQ(type_of("pad(x[4], 1, [2]).flip(0).unsqueeze(0).squeeze(0)"), "f32 [7]");
}

TEST(Expression, ComputesWhatItSays) {
  const auto runtime = testing::host_runtime();
  const auto values = [&](std::string_view text) {
    std::vector<Tensor> outputs = parse(runtime, text);
    auto read = outputs.at(0).to_vector<float>();
    EXPECT_TRUE(read.is_ok()) << read.status().message();
    return read.is_ok() ? read.value() : std::vector<float>{};
  };
  using Floats = std::vector<float>;
  EXPECT_EQ(values("2 - arange(3, f32) * 2 - 1"), (Floats{1, -1, -3}));
  EXPECT_EQ(values("-arange(2, f32) + 2 * (3 + 4) / 2"), (Floats{7, 6}));
  EXPECT_EQ(values("m = arange(6, f32).reshape([2, 3]); m @ m.transpose()"), (Floats{5, 14, 14, 50}));
  EXPECT_EQ(values("cast(arange(7) // 2 % 3 << 2, f32)"), (Floats{0, 0, 4, 4, 8, 8, 0}));
  EXPECT_EQ(values("cast(~arange(3), f32)"), (Floats{-1, -2, -3}));
  EXPECT_EQ(values("where(~(arange(3) < 2), 1.5, 0)"), (Floats{0, 0, 1.5}));
  EXPECT_EQ(values("r = arange(5, f32); cat(r[-2:], r[1:2])"), (Floats{3, 4, 1}));
}

TEST(Expression, ErrorsNameTheirPlace) {
  EXPECT_EQ(error_of("softmax(x)"),
            "line 1, column 9: unknown name 'x' (a parameter is declared where it first stands: x[2, 3]:f32)");
  EXPECT_EQ(error_of("a[2] + b[3]"), "line 1, column 6: '+': add: shapes [2] and [3] do not broadcast: axis 0 differs");
  EXPECT_EQ(error_of("x[4] +"), "line 1, column 7: expected a value, not the end");
  EXPECT_EQ(error_of("x[4]\n  $"), "line 2, column 3: unexpected '$'");
  EXPECT_EQ(error_of("x[4] x"), "line 1, column 6: expected an operator or ';', not 'x'");
  EXPECT_EQ(error_of("sum(x[4], axes=0)"), "line 1, column 11: no argument 'axes': sum(x, axis=[], keep=0)");
  EXPECT_EQ(error_of("summ(x[4])"), "line 1, column 1: no function 'summ'");
  EXPECT_EQ(error_of("x[4].softmax(3)"), "line 1, column 6: softmax: reduce_max: axis 3 of a tensor of shape [4]");
  EXPECT_THAT(error_of("softmax(x[4], f16)"), HasSubstr("column 15: expected a whole number, not a dtype"));
  EXPECT_THAT(error_of("x[4]:f12"), HasSubstr("column 6: expected a dtype"));
  EXPECT_THAT(error_of("x[0]"), HasSubstr("column 2"));
  EXPECT_THAT(error_of("x[1e300, 1e300]"), HasSubstr("too large"));
  EXPECT_THAT(error_of("x[1099511627776, 1099511627776]"), HasSubstr("larger than"));
  EXPECT_THAT(error_of("x[2.5]"), HasSubstr("no whole number"));
  EXPECT_THAT(error_of("x[4] + 1e999"), HasSubstr("column 8"));
  EXPECT_THAT(error_of("x[4]:i8 + 300"), HasSubstr("column 11: the number 300 is no i8"));
  EXPECT_THAT(error_of("y = x[4]; y = 2"), HasSubstr("defined twice"));
  EXPECT_THAT(error_of("y = x[4]"), HasSubstr("no output"));
  EXPECT_THAT(error_of(""), HasSubstr("no output"));
  EXPECT_THAT(error_of("x[4].reshape([3037000500, 3037000500, -1])"), HasSubstr("column 6"));
  EXPECT_THAT(error_of(std::string(100000, 'x')), HasSubstr("100000 bytes"));
}

TEST(Expression, DeepAndLongTextsEndSoon) {
  EXPECT_THAT(error_of(std::string(50000, '(')), HasSubstr("brackets"));
  EXPECT_THAT(error_of(std::string(50000, '-')), HasSubstr("brackets"));
  EXPECT_THAT(error_of(std::string(50000, '[')), HasSubstr("brackets"));
  std::string sum = "x[2]";
  for (int i = 0; i < 10000; ++i) sum += "+x";
  EXPECT_THAT(error_of(sum), HasSubstr("more than 4000 operations"));
}

TEST(Expression, NoTextEndsTheProgram) {
  const std::vector<std::string> words = {"x",
                                          "x[4]",
                                          "y[2, 3]:f16",
                                          "[",
                                          "]",
                                          "(",
                                          ")",
                                          ",",
                                          ":",
                                          ";",
                                          "=",
                                          ".",
                                          "+",
                                          "-",
                                          "*",
                                          "/",
                                          "//",
                                          "%",
                                          "@",
                                          "<<",
                                          ">>",
                                          "&",
                                          "|",
                                          "^",
                                          "~",
                                          "<",
                                          "==",
                                          "!=",
                                          "1",
                                          "-1",
                                          "0",
                                          "2.5",
                                          "1e18",
                                          "4",
                                          "f16",
                                          "i8",
                                          "n",
                                          "sum",
                                          "cat(",
                                          "reshape",
                                          "axis=",
                                          "variable(0, 9)",
                                          "full(",
                                          "n =",
                                          "arange(",
                                          "pad(",
                                          "u64",
                                          "1099511627776",
                                          "9223372036854775807",
                                          "gather(",
                                          "transpose(",
                                          "store(",
                                          "bitcast("};
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const size_t length = 1 + random() % 14;
    for (size_t k = 0; k < length; ++k) text += words[random() % words.size()] + (random() % 3 == 0 ? " " : "");
    if (random() % 8 == 0) text[random() % text.size()] = static_cast<char>(random());
    SCOPED_TRACE(text);
    const auto outputs = parse_expression(planning(), text);
    if (outputs.is_ok()) continue;
    EXPECT_THAT(outputs.status().message(), HasSubstr("line "));
  }
}

}  // namespace
}  // namespace bw::tensor
