#include "tensor/models/llama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tensor/generator.h"
#include "tensor/testing/host_runtime.h"
#include "tensor/testing/llama_reference.h"
#include "tensor/testing/test_data.h"

namespace bw::tensor {
namespace {

using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::LlamaReference;
using testing::SmallModel;

using testing::host_runtime;

struct Fixture {
  std::vector<std::byte> bytes;
  gguf::File file;

  explicit Fixture(const SmallModel& model) : Fixture(testing::write_small_model(model)) {}
  explicit Fixture(const GgufWriter& writer)
      : bytes(writer.bytes()), file(gguf::File::parse(bytes, "test.gguf").value()) {}

  std::unique_ptr<Llama> load(const LlamaOptions& options = {}) const {
    auto model = Llama::load(file, host_runtime(), options);
    EXPECT_TRUE(model.is_ok()) << model.status().message();
    return std::move(model).value();
  }
  Status failure(const LlamaOptions& options = {}) const { return Llama::load(file, host_runtime(), options).status(); }
};

double largest_difference(std::span<const float> got, std::span<const double> want) {
  double difference = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference = std::isnan(got[i]) ? INFINITY : std::max(difference, std::fabs(got[i] - want[i]));
  }
  return difference;
}

TEST(LlamaReference, AgreesWithTheReferencesOfTheRealModel) {
  const auto reference = testing::read_json("kjv-3m/reference.json");
  for (const auto& run : reference["runs"]) {
    const auto type = run["weights"].get<std::string>();
    if (type == "F32") continue;
    const auto file = gguf::File::open(testing::data_path(fmt::format("kjv-3m/kjv-3m.{}.gguf", type)));
    LlamaReference model(file.value());
    std::vector<double> logits;
    for (const auto& id : run["prompt_ids"]) logits = model.step(id);
    EXPECT_LT(largest_difference(run["first_logits"].get<std::vector<float>>(), logits), 2e-5);
  }
}

class LlamaOnHost : public ::testing::TestWithParam<gguf::TensorType> {};

INSTANTIATE_TEST_SUITE_P(Types, LlamaOnHost,
                         ::testing::Values(gguf::TensorType::kF32, gguf::TensorType::kF16, gguf::TensorType::kQ8_0,
                                           gguf::TensorType::kQ4_0),
                         [](const auto& test) { return std::string(gguf::name(test.param)); });

TEST_P(LlamaOnHost, GivesTheLogitsOfTheReferenceStepByStep) {
  SmallModel shape;
  shape.type = GetParam();
  const Fixture fixture(shape);
  LlamaReference reference(fixture.file);
  const auto model = fixture.load();
  for (int32_t position = 0; position < 5; ++position) {
    const TokenId id = (position * 17 + 5) % 48;
    const auto logits = model->last_logits(std::span(&id, 1), position);
    ASSERT_TRUE(logits.is_ok()) << logits.status().message();
    EXPECT_LT(largest_difference(logits.value(), reference.step(id)), 1e-4) << "position " << position;
  }
}

TEST_P(LlamaOnHost, GivesTheSameLogitsForAChunk) {
  SmallModel shape;
  shape.type = GetParam();
  const Fixture fixture(shape);
  LlamaReference reference(fixture.file);
  const auto model = fixture.load({.chunk_tokens = 4});
  const std::vector<TokenId> ids = {3, 40, 0, 47, 11, 11, 29, 8, 1};
  const auto logits = model->logits(ids, 0);  // two chunks and one
  ASSERT_TRUE(logits.is_ok()) << logits.status().message();
  ASSERT_EQ(logits->size(), ids.size() * 48);
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_LT(largest_difference(std::span(logits.value()).subspan(i * 48, 48), reference.step(ids[i])), 1e-4)
        << "position " << i;
  }
}

TEST(Llama, ChoosesTheBestTokenOnTheDeviceAndUsesFewKernels) {
  SmallModel shape;
  shape.is_output_tied = true;
  const Fixture fixture(shape);
  LlamaReference reference(fixture.file);
  const auto model = fixture.load();
  TokenId id = 7;
  for (int32_t position = 0; position < 4; ++position) {
    const auto best = model->greedy(std::span(&id, 1), position);
    ASSERT_TRUE(best.is_ok()) << best.status().message();
    const auto logits = reference.step(id);
    EXPECT_EQ(best.value(), std::max_element(logits.begin(), logits.end()) - logits.begin());
    id = best.value();
  }
  EXPECT_LE(model->step_cost().kernel_count, 6u * 2 + 3);
}

TEST(Llama, FillsTheContextToTheLastPosition) {
  SmallModel shape;
  shape.layers = 1;
  shape.context = 6;
  const Fixture fixture(shape);
  const auto model = fixture.load({.chunk_tokens = 4});
  const std::vector<TokenId> prompt = {1, 2, 3, 4, 5};
  const auto result = generate(*model, prompt, {.max_tokens = 10, .sampling = {}, .eos = {}});
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_EQ(result->ids.size(), 2u);  // after position 4, and after position 5
  EXPECT_EQ(result->reason, StopReason::kContextFull);
}

TEST(Llama, RejectsIdsAndPositionsThatDoNotFit) {
  SmallModel shape;
  shape.layers = 1;
  shape.context = 6;
  const Fixture fixture(shape);
  const auto model = fixture.load();
  const std::vector<TokenId> foreign = {48};
  EXPECT_THAT(model->greedy(foreign, 0).status().message(), HasSubstr("token id 48"));
  const std::vector<TokenId> one = {1};
  EXPECT_THAT(model->greedy(one, 6).status().message(), HasSubstr("context"));
  EXPECT_THAT(model->greedy({}, 0).status().message(), HasSubstr("context"));
  const std::vector<TokenId> seven(7, 1);
  EXPECT_THAT(generate(*model, seven, {}).status().message(), HasSubstr("the prompt has 7 tokens"));
}

TEST(Llama, NamesMissingWrongAndUnknownTensors) {
  const std::vector<std::byte> some(64 * 4);
  const Fixture extra(testing::write_small_model({}).tensor("blk.0.attn_q.bias", {64}, gguf::TensorType::kF32, some));
  EXPECT_EQ(extra.failure().code(), StatusCode::kUnsupported);
  EXPECT_THAT(extra.failure().message(), HasSubstr("blk.0.attn_q.bias"));

  SmallModel shape;
  GgufWriter more = testing::write_small_model(shape);
  const Fixture missing(more.u32("llama.rope.dimension_count", 16));
  EXPECT_TRUE(missing.failure().is_ok());

  SmallModel fewer = shape;
  fewer.layers = 1;
  std::vector<std::byte> bytes = testing::write_small_model(fewer).bytes();
  const std::string key = "llama.block_count";
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  const size_t at = std::string_view(text, bytes.size()).find(key) + key.size() + 4;
  bytes[at] = std::byte{2};
  const auto file = gguf::File::parse(bytes, "test.gguf");
  const auto status = Llama::load(file.value(), host_runtime()).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("blk.1.attn_norm.weight"));

  EXPECT_THAT(extra.failure({.max_context = 33}).message(), HasSubstr("context of 33"));
}

}  // namespace
}  // namespace bw::tensor
