// Strict mode against the packets of decoding on the device: a block of tokens runs clean, and what waits for shaders
// or invalidates caches within it is missed where it is left out; of the many alike some are tried.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tensor/generator.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/llama.h"
#include "tensor/runtime.h"
#include "tests/device/left_out.h"

namespace bw::tensor {
namespace {

constexpr int64_t kBlockTokens = 3;

struct Outcome {
  std::string message;  // "": clean
  std::vector<Site> sites;
};

Outcome decode(const std::optional<Site>& left_out) {
  EditedCard card(left_out);
  auto runtime = Runtime::create(*card.driver).value();
  const gguf::File file = gguf::File::open(BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf").value();
  const std::unique_ptr<Llama> model = Llama::load(file, runtime, {.max_context = 16}).value();
  card.close();
  card.open();
  const std::vector<TokenId> prompt = {1, 30};
  const auto text = generate(*model, prompt, {.max_tokens = kBlockTokens, .block_tokens = kBlockTokens});
  Outcome outcome{.message = "", .sites = card.sites()};
  card.let_go();
  const auto reports = card.driver->fault_reports();
  EXPECT_EQ(reports.empty(), text.is_ok());
  if (!reports.empty()) outcome.message = reports.front().message;
  return outcome;
}

// Of the submission that has the most parts, which is the block: by part, where they stand.
std::map<std::string, std::vector<Site>> sites_of_block(const std::vector<Site>& sites) {
  std::map<size_t, size_t> counts;
  for (const Site& site : sites) counts[site.submission] += site.engine == Engine::kCompute ? 1 : 0;
  const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
  std::map<std::string, std::vector<Site>> block;
  for (const Site& site : sites) {
    if (site.engine == Engine::kCompute && site.submission == most->first) block[site.part].push_back(site);
  }
  return block;
}

TEST(DecodeOrder, WhatKeepsABlockOfTokensInOrderIsMissed) {
  const Outcome clean = decode(std::nullopt);
  EXPECT_EQ(clean.message, "");
  auto block = sites_of_block(clean.sites);
  ASSERT_GT(block["wait for shaders"].size(), 3 * 10u);
  ASSERT_GE(block["ACQUIRE_MEM"].size(), 2u);
  for (const auto& [part, sites] : block) {
    if (part != "wait for shaders" && part != "ACQUIRE_MEM") continue;
    // Somewhere in each third of the block.
    for (const size_t of_six : {1, 3, 5}) {
      const Site& site = sites[sites.size() * of_six / 6];
      EXPECT_NE(decode(site).message, "") << to_string(site);
    }
  }
  // By vector loads a step's first kernels read nothing that changes, and those behind invalidate by themselves.
  for (const char* field : {"glk_inv", "gl1_inv"}) {
    bool is_missed = false;
    for (const Site& site : block[kSomewhere + field]) is_missed = is_missed || !decode(site).message.empty();
    EXPECT_TRUE(is_missed) << field;
  }
}

}  // namespace
}  // namespace bw::tensor
