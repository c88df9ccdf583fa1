#include "tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/testing/host_runtime.h"

namespace bw::tensor {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

class TensorTest : public ::testing::Test {
 protected:
  Tensor floats(std::vector<float> values, std::vector<int64_t> shape) {
    return Tensor::from(runtime_, values, std::move(shape));
  }
  Tensor ints(std::vector<int32_t> values, std::vector<int64_t> shape) {
    return Tensor::from(runtime_, values, std::move(shape));
  }
  // 0, 1, 2 ..
  Tensor counting(std::vector<int64_t> shape) {
    int64_t count = 1;
    for (int64_t extent : shape) count *= extent;
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    return floats(values, std::move(shape));
  }
  template <typename T = float>
  static std::vector<T> read(Tensor tensor) {
    auto values = tensor.to_vector<T>();
    EXPECT_TRUE(values.is_ok()) << values.status().message();
    return values.is_ok() ? values.value() : std::vector<T>();
  }
  static std::string failure(Tensor tensor) {
    const Status status = tensor.realise();
    EXPECT_FALSE(status.is_ok());
    return status.message();
  }

  std::shared_ptr<Runtime> runtime_ = testing::host_runtime();
};

TEST_F(TensorTest, ComputesElementwiseChainsWithNumbers) {
  const Tensor x = floats({1, 2, 3, 4}, {4});
  EXPECT_THAT(read((x * 2.0 + 1.0) / 2.0 - x), ElementsAre(0.5, 0.5, 0.5, 0.5));
  EXPECT_THAT(read(1.0 / x), ElementsAre(1, 0.5, FloatNear(1.0f / 3, 1e-7f), 0.25));
  EXPECT_THAT(read(10.0 - x), ElementsAre(9, 8, 7, 6));
  EXPECT_THAT(read(-x), ElementsAre(-1, -2, -3, -4));
}

TEST_F(TensorTest, BroadcastsAsNumPyDoes) {
  const Tensor column = floats({10, 20}, {2, 1});
  const Tensor row = floats({1, 2, 3}, {3});
  Tensor sum = column + row;
  EXPECT_THAT(read(sum), ElementsAre(11, 12, 13, 21, 22, 23));
  EXPECT_EQ(sum.shape(), (Shape{2, 3}));
  EXPECT_THAT(failure(row + floats({1, 2}, {2})), HasSubstr("do not broadcast"));
}

TEST_F(TensorTest, MovesElementsWithoutArithmetic) {
  const Tensor x = counting({2, 3});
  EXPECT_THAT(read(x.transpose(0, 1)), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(read(x.reshape({3, -1})), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(read(x.permute({-1, 0}).reshape({6})), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(read(x.flip({-1})), ElementsAre(2, 1, 0, 5, 4, 3));
  EXPECT_THAT(read(x.slice(1, 1, 3)), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(read(x.slice(0, 1, 2).pad({1, 0}, {0, 1})), ElementsAre(0, 0, 0, 0, 3, 4, 5, 0));
  EXPECT_THAT(read(x.unsqueeze(1).expand({2, 2, 3}).slice(0, 1, 2)), ElementsAre(3, 4, 5, 3, 4, 5));
  EXPECT_EQ(x.unsqueeze(-1).squeeze(2).shape(), x.shape());
}

TEST_F(TensorTest, RejectsMovesThatDoNotFit) {
  const Tensor x = counting({2, 3});
  EXPECT_THAT(failure(x.reshape({4, -1})), HasSubstr("-1"));
  EXPECT_THAT(failure(x.reshape({7})), HasSubstr("reshape"));
  EXPECT_THAT(failure(x.transpose(0, 2)), HasSubstr("axis 2"));
  EXPECT_THAT(failure(x.slice(1, 1, 4)), HasSubstr("shrink"));
  EXPECT_THAT(failure(x.squeeze(0)), HasSubstr("not 1"));
  EXPECT_THAT(failure(x.expand({3})), HasSubstr("expanding"));
  EXPECT_THAT(failure(x.unsqueeze(4)), HasSubstr("unsqueeze"));
}

TEST_F(TensorTest, Creates) {
  EXPECT_THAT(read(Tensor::full(runtime_, DType::kF32, {2, 2}, 1.5)), ElementsAre(1.5, 1.5, 1.5, 1.5));
  EXPECT_THAT(read<int32_t>(Tensor::zeros(runtime_, DType::kI32, {2})), ElementsAre(0, 0));
  EXPECT_THAT(read(Tensor::arange(runtime_, DType::kF32, 4)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(failure(floats({1, 2, 3}, {2})), HasSubstr("needs 8 bytes"));
  EXPECT_THAT(failure(Tensor::empty(runtime_, DType::kF32, {0})), HasSubstr("extent is 0"));
  EXPECT_THAT(failure(Tensor::empty(runtime_, DType::kF32, {1 << 30, 1 << 30})), HasSubstr("larger than"));
  EXPECT_THAT(failure(Tensor::full(runtime_, DType::kU8, {1}, 256)), HasSubstr("256 is no u8"));
  EXPECT_THAT(failure(Tensor::full(runtime_, DType::kI32, {1}, 0.5)), HasSubstr("0.5 is no i32"));
}

TEST_F(TensorTest, ComputesTranscendentalFunctions) {
  const std::vector<float> values = {-3.5f, -1, -0.1f, 0.1f, 1, 2.5f};
  const Tensor x = floats(values, {6});
  const auto check = [&](const Tensor& tensor, double (*function)(double), float tolerance) {
    const auto got = read(tensor);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], function(values[i]), tolerance) << values[i];
  };
  check(x.exp(), std::exp, 1e-5f);
  check(x.exp2(), std::exp2, 1e-5f);
  check(x.sin(), std::sin, 1e-6f);
  check(x.cos(), std::cos, 1e-6f);
  check(x.tanh(), std::tanh, 1e-6f);
  check(x.trunc(), std::trunc, 0);
  check(
      x.abs().sqrt(), [](double v) { return std::sqrt(std::fabs(v)); }, 1e-6f);
  check(
      x.abs().rsqrt(), [](double v) { return 1 / std::sqrt(std::fabs(v)); }, 1e-6f);
  check(
      x.abs().log(), [](double v) { return std::log(std::fabs(v)); }, 1e-6f);
  check(
      x.abs().log2(), [](double v) { return std::log2(std::fabs(v)); }, 1e-6f);
  check(
      x.sigmoid(), [](double v) { return 1 / (1 + std::exp(-v)); }, 1e-6f);
  check(
      x.silu(), [](double v) { return v / (1 + std::exp(-v)); }, 1e-6f);
  check(
      x.relu(), [](double v) { return v > 0 ? v : 0; }, 0);
  EXPECT_THAT(failure(ints({1}, {1}).exp2()), HasSubstr("floating point"));
}

TEST_F(TensorTest, ComparesAndChooses) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor a = floats({1, 2, nan}, {3});
  const Tensor b = floats({2, 2, 2}, {3});
  EXPECT_THAT(read<uint8_t>(a.lt(b)), ElementsAre(1, 0, 0));
  EXPECT_THAT(read<uint8_t>(a.le(b)), ElementsAre(1, 1, 0));
  EXPECT_THAT(read<uint8_t>(a.gt(b)), ElementsAre(0, 0, 0));
  EXPECT_THAT(read<uint8_t>(a.ge(b)), ElementsAre(0, 1, 0));
  EXPECT_THAT(read<uint8_t>(a.eq(b)), ElementsAre(0, 1, 0));
  EXPECT_THAT(read<uint8_t>(a.ne(b)), ElementsAre(1, 0, 1));
  EXPECT_THAT(read(where(a.lt(b), a, b * 10.0)), ElementsAre(1, 20, 20));
  EXPECT_THAT(read(floats({1, 5}, {2}).maximum(floats({3, 3}, {2}))), ElementsAre(3, 5));
  EXPECT_THAT(read(floats({1, 5}, {2}).minimum(floats({3, 3}, {2}))), ElementsAre(1, 3));
  EXPECT_THAT(failure(where(a, a, b)), HasSubstr("bool"));
}

TEST_F(TensorTest, ComputesWithIntegers) {
  const Tensor a = ints({7, -7, 5}, {3});
  const Tensor b = ints({2, 2, 0}, {3});
  EXPECT_THAT(read<int32_t>(a.idiv(b)), ElementsAre(3, -3, 0));
  EXPECT_THAT(read<int32_t>(a % b), ElementsAre(1, -1, 0));
  EXPECT_THAT(read<int32_t>((a << b) - (a >> b)), ElementsAre(28 - 1, -28 + 2, 0));
  EXPECT_THAT(read<int32_t>((a & b) | (a ^ b)), ElementsAre(7, -7 | 2, 5));
  EXPECT_THAT(read<int32_t>(a.min()), ElementsAre(-7));
  const Tensor u = Tensor::from<uint8_t>(runtime_, std::vector<uint8_t>{1, 200}, {2});
  EXPECT_THAT(read<uint8_t>(-u), ElementsAre(255, 56));
  EXPECT_THAT(read<uint8_t>(u.min()), ElementsAre(1));
  EXPECT_THAT(failure(a / b), HasSubstr("idiv"));
}

TEST_F(TensorTest, NeverConvertsImplicitly) {
  EXPECT_THAT(failure(floats({1}, {1}) + ints({1}, {1})), HasSubstr("dtype"));
  EXPECT_THAT(failure(floats({1}, {1}).matmul(ints({1}, {1}))), HasSubstr("cast"));
  EXPECT_THAT(read<int32_t>(floats({1.9f, -1.9f, 1e20f}, {3}).cast(DType::kI32)),
              ElementsAre(1, -1, std::numeric_limits<int32_t>::max()));
  EXPECT_THAT(read<int32_t>(floats({1}, {1}).bitcast(DType::kI32)), ElementsAre(0x3f800000));
  Tensor x = floats({1}, {1});
  EXPECT_THAT(x.to_vector<int32_t>().status().message(), HasSubstr("cast"));
}

TEST_F(TensorTest, Reduces) {
  const Tensor x = floats({1, 2, 3, 4, 5, -6}, {2, 3});
  EXPECT_THAT(read(x.sum()), ElementsAre(9));
  EXPECT_THAT(read(x.sum({1})), ElementsAre(6, 3));
  EXPECT_THAT(read(x.max({0})), ElementsAre(4, 5, 3));
  EXPECT_THAT(read(x.min({-1})), ElementsAre(1, -6));
  EXPECT_THAT(read(x.prod({1})), ElementsAre(6, -120));
  EXPECT_THAT(read(x.mean({0})), ElementsAre(2.5, 3.5, -1.5));
  EXPECT_EQ(x.sum({0}, Reduced::kKeep).shape(), (Shape{1, 3}));
  EXPECT_EQ(x.sum().shape(), Shape{});
  EXPECT_THAT(failure(x.sum({0, -2})), HasSubstr("twice"));
  EXPECT_THAT(failure(x.lt(x).sum()), HasSubstr("bool"));
}

TEST_F(TensorTest, AccumulatesHalvesInSingles) {
  // 2048 + 1 + 1 .. stays 2048 when summed in f16.
  const Tensor ones = Tensor::full(runtime_, DType::kF16, {4096}, 1).contiguous();
  EXPECT_THAT(read(ones.sum().cast(DType::kF32)), ElementsAre(4096));
}

TEST_F(TensorTest, FindsTheFirstLargest) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_THAT(read<int32_t>(floats({1, 5, 5, -2, -1, -9}, {2, 3}).argmax()), ElementsAre(1, 1));
  EXPECT_THAT(read<int32_t>(floats({1, 5, 5, -2, -1, 6}, {2, 3}).argmax(0)), ElementsAre(0, 0, 1));
  EXPECT_THAT(read<int32_t>(floats({-0.0f, 0.0f}, {2}).argmax()), ElementsAre(0));
  EXPECT_THAT(read<int32_t>(floats({-inf, -inf, -1e38f}, {3}).argmax()), ElementsAre(2));
  EXPECT_THAT(read<int32_t>(ints({std::numeric_limits<int32_t>::min(), -1, 3, 3}, {4}).argmax()), ElementsAre(2));
  EXPECT_THAT(failure(floats({1}, {1}).cast(DType::kF64).argmax()), HasSubstr("argmax of f64"));
}

TEST_F(TensorTest, MultipliesMatricesWithBroadcastBatches) {
  const Tensor a = counting({2, 2, 3});
  const Tensor b = counting({3, 2});
  EXPECT_THAT(read(a.matmul(b)), ElementsAre(10, 13, 28, 40, 46, 67, 64, 94));
  EXPECT_THAT(read(a.matmul(floats({1, 0, 2}, {3}))), ElementsAre(4, 13, 22, 31));
  EXPECT_THAT(read(floats({1, 0, 2}, {3}).matmul(b)), ElementsAre(8, 11));
  EXPECT_THAT(read(floats({1, 0, 2}, {3}).matmul(floats({1, 0, 2}, {3}))), ElementsAre(5));
  EXPECT_THAT(failure(a.matmul(counting({2, 2}))), HasSubstr("inner extents"));
  EXPECT_THAT(failure(a.matmul(a.scalar(1))), HasSubstr("scalar"));
}

TEST_F(TensorTest, SoftmaxIsStableAndSumsToOne) {
  const auto values = read(floats({1000, 1001, -1000, 3, 3, 3}, {2, 3}).softmax());
  EXPECT_NEAR(values[0], 1 / (1 + std::exp(1.0)), 1e-6);
  EXPECT_NEAR(values[1], 1 - values[0], 1e-6);
  EXPECT_EQ(values[2], 0);
  for (size_t i = 3; i < 6; ++i) EXPECT_NEAR(values[i], 1.0 / 3, 1e-6);
}

TEST_F(TensorTest, GathersRowsWithinBounds) {
  const Tensor table = counting({3, 2});
  EXPECT_THAT(read(table.gather(ints({2, 0, 7, -1}, {2, 2}))), ElementsAre(4, 5, 0, 1, 4, 5, 0, 1));
  EXPECT_THAT(failure(table.gather(floats({1}, {1}))), HasSubstr("integer"));
}

TEST_F(TensorTest, JoinsAlongAnAxis) {
  const Tensor a = counting({2, 2});
  const Tensor b = floats({-0.0f, 9}, {2, 1});
  const auto joined = read(cat({a, b, a}, 1));
  EXPECT_THAT(joined, ElementsAre(0, 1, 0, 0, 1, 2, 3, 9, 2, 3));
  EXPECT_TRUE(std::signbit(joined[2]));
  EXPECT_THAT(read(cat({a, a}, 0)), ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));
  EXPECT_THAT(failure(cat({a, b}, 0)), HasSubstr("cat"));
  EXPECT_THAT(failure(cat({}, 0)), HasSubstr("cat"));
}

TEST_F(TensorTest, StoresIntoAViewAndReadsAfterIt) {
  const Tensor memory = counting({4, 2});
  const Tensor after = memory.slice(0, 1, 3).store(floats({-1, -2, -3, -4}, {2, 2}));
  EXPECT_THAT(read(after * 1.0), ElementsAre(0, 1, -1, -2, -3, -4, 6, 7));
  EXPECT_THAT(read(memory), ElementsAre(0, 1, -1, -2, -3, -4, 6, 7));
  EXPECT_THAT(failure(memory.store(floats({1}, {1}))), HasSubstr("store"));
  EXPECT_THAT(failure((memory + 1.0).store(memory)), HasSubstr("store"));
}

TEST_F(TensorTest, TheFirstErrorStands) {
  const Tensor bad = floats({1, 2}, {2}).reshape({3});
  Tensor result = ((bad + 1.0).exp() * counting({2})).softmax().matmul(bad);
  EXPECT_FALSE(result.is_ok());
  EXPECT_EQ(result.status().message(), bad.status().message());
  EXPECT_EQ(result.to_vector<float>().status().message(), bad.status().message());
  EXPECT_THAT(Tensor().status().message(), HasSubstr("never given a value"));
}

TEST_F(TensorTest, RealisesOnceForAllCopies) {
  Tensor x = counting({4}) + 1.0;
  const Tensor copy = x;
  EXPECT_EQ(copy.buffer(), nullptr);
  ASSERT_TRUE(x.realise().is_ok());
  EXPECT_NE(x.buffer(), nullptr);
  EXPECT_EQ(copy.buffer(), x.buffer());
  EXPECT_THAT(read(copy), ElementsAre(1, 2, 3, 4));
}

TEST_F(TensorTest, SaysThatASymbolicShapeNeedsAProgram) {
  const auto n = runtime_->builder().variable("n", 1, 4).value();
  Tensor part = counting({4}).slice(0, 0, Dim(n, 0)) + 1.0;
  EXPECT_THAT(failure(part), HasSubstr("symbolic"));

  const std::vector<ir::NodePtr> outputs = {part.sum().node()};
  const auto program = runtime_->prepare(outputs);
  ASSERT_TRUE(program.is_ok()) << program.status().message();
  for (int64_t value : {1, 3, 4}) {
    ASSERT_TRUE(program.value()->run({{"n", value}}).is_ok());
    float sum = 0;
    ASSERT_TRUE(program.value()->outputs()[0]->read(0, std::as_writable_bytes(std::span(&sum, 1))).is_ok());
    EXPECT_EQ(sum, static_cast<float>(value * (value + 1)) / 2);
  }
}

TEST_F(TensorTest, FreesMemoryThatNoExpressionUses) {
  std::weak_ptr<DeviceBuffer> watched;
  {
    const Tensor x = counting({4});
    watched = x.buffer();
  }
  std::vector<Tensor> others;
  for (int i = 0; i < 200; ++i) others.push_back(counting({1}));
  EXPECT_TRUE(watched.expired());
  EXPECT_THAT(read(others.front()), ElementsAre(0));
}

TEST_F(TensorTest, RefusesTensorsOfAnotherRuntime) {
  const auto other = testing::host_runtime();
  Tensor theirs = Tensor::from(other, std::vector<float>{1}, {1});
  for (int i = 0; i < 3; ++i) theirs = theirs + Tensor::from(other, std::vector<float>{1}, {1});
  EXPECT_THAT(failure(floats({1}, {1}) + theirs), HasSubstr("another runtime"));
}

}  // namespace
}  // namespace bw::tensor
