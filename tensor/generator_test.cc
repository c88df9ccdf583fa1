#include "tensor/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace bw::tensor {
namespace {

using ::testing::HasSubstr;

std::map<TokenId, int> draw(std::span<const float> logits, SamplingOptions options, int count) {
  std::map<TokenId, int> histogram;
  for (int i = 0; i < count; ++i) ++histogram[sample(logits, options, static_cast<uint64_t>(i)).value()];
  return histogram;
}

TEST(Sample, TakesTheFirstOfTheBestAtTemperatureZero) {
  const std::vector<float> logits = {1, 5, 5, 2};
  EXPECT_EQ(sample(logits, {}, 0).value(), 1);
}

TEST(Sample, FollowsTheDistribution) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  const auto histogram = draw(logits, {.temperature = 1, .top_p = 1, .seed = 42}, 20000);
  EXPECT_NEAR(histogram.at(0) / 20000.0, 0.5, 0.02);
  EXPECT_NEAR(histogram.at(1) / 20000.0, 0.3, 0.02);
  EXPECT_NEAR(histogram.at(2) / 20000.0, 0.2, 0.02);
}

TEST(Sample, LeavesOutWhatLiesBeyondTopP) {
  const std::vector<float> logits = {std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  const auto histogram = draw(logits, {.temperature = 1, .top_p = 0.7, .seed = 1}, 5000);
  EXPECT_EQ(histogram.count(0), 0u);
  EXPECT_NEAR(histogram.at(1) / 5000.0, 0.625, 0.03);
  EXPECT_EQ(draw(logits, {.temperature = 1, .top_p = 1e-9, .seed = 1}, 100).at(1), 100);
}

TEST(Sample, SharpensWithLowTemperature) {
  const std::vector<float> logits = {1.0f, 1.1f};
  EXPECT_GT(draw(logits, {.temperature = 0.01, .top_p = 1, .seed = 3}, 1000).at(1), 990);
}

TEST(Sample, DependsOnSeedAndStepOnly) {
  const std::vector<float> logits(100, 0.0f);
  const SamplingOptions options{.temperature = 1, .top_p = 1, .seed = 9};
  EXPECT_EQ(sample(logits, options, 5).value(), sample(logits, options, 5).value());
  EXPECT_GT(draw(logits, options, 100).size(), 40u);
  SamplingOptions other = options;
  other.seed = 10;
  int same = 0;
  for (uint64_t i = 0; i < 100; ++i) same += sample(logits, options, i).value() == sample(logits, other, i).value();
  EXPECT_LT(same, 10);
}

TEST(Sample, IgnoresWhatIsNotFinite) {
  const std::vector<float> logits = {NAN, INFINITY, -INFINITY, -3.0f};
  EXPECT_EQ(sample(logits, {.temperature = 1, .top_p = 1, .seed = 0}, 0).value(), 3);
  EXPECT_THAT(sample(std::span(logits).first(3), {}, 0).status().message(), HasSubstr("finite"));
}

TEST(Sample, RejectsOptionsOutOfRange) {
  const std::vector<float> logits = {1};
  for (double temperature : {-1.0, std::nan(""), INFINITY * 1.0}) {
    EXPECT_THAT(sample(logits, {.temperature = temperature, .top_p = 1, .seed = 0}, 0).status().message(),
                HasSubstr("temperature"));
  }
  for (double top_p : {0.0, -0.5, 1.5, std::nan("")}) {
    EXPECT_THAT(sample(logits, {.temperature = 1, .top_p = top_p, .seed = 0}, 0).status().message(),
                HasSubstr("top-p"));
  }
}

}  // namespace
}  // namespace bw::tensor
