// Owns: decoding on the device against the loop of the host: the same tokens, the same ends, and nothing for the host
// to do between the tokens of a block.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "emulator/driver.h"
#include "kfd/testing/failing_driver.h"
#include "tensor/generator.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/llama.h"
#include "tensor/runtime.h"

namespace {

// Of this thread: the emulated card has threads of its own.
thread_local uint64_t allocation_count = 0;

void* allocate(size_t size_bytes) {
  ++allocation_count;
  void* memory = std::malloc(size_bytes == 0 ? 1 : size_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

// Not inlined: compilers would warn of memory from `new` that is freed.
[[gnu::noinline]] void release(void* memory) noexcept {
  std::free(memory);
}

}  // namespace

void* operator new(size_t size_bytes) {
  return allocate(size_bytes);
}
void* operator new[](size_t size_bytes) {
  return allocate(size_bytes);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, size_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  release(memory);
}

namespace bw::tensor {
namespace {

class DeviceLoop : public ::testing::Test {
 protected:
  void SetUp() override {
    emulated_ = emulator::EmulatedDriver::create().value();
    driver_ = std::make_unique<kfd::testing::FailingDriver>(*emulated_);
    runtime_ = Runtime::create(*driver_).value();
    const gguf::File file = gguf::File::open(BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf").value();
    model_ = Llama::load(file, runtime_, {.max_context = 64}).value();
  }

  GenerateResult run(GenerateOptions options, const TokenCallback& on_token = {}) {
    auto result = generate(*model_, kPrompt, options, on_token);
    EXPECT_TRUE(result.is_ok()) << result.status().message();
    return result.is_ok() ? std::move(result).value() : GenerateResult{};
  }

  const std::vector<TokenId> kPrompt = {1, 30, 31, 32};
  std::unique_ptr<emulator::EmulatedDriver> emulated_;
  std::unique_ptr<kfd::testing::FailingDriver> driver_;
  std::shared_ptr<Runtime> runtime_;
  std::unique_ptr<Llama> model_;
};

TEST_F(DeviceLoop, BlocksOfAnySizeGiveTheTokensOfTheHostLoop) {
  const GenerateResult want = run({.max_tokens = 20, .block_tokens = 0});
  ASSERT_EQ(want.ids.size(), 20u);
  for (const int64_t block : {1, 3, 16, 20, 64}) {
    const GenerateResult got = run({.max_tokens = 20, .block_tokens = block});
    EXPECT_EQ(got.ids, want.ids) << block;
    EXPECT_EQ(got.reason, StopReason::kMaxTokens);
  }
}

TEST_F(DeviceLoop, SampledTokensAreThoseOfTheHostLoop) {
  const SamplingOptions samplings[] = {{.temperature = 0.9, .seed = 7},
                                       {.temperature = 1, .top_k = 40, .seed = 8},
                                       {.temperature = 0.8, .top_k = 100, .top_p = 0.95, .seed = 9}};
  for (const SamplingOptions& sampling : samplings) {
    const GenerateResult want = run({.max_tokens = 24, .sampling = sampling, .block_tokens = 0});
    const GenerateResult got = run({.max_tokens = 24, .sampling = sampling, .block_tokens = 16});
    EXPECT_EQ(got.ids, want.ids) << "seed " << sampling.seed;
  }
}

TEST_F(DeviceLoop, AStopTokenEndsABlockEarly) {
  const std::vector<TokenId> ids = run({.max_tokens = 20, .block_tokens = 0}).ids;
  for (const size_t end : {size_t{0}, size_t{1}, size_t{7}, size_t{15}, size_t{16}}) {
    const TokenId eos = ids[end];
    const auto first = static_cast<size_t>(std::find(ids.begin(), ids.end(), eos) - ids.begin());
    const GenerateResult got = run({.max_tokens = 40, .eos = eos, .block_tokens = 16});
    EXPECT_EQ(got.ids, std::vector<TokenId>(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(first)));
    EXPECT_EQ(got.reason, StopReason::kEos);
  }
}

TEST_F(DeviceLoop, EndsWhereTheContextIsFullOrTheCallerHasEnough) {
  const GenerateResult host = run({.max_tokens = 100, .block_tokens = 0});
  const GenerateResult device = run({.max_tokens = 100, .block_tokens = 16});
  EXPECT_EQ(device.ids, host.ids);
  EXPECT_EQ(device.reason, StopReason::kContextFull);
  int left = 5;
  const GenerateResult stopped = run({.max_tokens = 100, .block_tokens = 16}, [&](TokenId) { return --left > 0; });
  EXPECT_EQ(stopped.ids.size(), 5u);
  EXPECT_EQ(stopped.reason, StopReason::kCaller);
}

TEST_F(DeviceLoop, WhoHasEnoughDoesNotWaitForTheRestOfABlock) {
  constexpr int64_t kBlock = 56;
  const auto count_instructions = [&](const TokenCallback& on_token) {
    const uint64_t before = emulated_->instruction_count();
    run({.max_tokens = kBlock, .block_tokens = kBlock}, on_token);
    return emulated_->instruction_count() - before;
  };
  const uint64_t whole = count_instructions({});
  // A token's time, and what it takes until the host has noticed.
  EXPECT_LT(count_instructions([](TokenId) { return false; }), whole / 2);
  EXPECT_GT(count_instructions({}), whole / 2);
}

// The block after the one under way has been handed over by then.
TEST_F(DeviceLoop, WhoHasEnoughOfOneTextGetsTheNextAsIfNothingHadBeen) {
  constexpr int64_t kTokens = 24;
  for (const int64_t enough : {1, 4, 5}) {
    int64_t left = enough;
    const GenerateResult got = run({.max_tokens = kTokens, .block_tokens = 4}, [&](TokenId) { return --left > 0; });
    EXPECT_EQ(got.ids.size(), static_cast<size_t>(enough));
    EXPECT_EQ(got.reason, StopReason::kCaller);
    const GenerateResult whole = run({.max_tokens = kTokens, .block_tokens = 4});
    EXPECT_EQ(whole.ids, run({.max_tokens = kTokens, .block_tokens = 0}).ids);
  }
}

// A block is handed over before the last tokens of the one before are known.
TEST_F(DeviceLoop, BlocksFollowEachOtherWithoutTheHost) {
  ASSERT_TRUE(model_->prefill(kPrompt, 0).is_ok());
  const Llama::Decoding decoding{.last = 7, .position = static_cast<int64_t>(kPrompt.size()), .count = 8, .block = 4};
  std::vector<TokenId> ids;
  uint64_t instructions = 0;
  const Status status = model_->decode(decoding, [&](TokenId id) {
    ids.push_back(id);
    // Whoever holds the host up after the first token finds the others all there, those of the second block too.
    if (ids.size() == 1) {
      for (int tries = 0; tries < 2000; ++tries) {
        instructions = emulated_->instruction_count();
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        if (emulated_->instruction_count() == instructions) break;
      }
    }
    return true;
  });
  ASSERT_TRUE(status.is_ok()) << status.message();
  EXPECT_EQ(ids.size(), 8u);
  EXPECT_EQ(emulated_->instruction_count(), instructions);
}

TEST_F(DeviceLoop, BetweenTheTokensOfABlockNothingIsAllocatedAndTheDriverNotCalled) {
  constexpr size_t kBlock = 32;
  run({.max_tokens = kBlock, .block_tokens = kBlock});
  struct Counts {
    uint64_t allocations = 0;
    uint64_t calls = 0;
  };
  std::vector<Counts> counts;
  counts.reserve(kBlock);
  ASSERT_TRUE(model_->prefill(kPrompt, 0).is_ok());
  const Llama::Decoding decoding{.last = 7, .position = static_cast<int64_t>(kPrompt.size()), .count = kBlock};
  const Status status = model_->decode(decoding, [&](TokenId) {
    counts.push_back({allocation_count, driver_->call_count()});
    return true;
  });
  ASSERT_TRUE(status.is_ok()) << status.message();
  ASSERT_EQ(counts.size(), kBlock);
  EXPECT_EQ(counts.back().allocations, counts.front().allocations);
  EXPECT_EQ(counts.back().calls, counts.front().calls);
}

}  // namespace
}  // namespace bw::tensor
