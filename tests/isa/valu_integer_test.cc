// Integer vector instructions and conversions at their edges. Values marked as captured are results of gfx1100 that
// ROCm/rocm-systems (emulation/rocjitsu, tests of conversions, MIT) records; the others follow from the RDNA3 ISA
// guide.
#include <cmath>
#include <limits>

#include "base/bits.h"
#include "tests/isa/valu_test.h"

namespace bw::test {
namespace {

using ValuInteger = ValuTest;

TEST_F(ValuInteger, WideMultiplyAddGivesBit64AndSaturates) {
  const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff};
  std::vector<Inputs> inputs;
  for (const uint32_t a : values) {
    for (const uint32_t addend_high : {0u, 0x7fffffffu, 0x80000000u, 0xffffffffu})
      inputs.push_back({a, a ^ 0x80000000, 0xfffffff0, addend_high});
  }
  for (const bool is_signed : {false, true}) {
    for (const bool clamp : {false, true}) {
      const std::string text = fmt::format("v_mad_{} v[8:9], vcc_lo, v2, v3, v[4:5]{}\n",
                                           is_signed ? "i64_i32" : "u64_u32", clamp ? " clamp" : "");
      const auto values_got = run_lanes(0, text, inputs);
      const auto carries = run_lanes(0, text + "v_mov_b32 v8, vcc_lo", inputs);
      for (size_t l = 0; l < inputs.size(); ++l) {
        const uint64_t c = make_u64(inputs[l][2], inputs[l][3]);
        __int128 sum;
        if (is_signed)
          sum = static_cast<__int128>(static_cast<int32_t>(inputs[l][0])) * static_cast<int32_t>(inputs[l][1]) +
                static_cast<int64_t>(c);
        else
          sum = static_cast<__int128>(inputs[l][0]) * inputs[l][1] + static_cast<__int128>(c);
        const bool bit64 = (static_cast<unsigned __int128>(sum) >> 64 & 1) != 0;
        const __int128 low = is_signed ? std::numeric_limits<int64_t>::min() : 0;
        const __int128 high = is_signed ? static_cast<__int128>(std::numeric_limits<int64_t>::max())
                                        : static_cast<__int128>(std::numeric_limits<uint64_t>::max());
        const __int128 expected = !clamp ? sum : sum < low ? low : sum > high ? high : sum;
        EXPECT_EQ(make_u64(values_got[l][0], values_got[l][1]), static_cast<uint64_t>(expected)) << text << l;
        EXPECT_EQ(carries[l][0] >> l & 1, bit64 ? 1u : 0u) << text << l;
      }
    }
  }
}

TEST_F(ValuInteger, QuadSumsOfDifferencesSaturateWithClamp) {
  // Four bytes of 255 against 1: 1016, onto 0xff00.
  const Inputs inputs = {0xffffffff, 0xffffffff, 0x01010101, 0, 0xff00ff00, 0xff00ff00};
  for (const char* op : {"v_qsad_pk_u16_u8", "v_mqsad_pk_u16_u8"}) {
    const auto wrapped = run_one(0, fmt::format("{} v[8:9], v[2:3], v4, v[6:7]", op), inputs);
    const auto cut = run_one(0, fmt::format("{} v[8:9], v[2:3], v4, v[6:7] clamp", op), inputs);
    EXPECT_EQ(wrapped, (Outputs{0x02f802f8, 0x02f802f8})) << op;
    EXPECT_EQ(cut, (Outputs{0xffffffff, 0xffffffff})) << op;
  }
}

// All captured.
TEST_F(ValuInteger, NearestRoundsTiesUpWithoutRoundingTheSum) {
  const std::vector<std::pair<uint32_t, int32_t>> cases = {
      {0xc0200001, -3},      {0xc0200000, -2},       {0xbfc00001, -2},         {0xbfc00000, -1},
      {0xbf000001, -1},      {0xbf000000, 0},        {0xbeffffff, 0},          {0x3effffff, 0},
      {0x3f000000, 1},       {0x3fbfffff, 1},        {0x3fc00000, 2},          {0x40200000, 3},
      {0x4b000001, 8388609}, {0xcb000001, -8388609}, {0x4effffff, 2147483520}, {0x4f000000, 2147483647},
      {0x7fc00000, 0},       {0x7f800001, 0},        {0x7f800000, 2147483647},
  };
  std::vector<Inputs> inputs;
  for (const auto& c : cases) inputs.push_back({c.first});
  const auto got = run_lanes(0xc0, "v_cvt_nearest_i32_f32 v8, v2", inputs);
  for (size_t l = 0; l < cases.size(); ++l)
    EXPECT_EQ(static_cast<int32_t>(got[l][0]), cases[l].second) << std::hex << cases[l].first;
}

// All captured.
TEST_F(ValuInteger, NormalisedIntegersAreRoundedOnce) {
  struct Case {
    uint32_t input;
    uint16_t unorm, snorm;
  };
  const std::vector<Case> cases = {
      {0x37c000c0, 0x0001, 0x0001}, {0x386000e0, 0x0003, 0x0002}, {0x38b000b0, 0x0005, 0x0003},
      {0x38f000f0, 0x0007, 0x0004}, {0xbf7fff00, 0x0000, 0x8001}, {0xbf7ffb00, 0x0000, 0x8003},
      {0x3f000000, 0x8000, 0x4000}, {0x3f002000, 0x801f, 0x400f}, {0x40000000, 0xffff, 0x7fff},
      {0x7f800000, 0xffff, 0x7fff}, {0x7fc00000, 0x0000, 0x0000}, {0xff800000, 0x0000, 0x8001}};
  std::vector<Inputs> inputs;
  for (const Case& c : cases) inputs.push_back({c.input, 0x3f000000});
  for (uint32_t round = 0; round < 4; ++round) {
    const auto unorm = run_lanes(0xf0 | round, "v_cvt_pk_norm_u16_f32 v8, v2, v3", inputs);
    const auto snorm = run_lanes(0xf0 | round, "v_cvt_pk_norm_i16_f32 v8, v2, v3", inputs);
    for (size_t l = 0; l < cases.size(); ++l) {
      EXPECT_EQ(unorm[l][0], 0x80000000 | cases[l].unorm) << std::hex << cases[l].input;
      EXPECT_EQ(snorm[l][0], 0x40000000 | cases[l].snorm) << std::hex << cases[l].input;
    }
  }
  check({{"v_cvt_norm_u16_f16 v8, v2", 0xfc, {0x3801}, 0xdead801f},
         {"v_cvt_norm_i16_f16 v8, v2", 0xf8, {0xb801}, 0xdeadbff1}});
}

// All captured.
TEST_F(ValuInteger, HalvesConvertToIntegersWithSaturation) {
  check({{"v_cvt_u16_f16 v8, v2", 0xf0, {0x7bff}, 0xdeadffe0},
         {"v_cvt_u16_f16 v8, v2", 0xf0, {0x7c00}, 0xdeadffff},
         {"v_cvt_u16_f16 v8, v2", 0xf0, {0xc7c0}, 0xdead0000},
         {"v_cvt_i16_f16 v8, v2", 0xf0, {0x7800}, 0xdead7fff},
         {"v_cvt_i16_f16 v8, v2", 0xf0, {0xf7ff}, 0xdead8010},
         {"v_cvt_i16_f16 v8, v2", 0xf0, {0xfc00}, 0xdead8000},
         {"v_cvt_i16_f16 v8, v2", 0xf0, {0x7c01}, 0xdead0000}});
}

TEST_F(ValuInteger, BytesOfFloatsAreRoundedAndSaturated) {
  check({{"v_cvt_pk_u8_f32 v8, v2, v3, v4", 0xf0, {0x3fc00000, 0, 0x11223344}, 0x11223302},
         {"v_cvt_pk_u8_f32 v8, v2, v3, v4", 0xf0, {0x40200000, 5, 0x11223344}, 0x11220244},
         {"v_cvt_pk_u8_f32 v8, v2, v3, v4", 0xf0, {0x43c80000, 2, 0x11223344}, 0x11ff3344},
         {"v_cvt_pk_u8_f32 v8, v2, v3, v4", 0xf0, {0xbf800000, 3, 0x11223344}, 0x00223344},
         {"v_cvt_pk_u8_f32 v8, v2, v3, v4", 0xf0, {0x7fc00000, 3, 0x11223344}, 0x00223344}});
}

}  // namespace
}  // namespace bw::test
