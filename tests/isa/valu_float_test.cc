// Floating-point vector instructions: NaNs, denormals, modifiers and rounding at their edges.
// Values marked as captured are results of gfx1100 that ROCm/rocm-systems (emulation/rocjitsu, tests of arithmetic
// modes and conversions, MIT) records; the others follow from the RDNA3 ISA guide.
#include <bit>
#include <cmath>
#include <limits>

#include "tests/isa/valu_test.h"

namespace bw::test {
namespace {

using ValuFloat = ValuTest;

TEST_F(ValuFloat, InvalidOperationsGiveTheNegativeDefaultNan) {
  check({{"v_mul_f32 v8, v2, v3", 0xc0, {0, 0x7f800000}, 0xffc00000},  // captured
         {"v_add_f32 v8, v2, v3", 0xc0, {0x7f800000, 0xff800000}, 0xffc00000},
         {"v_sqrt_f32 v8, v2", 0xc0, {0xff800000}, 0xffc00000},
         {"v_log_f32 v8, v2", 0xc0, {0xbf800000}, 0xffc00000},  // captured
         {"v_rsq_f32 v8, v2", 0xc0, {0xff800000}, 0xffc00000},
         {"v_sin_f32 v8, v2", 0xc0, {0x7f800000}, 0xffc00000},
         {"v_cos_f16 v8, v2", 0xc0, {0x7c00}, 0xdeadfe00},
         {"v_sqrt_f16 v8, v2", 0xc0, {0xfc00}, 0xdeadfe00},
         {"v_fma_f16 v8, v2, v3, v4", 0xc0, {0, 0x7c00, 0x3c00}, 0xdeadfe00},             // captured
         {"v_fma_f16 v8, v2, v3, v4", 0xc0, {0x7c00, 0x3c00, 0xfc00}, 0xdeadfe00},        // captured
         {"v_pk_fma_f16 v8, v2, v3, v4", 0xc0, {0, 0x7c007c00, 0x3c003c00}, 0xfe00fe00},  // captured
         {"v_div_fixup_f16 v8, v2, v3, v4", 0xf0, {0xc200, 0, 0}, 0xdeadfe00},            // captured
         {"v_div_fixup_f32 v8, v2, v3, v4", 0xf0, {0x3f800000, 0, 0}, 0xffc00000}});
}

// All captured.
TEST_F(ValuFloat, FirstNanWinsAndIsQuietedInIeeeModeOnly) {
  for (const uint32_t ieee : {0u, kIeee}) {
    const uint32_t nan = ieee != 0 ? 0x7fc01abc : 0x7f801abc, half = ieee != 0 ? 0x7e01 : 0x7c01;
    check({{"v_add_f32 v8, v2, v3", ieee, {0x7f801abc, 0xffc00222}, nan},
           {"v_add_f32 v8, v2, v3", ieee, {0x3f800000, 0x7f801abc}, nan},
           {"v_mul_f32 v8, v2, v3", ieee, {0x7f801abc, 0xffc00222}, nan},
           {"v_mul_dx9_zero_f32 v8, v2, v3", ieee | 0xc0, {0x7f801abc, 0x3f800000}, nan},
           {"v_fma_mix_f32 v8, v2, v3, v4", ieee, {0x7f801abc, 0x3f800000, 0x3f800000}, nan},
           {"v_exp_f32 v8, v2", ieee | 0xf0, {0x7f801abc}, nan},
           {"v_sin_f32 v8, v2", ieee | 0xf0, {0x7f801abc}, nan},
           {"v_rcp_f16 v8, v2", ieee, {0x7c01}, 0xdead0000 | half},
           {"v_log_f16 v8, v2", ieee | 0xf0, {0x7c01}, 0xdead0000 | half},
           {"v_fma_f16 v8, v2, v3, v4", ieee, {0x7c01, 0x3c00, 0}, 0xdead0000 | half},
           {"v_fma_f16 v8, v2, v3, v4", ieee, {0x3c00, 0x3c00, 0x7c01}, 0xdead0000 | half},
           {"v_pk_fma_f16 v8, v2, v3, v4", ieee, {0x7c017c01, 0x3c003c00, 0}, half << 16 | half},
           {"v_cvt_f32_f16 v8, v2", ieee, {0x7c01}, ieee != 0 ? 0x7fc02000u : 0x7f802000u}});
  }
  check({{"v_fma_f16 v8, v2, v3, v4", 0, {0x7fc1, 0xff80, 0xff80}, 0xdead7fc1},
         // Quieted in every mode.
         {"v_frexp_mant_f32 v8, v2", 0xf0, {0xff80002a}, 0xffc0002a},
         {"v_div_fixup_f16 v8, v2, v3, v4", 0xf0, {0, 0x3c00, 0xfc2a}, 0xdeadfe2a}});
}

// All captured.
TEST_F(ValuFloat, InvalidProductComesBeforeTheNanOfTheAddend) {
  check({{"v_fma_f16 v8, v2, v3, v4", 0xc0, {0, 0x7c00, 0x7e01}, 0xdeadfe00},
         {"v_fma_f16 v8, v2, v3, v4", 0xc0, {1, 0x7c00, 0x7e01}, 0xdead7e01},
         {"v_fma_f16 v8, v2, v3, v4", 0x00, {1, 0x7c00, 0x7e01}, 0xdeadfe00},
         {"v_fma_mixlo_f16 v8, v2, v3, v4", 0, {0, 0x7f800000, 0x7fe9a000}, 0xdeadfe00},
         {"v_fma_mixlo_f16 v8, v2, v3, v4", 0, {0x7fc12000, 0x3f800000, 0x7fe9a000}, 0xdead7e09}});
}

// All captured.
TEST_F(ValuFloat, Dx9MultiplyAddFlushesAlwaysAndMakesZeroOfZeroTimesAnything) {
  for (const uint32_t mode : {0x00u, 0x30u, 0x02u, 0x32u}) {
    const uint32_t zero_sum = (mode & 3) == 2 ? 0x80000000 : 0;
    check({{"v_fma_dx9_zero_f32 v8, v2, v3, v4", mode, {0, 0x7f800000, 0x3f800000}, 0x3f800000},
           {"v_fma_dx9_zero_f32 v8, v2, v3, v4", mode, {0x7fc01234, 0x80000000, 0x3f800000}, 0x3f800000},
           {"v_fma_dx9_zero_f32 v8, v2, v3, v4", mode, {1, 0x4b000000, 0}, 0},
           {"v_fma_dx9_zero_f32 v8, v2, v3, v4", mode, {0x00800000, 0x3f000000, 0}, 0},
           {"v_fma_dx9_zero_f32 v8, v2, v3, v4", mode, {0, 0x7f800000, 0x80000000}, zero_sum},
           {"v_fma_dx9_zero_f32 v8, v2, v3, v4", mode, {0x80000000, 0x3f800000, 0x80000000}, zero_sum},
           {"v_fma_dx9_zero_f32 v8, v2, v3, v4", mode, {0, 0x7f800000, 0x7f800012}, 0x7f800012},
           {"v_fma_dx9_zero_f32 v8, v2, v3, v4 mul:2", mode, {0x3f800000, 0x3f800000, 0x3f800000}, 0x40800000}});
  }
  check({{"v_mul_dx9_zero_f32 v8, v2, v3", 0xd0, {1, 0x4b000000}, 0x00800000},
         {"v_mul_dx9_zero_f32 v8, v2, v3", 0xc0, {0, 0x7f812345}, 0}});
}

// All captured but the one of f64.
TEST_F(ValuFloat, OmodNeedsFlushedDenormalsAndNoIeeeMode) {
  check({{"v_add_f32 v8, v2, v3 div:2", 0x00, {0x80800000, 0}, 0x80000000},  // the sign of what becomes too small stays
         {"v_add_f32 v8, v2, v3 div:2", 0x20, {0x80800000, 0}, 0x80800000},
         {"v_add_f32 v8, v2, v3 div:2", kIeee, {0x80800000, 0}, 0x80800000},
         {"v_fma_dx9_zero_f32 v8, v2, v3, v4 mul:4", 0, {0, 0x7f800000, 0x80000000}, 0},
         {"v_rcp_f32 v8, v2 mul:2", 0xf0, {0x3f800000}, 0x40000000},  // functions flush whatever MODE says
         {"v_rcp_f32 v8, v2 mul:2", 0xf0 | kIeee, {0x3f800000}, 0x3f800000},
         {"v_exp_f32 v8, v2 div:2", 0xf0, {0xc2fc0000}, 0},
         {"v_fma_f16 v8, v2, v3, v4 div:2", 0x00, {0x0400, 0xbc00, 0}, 0xdead8000},
         {"v_fma_f16 v8, v2, v3, v4 div:2", 0x80, {0x0400, 0xbc00, 0}, 0xdead8400},
         {"v_fma_f16 v8, v2, v3, v4 mul:4", 0x00, {0x0400, 0x3800, 0}, 0xdead0000},  // rounded and flushed first
         {"v_fma_f16 v8, v2, v3, v4 mul:4", 0x00, {0x0400, 0xb800, 0}, 0xdead0000},
         {"v_fma_f16 v8, v2, v3, v4 div:2", 0x00, {0x3c00, 0x7bff, 0x7bff}, 0xdead7c00},
         {"v_fma_f16 v8, v2, v3, v4 div:2", kFp16Ovfl, {0x3c00, 0x7bff, 0x7bff}, 0xdead77ff},
         {"v_fma_f16 v8, v2, v3, v4 div:2", 0x40, {1, 0x3400, 0x8400}, 0xdead8000},
         {"v_fma_f16 v8, v2, v3, v4 div:2", 0x4c, {1, 0x3400, 0x8400}, 0xdead0000},
         {"v_exp_f16 v8, v2 div:2", 0x30 | kFp16Ovfl, {0x4c00}, 0xdead77ff},
         {"v_exp_f16 v8, v2 mul:4", 0xf0, {0xcb80}, 0xdead0200}});
  EXPECT_EQ(run_one(0x30, "v_add_f64 v[8:9], v[2:3], v[4:5] mul:2", {0, 0x3ff00000, 0, 0x3ff00000})[1], 0x40100000u);
  EXPECT_EQ(run_one(0xf0, "v_add_f64 v[8:9], v[2:3], v[4:5] mul:2", {0, 0x3ff00000, 0, 0x3ff00000})[1], 0x40000000u);
}

TEST_F(ValuFloat, ClampTakesNanToZeroUnderDx10ClampOnlyAndReachesF16Selections) {
  check({{"v_mul_dx9_zero_f32 v8, v2, v3 clamp", 0xc0, {0x7f812345, 0x3f800000}, 0x7f812345},  // captured
         {"v_mul_dx9_zero_f32 v8, v2, v3 clamp", 0xc0 | kDx10Clamp, {0x7f812345, 0x3f800000}, 0},
         {"v_log_f16 v8, v2 clamp", 0x30, {0xfc01}, 0xdeadfc01},  // captured
         {"v_max_f16 v8, v2, v3 clamp", 0xf0, {0x4000, 0x4400}, 0xdead3c00},
         {"v_max_f16 v8, v2, v3 clamp", 0xf0, {0xc000, 0xc400}, 0xdead0000},
         {"v_min3_f16 v8, v2, v3, v4 clamp", 0xf0, {0x4000, 0x4400, 0x4000}, 0xdead3c00},
         {"v_cvt_pk_rtz_f16_f32 v8, v2, v3 clamp", 0xf0, {0x40000000, 0xbf800000}, 0x00003c00},
         {"v_add_f32 v8, v2, v3 clamp", 0xf0, {0x80000000, 0x80000000}, 0}});
}

TEST_F(ValuFloat, MinimumAndMaximumOfNansAndZeros) {
  check({{"v_min_f32 v8, v2, v3", 0xf0, {0x7fc00001, 0xffc00002}, 0x7fc00001},
         {"v_max_f32 v8, v2, v3", 0xf0, {0x7f800001, 0xff800002}, 0x7f800001},
         {"v_max_f32 v8, v2, v3", 0xf0 | kIeee, {0x3f800000, 0xff800002}, 0xffc00002},
         {"v_min_f16 v8, v2, v3", 0xf0, {0x7e01, 0xfe02}, 0xdead7e01},
         {"v_max_f16 v8, v2, v3", 0xf0, {0x8000, 0}, 0xdead0000},
         {"v_pk_min_f16 v8, v2, v3", 0xf0, {0x7e010000, 0xfe028000}, 0x7e018000},
         {"v_min3_f32 v8, v2, v3, v4", 0x00, {0x00000001, 0x00000002, 0x3f800000}, 0},
         {"v_max3_f32 v8, v2, v3, v4", 0x00, {0x80000001, 0xbf800000, 0xbf800000}, 0x80000000},
         {"v_maxmin_f32 v8, v2, v3, v4", 0x00, {0x00000001, 0, 0x3f800000}, 0},
         // The guide compares the maximum with the first source, of which -0 is one.
         {"v_med3_f32 v8, v2, v3, v4", 0xf0, {0x80000000, 0, 0xbf800000}, 0},
         {"v_med3_f16 v8, v2, v3, v4", 0xf0, {0x8000, 0, 0xbc00}, 0xdead0000},
         {"v_med3_f32 v8, v2, v3, v4", 0xf0, {0x7fc00000, 0x40000000, 0x3f800000}, 0x3f800000}});
}

// All captured.
TEST_F(ValuFloat, FunctionsRoundToNearestInEveryMode) {
  for (uint32_t round = 0; round < 4; ++round) {
    check({{"v_rcp_f16 v8, v2", 0xc0 | round << 2, {0x03ff}, 0xdead7401},
           {"v_rcp_f16 v8, v2", 0xc0 | round << 2, {0x7bff}, 0xdead0100},
           {"v_rcp_f16 v8, v2", round << 2, {0x7bff}, 0xdead0000},
           {"v_rcp_f16 v8, v2", round << 2, {0x03ff}, 0xdead7c00},
           {"v_log_f16 v8, v2", 0xf0 | round << 2, {1}, 0xdeadce00},
           {"v_exp_f16 v8, v2", 0xf0 | round << 2, {0x11c5}, 0xdead3c01},
           {"v_log_f32 v8, v2", 0xf0 | round, {0x80000001}, 0xff800000},
           {"v_exp_f32 v8, v2", 0xf0 | round, {0xc2fc0001}, 0},
           {"v_sin_f32 v8, v2", 0xc0 | round, {0x80000001}, 0x80000000},
           {"v_sin_f32 v8, v2", 0xf0 | round, {0x80000001}, 0x80000006},
           {"v_sin_f32 v8, v2", 0xf0 | round, {0xff7fffff}, 0},
           {"v_cos_f32 v8, v2", 0xf0 | round, {0xff7fffff}, 0x3f800000}});
  }
}

// All captured.
TEST_F(ValuFloat, Fp16OverflowCutsTheInfinitiesOfZeroToo) {
  check({{"v_rcp_f16 v8, v2", kFp16Ovfl | 0xc0, {0}, 0xdead7bff},
         {"v_rsq_f16 v8, v2", kFp16Ovfl | 0xc0, {0x8000}, 0xdeadfbff},
         {"v_log_f16 v8, v2", kFp16Ovfl | 0xf0, {0}, 0xdeadfbff},
         {"v_log_f16 v8, v2", kFp16Ovfl | 0x30, {1}, 0xdeadfbff},
         {"v_log_f16 v8, v2", kFp16Ovfl | 0xf0, {0x7c00}, 0xdead7c00},
         {"v_exp_f16 v8, v2", kFp16Ovfl | 0xf0, {0x4c00}, 0xdead7bff}});
}

// Those of f32 captured.
TEST_F(ValuFloat, SmallResultsAreFlushedByTheirValueAfterRoundingToFullPrecision) {
  check({{"v_mul_f32 v8, v2, v3", 0, {0x00800000, 0x3f7fffff}, 0},
         {"v_mul_f32 v8, v2, v3", 0xf0, {0x00800000, 0x3f7fffff}, 0x00800000},
         {"v_mul_f32 v8, v2, v3", 0xf3, {0x80800000, 0x3f7fffff}, 0x807fffff},
         {"v_fma_f32 v8, v2, v3, v4", 0, {0x80800000, 0x33800000, 0x00800000}, 0},
         {"v_fma_f32 v8, v2, v3, v4", 0, {0x80800000, 0x33000000, 0x00800000}, 0x00800000},
         {"v_fma_f32 v8, v2, v3, v4", 3, {0x80800000, 0x33000000, 0x00800000}, 0}});
  // The same of f16: 2^-14 less half a step of denormals is 2^-14 in steps of denormals, but something less in 11 bits.
  check({{"v_fma_f16 v8, v2, v3, v4", 0x40, {0x0001, 0xb800, 0x0400}, 0xdead0000},
         {"v_fma_f16 v8, v2, v3, v4", 0xc0, {0x0001, 0xb000, 0x0400}, 0xdead0400},
         {"v_fma_f16 v8, v2, v3, v4", 0x40, {0x0001, 0xb000, 0x0400}, 0xdead0400}});
}

// All captured.
TEST_F(ValuFloat, LdexpAndFrexpFollowRoundingAndDenormalModes) {
  for (uint32_t round = 0; round < 4; ++round) {
    const uint32_t mode = 0xf0 | round | round << 2;
    check({{"v_ldexp_f32 v8, v2, v3", mode, {0x00800000, 0xffffffe8}, round == 1 ? 1u : 0u},
           {"v_ldexp_f32 v8, v2, v3", mode, {0x80800000, 0xffffffe8}, round == 2 ? 0x80000001u : 0x80000000u},
           {"v_ldexp_f32 v8, v2, v3", mode, {0x7f7fffff, 1}, round < 2 ? 0x7f800000u : 0x7f7fffffu},
           {"v_ldexp_f64 v[8:9], v[2:3], v4", mode, {0, 0x00100000, 0xffffffcb}, round == 1 ? 1u : 0u},
           {"v_ldexp_f16 v8, v2, v3", mode, {0x0401, 0xffff}, round == 1 ? 0xdead0201u : 0xdead0200u},
           {"v_div_fixup_f16 v8, v2, v3, v4", mode, {0x7e2a, 0x3c00, 0x3c00}, round < 2 ? 0xdead7c00u : 0xdead7bffu},
           {"v_div_fixup_f16 v8, v2, v3, v4",
            mode,
            {0x7c00, 0xbc00, 0x3c00},
            round == 0 || round == 2 ? 0xdeadfc00u : 0xdeadfbffu}});
  }
  check({{"v_ldexp_f32 v8, v2, v3", 0, {1, 23}, 0},
         {"v_ldexp_f32 v8, v2, v3", 0xf0, {1, 23}, 0x00800000},
         {"v_ldexp_f32 v8, v2, v3", 0xff, {0x3f800000, 0x7fffffff}, 0x7f7fffff},
         {"v_ldexp_f64 v[8:9], v[2:3], v4", 0xf5, {0, 0x3ff00000, 0x80000000}, 1},
         {"v_frexp_exp_i32_f32 v8, v2", 0xf0, {1}, 0xffffff6c},
         {"v_frexp_exp_i32_f32 v8, v2", 0x00, {1}, 0},
         {"v_frexp_mant_f32 v8, v2", 0xf0, {1}, 0x3f000000},
         {"v_frexp_mant_f32 v8, v2", 0x00, {0x80000001}, 0x80000000},
         {"v_frexp_mant_f32 v8, v2", 0xf0, {0xbe800000}, 0xbf000000}});
}

// All captured.
TEST_F(ValuFloat, MixedMultiplyAddToF16RoundsOnce) {
  for (uint32_t round = 0; round < 4; ++round) {
    // The product lies just below a half, which a rounding to f32 would make of it.
    const uint32_t expected = round < 2 ? 0xdead340c : 0xdead340b;
    check({{"v_fma_mixlo_f16 v8, v2, v3, 0 op_sel_hi:[0,0,0]", 0xf0 | round << 2, {0x3b333333, 0x42b90000}, expected}});
  }
}

TEST_F(ValuFloat, DivisionStepsGiveTheQuotientFromTheSmallestToTheLargest) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min(), kMax = std::numeric_limits<float>::max();
  const std::vector<float> values = {1.0f,      3.0f,       -7.0f,    0x1p-126f, 0x1p-149f, 0x1.8p-140f,
                                     0x1p127f,  kMax,       0x1p-30f, 0x1.9p96f, 0x1p-97f,  0x1p126f,
                                     0x1p-105f, 0x1.4p-62f, kTiny,    0x1p64f};
  std::vector<Inputs> inputs;
  for (const float n : values) {
    for (const float d : values) inputs.push_back({std::bit_cast<uint32_t>(n), std::bit_cast<uint32_t>(d)});
  }
  for (size_t first = 0; first < inputs.size(); first += 32) {
    const std::vector<Inputs> some(inputs.begin() + static_cast<long>(first),
                                   inputs.begin() + static_cast<long>(first) + 32);
    const auto got = run_lanes(kKeepDenormals, R"(
      v_div_scale_f32 v10, null, v3, v3, v2
      v_div_scale_f32 v11, vcc_lo, v2, v3, v2
      v_rcp_f32 v12, v10
      v_fma_f32 v13, -v10, v12, 1.0
      v_fma_f32 v12, v13, v12, v12
      v_mul_f32 v13, v11, v12
      v_fma_f32 v14, -v10, v13, v11
      v_fma_f32 v13, v14, v12, v13
      v_fma_f32 v10, -v10, v13, v11
      v_div_fmas_f32 v10, v10, v12, v13
      v_div_fixup_f32 v8, v10, v3, v2)",
                               some);
    for (size_t l = 0; l < some.size(); ++l) {
      const float n = std::bit_cast<float>(some[l][0]), d = std::bit_cast<float>(some[l][1]);
      EXPECT_EQ(got[l][0], std::bit_cast<uint32_t>(n / d)) << n << " / " << d;
    }
  }
}

TEST_F(ValuFloat, DivisionScalesByTheExponents) {
  // Denominator and numerator in v2 and v3: the scaled value and VCC.
  struct Case {
    const char* scaled;
    uint32_t denominator, numerator, expected, vcc;
  };
  const Case cases[] = {
      {"v2", 0x3f800000, 0x6f800000, 0x5f800000, 1},  // 2^96 / 1: the denominator goes up
      {"v3", 0x3f800000, 0x6f800000, 0x6f800000, 1},
      {"v3", 0x3f800000, 0x0f800000, 0x2f800000, 1},  // 2^-96 / 1: the numerator goes up
      {"v2", 0x3f800000, 0x0f800000, 0x3f800000, 1},
      {"v3", 0x3f800000, 0x10000000, 0x10000000, 0},  // 2^-95
      {"v2", 0x7e800000, 0x7e800000, 0x5e800000, 0},  // a denominator whose inverse is too small: both go down
      {"v3", 0x7e800000, 0x7e800000, 0x5e800000, 0},
      {"v2", 0x7e000000, 0x7e000000, 0x7e000000, 0},
      {"v3", 0x0c000000, 0x0c000000, 0x2c000000, 0},  // small numerators: both go up
      {"v2", 0x0c000000, 0x0c000000, 0x2c000000, 0},
      {"v3", 0x0c800000, 0x0c800000, 0x0c800000, 0},
      {"v2", 0, 0x3f800000, 0xffc00000, 1},
      {"v3", 0x3f800000, 0x80000000, 0xffc00000, 1},
  };
  for (const Case& c : cases) {
    const auto got =
        run_one(kKeepDenormals, fmt::format("v_div_scale_f32 v8, vcc_lo, {}, v2, v3\n v_mov_b32 v9, vcc_lo", c.scaled),
                {c.denominator, c.numerator});
    EXPECT_EQ(got[0], c.expected) << fmt::format("{} {:#x} {:#x}", c.scaled, c.denominator, c.numerator);
    EXPECT_EQ(got[1], c.vcc) << fmt::format("{} {:#x} {:#x}", c.scaled, c.denominator, c.numerator);
  }
}

// By the model of captured results that emulator/shader/dot2.h names.
TEST_F(ValuFloat, DotProductsOfHalvesAddOnAGridWithoutRegardForMode) {
  constexpr const char *kF16 = "v_dot2_f32_f16 v8, v2, v3, v4", *kBf16 = "v_dot2_f32_bf16 v8, v2, v3, v4";
  for (const uint32_t mode : {0x00u, 0xf3u}) {
    check({{kF16, mode, {0x40003c00, 0x40003c00, 0x40400000}, 0x41000000},  // 3 + 1 * 1 + 2 * 2
           {kF16, mode, {0xc000, 0x4200, 0}, 0xc0c00000},                   // 0 - 2 * 3
           {kF16, mode, {0xc000, 0x4200, 0x40c00000}, 0xb4800000},          // 6 - 2 * 3: one unit of 2^-22 is left
           {kF16, mode, {0x8000, 0x3c00, 0x3f800000}, 0x3f800000},          // 1 - 0
           {kF16, mode, {0x0001, 0x3c00, 0}, 0x33800000},                   // denormal factors count
           {kF16, mode, {0, 0x3c00, 0x00000001}, 0},                        // a denormal addend does not
           {kF16, mode, {0x7c01, 0x3c00, 0x7fc01234}, 0xffc00a3d},
           {kF16, mode, {0x7c00, 0, 0x7fc01234}, 0xffc00000},
           {kF16, mode, {0x3c00, 0x3c00, 0x7f801234}, 0x7fc01234},
           {kF16, mode, {0x7c00, 0xbc00, 0x3f800000}, 0xff800000},
           {kF16, mode, {0x7c00, 0xbc00, 0x7f800000}, 0xffc00000},
           {kBf16, mode, {0x40003f80, 0x40003f80, 0x40400000}, 0x41000000},
           {kBf16, mode, {0x0001, 0x7f00, 0x3f800000}, 0x3f800000},  // denormals of bf16 are zero
           {kBf16, mode, {0x7f007f00, 0x7f007f00, 0}, 0x7f800000}});
  }
  // 2^24 + 1.5: the sum is rounded once; 2^27 + 1: what lies below the grid is cut.
  check({{kF16, 0, {0x3e00, 0x3c00, 0x4b800000}, 0x4b800001}, {kF16, 0, {0x3c00, 0x3c00, 0x4d000000}, 0x4d000000}});
}

// Captured: nothing is read from bit 1184 on. Segment 5 of an argument of 2^945 begins at bit 1156 and is scaled to a
// denormal, whose lowest 18 bits would come from beyond.
TEST_F(ValuFloat, SegmentsOfTwoOverPiEndAtBit1184) {
  const Inputs inputs = {0, 1968u << 20};
  EXPECT_EQ(run_one(kKeepDenormals, "v_trig_preop_f64 v[8:9], v[2:3], 5", inputs), (Outputs{0xc1180000, 0x180c}));
  EXPECT_EQ(run_one(0, "v_trig_preop_f64 v[8:9], v[2:3], 5", inputs), (Outputs{0, 0}));
}

}  // namespace
}  // namespace bw::test
