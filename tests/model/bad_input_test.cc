// Owns: shapes, dtypes and views that are at the edge of what the compiler takes or beyond it, on the emulated card: a
// right result or a refusal with its reason. Programs that are only odd are held against the evaluator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "emulator/driver.h"
#include "tensor/expression/expression.h"
#include "tensor/runtime.h"
#include "tensor/tensor.h"
#include "tests/fuzz/graph_fuzz.h"

namespace bw {
namespace {

using tensor::DType;
using tensor::Tensor;
using ::testing::HasSubstr;

// Programs in any mode: what is hot gets translated, and strict mode looks for reads of what was never written.
void expect_right(const std::string& text, double tolerance = 0) {
  EXPECT_EQ(test::check_program(text, 1, tolerance, {}), "");
  EXPECT_EQ(test::check_program(text, 2, tolerance, {.strictness = emulator::Strictness::kOn}), "");
}

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    auto driver = emulator::EmulatedDriver::create();
    ASSERT_TRUE(driver.is_ok()) << driver.status().message();
    driver_ = std::move(driver).value();
    auto runtime = tensor::Runtime::create(*driver_);
    ASSERT_TRUE(runtime.is_ok()) << runtime.status().message();
    runtime_ = std::move(runtime).value();
  }

  // Why the program is not compiled.
  std::string refusal(const std::string& text) {
    auto outputs = tensor::parse_expression(runtime_, text);
    if (!outputs.is_ok()) return outputs.status().message();
    std::vector<ir::NodePtr> nodes;
    for (const Tensor& output : outputs.value()) nodes.push_back(output.node());
    const auto program = runtime_->prepare(nodes);
    return program.is_ok() ? "" : program.status().message();
  }

  template <typename T>
  std::vector<T> values(Tensor tensor) {
    auto read = tensor.to_vector<T>();
    EXPECT_TRUE(read.is_ok()) << read.status().message();
    return read.is_ok() ? std::move(read).value() : std::vector<T>{};
  }

  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::shared_ptr<tensor::Runtime> runtime_;
};

TEST_F(BadInput, ExtentsOfOneEverywhere) {
  for (const char* text :
       {"x[1] + y[1]", "x[1, 1] @ y[1, 1]", "x[1, 1, 1].sum([0, 1, 2])", "softmax(x[1, 7], 0)",
        "x[1, 1].transpose().reshape([1, 1, 1]).squeeze(0) * s[]", "x[1, 97] @ y[97, 1]", "x[97, 1] @ y[1, 97]",
        "max(x[1, 1, 5], 1, keep=1)", "x[1].argmax()", "cat(x[1], y[1])[1:]"}) {
    expect_right(text, 1e-5);
  }
}

TEST_F(BadInput, PrimesFitNoTile) {
  for (const char* text :
       {"x[1009] * 2 + y[1009]", "x[101, 103] @ y[103, 107]", "x[101, 103]:f16 @ y[103, 107]:f16", "x[10007].sum()",
        "x[31, 1021].sum(1)", "x[1021, 31].sum(0)", "softmax(x[13, 1021])",
        "x[7, 11, 13, 17].permute([3, 1, 0, 2]).contiguous()", "cast(x[37, 41]:i8, i32) @ cast(y[41, 43]:i8, i32)"}) {
    expect_right(text, 4e-3);
  }
}

TEST_F(BadInput, ParamsHaveElements) {
  EXPECT_THAT(refusal("x[0]"), HasSubstr("an extent is 0, not at least 1"));
  EXPECT_THAT(refusal("x[4, 0]"), HasSubstr("an extent is 0, not at least 1"));
  EXPECT_THAT(refusal("x[-4]"), HasSubstr("an extent is -4, not at least 1"));
}

TEST_F(BadInput, WhatIsEmptyHasNoElementsOrTheIdentity) {
  expect_right("x[4, 4][:, 2:2].sum(1) + y[4]");
  expect_right("x[4, 4][2:2].sum()");
  expect_right("x[4, 4][:, 2:2].max(1)");
  expect_right("x[4, 4]:i32[:, 2:2].max(1)");
  expect_right("x[4, 4][:, 2:2].prod(1)");
  expect_right("a[4, 4][:, 2:2] @ b[4, 4][2:2, :] + c[4, 4]");
  expect_right("cat(x[4, 4][2:2], y[3, 4])");
  EXPECT_EQ(refusal("x[4, 4][2:2] * 2"), "");
  expect_right("x[4, 4][2:2] * 2; x + 1");
  const Tensor x = Tensor::from(runtime_, std::vector<float>{1, 2, 3}, {3});
  EXPECT_TRUE(values<float>(x.slice(0, 2, 2) * 2.0).empty());
}

TEST_F(BadInput, ViewsThatAreMisalignedOrNotContiguous) {
  for (const char* text :
       {"x[4099]:u8[3:4099] + 1", "x[4099]:f16[1:4099] * 2", "x[4099][1:4097] + y[4099][3:4099]",
        "x[67, 131]:f16[1:66, 3:130] @ y[130, 65]:f16[2:129, 1:65]", "x[67, 131][1:66, 3:130].sum(1)",
        "softmax(x[33, 259]:f16[:, 1:258])", "x[64, 64].transpose()[1:, 3:] * 2", "x[64, 65].flip([0, 1])[1:63, 1:]",
        "(x[128, 64]:i8.transpose()[:, 1:] * 2).transpose()", "x[16, 16, 16].permute([2, 0, 1])[3, :, 1:].sum(0)",
        "bitcast(x[8, 36]:u8, f32)[:, 1:] * 0", "x[96, 3]:u8[:, 1].contiguous()"}) {
    expect_right(text, 4e-3);
  }
}

TEST_F(BadInput, OutputsThatAreTheSameValue) {
  expect_right("x[100] * 2; x * 2; x; x; x.reshape([10, 10])");
  expect_right("y = x[8, 8].transpose(); y; y.contiguous(); y.sum(); y");
}

TEST_F(BadInput, StoresThatReadWhatTheyWrite) {
  const std::vector<float> numbers = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto memory = [&] { return Tensor::from(runtime_, numbers, {8}); };
  using Floats = std::vector<float>;
  Tensor reversed = memory();
  EXPECT_EQ(values<float>(reversed.store(reversed.flip({0}))), (Floats{7, 6, 5, 4, 3, 2, 1, 0}));
  Tensor shifted = memory();
  EXPECT_EQ(values<float>(shifted.slice(0, 1, 8).store(shifted.slice(0, 0, 7))), (Floats{0, 0, 1, 2, 3, 4, 5, 6}));
  Tensor doubled = memory();
  EXPECT_EQ(values<float>(doubled.store(doubled * 2.0).slice(0, 2, 4) + 1.0), (Floats{5, 7}));
  Tensor summed = memory();
  EXPECT_EQ(values<float>(summed.store(summed.sum().reshape({1}).expand({8}))), Floats(8, 28));
}

TEST_F(BadInput, DtypesTheHardwareLacksAreLoweredOrRefused) {
  for (const char* text :
       {"x[100]:i64 * y[100]:i64 + 7", "x[100]:u64 // 3 + x % 5", "x[100]:i8 * y[100]:i8",
        "x[100]:i16 // (y[100]:i16 + 20)", "cast(x[100]:f64, bf16)", "cast(x[100]:i64, f16)", "sqrt(x[100]:f64 * x)",
        "x[100]:bool ^ y[100]:bool", "x[100]:bf16 * y[100]:bf16 + 1", "sum(x[50, 3]:i64, 1) * 3",
        "max(x[50, 3]:f64, 1)", "cast(x[4, 8]:i64, f64) @ y[8, 3]:f64"}) {
    expect_right(text, 1e-12);
  }
  EXPECT_THAT(refusal("exp2(x[4]:f64)"), HasSubstr("gfx1100 has no f64 exp2 (cast to f32 first)"));
  EXPECT_THAT(refusal("sin(x[4]:f64)"), HasSubstr("gfx1100 has no f64 sin (cast to f32 first)"));
  EXPECT_THAT(refusal("sum(x[4]:bool)"), HasSubstr("reduce_add of bool (cast it first)"));
}

// 4.9 GB; of the emulated card's memory only what is touched takes memory of the host.
TEST_F(BadInput, OffsetsBeyond32Bits) {
  constexpr int64_t kExtent = 70000;
  Tensor big = Tensor::empty(runtime_, DType::kU8, {kExtent, kExtent}, "big");
  ASSERT_TRUE(big.is_ok()) << big.status().message();
  // Rows 69998 and 69999, behind byte 2^32.
  std::vector<std::byte> rows(2 * kExtent);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::byte>(i % 251);
  ASSERT_TRUE(big.buffer()->write((kExtent - 2) * kExtent, rows).is_ok());
  const auto at = [&](int64_t row, int64_t column) {
    return static_cast<uint8_t>(rows[static_cast<size_t>((row - kExtent + 2) * kExtent + column)]);
  };
  using Bytes = std::vector<uint8_t>;
  const Tensor corner = big.slice(0, kExtent - 1, kExtent).slice(1, kExtent - 3, kExtent);
  EXPECT_EQ(values<uint8_t>(corner + 1.0),
            (Bytes{static_cast<uint8_t>(at(69999, 69997) + 1), static_cast<uint8_t>(at(69999, 69998) + 1),
                   static_cast<uint8_t>(at(69999, 69999) + 1)}));
  const Tensor index = Tensor::from(runtime_, std::vector<int32_t>{69999, 69998, 100000}, {3});
  EXPECT_EQ(values<uint8_t>(big.gather(index).slice(1, 7, 8).reshape({3})),
            (Bytes{at(69999, 7), at(69998, 7), at(69999, 7)}));
  EXPECT_EQ(values<int32_t>(big.slice(0, kExtent - 2, kExtent).cast(DType::kI32).sum({1})).size(), 2u);
  const Tensor stored =
      big.slice(0, kExtent - 2, kExtent).slice(1, 5, 8).store(Tensor::full(runtime_, DType::kU8, {2, 3}, 9));
  EXPECT_EQ(values<uint8_t>(stored.slice(0, kExtent - 1, kExtent).slice(1, 4, 9).reshape({5})),
            (Bytes{at(69999, 4), 9, 9, 9, at(69999, 8)}));
}

// One axis of 3 GB.
TEST_F(BadInput, OneAxisOfMoreThan31Bits) {
  constexpr int64_t kExtent = int64_t{3} << 30;
  Tensor big = Tensor::empty(runtime_, DType::kU8, {kExtent}, "big");
  ASSERT_TRUE(big.is_ok()) << big.status().message();
  std::vector<std::byte> end(64);
  for (size_t i = 0; i < end.size(); ++i) end[i] = static_cast<std::byte>(i + 1);
  ASSERT_TRUE(big.buffer()->write(kExtent - 64, end).is_ok());
  const std::byte mark{200};
  ASSERT_TRUE(big.buffer()->write(int64_t{11} << 28, std::span(&mark, 1)).is_ok());
  using Bytes = std::vector<uint8_t>;
  EXPECT_EQ(values<uint8_t>((big * 2.0).slice(0, kExtent - 3, kExtent)), (Bytes{124, 126, 128}));
  EXPECT_EQ(values<uint8_t>(big.flip({0}).slice(0, 1, 4)), (Bytes{63, 62, 61}));
  EXPECT_EQ(values<uint8_t>(big.pad({int64_t{1} << 30}, {2}).slice(0, (int64_t{1} << 32) - 2, (int64_t{1} << 32) + 2)),
            (Bytes{63, 64, 0, 0}));
  const Tensor index = Tensor::from(runtime_, std::vector<int64_t>{kExtent - 2, kExtent + 7, int64_t{11} << 28}, {3});
  EXPECT_EQ(values<uint8_t>(big.gather(index)), (Bytes{63, 64, 200}));
  // Every 2^28th element.
  const Tensor strided = big.reshape({12, int64_t{1} << 28}).slice(1, 0, 1).reshape({12});
  EXPECT_EQ(values<int32_t>(strided.slice(0, 8, 12).cast(DType::kI32).sum({0})), std::vector<int32_t>{200});
  const Tensor count = Tensor::arange(runtime_, DType::kI64, kExtent).slice(0, kExtent - 2, kExtent);
  EXPECT_EQ(values<int64_t>(count), (std::vector<int64_t>{kExtent - 2, kExtent - 1}));
  const Tensor nine = Tensor::full(runtime_, DType::kU8, {2}, 9);
  const Tensor stored = big.slice(0, kExtent - 3, kExtent - 1).store(nine);
  EXPECT_EQ(values<uint8_t>(stored.slice(0, kExtent - 4, kExtent)), (Bytes{61, 9, 9, 64}));
}

TEST_F(BadInput, WhatTheCardHoldsIsCompiledAndWhatItDoesNotIsRefused) {
  for (const char* text :
       {"x[65536, 65536]:u8.sum()", "x[1, 3]:u8.expand([1431655766, 3]).sum(1)", "x[3221225472]:u8 * 2",
        "x[4294967296].sum()", "x[4294967296].max() - x.min()", "x[4294967311]:u8 + 1", "sum(x[2147483659, 3]:u8, 0)",
        "x[2147483659, 3]:u8 * 3", "max(x[2, 4294967296]:u8, 0)",
        "x[4294967296]:u8.cast(f32).reshape([65536, 65536]).sum(0)", "x[2147483659, 2]:u8.transpose().contiguous()",
        "arange(4294967296, i64).cast(f32).sum()", "cat(x[2147483648]:u8, y[5]:u8)"}) {
    EXPECT_EQ(refusal(text), "") << text;
  }
  EXPECT_THAT(refusal("x[4294967296] + 1"),
              HasSubstr("the program's buffers take 34359738368 bytes, more than the card's 25753026560"));
  EXPECT_THAT(refusal("argmax(x[2147483648]:u8)"), HasSubstr("2^31 elements or more"));
  EXPECT_THAT(refusal("arange(2147483648)"), HasSubstr("i32 does not count to 2147483648 (make it i64)"));
  EXPECT_THAT(refusal("x[2000000, 2000000]"), HasSubstr("larger than"));
  EXPECT_THAT(refusal("x[4].reshape([4294967296, 4294967296, -1])"), HasSubstr("no extent in place of -1 fits"));
  EXPECT_THAT(refusal("x[4].expand([9007199254740992, 4]).expand([9007199254740992, 9007199254740992, 4])"),
              Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace bw
