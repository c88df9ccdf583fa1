// Owns: a real model divided over emulated cards against the references (tests/data/kjv-3m).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "emulator/driver.h"
#include "tensor/device_executor.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/parallel_llama.h"
#include "tensor/runtime.h"

namespace bw {
namespace {

using tensor::TokenId;

struct DividedModel {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::vector<std::shared_ptr<tensor::Runtime>> runtimes;
  std::unique_ptr<tensor::ParallelLlama> llama;
};

Result<DividedModel> load_model(const std::string& weights, uint32_t cards) {
  DividedModel model;
  emulator::EmulatedOptions options;
  options.card_count = cards;
  BW_ASSIGN(model.driver, emulator::EmulatedDriver::create(std::move(options)));
  BW_ASSIGN(auto executors, tensor::DeviceExecutor::create_several(*model.driver, cards, {}));
  for (auto& executor : executors) model.runtimes.push_back(tensor::Runtime::create(std::move(executor)));
  BW_ASSIGN(const tensor::gguf::File file,
            tensor::gguf::File::open(BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m." + weights + ".gguf"));
  BW_ASSIGN(model.llama, tensor::ParallelLlama::load(file, model.runtimes));
  return model;
}

nlohmann::json reference() {
  std::ifstream stream(BAREWAVE_TEST_DATA_DIR "/kjv-3m/reference.json");
  return nlohmann::json::parse(stream);
}

void expect_the_ids_of_one_card(const std::string& weights, uint32_t cards, size_t most_tokens) {
  auto loaded = load_model(weights, cards);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
  const nlohmann::json all = reference();
  size_t runs = 0;
  for (const nlohmann::json& run : all["runs"]) {
    if (run["weights"] != weights) continue;
    if (++runs > 1) break;
    auto expected = run["greedy_ids"].get<std::vector<TokenId>>();
    expected.resize(std::min(expected.size(), most_tokens));
    std::vector<TokenId> pending = run["prompt_ids"].get<std::vector<TokenId>>();
    std::vector<TokenId> ids;
    int64_t position = 0;
    while (ids.size() < expected.size()) {
      auto next = loaded->llama->greedy(pending, position);
      ASSERT_TRUE(next.is_ok()) << next.status().message();
      position += static_cast<int64_t>(pending.size());
      pending = {next.value()};
      ids.push_back(next.value());
    }
    EXPECT_EQ(ids, expected);
    EXPECT_EQ(ids.size(), std::min<size_t>(most_tokens, 96));
  }
  EXPECT_GT(runs, 0u);
}

class Divided : public testing::TestWithParam<const char*> {};

TEST_P(Divided, TwoCardsGiveTheIdsOfOne) {
  expect_the_ids_of_one_card(GetParam(), 2, 96);
}

INSTANTIATE_TEST_SUITE_P(Weights, Divided, testing::Values("F16", "Q8_0", "Q4_0"),
                         [](const auto& test) { return std::string(test.param); });

TEST(DividedModels, OneCardAndFour) {
  expect_the_ids_of_one_card("Q8_0", 1, 8);
  expect_the_ids_of_one_card("Q8_0", 4, 8);
}

TEST(DividedModels, HeadsThatDoNotDivideAreRefused) {
  EXPECT_THAT(load_model("Q8_0", 3).status().message(), testing::HasSubstr("over 3 cards: 8 heads, 4 key-value heads"));
}

}  // namespace
}  // namespace bw
