#include "amdgpu/range_allocator.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace bw::amdgpu {
namespace {

TEST(RangeAllocator, RoundsUpAndFills) {
  RangeAllocator ranges(1024, 256);
  EXPECT_EQ(ranges.take(0), std::nullopt);
  EXPECT_EQ(ranges.take(1), 0u);
  EXPECT_EQ(ranges.take(257), 256u);
  EXPECT_EQ(ranges.take(512), std::nullopt);
  EXPECT_EQ(ranges.take(256), 768u);
  EXPECT_EQ(ranges.free_bytes(), 0u);
}

TEST(RangeAllocator, JoinsNeighboursOnBothSides) {
  RangeAllocator ranges(768, 256);
  ASSERT_EQ(ranges.take(256), 0u);
  ASSERT_EQ(ranges.take(256), 256u);
  ASSERT_EQ(ranges.take(256), 512u);
  ranges.give_back(0);
  ranges.give_back(512);
  EXPECT_EQ(ranges.free_range_count(), 2u);
  ranges.give_back(256);
  EXPECT_EQ(ranges.free_range_count(), 1u);
  EXPECT_TRUE(ranges.is_unused());
  EXPECT_EQ(ranges.take(768), 0u);
}

TEST(RangeAllocator, TakesTheTightestFit) {
  RangeAllocator ranges(2048, 256);
  ASSERT_EQ(ranges.take(512), 0u);
  ASSERT_EQ(ranges.take(256), 512u);
  ASSERT_EQ(ranges.take(256), 768u);
  ranges.give_back(0);
  ranges.give_back(768);  // joins the rest: free are 512 at 0 and 1280 at 768
  EXPECT_EQ(ranges.take(512), 0u);
}

TEST(RangeAllocator, LosesNothingOverManySteps) {
  RangeAllocator ranges(1 << 20, 256);
  std::mt19937 random(3);
  std::vector<uint64_t> taken;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0 || taken.empty()) {
      if (auto offset = ranges.take(1 + random() % 20'000)) taken.push_back(*offset);
    } else {
      std::swap(taken[random() % taken.size()], taken.back());
      ranges.give_back(taken.back());
      taken.pop_back();
    }
  }
  for (uint64_t offset : taken) ranges.give_back(offset);
  EXPECT_EQ(ranges.free_bytes(), 1u << 20);
  EXPECT_EQ(ranges.free_range_count(), 1u);
}

}  // namespace
}  // namespace bw::amdgpu
