#include "amdgpu/graph/dependencies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "amdgpu/address_set.h"

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

TEST(AddressSet, IsThatOfItsBytes) {
  std::mt19937 random(7);
  const auto number = [&](uint32_t below) { return random() % below; };
  for (int round = 0; round < 200; ++round) {
    AddressSet set;
    std::vector<bool> bytes(64);
    for (int i = 0; i < 12; ++i) {
      const uint64_t begin = number(60), end = begin + number(5);
      set.add(begin, end);
      std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.begin() + static_cast<ptrdiff_t>(end), true);
      const uint64_t first = number(60), last = first + number(5);
      const bool any =
          std::find(bytes.begin() + static_cast<ptrdiff_t>(first), bytes.begin() + static_cast<ptrdiff_t>(last),
                    true) != bytes.begin() + static_cast<ptrdiff_t>(last);
      ASSERT_EQ(set.overlaps(first, last), any) << "round " << round << ": " << first << " to " << last;
    }
  }
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

std::vector<Freshness> freshness(const std::vector<std::pair<uint32_t, std::vector<AddressUse>>>& nodes,
                                 const std::vector<bool>& by_itself, const std::vector<bool>& is_copy) {
  std::vector<CachedReader> readers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    readers.push_back({.level = nodes[i].first,
                       .uses = nodes[i].second,
                       .is_kernel = !is_copy[i],
                       .can_acquire_by_itself = by_itself[i]});
  }
  return freshness_of(readers);
}

constexpr auto kNone = Freshness::kNothingStale;
constexpr auto kSelf = Freshness::kByItself;
constexpr auto kPacket = Freshness::kByPacket;

TEST(Freshness, OnlyWhatWasWrittenIsStale) {
  const std::vector<std::pair<uint32_t, std::vector<AddressUse>>> nodes = {
      {0, {read(0, 10), write(10, 20)}},   // what came before is the submission's affair
      {1, {write(0, 10)}},                 // overwrites what was read
      {2, {read(10, 20), write(20, 30)}},  // written in the first
      {3, {read(0, 10)}},                  // written before the invalidation
      {4, {read(29, 31)}},                 // written after it
  };
  EXPECT_EQ(freshness(nodes, std::vector<bool>(5, false), std::vector<bool>(5, false)),
            (std::vector{kNone, kNone, kPacket, kNone, kPacket}));
}

TEST(Freshness, WhatAKernelInvalidatesForItselfStaysStaleForOthers) {
  const std::vector<std::pair<uint32_t, std::vector<AddressUse>>> nodes = {
      {0, {write(0, 10)}}, {1, {read(0, 5)}}, {2, {read(0, 5)}}, {2, {read(20, 30)}}};
  EXPECT_EQ(freshness(nodes, std::vector<bool>(4, true), std::vector<bool>(4, false)),
            (std::vector{kNone, kSelf, kSelf, kNone}));
}

TEST(Freshness, APacketServesTheWholeLevel) {
  const std::vector<std::pair<uint32_t, std::vector<AddressUse>>> nodes = {
      {0, {write(0, 10)}}, {1, {read(0, 5)}}, {1, {read(0, 5)}}, {2, {read(0, 5)}}};
  EXPECT_EQ(freshness(nodes, {true, true, false, true}, std::vector<bool>(4, false)),
            (std::vector{kNone, kPacket, kPacket, kNone}));
}

TEST(Freshness, CopiesReadThroughL2AndMakeStaleWhatKernelsHaveUsed) {
  const std::vector<std::pair<uint32_t, std::vector<AddressUse>>> nodes = {
      {0, {write(0, 10)}},                   // a kernel, which takes the whole line
      {1, {read(0, 5), write(30, 40)}},      // a copy over some of it
      {1, {write(4096, 4100)}},              // a copy where no kernel has been
      {2, {read(35, 36)}},                   //
      {2, {read(4096, 4100)}},               //
      {3, {write(4100, 4104)}},              // a copy beside what a kernel has read
      {4, {read(4100, 4104), write(0, 1)}},  //
      {5, {write(8192, 8200)}},              // a copy, at the same time as a kernel beside it
      {5, {read(8200, 8204)}},               //
      {6, {read(8192, 8200)}},               //
      {7, {write(8192 + 128, 8192 + 130)}},  // a copy into the next line
      {8, {read(8192 + 128, 8192 + 130)}}};  //
  const std::vector<bool> is_copy = {false, true, true, false, false, true, false, true, false, false, true, false};
  EXPECT_EQ(freshness(nodes, std::vector<bool>(nodes.size(), false), is_copy),
            (std::vector{kNone, kNone, kNone, kPacket, kNone, kNone, kPacket, kNone, kNone, kPacket, kNone, kNone}));
}

TEST(Freshness, WhatACopyWritesBeforeAnyKernelIsFresh) {
  const std::vector<std::pair<uint32_t, std::vector<AddressUse>>> nodes = {{0, {write(0, 10)}}, {1, {read(0, 10)}}};
  EXPECT_EQ(freshness(nodes, {false, false}, {true, false}), (std::vector{kNone, kNone}));
}

// Against a list of all writes.
TEST(Freshness, OfRandomGraphsIsThatOfTheDefinition) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<uint32_t, std::vector<AddressUse>>> nodes;
    for (uint32_t level = 0; level < 12; ++level) {
      const uint64_t begin = random() % 64;
      const uint64_t end = begin + 1 + random() % 12;
      nodes.push_back({level, {{begin, end, static_cast<Access>(random() % 3)}}});
    }
    const auto found = freshness(nodes, std::vector<bool>(12, false), std::vector<bool>(12, false));
    std::vector<AddressUse> written;
    for (size_t i = 0; i < nodes.size(); ++i) {
      const AddressUse& use = nodes[i].second[0];
      const bool is_stale = reads(use.access) && std::any_of(written.begin(), written.end(), [&](const AddressUse& w) {
                              return w.begin < use.end && use.begin < w.end;
                            });
      EXPECT_EQ(found[i], is_stale ? kPacket : kNone);
      if (is_stale) written.clear();
      if (writes(use.access)) written.push_back(use);
    }
  }
}

}  // namespace
}  // namespace bw::amdgpu
