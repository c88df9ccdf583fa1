// Programs that do not end by themselves, and programs of gigabytes: the shader cores get out of both.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

using emulator::Dispatch;
using emulator::ShaderFaultKind;
using std::chrono::steady_clock;

// Generous: the machine that tests may be busy, and a sanitizer slows everything down.
constexpr std::chrono::seconds kPrompt{5};

// Argument: host threads.
class Cancel : public testing::TestWithParam<size_t> {
 protected:
  uint64_t load(const std::string& text) {
    std::string error;
    auto code = mc_.assemble(text, &error);
    EXPECT_TRUE(code.has_value()) << error;
    return code ? gpu_.load(*code) : 0;
  }
  // Dispatches `text` on eight workgroups of four waves, which shall run until they are cancelled.
  void expect_cancellable(const std::string& text) {
    Dispatch dispatch = Gpu::dispatch(load(text), 128, gpu_.allocate(4096));
    dispatch.workgroup_count = {8, 1, 1};
    std::stop_source cancel;
    std::atomic<bool> has_ended = false;
    std::thread runner([&] {
      const auto fault = gpu_.run(dispatch, cancel.get_token());
      EXPECT_FALSE(fault.has_value()) << fault->message;
      has_ended = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(has_ended);
    const auto begin = steady_clock::now();
    cancel.request_stop();
    runner.join();
    EXPECT_LT(steady_clock::now() - begin, kPrompt);
  }
  // That the shader cores still do their work.
  void expect_working() {
    const uint64_t out = gpu_.allocate(4096);
    const auto fault = gpu_.run(
        Gpu::dispatch(load("v_lshlrev_b32 v1, 2, v0\n global_store_b32 v1, v0, s[0:1]\n s_endpgm\n"), 32, out));
    ASSERT_FALSE(fault.has_value()) << fault->message;
    EXPECT_EQ(gpu_.at<uint32_t>(out)[31], 31u);
  }

  LlvmMc mc_;
  Gpu gpu_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Threads, Cancel, testing::Values(1, 3));

TEST_P(Cancel, EndsALoopOfOneBranch) {
  expect_cancellable("again:\n s_branch again\n s_endpgm\n");
  expect_working();
}

TEST_P(Cancel, EndsALoopOverARegisterAddress) {
  expect_cancellable("s_getpc_b64 s[4:5]\n s_nop 0\n s_setpc_b64 s[4:5]\n s_endpgm\n");
}

TEST_P(Cancel, EndsALoopThatSleeps) {
  expect_cancellable("again:\n s_sleep 0x7f\n s_branch again\n s_endpgm\n");
}

TEST_P(Cancel, EndsALoopThatWaitsForMemory) {
  expect_cancellable(R"(
    again:
    s_load_b32 s4, s[0:1], null
    s_waitcnt lgkmcnt(0)
    s_cmp_eq_u32 s4, 0
    s_cbranch_scc1 again
    s_endpgm
  )");
}

TEST_P(Cancel, EndsALoopWithALongBody) {
  std::string body;
  for (int i = 0; i < 8000; ++i) body += "v_exp_f32 v1, v2\n";
  expect_cancellable("again:\n" + body + "s_branch again\n s_endpgm\n");
}

TEST_P(Cancel, EndsABarrierThatOneWaveNeverReaches) {
  expect_cancellable(R"(
    v_readfirstlane_b32 s4, v0
    s_cmp_eq_u32 s4, 96
    s_cbranch_scc1 again
    s_barrier
    s_endpgm
    again:
    s_branch again
  )");
  expect_working();
}

TEST_P(Cancel, EndsBarriersInALoop) {
  expect_cancellable("again:\n s_barrier\n s_branch again\n s_endpgm\n");
}

TEST_P(Cancel, BeforeTheStartNothingRuns) {
  const uint64_t out = gpu_.allocate(4096);
  std::stop_source cancel;
  cancel.request_stop();
  const uint64_t store = load("v_mov_b32 v1, 1\n v_mov_b32 v2, 0\n global_store_b32 v2, v1, s[0:1]\n s_endpgm\n");
  EXPECT_FALSE(gpu_.run(Gpu::dispatch(store, 1, out), cancel.get_token()).has_value());
  EXPECT_EQ(*gpu_.at<uint32_t>(out), 0u);
}

TEST_P(Cancel, OneDispatchLeavesTheOthersAlone) {
  std::stop_source cancel;
  const Dispatch endless = Gpu::dispatch(load("again:\n s_branch again\n s_endpgm\n"), 32, 0);
  std::thread runner([&] { EXPECT_FALSE(gpu_.run(endless, cancel.get_token()).has_value()); });
  expect_working();
  cancel.request_stop();
  runner.join();
}

TEST_P(Cancel, AWaveThatHasEndedIsMissedByNoBarrier) {
  const uint64_t program = load(R"(
    v_readfirstlane_b32 s4, v0
    s_cmp_eq_u32 s4, 32
    s_cbranch_scc1 leave
    s_barrier
    leave:
    s_endpgm
  )");
  EXPECT_FALSE(gpu_.run(Gpu::dispatch(program, 128, 0)).has_value());
}

// Code of any size is decoded as it is reached.
class LargePrograms : public Cancel {
 protected:
  static constexpr uint32_t kNop = 0xbf800000;

  // `count` instructions that do nothing, and then what `text` says.
  uint64_t load_after_nops(size_t count, const std::string& text) {
    std::vector<uint32_t> code(count, kNop);
    std::string error;
    const auto tail = mc_.assemble(text, &error);
    EXPECT_TRUE(tail.has_value()) << error;
    if (tail) code.insert(code.end(), tail->begin(), tail->end());
    return gpu_.load(code);
  }
};
INSTANTIATE_TEST_SUITE_P(Threads, LargePrograms, testing::Values(1));

TEST_P(LargePrograms, RunOverTheSeamsOfTheirDecoding) {
  const uint64_t out = gpu_.allocate(4096);
  const uint64_t program = load_after_nops(300'000, R"(
    v_lshlrev_b32 v1, 2, v0
    s_branch far
    .fill 30000, 4, 0xbf800000
    far:
    global_store_b32 v1, v0, s[0:1]
    s_endpgm
  )");
  for (int i = 0; i < 2; ++i) {
    const auto fault = gpu_.run(Gpu::dispatch(program, 32, out));
    ASSERT_FALSE(fault.has_value()) << fault->message;
    EXPECT_EQ(gpu_.at<uint32_t>(out)[31], 31u);
  }
}

TEST_P(LargePrograms, BeyondTheLimitFault) {
  const auto fault = gpu_.run(Gpu::dispatch(load_after_nops(2'000'000, "s_endpgm\n"), 32, 0));
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, ShaderFaultKind::kUnimplemented);
  EXPECT_NE(fault->message.find("more instructions than"), std::string::npos) << fault->message;
}

}  // namespace
}  // namespace bw::test
