// The budget of instructions that a wave has: programs that go beyond it fault, in whatever way they loop.
#include <gtest/gtest.h>

#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using emulator::ShaderFault;
using emulator::ShaderFaultKind;

class Watchdog : public ProgramTest {
 protected:
  static constexpr uint64_t kBudget = 5000;

  Watchdog() { gpu_.cores().set_watchdog(kBudget); }

  // Programs of some instructions, whose loop is `per_pass` long.
  ShaderFault expect_caught(const std::string& text, uint64_t per_pass) {
    const ShaderFault fault = fault_of(text);
    EXPECT_EQ(fault.kind, ShaderFaultKind::kWatchdog) << fault.message;
    EXPECT_GT(fault.instructions, kBudget);
    EXPECT_LE(fault.instructions, kBudget + per_pass + 8);
    return fault;
  }
};

TEST_F(Watchdog, FaultTellsWavePlaceInstructionAndCount) {
  emulator::Dispatch dispatch = dispatch_of("s_nop 0\n again:\n s_nop 1\n s_branch again\n s_endpgm\n", 0, 64);
  dispatch.workgroup_count = {1, 1, 1};
  const auto fault = gpu_.run(dispatch);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, ShaderFaultKind::kWatchdog);
  EXPECT_EQ(fault->wave, 0u);
  EXPECT_EQ(fault->pc, dispatch.program_address + 4);
  EXPECT_EQ(fault->disassembly, "s_nop 1");
  const std::string count = std::to_string(fault->instructions);
  for (const std::string& part : {std::string("allows a wave 5000 instructions"), "has executed " + count,
                                  std::string("wave 0, pc "), std::string("(program + 0x4): s_nop 1")}) {
    EXPECT_NE(fault->message.find(part), std::string::npos) << fault->message;
  }
}

TEST_F(Watchdog, CatchesLoopsOfEveryKind) {
  expect_caught("again:\n s_branch again\n", 1);
  expect_caught("again:\n s_sleep 0x7f\n s_cbranch_execnz again\n s_endpgm\n", 2);
  expect_caught("s_getpc_b64 s[4:5]\n s_nop 0\n s_setpc_b64 s[4:5]\n", 2);
  // A call forward, and a jump back through a register.
  expect_caught(R"(
    s_getpc_b64 s[8:9]
    s_add_u32 s4, s8, 16
    s_mov_b32 s5, s9
    s_swappc_b64 s[6:7], s[4:5]
    s_endpgm
    s_setpc_b64 s[8:9]
  )",
                4);
  // Forward over some code, and back.
  expect_caught(R"(
    back:
    s_cbranch_execnz forth
    s_endpgm
    .fill 100, 4, 0xbf800000
    forth:
    s_cmp_eq_u32 s0, s0
    s_cbranch_scc1 back
    s_endpgm
  )",
                104);
  expect_caught("again:\n s_call_b64 s[4:5], again\n", 1);
  expect_caught("again:\n s_barrier\n s_branch again\n", 2);
}

TEST_F(Watchdog, CountsEachWaveByItself) {
  // 4 workgroups of 4 waves, each of which executes just less than the budget.
  const std::string text = R"(
    s_movk_i32 s4, 1600
    again:
    s_sub_u32 s4, s4, 1
    s_cmp_lg_u32 s4, 0
    s_cbranch_scc1 again
    s_endpgm
  )";
  emulator::Dispatch dispatch = dispatch_of(text, 0, 128);
  dispatch.workgroup_count = {4, 1, 1};
  const auto fault = gpu_.run(dispatch);
  EXPECT_FALSE(fault.has_value()) << fault->message;
}

TEST_F(Watchdog, NamesTheWaveThatLoops) {
  const ShaderFault fault = fault_of(R"(
    v_readfirstlane_b32 s4, v0
    s_cmp_eq_u32 s4, 32
    s_cbranch_scc1 again
    s_barrier
    s_endpgm
    again:
    s_branch again
  )",
                                     0, 128);
  EXPECT_EQ(fault.kind, ShaderFaultKind::kWatchdog);
  EXPECT_EQ(fault.wave, 1u);
  EXPECT_EQ(fault.disassembly.substr(0, 8), "s_branch");
}

TEST_F(Watchdog, OffLetsLongProgramsRun) {
  gpu_.cores().set_watchdog(0);
  run(R"(
    s_mov_b32 s4, 0x20000
    again:
    s_sub_u32 s4, s4, 1
    s_cmp_lg_u32 s4, 0
    s_cbranch_scc1 again
    s_endpgm
  )",
      0);
}

}  // namespace
}  // namespace bw::test
