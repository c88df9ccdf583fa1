// When programs go over from the interpreter to the JIT, and what happens in between.
#include "emulator/shader/tiering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "emulator/jit/jit.h"
#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using namespace emulator;
using ::testing::HasSubstr;

constexpr const char* kEndless = "again: s_branch again\n s_endpgm";
// s2 counts down from a million and is stored at s[0:1].
constexpr const char* kCountDown =
    "s_mov_b32 s2, 0x100000\n again: s_sub_u32 s2, s2, 1\n s_cmp_lg_u32 s2, 5\n s_cbranch_scc1 again\n"
    "v_mov_b32 v1, s2\n v_mov_b32 v0, 0\n global_store_b32 v0, v1, s[0:1]\n s_endpgm";

// Translates every program to one that ends at once.
class EndingTranslator final : public Translator {
 public:
  struct Ending final : Translation {
    Ending() {
      end.run = [](Wave& wave, const Step&) { wave.stop = Stop::kEnd; };
    }
    const Step* resume_at(const Step*) const override { return &end; }
    Step end;
  };
  std::unique_ptr<Translation> find(const ProgramCode&) override { return nullptr; }
  Result<std::unique_ptr<Translation>> translate(const ProgramCode&) override {
    if (wait_for != nullptr) wait_for->wait();
    if (!refusal.is_ok()) return refusal;
    return std::unique_ptr<Translation>(std::make_unique<Ending>());
  }
  std::shared_future<void>* wait_for = nullptr;
  Status refusal;
};

class TieringTest : public testing::Test {
 protected:
  Gpu make(std::unique_ptr<Translator> translator, uint64_t instructions_before) {
    TieringOptions options;
    options.instructions_before = instructions_before;
    options.warn = [this](const Status& status) {
      std::lock_guard lock(mutex_);
      warnings_.push_back(status.message());
    };
    return Gpu(make_interpreter(2, Strictness::kOff, std::make_unique<Tiering>(std::move(translator), options)));
  }
  Dispatch dispatch_of(Gpu& gpu, const char* text, uint64_t pointer = 0) {
    std::string error;
    const auto code = mc_.assemble(text, &error);
    EXPECT_TRUE(code.has_value()) << error;
    return Gpu::dispatch(gpu.load(*code), 32, pointer);
  }

  LlvmMc mc_;
  std::mutex mutex_;
  std::vector<std::string> warnings_;  // guarded by mutex_
};

TEST_F(TieringTest, WaveInAHotLoopGoesOverWithoutEnding) {
  Gpu gpu = make(std::make_unique<EndingTranslator>(), 1000);
  EXPECT_FALSE(gpu.run(dispatch_of(gpu, kEndless)).has_value());  // returns, and so has gone over
  EXPECT_EQ(gpu.cores().translation_counts().translated, 1u);
}

TEST_F(TieringTest, CheapProgramStaysInterpreted) {
  Gpu gpu = make(std::make_unique<EndingTranslator>(), 1000);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(gpu.run(dispatch_of(gpu, "s_nop 0\n s_endpgm")).has_value());
  EXPECT_EQ(gpu.cores().translation_counts().translated, 0u);
}

TEST_F(TieringTest, OtherDispatchesGoOnWhileAProgramIsTranslated) {
  std::promise<void> go_on;
  std::shared_future<void> gate = go_on.get_future().share();
  auto translator = std::make_unique<EndingTranslator>();
  translator->wait_for = &gate;
  Gpu gpu = make(std::move(translator), 1000);
  const Dispatch endless = dispatch_of(gpu, kEndless);
  std::jthread other([&] { EXPECT_FALSE(gpu.run(endless).has_value()); });
  const uint64_t out = gpu.allocate(4096);
  // Hot as well, and its translation stands in the queue: it ends interpreted, with the right result.
  const auto fault = gpu.run(dispatch_of(gpu, kCountDown, out));
  EXPECT_FALSE(fault.has_value()) << fault->message;
  EXPECT_EQ(*gpu.at<uint32_t>(out), 5u);
  EXPECT_EQ(gpu.cores().translation_counts().translated, 0u);
  go_on.set_value();
}

TEST_F(TieringTest, RefusedTranslationIsToldOnceAndTheProgramGoesOn) {
  auto translator = std::make_unique<EndingTranslator>();
  translator->refusal = error(StatusCode::kIo, "no such instruction");
  Gpu gpu = make(std::move(translator), 0);
  const uint64_t out = gpu.allocate(4096);
  const Dispatch dispatch = dispatch_of(gpu, kCountDown, out);
  for (int i = 0; i < 3; ++i) {
    *gpu.at<uint32_t>(out) = 0;
    EXPECT_FALSE(gpu.run(dispatch).has_value());
    EXPECT_EQ(*gpu.at<uint32_t>(out), 5u);
  }
  EXPECT_EQ(gpu.cores().translation_counts().failed, 1u);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_THAT(warnings_[0], HasSubstr("no such instruction"));
}

TEST_F(TieringTest, ProgramTooLargeForTheJitIsToldAndStaysInterpreted) {
  JitOptions options;
  options.tiering.warn = [this](const Status& status) { warnings_.push_back(status.message()); };
  Gpu gpu(make_jit(1, options));
  const uint64_t out = gpu.allocate(4096);
  const std::string text =
      ".rept 9000\n v_add_nc_u32 v1, v1, 1\n .endr\n v_mov_b32 v0, 0\n"
      "global_store_b32 v0, v1, s[0:1]\n s_endpgm";
  EXPECT_FALSE(gpu.run(dispatch_of(gpu, text.c_str(), out)).has_value());
  EXPECT_EQ(*gpu.at<uint32_t>(out), 9000u);
  EXPECT_EQ(gpu.cores().translation_counts().too_large, 1u);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_THAT(warnings_[0], HasSubstr("more than 8192 steps"));
}

TEST_F(TieringTest, JitTakesUpAWaveInTheMiddleOfItsLoop) {
  JitOptions options;
  options.tiering.instructions_before = 100'000;
  Gpu gpu(make_jit(1, options));
  const uint64_t out = gpu.allocate(4096);
  const Dispatch dispatch = dispatch_of(gpu, kCountDown, out);
  uint64_t interpreted = 0;
  // The translation takes longer than one run may last: the counts of instructions are the same on both sides.
  for (int i = 0; i < 1000 && gpu.cores().translation_counts().translated == 0; ++i) {
    const uint64_t before = gpu.cores().instruction_count();
    EXPECT_FALSE(gpu.run(dispatch).has_value());
    EXPECT_EQ(*gpu.at<uint32_t>(out), 5u);
    interpreted = gpu.cores().instruction_count() - before;
  }
  const uint64_t before = gpu.cores().instruction_count();
  EXPECT_FALSE(gpu.run(dispatch).has_value());
  EXPECT_EQ(gpu.cores().instruction_count() - before, interpreted);
  EXPECT_EQ(*gpu.at<uint32_t>(out), 5u);
  EXPECT_EQ(gpu.cores().translation_counts().translated, 1u);
}

}  // namespace
}  // namespace bw::test
