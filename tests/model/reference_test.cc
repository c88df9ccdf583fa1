// Owns: the whole stack against references computed elsewhere (tests/data/kjv-3m): token ids and perplexity of a real
// model on the emulated card.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "emulator/driver.h"
#include "tensor/generator.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/llama.h"
#include "tensor/runtime.h"
#include "tensor/testing/llama_reference.h"
#include "tensor/tokenizer/tokenizer.h"

namespace bw {
namespace {

using tensor::TokenId;

// Where the two best logits are closer than this, float32 arithmetic in another order may choose the other.
constexpr float kSmallestTellingGap = 0.005f;
constexpr double kPerplexityTolerance = 0.001;  // relative

const nlohmann::json& reference() {
  static const nlohmann::json kReference = [] {
    std::ifstream stream(BAREWAVE_TEST_DATA_DIR "/kjv-3m/reference.json");
    return nlohmann::json::parse(stream);
  }();
  return kReference;
}

// A model on an emulated card of its own.
struct LoadedModel {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::shared_ptr<tensor::Runtime> runtime;
  std::unique_ptr<tensor::Llama> llama;
  std::unique_ptr<tensor::Tokenizer> tokenizer;
};

Result<LoadedModel> load_model(const std::string& weights, emulator::Strictness strictness = emulator::Strictness::kOff,
                               emulator::ShaderEngine engine = emulator::ShaderEngine::kJit) {
  LoadedModel model;
  emulator::EmulatedOptions driver_options;
  driver_options.strictness = strictness;
  driver_options.engine = engine;
  BW_ASSIGN(model.driver, emulator::EmulatedDriver::create(std::move(driver_options)));
  BW_ASSIGN(model.runtime, tensor::Runtime::create(*model.driver));
  BW_ASSIGN(const tensor::gguf::File file,
            tensor::gguf::File::open(BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m." + weights + ".gguf"));
  BW_ASSIGN(tensor::Tokenizer tokenizer, tensor::Tokenizer::create(file));
  model.tokenizer = std::make_unique<tensor::Tokenizer>(std::move(tokenizer));
  BW_ASSIGN(model.llama, tensor::Llama::load(file, model.runtime));
  return model;
}

float gap_between_best_two(std::vector<float> logits) {
  std::partial_sort(logits.begin(), logits.begin() + 2, logits.end(), std::greater<>());
  return logits[0] - logits[1];
}

class Reference : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto loaded = load_model(GetParam());
    ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
    model_ = std::move(loaded).value();
  }

  // All ids equal, or equal up to a step that is too close to call.
  void expect_same_ids(const std::vector<TokenId>& prompt, const std::vector<TokenId>& ids,
                       const std::vector<TokenId>& expected) {
    const auto [got, want] = std::mismatch(ids.begin(), ids.end(), expected.begin(), expected.end());
    if (want == expected.end() && got == ids.end()) return;
    std::vector<TokenId> before = prompt;
    before.insert(before.end(), ids.begin(), got);
    auto logits = model_.llama->last_logits(before, 0);
    ASSERT_TRUE(logits.is_ok()) << logits.status().message();
    EXPECT_LT(gap_between_best_two(logits.value()), kSmallestTellingGap)
        << "ids differ from the reference at step " << got - ids.begin();
  }

  LoadedModel model_;
};

TEST_P(Reference, GreedyIdsAreTheSame) {
  size_t runs = 0;
  for (const nlohmann::json& run : reference()["runs"]) {
    if (run["weights"] != GetParam()) continue;
    ++runs;
    std::vector<TokenId> prompt = model_.tokenizer->encode(run["prompt"].get<std::string>()).value();
    prompt.insert(prompt.begin(), *model_.tokenizer->bos());
    ASSERT_EQ(prompt, run["prompt_ids"].get<std::vector<TokenId>>());

    const auto expected = run["greedy_ids"].get<std::vector<TokenId>>();
    tensor::GenerateOptions options;
    options.max_tokens = static_cast<int64_t>(expected.size());
    auto result = tensor::generate(*model_.llama, prompt, options);
    ASSERT_TRUE(result.is_ok()) << result.status().message();
    expect_same_ids(prompt, result->ids, expected);
    options.block_tokens = 0;  // the host chooses each token
    auto from_host = tensor::generate(*model_.llama, prompt, options);
    ASSERT_TRUE(from_host.is_ok()) << from_host.status().message();
    EXPECT_EQ(from_host->ids, result->ids);
  }
  EXPECT_EQ(runs, 3u);
  // 5 a layer; the embedding, the logits, and the choice of the best token.
  EXPECT_EQ(model_.llama->step_cost().kernel_count, 5u * 4 + 3);
}

TEST_P(Reference, LogitsAfterThePromptAreClose) {
  for (const nlohmann::json& run : reference()["runs"]) {
    if (run["weights"] != GetParam()) continue;
    auto logits = model_.llama->last_logits(run["prompt_ids"].get<std::vector<TokenId>>(), 0);
    ASSERT_TRUE(logits.is_ok()) << logits.status().message();
    const auto expected = run["first_logits"].get<std::vector<float>>();
    ASSERT_EQ(logits->size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(logits.value()[i], expected[i], 2e-4) << "logit " << i;
  }
}

TEST_P(Reference, PerplexityIsTheSame) {
  const auto sequences = reference()["perplexity_ids"].get<std::vector<std::vector<TokenId>>>();
  auto value = tensor::perplexity(*model_.llama, sequences);
  ASSERT_TRUE(value.is_ok()) << value.status().message();
  const double expected = reference()["perplexity"][GetParam()].get<double>();
  EXPECT_NEAR(value.value(), expected, expected * kPerplexityTolerance);
}

// The references end at position 256; the plain decoder in double precision tells the rest of the context.
TEST(WholeContext, LogitsStayThoseOfThePlainDecoder) {
  auto loaded = load_model("Q8_0");
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
  const tensor::gguf::File file = tensor::gguf::File::open(BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf").value();
  tensor::testing::LlamaReference plain(file);
  tensor::Llama& llama = *loaded.value().llama;

  std::vector<TokenId> ids = reference()["perplexity_ids"][0].get<std::vector<TokenId>>();
  const auto more = reference()["perplexity_ids"][1].get<std::vector<TokenId>>();
  ids.insert(ids.end(), more.begin(), more.end());
  ASSERT_EQ(ids.size(), static_cast<size_t>(llama.context()));

  std::vector<std::vector<double>> expected;
  for (const TokenId id : ids) expected.push_back(plain.step(id));
  // In long steps first, then the last positions one by one.
  const size_t one_by_one = ids.size() - 8;
  auto logits = llama.logits(std::span(ids).first(one_by_one), 0);
  ASSERT_TRUE(logits.is_ok()) << logits.status().message();
  for (size_t position = one_by_one; position < ids.size(); ++position) {
    auto last = llama.last_logits(std::span(ids).subspan(position, 1), static_cast<int64_t>(position));
    ASSERT_TRUE(last.is_ok()) << last.status().message();
    logits->insert(logits->end(), last->begin(), last->end());
  }
  const size_t vocabulary = expected[0].size();
  for (size_t position = 0; position < ids.size(); ++position) {
    for (size_t i = 0; i < vocabulary; ++i) {
      ASSERT_NEAR(logits.value()[position * vocabulary + i], expected[position][i], 2e-4)
          << "logit " << i << " at position " << position;
    }
  }
}

// A few tokens: enough for every kernel to run, at several positions.
TEST_P(Reference, KernelsAreCleanInStrictMode) {
  auto loaded = load_model(GetParam(), emulator::Strictness::kOn);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
  tensor::GenerateOptions options;
  options.max_tokens = 3;
  auto result =
      tensor::generate(*loaded->llama, reference()["runs"][0]["prompt_ids"].get<std::vector<TokenId>>(), options);
  const auto reports = loaded->driver->fault_reports();
  ASSERT_TRUE(result.is_ok()) << (reports.empty() ? result.status().message() : reports[0].message);
  EXPECT_EQ(result->ids.size(), 3u);
}

// The other tests run with the default, which has the programs change over somewhere on the way.
TEST_P(Reference, EnginesGiveTheSameBits) {
  const auto prompt = reference()["runs"][0]["prompt_ids"].get<std::vector<TokenId>>();
  std::vector<std::vector<float>> logits;
  for (const auto engine : {emulator::ShaderEngine::kInterpreter, emulator::ShaderEngine::kJitAtOnce}) {
    auto loaded = load_model(GetParam(), emulator::Strictness::kOff, engine);
    ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
    auto result = loaded->llama->last_logits(prompt, 0);
    ASSERT_TRUE(result.is_ok()) << result.status().message();
    logits.push_back(std::move(result).value());
    const bool is_jit = engine == emulator::ShaderEngine::kJitAtOnce;
    EXPECT_EQ(loaded->driver->translation_counts().translated > 5, is_jit);
    EXPECT_EQ(loaded->driver->translation_counts().failed, 0u);
  }
  EXPECT_EQ(logits[0], logits[1]);
}

INSTANTIATE_TEST_SUITE_P(Weights, Reference, testing::Values("F16", "Q8_0", "Q4_0"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace bw
