#include "ir/float_format.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace bw::ir {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(F16, EveryBitPatternRoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const double value = f16_to_double(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_double(f16_from_double(value))));
    } else {
      ASSERT_EQ(f16_from_double(value), bits) << value;
    }
  }
}

TEST(F16, KnownValues) {
  EXPECT_EQ(f16_from_double(1.0), 0x3c00);
  EXPECT_EQ(f16_from_double(-2.0), 0xc000);
  EXPECT_EQ(f16_from_double(65504), 0x7bff);
  EXPECT_EQ(f16_from_double(65519.99), 0x7bff);
  EXPECT_EQ(f16_from_double(65520), 0x7c00);
  EXPECT_EQ(f16_from_double(1e300), 0x7c00);
  EXPECT_EQ(f16_from_double(-kInf), 0xfc00);
  EXPECT_EQ(f16_from_double(0x1p-24), 0x0001);
  EXPECT_EQ(f16_from_double(0x1p-25), 0x0000);  // a tie, to even
  EXPECT_EQ(f16_from_double(0x1.000001p-25), 0x0001);
  EXPECT_EQ(f16_from_double(-0.0), 0x8000);
  EXPECT_EQ(f16_from_double(0x1.ffcp-15), 0x0400);  // rounds up into the normal numbers
  EXPECT_EQ(f16_from_double(1e-320), 0x0000);
}

// Halfway between two neighbours goes to the even one; anything beside the middle to the nearer one.
template <typename From, typename To>
void check_rounding(From from_double, To to_double, uint16_t infinity) {
  for (uint16_t bits = 0; bits + 1 < infinity; ++bits) {
    const double low = to_double(bits);
    const double high = to_double(static_cast<uint16_t>(bits + 1));
    const double middle = low + (high - low) / 2;
    ASSERT_EQ(from_double(middle), bits + (bits & 1)) << bits;
    ASSERT_EQ(from_double(std::nextafter(middle, low)), bits) << bits;
    ASSERT_EQ(from_double(std::nextafter(middle, high)), bits + 1) << bits;
  }
}

TEST(F16, RoundsToNearestEven) {
  check_rounding(f16_from_double, f16_to_double, 0x7c00);
}
TEST(BF16, RoundsToNearestEven) {
  check_rounding(bf16_from_double, bf16_to_double, 0x7f80);
}

TEST(BF16, IsTheUpperHalfOfAnF32) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto real = static_cast<double>(std::bit_cast<float>(bits << 16));
    const double value = bf16_to_double(static_cast<uint16_t>(bits));
    if (std::isnan(real)) {
      EXPECT_TRUE(std::isnan(value));
    } else {
      ASSERT_EQ(value, real);
      ASSERT_EQ(bf16_from_double(value), bits);
    }
  }
}

}  // namespace
}  // namespace bw::ir
