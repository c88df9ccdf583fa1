#include "amdgpu/graph/dependencies.h"

#include <gtest/gtest.h>

#include <random>

namespace bw::amdgpu {
namespace {

AddressUse read(uint64_t begin, uint64_t end) {
  return {begin, end, Access::kRead};
}
AddressUse write(uint64_t begin, uint64_t end) {
  return {begin, end, Access::kWrite};
}

uint32_t place(DependencyTracker& tracker, std::vector<AddressUse> uses, uint32_t least = 0) {
  return tracker.place(uses, least);
}

TEST(DependencyTracker, ReadersOfOneWriterShareALevel) {
  DependencyTracker tracker;
  EXPECT_EQ(place(tracker, {write(0, 100)}), 0u);
  EXPECT_EQ(place(tracker, {read(0, 50), write(200, 300)}), 1u);
  EXPECT_EQ(place(tracker, {read(50, 100), write(300, 400)}), 1u);
  EXPECT_EQ(place(tracker, {read(250, 350)}), 2u);
}

TEST(DependencyTracker, AWriterWaitsForReadersAndWriters) {
  DependencyTracker tracker;
  EXPECT_EQ(place(tracker, {write(0, 100)}), 0u);
  EXPECT_EQ(place(tracker, {read(0, 10)}), 1u);
  EXPECT_EQ(place(tracker, {write(0, 100)}), 2u);
  EXPECT_EQ(place(tracker, {write(99, 100)}), 3u);
}

TEST(DependencyTracker, NeighboursAreNoHazard) {
  DependencyTracker tracker;
  EXPECT_EQ(place(tracker, {write(0, 100)}), 0u);
  EXPECT_EQ(place(tracker, {write(100, 200)}), 0u);
  EXPECT_EQ(place(tracker, {read(200, 300)}), 0u);
}

TEST(DependencyTracker, ANodeMayReadWhatItWrites) {
  DependencyTracker tracker;
  EXPECT_EQ(place(tracker, {{0, 64, Access::kReadWrite}}), 0u);
  EXPECT_EQ(place(tracker, {{0, 64, Access::kReadWrite}}), 1u);
}

bool have_hazard(const std::vector<AddressUse>& a, const std::vector<AddressUse>& b) {
  for (const AddressUse& x : a) {
    for (const AddressUse& y : b) {
      if (x.begin < y.end && y.begin < x.end && (writes(x.access) || writes(y.access))) return true;
    }
  }
  return false;
}

// Against the definition, pair by pair.
TEST(DependencyTracker, EachNodeComesRightAfterTheLastItHasAHazardWith) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    DependencyTracker tracker;
    std::vector<std::vector<AddressUse>> nodes;
    std::vector<uint32_t> levels;
    for (int i = 0; i < 40; ++i) {
      std::vector<AddressUse> uses;
      for (int use = 0; use < 3; ++use) {
        const uint64_t begin = random() % 64;
        uses.push_back({begin, begin + 1 + random() % 12, static_cast<Access>(random() % 3)});
      }
      const uint32_t least = static_cast<uint32_t>(i / 15);
      uint32_t expected = least;
      for (size_t j = 0; j < nodes.size(); ++j) {
        if (have_hazard(nodes[j], uses)) expected = std::max(expected, levels[j] + 1);
      }
      EXPECT_EQ(tracker.place(uses, least), expected);
      nodes.push_back(uses);
      levels.push_back(expected);
    }
  }
}

TEST(LevelsThatAcquire, OnlyWhereWhatWasWrittenIsRead) {
  const std::vector<std::vector<AddressUse>> uses = {
      {read(0, 10), write(10, 20)},   // what came before is the submission's affair
      {write(0, 10)},                 // overwrites what was read
      {read(10, 20), write(20, 30)},  // written in the first
      {read(0, 10)},                  // written before the invalidation
      {read(29, 31)},                 // written after it
  };
  EXPECT_EQ(levels_that_acquire(uses), (std::vector<bool>{false, false, true, false, true}));
}

}  // namespace
}  // namespace bw::amdgpu
