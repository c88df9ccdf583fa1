// The functions of f32, which both engines compute by code of their own: the same bits over all of f32, in every
// setting of denormals and rounding.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

constexpr uint32_t kGroupLanes = 1024;

// Numbers of every sign and exponent, in order, so that NaNs stay among themselves; and all the neighbours of those
// where something changes: zero, the denormals, one, what 2^x and 1/x make of the smallest normal number, infinity.
std::vector<uint32_t> values() {
  std::vector<uint32_t> all;
  for (uint32_t high = 0; high < 0x10000; ++high) all.push_back(high << 16 | (high * 0x9e37u & 0xffff));
  const uint32_t centers[] = {0,          0x00800000, 0x3f800000, 0x3f000000, 0x42fc0000, 0x43000000, 0x43150000,
                              0x7e800000, 0x7f000000, 0x7f7ffc00, 0x00200000, 0x33800000, 0x3f3504f3, 0x447a0000};
  for (const uint32_t center : centers) {
    for (const uint32_t sign : {0u, 0x80000000u}) {
      for (uint32_t i = 0; i < kGroupLanes; ++i)
        all.push_back(sign | (std::max(center, kGroupLanes / 2) + i - kGroupLanes / 2));
    }
  }
  return all;
}

// v3 is the value, v4 a number from -170 to 170, or far beyond.
std::vector<uint32_t> results(Gpu& gpu, const std::string& instruction, uint32_t mode,
                              const std::vector<uint32_t>& in) {
  LlvmMc mc;
  std::string error;
  const auto code = mc.assemble(fmt::format(R"(
      s_lshl_b32 s2, s2, 12
      v_lshlrev_b32 v0, 2, v0
      v_add_nc_u32 v0, s2, v0
      global_load_b32 v3, v0, s[0:1]
      s_setreg_imm32_b32 hwreg(HW_REG_MODE, 0, 24), {:#x}
      v_lshrrev_b32 v4, 2, v0
      v_mul_u32_u24 v4, 7, v4
      v_and_b32 v4, 0x1ff, v4
      v_add_nc_u32 v4, -170, v4
      v_cmp_lt_i32 vcc_lo, 170, v4
      v_lshlrev_b32 v5, 23, v4
      v_cndmask_b32 v4, v4, v5, vcc_lo
      s_waitcnt vmcnt(0)
      {}
      v_add_nc_u32 v0, {:#x}, v0
      global_store_b32 v0, v8, s[0:1]
      s_endpgm)",
                                            mode, instruction, in.size() * sizeof(uint32_t)),
                                &error);
  EXPECT_TRUE(code.has_value()) << error;
  if (!code) return {};
  const uint64_t memory = gpu.allocate(2 * in.size() * sizeof(uint32_t));
  std::copy(in.begin(), in.end(), gpu.at<uint32_t>(memory));
  emulator::Dispatch dispatch = Gpu::dispatch(gpu.load(*code), kGroupLanes, memory);
  dispatch.workgroup_count = {static_cast<uint32_t>(in.size() / kGroupLanes), 1, 1};
  const auto fault = gpu.run(dispatch);
  EXPECT_FALSE(fault.has_value()) << fault->message;
  const uint32_t* out = gpu.at<uint32_t>(memory) + in.size();
  return {out, out + in.size()};
}

TEST(Functions, HaveTheSameBitsOnBothEngines) {
  const std::vector<uint32_t> in = values();
  Gpu interpreter(1, Engine::kInterpreter), jit(1, Engine::kJit);
  for (const char* instruction :
       {"v_exp_f32 v8, v3", "v_log_f32 v8, v3", "v_rcp_f32 v8, v3", "v_rsq_f32 v8, v3", "v_sqrt_f32 v8, v3",
        "v_exp_f32 v8, -|v3|", "v_frexp_mant_f32 v8, v3", "v_frexp_exp_i32_f32 v8, v3", "v_ldexp_f32 v8, v3, v4",
        "v_max3_f32 v8, v3, v4, -v3", "v_min3_f32 v8, v3, v4, 1.0"}) {
    // Denormals kept, flushed on the way in, out, both; and towards zero.
    for (const uint32_t mode : {0xf0u, 0xe0u, 0xd0u, 0xc0u, 0x2f3u, 0x2c1u}) {
      const auto expected = results(interpreter, instruction, mode, in), got = results(jit, instruction, mode, in);
      ASSERT_EQ(expected.size(), got.size());
      const auto [a, b] = std::mismatch(expected.begin(), expected.end(), got.begin());
      EXPECT_TRUE(a == expected.end()) << fmt::format("{} of {:#010x} in mode {:#x}: {:#010x}, interpreted {:#010x}",
                                                      instruction, in[static_cast<size_t>(a - expected.begin())], mode,
                                                      *b, *a);
    }
  }
}

}  // namespace
}  // namespace bw::test
