#include "tensor/device_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "emulator/driver.h"
#include "tensor/generator.h"
#include "tensor/tensor.h"
#include "tensor/testing/llama_reference.h"
#include "tensor/testing/test_data.h"

namespace bw::tensor {
namespace {

using ::testing::HasSubstr;

class DeviceExecutorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto driver = emulator::EmulatedDriver::create();
    ASSERT_TRUE(driver.is_ok()) << driver.status().message();
    driver_ = std::move(driver).value();
    auto runtime = Runtime::create(*driver_);
    ASSERT_TRUE(runtime.is_ok()) << runtime.status().message();
    runtime_ = std::move(runtime).value();
  }

  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::shared_ptr<Runtime> runtime_;
};

TEST_F(DeviceExecutorTest, ComputesAMatrixProductAndASoftmax) {
  std::vector<float> a(12 * 33);
  std::vector<float> b(33 * 7);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 11) * 0.25f - 1;
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 5) - 2;
  Tensor product = Tensor::from(runtime_, a, {12, 33}).matmul(Tensor::from(runtime_, b, {33, 7}));
  Tensor weights = product.softmax();
  const auto values = product.to_vector<float>();
  ASSERT_TRUE(values.is_ok()) << values.status().message();
  const auto probabilities = weights.to_vector<float>();
  ASSERT_TRUE(probabilities.is_ok()) << probabilities.status().message();
  for (size_t row = 0; row < 12; ++row) {
    std::vector<double> want(7);
    double sum = 0;
    for (size_t column = 0; column < 7; ++column) {
      for (size_t k = 0; k < 33; ++k) want[column] += static_cast<double>(a[row * 33 + k]) * b[k * 7 + column];
      sum += std::exp(want[column]);
    }
    for (size_t column = 0; column < 7; ++column) {
      EXPECT_NEAR(values.value()[row * 7 + column], want[column], 1e-4);
      EXPECT_NEAR(probabilities.value()[row * 7 + column], std::exp(want[column]) / sum, 1e-5);
    }
  }
}

// The choice depends on the host's clock, the product does not. A symbolic extent is timed at its largest.
TEST(DeviceTuner, TunedMatrixProductsAreRight) {
  const auto driver = emulator::EmulatedDriver::create();
  ASSERT_TRUE(driver.is_ok()) << driver.status().message();
  RuntimeOptions options;
  options.tuning_candidates = 3;
  const auto runtime = Runtime::create(*driver.value(), options);
  ASSERT_TRUE(runtime.is_ok()) << runtime.status().message();
  const auto n = runtime.value()->builder().variable("n", 1, 512).value();
  const Tensor rows = Tensor::arange(runtime.value(), DType::kF32, 512).reshape({512, 1});
  const Tensor a = rows.expand({512, 128}).contiguous();
  const Tensor b = Tensor::full(runtime.value(), DType::kF32, {128, 512}, 2.0).contiguous();
  const Tensor sum = a.slice(0, 0, Dim(n, 0)).matmul(b).contiguous().sum();
  const std::vector<ir::NodePtr> outputs = {sum.node()};
  const auto program = runtime.value()->prepare(outputs);
  ASSERT_TRUE(program.is_ok()) << program.status().message();
  std::string forms;  // tiles or lanes: whatever was faster
  for (const LaunchDescription& launch : program.value()->launches()) forms += launch.form + "\n";
  for (const int64_t value : {1, 17, 512}) {
    const Status status = program.value()->run({{"n", value}});
    ASSERT_TRUE(status.is_ok()) << status.message();
    float got = 0;
    ASSERT_TRUE(program.value()->outputs()[0]->read(0, std::as_writable_bytes(std::span(&got, 1))).is_ok());
    EXPECT_FLOAT_EQ(got, static_cast<float>(value * (value - 1) / 2 * 128 * 2 * 512)) << forms;
  }
}

TEST_F(DeviceExecutorTest, RunsAProgramAgainWithOtherVariables) {
  const auto n = runtime_->builder().variable("n", 1, 1000).value();
  const Tensor memory = Tensor::arange(runtime_, DType::kF32, 1000).contiguous();
  const Tensor sum = (memory.slice(0, 0, Dim(n, 0)) * 2.0).contiguous().sum();
  const std::vector<ir::NodePtr> outputs = {sum.node()};
  const auto program = runtime_->prepare(outputs);
  ASSERT_TRUE(program.is_ok()) << program.status().message();
  for (int64_t value : {1, 31, 32, 33, 1000, 2}) {
    const Status status = program.value()->run({{"n", value}});
    ASSERT_TRUE(status.is_ok()) << status.message();
    float got = 0;
    ASSERT_TRUE(program.value()->outputs()[0]->read(0, std::as_writable_bytes(std::span(&got, 1))).is_ok());
    EXPECT_FLOAT_EQ(got, static_cast<float>(value * (value - 1)));
  }
  EXPECT_THAT(program.value()->run({}).message(), HasSubstr("'n' has no value"));
  EXPECT_THAT(program.value()->run({{"n", 1001}}).message(), HasSubstr("not in 1..1000"));
}

TEST_F(DeviceExecutorTest, OrdersStoresAndReads) {
  Tensor memory = Tensor::from(runtime_, std::vector<float>(64, 1.0f), {64});
  Tensor doubled = (memory.store((memory * 2.0).contiguous()) + 1.0).contiguous();
  Tensor again = doubled.flip({0}) * 10.0;
  const auto values = again.to_vector<float>();
  ASSERT_TRUE(values.is_ok()) << values.status().message();
  for (float value : values.value()) EXPECT_EQ(value, 30);
}

TEST_F(DeviceExecutorTest, DecodesASmallModelAsTheReferenceDoes) {
  for (gguf::TensorType type : {gguf::TensorType::kF16, gguf::TensorType::kQ8_0, gguf::TensorType::kQ4_0}) {
    testing::SmallModel shape;
    shape.type = type;
    const auto bytes = testing::write_small_model(shape).bytes();
    const auto file = gguf::File::parse(bytes, "test.gguf");
    testing::LlamaReference reference(file.value());
    auto model = Llama::load(file.value(), runtime_, {.max_context = 0, .chunk_tokens = 4});
    ASSERT_TRUE(model.is_ok()) << model.status().message();
    const std::vector<TokenId> ids = {3, 40, 0, 47, 11};
    const auto logits = model.value()->logits(ids, 0);
    ASSERT_TRUE(logits.is_ok()) << logits.status().message();
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto want = reference.step(ids[i]);
      for (size_t j = 0; j < want.size(); ++j) {
        ASSERT_NEAR(logits.value()[i * want.size() + j], want[j], 1e-4) << gguf::name(type) << " token " << i;
      }
    }
  }
}

TEST_F(DeviceExecutorTest, StartsThePromptOfTheRealModelRight) {
  const auto reference = testing::read_json("kjv-3m/reference.json");
  for (const auto& run : reference["runs"]) {
    if (run["weights"] != "Q8_0") continue;
    const auto file = gguf::File::open(testing::data_path("kjv-3m/kjv-3m.Q8_0.gguf"));
    auto model = Llama::load(file.value(), runtime_);
    ASSERT_TRUE(model.is_ok()) << model.status().message();
    const auto prompt = run["prompt_ids"].get<std::vector<TokenId>>();
    const auto wanted = run["greedy_ids"].get<std::vector<TokenId>>();
    const auto result = generate(*model.value(), prompt, {.max_tokens = 4, .sampling = {}, .eos = {}});
    ASSERT_TRUE(result.is_ok()) << result.status().message();
    EXPECT_EQ(result->ids, std::vector<TokenId>(wanted.begin(), wanted.begin() + 4));
    EXPECT_LE(model.value()->step_cost().kernel_count, 54u);
    break;
  }
}

}  // namespace
}  // namespace bw::tensor
