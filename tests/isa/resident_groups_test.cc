// Workgroups that wait for each other: as many as the card has room for are in execution at a time, on however few
// threads of the host.
#include <gtest/gtest.h>

#include <string>

#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

class ResidentGroups : public ProgramTest {
 protected:
  // Each workgroup counts itself at s[0:1] and goes on when `expected` have; then it counts itself 4 bytes further on.
  static std::string barrier_of(uint32_t expected, const std::string& pause) {
    return R"(
      v_mov_b32 v1, 0
      v_mov_b32 v2, 1
      s_mov_b32 exec_lo, 1
      global_atomic_add_u32 v1, v2, s[0:1]
    again:
      )" + pause +
           R"(
      global_load_b32 v3, v1, s[0:1] glc
      s_waitcnt vmcnt(0)
      v_readfirstlane_b32 s4, v3
      s_cmp_lt_u32 s4, )" +
           std::to_string(expected) + R"(
      s_cbranch_scc1 again
      global_atomic_add_u32 v1, v2, s[0:1] offset:4
      s_endpgm
    )";
  }
  void expect_all_meet(uint32_t groups, uint32_t lanes, const std::string& pause) {
    const uint64_t counts = gpu_.allocate(4096);
    emulator::Dispatch dispatch = dispatch_of(barrier_of(groups * lanes / 32, pause), counts, lanes);
    dispatch.workgroup_count = {groups, 1, 1};
    const auto fault = gpu_.run(dispatch);
    ASSERT_FALSE(fault.has_value()) << fault->message;
    EXPECT_EQ(gpu_.at<uint32_t>(counts)[1], groups * lanes / 32);
  }
};

TEST_F(ResidentGroups, MeetWhileTheySleep) {
  expect_all_meet(96, 32, "s_sleep 1");
}

TEST_F(ResidentGroups, MeetWhileTheySpin) {
  expect_all_meet(5, 32, "");
}

TEST_F(ResidentGroups, MeetWithSeveralWavesEach) {
  expect_all_meet(24, 128, "s_sleep 1");
}

TEST_F(ResidentGroups, HaveLdsAndRegistersOfTheirOwn) {
  // Each workgroup keeps its number in a VGPR and in LDS while it waits for all others.
  const std::string text = R"(
    v_mov_b32 v1, 0
    v_mov_b32 v2, 1
    v_mov_b32 v5, s2
    ds_store_b32 v1, v5
    s_mov_b32 exec_lo, 1
    global_atomic_add_u32 v1, v2, s[0:1]
  again:
    s_sleep 1
    global_load_b32 v3, v1, s[0:1] glc
    s_waitcnt vmcnt(0)
    v_readfirstlane_b32 s4, v3
    s_cmp_lt_u32 s4, 16
    s_cbranch_scc1 again
    ds_load_b32 v6, v1
    s_waitcnt lgkmcnt(0)
    v_lshl_add_u32 v6, v6, 16, v5
    v_lshlrev_b32 v7, 2, v5
    global_store_b32 v7, v6, s[0:1] offset:64
    s_endpgm
  )";
  const uint64_t memory = gpu_.allocate(4096);
  emulator::Dispatch dispatch = dispatch_of(text, memory, 32);
  dispatch.workgroup_count = {16, 1, 1};
  const auto fault = gpu_.run(dispatch);
  ASSERT_FALSE(fault.has_value()) << fault->message;
  for (uint32_t i = 0; i < 16; ++i) EXPECT_EQ(gpu_.at<uint32_t>(memory)[16 + i], i << 16 | i);
}

}  // namespace
}  // namespace bw::test
