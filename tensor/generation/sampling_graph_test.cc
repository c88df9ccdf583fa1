#include "tensor/generation/sampling_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "emulator/driver.h"
#include "tensor/generator.h"

namespace bw::tensor {
namespace {

class SamplingGraph : public ::testing::Test {
 protected:
  void SetUp() override {
    driver_ = emulator::EmulatedDriver::create().value();
    runtime_ = Runtime::create(*driver_).value();
  }

  template <typename T>
  Tensor word(T value) {
    return Tensor::from(runtime_, std::vector<T>{value}, {1});
  }

  // What the device draws with seeds and steps that differ, against sample().
  void expect_same_draws(std::vector<float> logits, SamplingOptions options, int count, size_t most_kernels = 1) {
    const Tensor input = Tensor::from(runtime_, logits, {1, static_cast<int64_t>(logits.size())});
    SamplingInputs inputs;
    inputs.temperature = word(static_cast<float>(options.temperature));
    if (options.top_k != 0) inputs.top_k = word(static_cast<double>(options.top_k));
    if (options.top_p != 1) inputs.top_p = word(options.top_p);
    inputs.seed = Tensor::empty(runtime_, DType::kU64, {1});
    inputs.step = Tensor::empty(runtime_, DType::kI32, {1});
    const std::vector<ir::NodePtr> outputs = {draw_token(input, inputs).node()};
    const auto program = runtime_->prepare(outputs);
    ASSERT_TRUE(program.is_ok()) << program.status().message();
    EXPECT_LE(program.value()->launches().size(), most_kernels);
    for (int32_t step = 0; step < count; ++step) {
      options.seed = static_cast<uint64_t>(step) * 0x123456789abcdef1u;
      ASSERT_TRUE(inputs.seed.buffer()->write(0, std::as_bytes(std::span(&options.seed, 1))).is_ok());
      ASSERT_TRUE(inputs.step.buffer()->write(0, std::as_bytes(std::span(&step, 1))).is_ok());
      const Status status = program.value()->run({});
      ASSERT_TRUE(status.is_ok()) << status.message();
      TokenId token = -1;
      ASSERT_TRUE(program.value()->outputs()[0]->read(0, std::as_writable_bytes(std::span(&token, 1))).is_ok());
      EXPECT_EQ(token, sample(logits, options, static_cast<uint64_t>(step)).value())
          << "step " << step << ", temperature " << options.temperature << ", top-k " << options.top_k << ", top-p "
          << options.top_p;
    }
  }

  std::vector<float> random_logits(size_t count) {
    std::normal_distribution<float> normal(0, 3);
    std::vector<float> logits(count);
    for (float& logit : logits) logit = normal(random_);
    return logits;
  }

  std::mt19937 random_{20};
  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::shared_ptr<Runtime> runtime_;
};

TEST_F(SamplingGraph, DrawsWhatTheHostDraws) {
  const std::vector<float> logits = random_logits(300);
  expect_same_draws(logits, {.temperature = 1}, 20);
  expect_same_draws(logits, {.temperature = 0.7, .top_k = 40}, 20);
  expect_same_draws(logits, {.temperature = 1.3, .top_p = 0.9}, 20);
  expect_same_draws(logits, {.temperature = 2, .top_k = 50, .top_p = 0.8}, 20);
}

// A row that does not fit in the registers of a workgroup.
TEST_F(SamplingGraph, LargeVocabularies) {
  std::vector<float> logits = random_logits(33000);
  for (size_t id = 1000; id < logits.size(); id += 3) logits[id] = logits[0];
  expect_same_draws(logits, {.temperature = 1}, 3, 50);
  expect_same_draws(logits, {.temperature = 1.5, .top_k = 20000, .top_p = 0.9}, 5, 100);
}

TEST_F(SamplingGraph, EqualLogitsAreDrawnByTheirIds) {
  expect_same_draws(std::vector<float>(37, 0.5f), {.temperature = 1}, 20);
  expect_same_draws(std::vector<float>(37, -0.5f), {.temperature = 1, .top_k = 5, .top_p = 0.7}, 20);
}

TEST_F(SamplingGraph, EdgesOfTheOptionsAndOfTheLogits) {
  std::vector<float> logits = random_logits(65);
  expect_same_draws(logits, {.temperature = 1, .top_k = 1}, 3);
  expect_same_draws(logits, {.temperature = 1, .top_k = 1000}, 5);
  expect_same_draws(logits, {.temperature = 1, .top_p = 1e-9}, 3);
  expect_same_draws(logits, {.temperature = 1e-3}, 5);
  logits[3] = NAN;
  logits[4] = INFINITY;
  logits[5] = -INFINITY;
  expect_same_draws(logits, {.temperature = 5}, 20);
  expect_same_draws({2.5f}, {.temperature = 1}, 3, 10);
}

}  // namespace
}  // namespace bw::tensor
