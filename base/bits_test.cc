#include "base/bits.h"

#include <gtest/gtest.h>

namespace bw {
namespace {

TEST(BitField, SetsAndGetsOnlyItsBits) {
  constexpr BitField kField{15, 8};
  EXPECT_EQ(kField.mask(), 0xff00u);
  EXPECT_EQ(kField.set(0xffffffff, 0x12), 0xffff12ffu);
  EXPECT_EQ(kField.get(0xffff12ff), 0x12u);
  EXPECT_TRUE(kField.fits(255));
  EXPECT_FALSE(kField.fits(256));
}

TEST(BitField, CoversWholeWord) {
  constexpr BitField kWord{31, 0};
  EXPECT_EQ(kWord.max(), 0xffffffffu);
  EXPECT_EQ(kWord.set(0, 0x80000001), 0x80000001u);
}

TEST(Bits, SignExtendsFromTheTopBitOfTheField) {
  EXPECT_EQ(sign_extend(0x1fff, 13), -1);
  EXPECT_EQ(sign_extend(0x0fff, 13), 4095);
  EXPECT_EQ(sign_extend(0x80000000, 32), INT32_MIN);
}

TEST(Bits, AlignsUpAndDown) {
  EXPECT_EQ(align_up(4097, 4096), 8192u);
  EXPECT_EQ(align_up(4096, 4096), 4096u);
  EXPECT_EQ(align_down(8191, 4096), 4096u);
  EXPECT_FALSE(is_aligned(6, 4));
}

}  // namespace
}  // namespace bw
