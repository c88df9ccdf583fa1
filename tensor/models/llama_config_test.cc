#include "tensor/models/llama_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/testing/gguf_writer.h"
#include "tensor/testing/llama_reference.h"
#include "tensor/testing/test_data.h"

namespace bw::tensor {
namespace {

using testing::GgufWriter;
using ::testing::HasSubstr;

std::string failure(const GgufWriter& writer, StatusCode code) {
  const auto bytes = writer.bytes();
  const auto file = gguf::File::parse(bytes, "test.gguf");
  EXPECT_TRUE(file.is_ok()) << file.status().message();
  const auto config = LlamaConfig::read(file.value());
  EXPECT_FALSE(config.is_ok());
  EXPECT_EQ(config.status().code(), code);
  EXPECT_THAT(config.status().message(), HasSubstr("test.gguf"));
  return config.status().message();
}

TEST(LlamaConfig, ReadsTheRealModel) {
  const auto file = gguf::File::open(testing::data_path("kjv-3m/kjv-3m.Q8_0.gguf"));
  const auto config = LlamaConfig::read(file.value());
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_EQ(config->vocabulary, 1024);
  EXPECT_EQ(config->dim, 256);
  EXPECT_EQ(config->layers, 4);
  EXPECT_EQ(config->heads, 8);
  EXPECT_EQ(config->kv_heads, 4);
  EXPECT_EQ(config->head_dim, 32);
  EXPECT_EQ(config->ffn, 768);
  EXPECT_EQ(config->context, 512);
  EXPECT_EQ(config->rope_dim, 32);
  EXPECT_EQ(config->rope_base, 10000.0);
  EXPECT_FLOAT_EQ(static_cast<float>(config->rms_epsilon), 1e-5f);
}

TEST(LlamaConfig, NamesAnUnknownArchitectureOrMissingKey) {
  EXPECT_THAT(failure(GgufWriter().text("general.architecture", "gpt2"), StatusCode::kUnsupported),
              HasSubstr("'gpt2'"));
  EXPECT_THAT(failure(GgufWriter(), StatusCode::kNotFound), HasSubstr("general.architecture"));
  EXPECT_THAT(failure(GgufWriter().text("general.architecture", "llama"), StatusCode::kNotFound),
              HasSubstr("llama.context_length"));
}

TEST(LlamaConfig, RejectsFeaturesThatWouldChangeTheResults) {
  const GgufWriter good = testing::write_small_model({});
  EXPECT_THAT(failure(GgufWriter(good).u32("llama.expert_count", 8), StatusCode::kUnsupported), HasSubstr("experts"));
  EXPECT_THAT(failure(GgufWriter(good).text("llama.rope.scaling.type", "yarn"), StatusCode::kUnsupported),
              HasSubstr("yarn"));
  EXPECT_THAT(failure(GgufWriter(good).u32("llama.attention.key_length", 8), StatusCode::kUnsupported),
              HasSubstr("key_length"));
}

TEST(LlamaConfig, RejectsValuesThatDoNotFit) {
  testing::SmallModel model;
  model.heads = 5;
  EXPECT_THAT(failure(testing::write_small_model(model), StatusCode::kInvalidArgument), HasSubstr("heads"));
  model = {};
  model.context = 0;
  EXPECT_THAT(failure(testing::write_small_model(model), StatusCode::kInvalidArgument), HasSubstr("context_length"));
  EXPECT_THAT(
      failure(testing::write_small_model({}).u32("llama.rope.dimension_count", 17), StatusCode::kInvalidArgument),
      HasSubstr("dimension_count"));
}

}  // namespace
}  // namespace bw::tensor
