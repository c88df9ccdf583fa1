// Owns: a real model divided over emulated cards against the references (tests/data/kjv-3m).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "emulator/driver.h"
#include "ir/float_format.h"
#include "tensor/device_executor.h"
#include "tensor/generator.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/parallel_llama.h"
#include "tensor/runtime.h"
#include "tensor/testing/gguf_writer.h"
#include "tensor/testing/llama_reference.h"

namespace bw {
namespace {

using tensor::TokenId;

using tensor::GenerateOptions;
using tensor::gguf::File;
using tensor::testing::GgufWriter;
using tensor::testing::SmallModel;

struct DividedModel {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::vector<std::shared_ptr<tensor::Runtime>> runtimes;
  std::unique_ptr<tensor::ParallelLlama> llama;
};

Result<DividedModel> divide(const File& file, uint32_t cards) {
  DividedModel model;
  emulator::EmulatedOptions options;
  options.card_count = cards;
  BW_ASSIGN(model.driver, emulator::EmulatedDriver::create(std::move(options)));
  BW_ASSIGN(auto executors, tensor::DeviceExecutor::create_several(*model.driver, cards, {}));
  for (auto& executor : executors) model.runtimes.push_back(tensor::Runtime::create(std::move(executor)));
  BW_ASSIGN(model.llama, tensor::ParallelLlama::load(file, model.runtimes));
  return model;
}

File open_model(const std::string& weights) {
  return File::open(BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m." + weights + ".gguf").value();
}

nlohmann::json reference() {
  std::ifstream stream(BAREWAVE_TEST_DATA_DIR "/kjv-3m/reference.json");
  return nlohmann::json::parse(stream);
}

// `weights`: whose reference that is.
void expect_the_ids_of_one_card(const File& file, const std::string& weights, uint32_t cards, int64_t most_tokens) {
  auto loaded = divide(file, cards);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
  const nlohmann::json all = reference();
  const auto run = std::find_if(all["runs"].begin(), all["runs"].end(),
                                [&](const nlohmann::json& each) { return each["weights"] == weights; });
  ASSERT_NE(run, all["runs"].end());
  auto expected = (*run)["greedy_ids"].get<std::vector<TokenId>>();
  ASSERT_EQ(expected.size(), 96u);
  expected.resize(static_cast<size_t>(most_tokens));
  const auto prompt = (*run)["prompt_ids"].get<std::vector<TokenId>>();
  for (const int64_t block : {int64_t{32}, int64_t{0}}) {
    auto result = tensor::generate(*loaded.value().llama, prompt, {.max_tokens = most_tokens, .block_tokens = block});
    ASSERT_TRUE(result.is_ok()) << result.status().message();
    EXPECT_EQ(result.value().ids, expected) << "blocks of " << block;
  }
}

class Divided : public testing::TestWithParam<const char*> {};

TEST_P(Divided, TwoCardsGiveTheIdsOfOne) {
  expect_the_ids_of_one_card(open_model(GetParam()), GetParam(), 2, 96);
}

INSTANTIATE_TEST_SUITE_P(Weights, Divided, testing::Values("F16", "Q8_0", "Q4_0"),
                         [](const auto& test) { return std::string(test.param); });

// The model's weights of F16 as F32, for which the same ids are right.
std::vector<std::byte> widened() {
  const File file = open_model("F16");
  GgufWriter writer;
  writer.text("general.architecture", "llama");
  for (const char* key : {"context_length", "embedding_length", "block_count", "feed_forward_length",
                          "attention.head_count", "attention.head_count_kv"}) {
    const std::string name = std::string("llama.") + key;
    writer.u32(name, static_cast<uint32_t>(file.require_unsigned(name).value()));
  }
  for (const char* key : {"attention.layer_norm_rms_epsilon", "rope.freq_base"}) {
    const std::string name = std::string("llama.") + key;
    writer.f32(name, static_cast<float>(file.require_number(name).value()));
  }
  for (const tensor::gguf::TensorInfo& info : file.tensors()) {
    std::vector<std::byte> wide(info.data.begin(), info.data.end());
    if (info.type == tensor::gguf::TensorType::kF16) {
      wide.resize(info.data.size() * 2);
      for (size_t i = 0; i < info.data.size() / 2; ++i) {
        uint16_t bits = 0;
        std::memcpy(&bits, info.data.data() + i * 2, sizeof bits);
        const auto value = static_cast<float>(ir::f16_to_double(bits));
        std::memcpy(wide.data() + i * 4, &value, sizeof value);
      }
    }
    writer.tensor(info.name, {info.shape.rbegin(), info.shape.rend()}, tensor::gguf::TensorType::kF32, wide);
  }
  return writer.bytes();
}

TEST(DividedModels, WeightsOfF32) {
  const std::vector<std::byte> bytes = widened();
  expect_the_ids_of_one_card(File::parse(bytes, "widened").value(), "F16", 2, 96);
}

TEST(DividedModels, OneCardAndFour) {
  expect_the_ids_of_one_card(open_model("Q8_0"), "Q8_0", 1, 8);
  expect_the_ids_of_one_card(open_model("Q8_0"), "Q8_0", 4, 16);
}

// A vocabulary that does not divide by three, one layer only, and an output matrix that is the embedding.
TEST(DividedModels, ThreeCardsHavePartsOfDifferentSize) {
  for (const bool is_output_tied : {false, true}) {
    const SmallModel shape{.vocabulary = 47,
                           .dim = 96,
                           .layers = is_output_tied ? 1u : 2u,
                           .heads = 3,
                           .kv_heads = 3,
                           .is_output_tied = is_output_tied};
    const std::vector<std::byte> bytes = tensor::testing::write_small_model(shape).bytes();
    const File file = File::parse(bytes, "small").value();
    const auto driver = emulator::EmulatedDriver::create().value();
    const auto one = tensor::Llama::load(file, tensor::Runtime::create(*driver).value()).value();
    const auto three = divide(file, 3).value();
    const std::vector<TokenId> prompt = {3, 40, 17, 5, 46};
    const std::vector<float> want = one->last_logits(prompt, 0).value();
    const std::vector<float> got = three.llama->last_logits(prompt, 0).value();
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-4) << "logit " << i;
    const GenerateOptions options{.max_tokens = 20, .block_tokens = 6};
    EXPECT_EQ(tensor::generate(*three.llama, prompt, options).value().ids,
              tensor::generate(*one, prompt, options).value().ids);
  }
}

TEST(DividedModels, HeadsThatDoNotDivideAreRefused) {
  EXPECT_THAT(divide(open_model("Q8_0"), 3).status().message(),
              testing::HasSubstr("over 3 cards: 8 heads, 4 key-value heads"));
}

}  // namespace
}  // namespace bw
