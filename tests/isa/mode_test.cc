// The MODE register: rounding, denormals and overflow of f32, f64 and f16 arithmetic, against exact results.
#include <array>
#include <cfloat>
#include <cmath>

#include "base/bits.h"
#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

// Rounding modes of MODE: nearest even, up, down, towards zero.
constexpr unsigned kModes = 4;

class ModeOf : public ProgramTest {
 protected:
  // Runs `body` (results in v[8:11]) after s_round_mode, and returns v[8:11] of lane 0.
  std::array<uint32_t, 4> results(unsigned round32, unsigned round64, const std::string& body) {
    const uint64_t out = gpu_.allocate(4096);
    run(fmt::format("s_round_mode {:#x}\n", round32 | round64 << 2) + body +
            "\n v_mov_b32 v1, 0\n global_store_b128 v1, v[8:11], s[0:1]\n s_endpgm\n",
        out, 1);
    std::array<uint32_t, 4> got;
    std::memcpy(got.data(), gpu_.host(out), 16);
    return got;
  }
};

// The neighbours of a result that is not exact, by mode: positive values.
template <class T>
T rounded(T below, T above, T nearest, unsigned mode) {
  return mode == 0 ? nearest : mode == 1 ? above : below;
}

TEST_F(ModeOf, RoundsF32AsItSaysWhateverTheOtherFieldSays) {
  for (unsigned mode = 0; mode < kModes; ++mode) {
    for (unsigned other = 0; other < kModes; ++other) {
      const auto got = results(mode, other, R"(
        v_mov_b32 v2, 1.0
        v_mov_b32 v3, 0x30800000
        v_mov_b32 v4, 0x3eaaaaab
        v_mov_b32 v5, 0x1000001
        v_add_f32 v8, v2, v3
        v_sub_f32 v9, -v2, v3
        v_fma_f32 v10, v4, v4, v3
        v_cvt_f32_u32 v11, v5)");
      EXPECT_EQ(std::bit_cast<float>(got[0]), rounded(1.0f, 1.0f + FLT_EPSILON, 1.0f, mode)) << mode;
      const float down = -1.0f - FLT_EPSILON;
      EXPECT_EQ(std::bit_cast<float>(got[1]), mode == 2 ? down : -1.0f) << mode;
      const double exact = std::fma(static_cast<double>(std::bit_cast<float>(0x3eaaaaabu)),
                                    static_cast<double>(std::bit_cast<float>(0x3eaaaaabu)), 0x1p-30);
      const float nearest = static_cast<float>(exact);
      const float below = nearest <= exact ? nearest : std::nextafterf(nearest, 0.0f);
      EXPECT_EQ(std::bit_cast<float>(got[2]), rounded(below, std::nextafterf(below, 1.0f), nearest, mode)) << mode;
      EXPECT_EQ(std::bit_cast<float>(got[3]), rounded(16777216.0f, 16777218.0f, 16777216.0f, mode)) << mode;
    }
  }
}

TEST_F(ModeOf, RoundsF16AndF64AsItSaysWhateverTheOtherFieldSays) {
  for (unsigned mode = 0; mode < kModes; ++mode) {
    for (unsigned other = 0; other < kModes; ++other) {
      const auto got = results(other, mode, R"(
        v_mov_b32 v2, 0x3c00
        v_mov_b32 v3, 0x0400
        v_add_f16 v8, v2, v3
        v_mov_b32 v4, 0x3f801001
        v_cvt_f16_f32 v4, v4
        v_lshl_or_b32 v8, v4, 16, v8
        v_mov_b32 v4, 1.0
        v_mov_b32 v5, 0x33800000
        v_mov_b32 v9, 0
        v_fma_mixlo_f16 v9, v4, v4, v5
        v_pk_add_f16 v6, v2, v3 op_sel_hi:[0,0]
        v_lshl_or_b32 v9, v6, 16, v9
        v_mov_b32 v2, 0
        v_mov_b32 v3, 0x3ff00000
        v_mov_b32 v4, 0
        v_mov_b32 v5, 0x3c000000
        v_add_f64 v[10:11], v[2:3], v[4:5])");
      const uint32_t half = rounded<uint32_t>(0x3c00, 0x3c01, 0x3c00, mode);
      EXPECT_EQ(got[0] & 0xffff, half) << mode;
      EXPECT_EQ(got[0] >> 16, rounded<uint32_t>(0x3c00, 0x3c01, 0x3c01, mode)) << mode;
      EXPECT_EQ(got[1] & 0xffff, half) << mode;
      EXPECT_EQ(got[1] >> 16, half) << mode;
      EXPECT_EQ(std::bit_cast<double>(make_u64(got[2], got[3])), rounded(1.0, 1.0 + DBL_EPSILON, 1.0, mode)) << mode;
    }
  }
}

TEST_F(ModeOf, ExactFunctionsAreExactInEveryRoundingMode) {
  for (unsigned mode = 0; mode < kModes; ++mode) {
    const auto got = results(mode, mode, R"(
      v_mov_b32 v2, 0x7f800000
      v_mov_b32 v3, 0xff800000
      v_exp_f32 v8, v2
      v_exp_f32 v9, v3
      v_mov_b32 v4, 0xfc00
      v_exp_f16 v10, v4
      v_mov_b32 v5, 0x41480000
      v_sin_f32 v11, v5)");
    EXPECT_EQ(got[0], 0x7f800000u) << mode;
    EXPECT_EQ(got[1], 0u) << mode;
    EXPECT_EQ(got[2] & 0xffff, 0u) << mode;
    EXPECT_NEAR(std::bit_cast<float>(got[3]), 0.0f, 1e-15f) << mode;  // sin of 12.5 turns
  }
}

constexpr const char* kOverflows = R"(
  v_mov_b32 v2, 0x7bff
  v_mov_b32 v3, 0xfbff
  v_mov_b32 v4, 0x7c00
  v_mul_f16 v8, v2, v2
  v_mul_f16 v5, v2, v3
  v_lshl_or_b32 v8, v5, 16, v8
  v_add_f16 v9, v4, v2
  v_mov_b32 v5, 0
  v_rcp_f16 v5, v5
  v_lshl_or_b32 v9, v5, 16, v9
  v_exp_f16 v10, v2
  v_pk_mul_f16 v5, v2, v3 op_sel_hi:[0,0]
  v_lshl_or_b32 v10, v5, 16, v10
  v_mov_b32 v5, 0x7f000000
  v_cvt_f16_f32 v11, v5
  v_mov_b32 v5, 0x7f800000
  v_cvt_f16_f32 v5, v5
  v_lshl_or_b32 v11, v5, 16, v11)";

TEST_F(ModeOf, Fp16OverflowCutsWhatOverflowsAndKeepsInfinitiesOfInfinities) {
  const auto plain = results(0, 0, kOverflows);
  EXPECT_EQ(plain, (std::array<uint32_t, 4>{0xfc007c00, 0x7c007c00, 0xfc007c00, 0x7c007c00}));
  const auto cut = results(0, 0, std::string("s_setreg_imm32_b32 hwreg(HW_REG_MODE, 23, 1), 1\n") + kOverflows);
  EXPECT_EQ(cut, (std::array<uint32_t, 4>{0xfbff7bff, 0x7bff7c00, 0xfbff7bff, 0x7c007bff}));
}

TEST_F(ModeOf, IsReadBackAsWritten) {
  const auto got = results(3, 1, R"(
    s_denorm_mode 0x9
    s_getreg_b32 s4, hwreg(HW_REG_MODE, 0, 8)
    v_mov_b32 v8, s4)");
  EXPECT_EQ(got[0], 0x97u);
}

}  // namespace
}  // namespace bw::test
