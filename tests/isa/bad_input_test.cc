// Programs and dispatches that are wrong in every way: each ends in a fault that says where and why, or does what the
// hardware does.
#include <gtest/gtest.h>

#include <random>

#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using emulator::Access;
using emulator::Dispatch;
using emulator::ShaderFault;
using emulator::ShaderFaultKind;

constexpr uint64_t kPageBytes = 4096;

class BadInput : public ProgramTest {
 protected:
  ShaderFault fault_of_code(const std::vector<uint32_t>& code) {
    last_ = gpu_.load(code);
    const auto fault = gpu_.run(Gpu::dispatch(last_, 32, 0));
    EXPECT_TRUE(fault.has_value());
    return fault.value_or(ShaderFault{});
  }
  uint64_t last_ = 0;  // the address of the last program
};

TEST_F(BadInput, JumpsToWhereNoCodeIsFaultAtTheTarget) {
  const ShaderFault fault = fault_of("s_movk_i32 s4, 0x1000\n s_mov_b32 s5, 0\n s_setpc_b64 s[4:5]\n");
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.access, Access::kExecute);
  EXPECT_EQ(fault.address, 0x1000u);
  EXPECT_EQ(fault.pc, 0x1000u);
}

TEST_F(BadInput, BranchesOutOfTheCodeFaultAtTheTarget) {
  const ShaderFault forward = fault_of_code({0xbfa07fff});  // s_branch, as far as it goes
  EXPECT_EQ(forward.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(forward.access, Access::kExecute);
  EXPECT_EQ(forward.address, last_ + 4 + 0x7fff * 4);
  const ShaderFault backward = fault_of_code({0xbfa0ffff - 1});
  EXPECT_EQ(backward.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(backward.address, last_ - 4);
}

TEST_F(BadInput, CodeThatMayNotBeExecutedFaults) {
  const uint64_t data = gpu_.allocate(kPageBytes);
  *gpu_.at<uint32_t>(data) = 0xbfb00000;  // s_endpgm
  const auto fault = gpu_.run(Gpu::dispatch(data, 32, 0));
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault->access, Access::kExecute);
  EXPECT_EQ(fault->address, data);
}

TEST_F(BadInput, JumpsIntoAnInstructionExecuteWhatItsBytesAre) {
  const uint64_t out = gpu_.allocate(kPageBytes);
  // The literal is v_mov_b32 v1, v0, to which the branch leads.
  run(R"(
    v_mov_b32 v1, 77
    .long 0xbfa00001                ; s_branch over one dword
    s_mov_b32 s4, 0x7e020300
    v_lshlrev_b32 v2, 2, v0
    global_store_b32 v2, v1, s[0:1]
    s_endpgm
  )",
      out);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[31], 31u);
}

TEST_F(BadInput, JumpsToOddAddressesAreIllegal) {
  const ShaderFault fault = fault_of("s_getpc_b64 s[4:5]\n s_add_u32 s4, s4, 2\n s_setpc_b64 s[4:5]\n s_endpgm\n");
  EXPECT_EQ(fault.kind, ShaderFaultKind::kIllegal);
  EXPECT_EQ(fault.disassembly, "s_setpc_b64 s[4:5]");
  EXPECT_NE(fault.message.find("misaligned"), std::string::npos) << fault.message;
}

TEST_F(BadInput, AnInstructionCutOffByTheEndOfItsPageFaultsWhereTheRestWouldBe) {
  std::vector<uint32_t> code(kPageBytes / 4, 0xbf800000);  // s_nop 0
  code.back() = 0xbe8400ff;                                // s_mov_b32 s4 with a literal
  const ShaderFault fault = fault_of_code(code);
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.access, Access::kExecute);
  EXPECT_EQ(fault.pc, last_ + kPageBytes - 4);
  EXPECT_EQ(fault.address, last_ + kPageBytes);
}

TEST_F(BadInput, WithoutLdsReadsAreZeroAndWritesAreDropped) {
  const uint64_t out = gpu_.allocate(kPageBytes);
  Dispatch dispatch = dispatch_of(R"(
    v_lshlrev_b32 v1, 2, v0
    v_mov_b32 v2, 7
    ds_store_b32 v1, v2
    ds_load_b32 v3, v1
    ds_add_rtn_u32 v4, v1, v2
    ds_append v5
    s_waitcnt lgkmcnt(0)
    v_or3_b32 v3, v3, v4, v5
    v_add_nc_u32 v3, v3, 1
    global_store_b32 v1, v3, s[0:1]
    s_endpgm
  )",
                                  out, 32);
  dispatch.pgm_rsrc2 &= ~(0x1ffu << 15);  // LDS_SIZE
  const auto fault = gpu_.run(dispatch);
  ASSERT_FALSE(fault.has_value()) << fault->message;
  for (unsigned lane = 0; lane < 32; ++lane) EXPECT_EQ(gpu_.at<uint32_t>(out)[lane], 1u) << lane;
}

TEST_F(BadInput, ScratchThatADispatchHasNotFaults) {
  const ShaderFault fault = fault_of("scratch_store_b32 off, v0, off offset:16\n s_endpgm\n");
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_NE(fault.message.find("a lane has 0 bytes"), std::string::npos) << fault.message;
}

TEST_F(BadInput, OffsetsBeyondScratchFaultAndNegativeOnesAreFarBeyond) {
  const uint64_t scratch = gpu_.allocate(64 * 32);
  for (const char* text : {"v_mov_b32 v1, 62\n scratch_load_b32 v2, v1, off\n s_endpgm\n",
                           "v_mov_b32 v1, 0\n scratch_store_b32 v1, v0, off offset:-4\n s_endpgm\n",
                           "s_brev_b32 s4, 1\n scratch_load_b128 v[2:5], off, s4\n s_endpgm\n"}) {
    Dispatch dispatch = dispatch_of(text, 0, 32);
    dispatch.pgm_rsrc2 |= 1;
    dispatch.scratch_address = scratch;
    dispatch.scratch_bytes_per_wave = 64 * 32;
    dispatch.scratch_wave_count = 1;
    const auto fault = gpu_.run(dispatch);
    ASSERT_TRUE(fault.has_value()) << text;
    EXPECT_EQ(fault->kind, ShaderFaultKind::kMemory);
    EXPECT_NE(fault->message.find("a lane has 64 bytes"), std::string::npos) << fault->message;
  }
}

TEST_F(BadInput, ScratchThatIsNotMappedFaultsWithItsAddress) {
  Dispatch dispatch = dispatch_of("v_mov_b32 v1, 8\n scratch_load_b32 v2, v1, off\n s_endpgm\n", 0, 32);
  dispatch.pgm_rsrc2 |= 1;
  dispatch.scratch_address = 0x10'0000'0000;
  dispatch.scratch_bytes_per_wave = 0x7fff00;
  dispatch.scratch_wave_count = 0xfff * 6;
  const auto fault = gpu_.run(dispatch);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault->address, 0x10'0000'0000u + 8 * 32);
}

TEST_F(BadInput, RandomBytesEndOrFaultOnEveryEngine) {
  std::mt19937 random(17);
  const uint64_t out = gpu_.allocate(kPageBytes);
  gpu_.cores().set_watchdog(10'000);
  unsigned faults = 0;
  for (unsigned i = 0; i < 40; ++i) {
    std::vector<uint32_t> code(64);
    for (uint32_t& dword : code) dword = static_cast<uint32_t>(random());
    // Half of them are scalar and vector arithmetic, so that some get further.
    for (uint32_t& dword : code) dword = random() % 2 == 0 ? dword : dword >> 1;
    Dispatch dispatch = Gpu::dispatch(gpu_.load(code), 64, out);
    dispatch.wave_size = i % 2 == 0 ? 32 : 64;
    const auto fault = gpu_.run(dispatch);
    faults += fault.has_value();
    EXPECT_TRUE(!fault || !fault->message.empty());
  }
  EXPECT_GT(faults, 30u);
}

}  // namespace
}  // namespace bw::test
