// Dispatches that are suspended and gone on with, as when a queue leaves the hardware for a while.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

using emulator::Dispatch;
using emulator::ShaderFault;
using emulator::Suspension;

constexpr std::chrono::milliseconds kWhile{2};

// A linear congruential generator from the work-item's number, 20000 times, with an exchange through LDS each time.
constexpr const char* kChurn = R"(
  v_mov_b32 v1, v0
  v_lshlrev_b32 v3, 2, v0
  v_xor_b32 v4, 0x7c, v3
  s_mov_b32 s4, 20000
  again:
  v_mul_lo_u32 v1, v1, 0x19660d
  v_add_nc_u32 v1, 0x3c6ef35f, v1
  ds_store_b32 v3, v1
  s_waitcnt lgkmcnt(0)
  s_barrier
  ds_load_b32 v2, v4
  s_waitcnt lgkmcnt(0)
  s_barrier
  v_xor_b32 v1, v1, v2
  s_sub_u32 s4, s4, 1
  s_cmp_lg_u32 s4, 0
  s_cbranch_scc1 again
  s_lshl_b32 s5, s2, 9
  v_add_nc_u32 v3, s5, v3
  global_store_b32 v3, v1, s[0:1]
  s_endpgm
)";

// Computes for a while, counts itself in at address 0, and waits until 64 workgroups have.
constexpr const char* kMeet = R"(
  s_mov_b32 s5, 100000
  busy:
  s_sub_u32 s5, s5, 1
  s_cmp_lg_u32 s5, 0
  s_cbranch_scc1 busy
  v_mov_b32 v0, 0
  v_mov_b32 v1, 1
  global_atomic_add_u32 v0, v1, s[0:1]
  again:
  s_sleep 1
  global_load_b32 v2, v0, s[0:1] glc
  s_waitcnt vmcnt(0)
  v_readfirstlane_b32 s4, v2
  s_cmp_lt_u32 s4, 64
  s_cbranch_scc1 again
  global_atomic_add_u32 v0, v1, s[0:1] offset:4
  s_endpgm
)";

// Waits for a value that is not zero at address 0, and stores it behind.
constexpr const char* kAwait = R"(
  again:
  s_load_b32 s4, s[0:1], null glc
  s_waitcnt lgkmcnt(0)
  s_cmp_eq_u32 s4, 0
  s_cbranch_scc1 again
  v_mov_b32 v0, 0
  v_mov_b32 v1, s4
  global_store_b32 v0, v1, s[0:1] offset:4
  s_endpgm
)";

// Argument: host threads.
class Suspend : public testing::TestWithParam<size_t> {
 protected:
  Dispatch dispatch(const std::string& text, uint32_t lanes, uint32_t groups, uint64_t kernarg) {
    std::string error;
    const auto code = mc_.assemble(text, &error);
    EXPECT_TRUE(code.has_value()) << error;
    Dispatch result = Gpu::dispatch(code ? gpu_.load(*code) : 0, lanes, kernarg);
    result.workgroup_count = {groups, 1, 1};
    return result;
  }
  // Begins, or goes on, until it ends or `pause` has passed.
  std::optional<ShaderFault> run_for(const Dispatch& dispatch, Suspension* suspension,
                                     std::chrono::milliseconds pause) {
    std::stop_source request;
    suspension->request = request.get_token();
    std::thread alarm([&] {
      std::this_thread::sleep_for(pause);
      request.request_stop();
    });
    auto fault = gpu_.cores().run(dispatch, gpu_.space(), {}, suspension);
    alarm.join();
    return fault;
  }
  std::optional<ShaderFault> finish(const Dispatch& dispatch, Suspension* suspension) {
    suspension->request = {};
    return gpu_.cores().run(dispatch, gpu_.space(), {}, suspension);
  }
  uint32_t word(uint64_t address) { return std::atomic_ref(*gpu_.at<uint32_t>(address)).load(); }

  LlvmMc mc_;
  Gpu gpu_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Threads, Suspend, testing::Values(1, 3));

TEST_P(Suspend, ManyTimesChangesNoResult) {
  constexpr uint32_t kGroups = 12, kItems = 128;
  const uint64_t at_once = gpu_.allocate(kGroups * kItems * 4), in_pieces = gpu_.allocate(kGroups * kItems * 4);
  ASSERT_FALSE(gpu_.run(dispatch(kChurn, kItems, kGroups, at_once)).has_value());
  const Dispatch churn = dispatch(kChurn, kItems, kGroups, in_pieces);
  Suspension suspension;
  uint32_t times = 0;
  do {
    const auto fault = run_for(churn, &suspension, kWhile);
    ASSERT_FALSE(fault.has_value()) << fault->message;
    ++times;
  } while (suspension.dispatch != nullptr);
  EXPECT_GT(times, 2u);
  EXPECT_EQ(0, std::memcmp(gpu_.host(at_once), gpu_.host(in_pieces), kGroups * kItems * 4));
}

TEST_P(Suspend, NothingRunsMeanwhile) {
  const uint64_t flag = gpu_.allocate(4096);
  const Dispatch await = dispatch(kAwait, 32, 4, flag);
  Suspension suspension;
  ASSERT_FALSE(run_for(await, &suspension, kWhile).has_value());
  ASSERT_NE(suspension.dispatch, nullptr);
  std::atomic_ref(*gpu_.at<uint32_t>(flag)).store(7);
  std::this_thread::sleep_for(10 * kWhile);
  EXPECT_EQ(word(flag + 4), 0u);
  ASSERT_FALSE(finish(await, &suspension).has_value());
  EXPECT_EQ(suspension.dispatch, nullptr);
  EXPECT_EQ(word(flag + 4), 7u);
}

TEST_P(Suspend, BeforeTheStartItBeginsLater) {
  const uint64_t flag = gpu_.allocate(4096);
  *gpu_.at<uint32_t>(flag) = 9;
  const Dispatch await = dispatch(kAwait, 32, 1, flag);
  std::stop_source request;
  request.request_stop();
  Suspension suspension{.request = request.get_token(), .dispatch = nullptr};
  ASSERT_FALSE(gpu_.cores().run(await, gpu_.space(), {}, &suspension).has_value());
  ASSERT_NE(suspension.dispatch, nullptr);
  EXPECT_EQ(word(flag + 4), 0u);
  ASSERT_FALSE(finish(await, &suspension).has_value());
  EXPECT_EQ(word(flag + 4), 9u);
}

// The threads that had the other workgroups may have something else to do by then.
TEST_P(Suspend, WorkgroupsThatWaitForEachOtherMeetOnOneThread) {
  const uint64_t counters = gpu_.allocate(4096);
  // By the time of the suspension not all have begun. The last one comes later: until then nobody ends.
  const Dispatch meet = dispatch(kMeet, 1, 63, counters);
  Suspension suspension;
  ASSERT_FALSE(run_for(meet, &suspension, kWhile).has_value());
  ASSERT_NE(suspension.dispatch, nullptr);
  std::stop_source cancel;
  const Dispatch endless = dispatch("again:\n s_branch again\n s_endpgm\n", 32, 64, 0);
  std::thread other([&] { EXPECT_FALSE(gpu_.run(endless, cancel.get_token()).has_value()); });
  std::this_thread::sleep_for(kWhile);
  std::atomic_ref(*gpu_.at<uint32_t>(counters)).fetch_add(1);
  EXPECT_FALSE(finish(meet, &suspension).has_value());
  EXPECT_EQ(suspension.dispatch, nullptr);
  EXPECT_EQ(word(counters + 4), 63u);
  cancel.request_stop();
  other.join();
}

TEST_P(Suspend, ADispatchMayBeGivenUp) {
  const Dispatch await = dispatch(kAwait, 32, 4, gpu_.allocate(4096));
  Suspension suspension;
  ASSERT_FALSE(run_for(await, &suspension, kWhile).has_value());
  ASSERT_NE(suspension.dispatch, nullptr);
  suspension.dispatch.reset();
  std::stop_source cancel;
  ASSERT_FALSE(run_for(await, &suspension, kWhile).has_value());
  ASSERT_NE(suspension.dispatch, nullptr);
  cancel.request_stop();
  EXPECT_FALSE(gpu_.cores().run(await, gpu_.space(), cancel.get_token(), &suspension).has_value());
  EXPECT_EQ(suspension.dispatch, nullptr);
}

TEST_P(Suspend, FaultsComeUpAfterwardsToo) {
  const uint64_t flag = gpu_.allocate(4096);
  const Dispatch await = dispatch(kAwait, 32, 4, flag);
  Suspension suspension;
  ASSERT_FALSE(run_for(await, &suspension, kWhile).has_value());
  gpu_.unmap(flag, 4096);
  const auto fault = finish(await, &suspension);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, emulator::ShaderFaultKind::kMemory);
  EXPECT_EQ(fault->address, flag);
  EXPECT_EQ(suspension.dispatch, nullptr);
}

}  // namespace
}  // namespace bw::test
