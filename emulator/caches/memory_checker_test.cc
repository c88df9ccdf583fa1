#include "emulator/caches/memory_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bw::emulator {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

constexpr uint64_t kData = 0x10000, kSignal = 0x20000, kProgram = 0x7000;

Accesses one(AccessKind kind, uint64_t address = kData, uint64_t size_bytes = 4) {
  Accesses accesses;
  accesses.of(kind).add(address, size_bytes, 0x10);
  return accesses;
}

class MemoryCheckerTest : public ::testing::Test {
 protected:
  using Queue = MemoryChecker::Queue;
  using Meaning = Queue::Meaning;

  static std::optional<std::string> dispatch(Queue& queue, Accesses accesses) {
    return queue.check_dispatch(kProgram, std::move(accesses));
  }

  AddressSpace space_;
  std::shared_ptr<MemoryChecker> checker_ = std::make_shared<MemoryChecker>();
  Queue queue_{checker_, space_, "compute queue 0"};
  Queue other_{checker_, space_, "compute queue 1"};
};

TEST_F(MemoryCheckerTest, DispatchesOverlapUntilTheirQueueWaits) {
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kLoad)), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kLoad)), std::nullopt);
  EXPECT_THAT(dispatch(queue_, one(AccessKind::kStore)), Optional(HasSubstr("it writes bytes at 0x10000 (pc 0x7010)")));
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore, kData + 4)), std::nullopt) << "a neighbour";
  queue_.wait_for_dispatches();
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
  EXPECT_THAT(queue_.check_packet("DMA_DATA", one(AccessKind::kFarLoad)),
              Optional(HasSubstr("which writes them (pc 0x7010), may still be running")));
}

TEST_F(MemoryCheckerTest, AtomicsOverlapWithAtomicsOnly) {
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kAtomic)), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kAtomic)), std::nullopt);
  EXPECT_THAT(dispatch(queue_, one(AccessKind::kFarLoad)), Optional(HasSubstr("changes them atomically")));
}

TEST_F(MemoryCheckerTest, QueuesAreOrderedByTheValuesThatTheyWaitFor) {
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
  EXPECT_THAT(dispatch(other_, one(AccessKind::kFarLoad)), Optional(HasSubstr("dispatch 1 of compute queue 0")));
  queue_.signal(kSignal, 1);
  other_.wait_for_value(kSignal, [](uint64_t) { return true; });
  EXPECT_NE(dispatch(other_, one(AccessKind::kFarLoad)), std::nullopt) << "stored while the dispatch runs";
  EXPECT_EQ(queue_.signal_at_end(kSignal, 1, {}, Meaning::kWorkHasEnded), std::nullopt);
  other_.wait_for_value(kSignal, [](uint64_t) { return true; });
  EXPECT_EQ(dispatch(other_, one(AccessKind::kFarLoad)), std::nullopt);
}

TEST_F(MemoryCheckerTest, AWaitReliesOnTheFirstValueThatWouldDo) {
  const auto at_least_two = [](uint64_t value) { return value >= 2; };
  other_.see_doorbell(100);  // before all signals
  const auto signal = [&](uint64_t value) {
    EXPECT_EQ(queue_.signal_at_end(kSignal, value, {}, Meaning::kWorkHasEnded), std::nullopt);
  };
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
  signal(1);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore, kData + 4)), std::nullopt);
  signal(2);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore, kData + 8)), std::nullopt);
  signal(3);
  other_.wait_for_value(kSignal, at_least_two);
  EXPECT_EQ(dispatch(other_, one(AccessKind::kFarLoad)), std::nullopt);
  EXPECT_EQ(dispatch(other_, one(AccessKind::kFarLoad, kData + 4)), std::nullopt);
  EXPECT_NE(dispatch(other_, one(AccessKind::kFarLoad, kData + 8)), std::nullopt) << "may come later the next time";
  signal(0);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore, kData + 12)), std::nullopt);
  signal(2);
  other_.wait_for_value(kSignal, at_least_two);
  EXPECT_EQ(dispatch(other_, one(AccessKind::kFarLoad, kData + 12)), std::nullopt) << "the word is used again";
}

TEST_F(MemoryCheckerTest, TheHostHasSeenTheSignalsBeforeItsDoorbell) {
  queue_.see_doorbell(100);
  queue_.begin_at(0);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
  queue_.see_doorbell(200);
  EXPECT_EQ(queue_.signal_at_end(kSignal, 1, {}, Meaning::kWorkHasEnded), std::nullopt);
  queue_.begin_at(100);
  EXPECT_NE(dispatch(queue_, one(AccessKind::kStore)), std::nullopt) << "was queued before the signal";
  queue_.see_doorbell(300);
  queue_.begin_at(200);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
}

TEST_F(MemoryCheckerTest, LinesStayUntilTheyAreInvalidated) {
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kLoad, kData + 64)), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(queue_.check_packet("WRITE_DATA", one(AccessKind::kFarStore)), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad)), std::nullopt) << "has not been in the scalar cache";
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt) << "goes past the caches";
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFreshLoad)), std::nullopt) << "the wave has invalidated them";
  EXPECT_THAT(
      dispatch(queue_, one(AccessKind::kLoad)),
      Optional(HasSubstr("through the vector caches, which may hold them since dispatch 1 of compute queue 0 (of "
                         "program 0x7000), while WRITE_DATA of compute queue 0 has written them")));
  EXPECT_EQ(queue_.acquire({.invalidates_vector = true}), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kLoad)), std::nullopt);
}

TEST_F(MemoryCheckerTest, WhatRunsFillsTheCachesAgain) {
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
  EXPECT_EQ(queue_.acquire({.invalidates_vector = true}), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_THAT(dispatch(queue_, one(AccessKind::kLoad)), Optional(HasSubstr("no invalidation between")));
  EXPECT_EQ(queue_.acquire({.invalidates_vector = true}), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kLoad)), std::nullopt);
}

TEST_F(MemoryCheckerTest, ScalarLinesHave64Bytes) {
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad)), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kAtomic, kData + 60)), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kAtomic, kData + 64)), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad, kData + 64)), std::nullopt);
  EXPECT_THAT(dispatch(queue_, one(AccessKind::kScalarLoad, kData + 60)), Optional(HasSubstr("the scalar caches")));
  EXPECT_EQ(queue_.acquire({.invalidates_scalar = true}), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad, kData + 60)), std::nullopt);
}

// Memory that the host writes, too.
class SharedMemoryTest : public MemoryCheckerTest {
 protected:
  void map(Mapping mapping) {
    mapping.begin = kData;
    mapping.end = kData + kSetPageBytes;
    mapping.host = bytes_.data();
    ASSERT_EQ(space_.map(mapping), 0);
  }
  // What the card writes.
  std::optional<std::string> store(Queue& queue, uint64_t offset) {
    bytes_[offset] = static_cast<std::byte>(static_cast<uint8_t>(bytes_[offset]) + 1);
    return dispatch(queue, one(AccessKind::kStore, kData + offset, 1));
  }
  void host_writes(uint64_t offset) { bytes_[offset] = std::byte{0x77}; }

  static constexpr CacheActions kAll{true, true, true, true, true};
  alignas(kSetPageBytes) PageContent bytes_{};
};

TEST_F(SharedMemoryTest, WhatTheHostWritesIsStaleInL2) {
  map({.host_sees = true});
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt);
  host_writes(0x80);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt) << "another line";
  host_writes(3);
  const auto finding = dispatch(queue_, one(AccessKind::kFarLoad));
  EXPECT_THAT(finding, Optional(HasSubstr("it reads bytes at 0x10003 (pc 0x7010) through L2, which may hold them since "
                                          "dispatch 1 of compute queue 0")));
  EXPECT_THAT(finding, Optional(HasSubstr("while the host or another card has written them")));
  EXPECT_EQ(queue_.acquire({.invalidates_l2 = true}), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt);
}

TEST_F(SharedMemoryTest, UncachedMemoryIsHeldNearTheShadersOnly) {
  map({.uncached = true, .host_sees = true});
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad)), std::nullopt);
  host_writes(1);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt);
  EXPECT_THAT(dispatch(queue_, one(AccessKind::kScalarLoad)), Optional(HasSubstr("through the scalar caches")));
  EXPECT_EQ(queue_.acquire({.invalidates_scalar = true}), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad)), std::nullopt);
  EXPECT_EQ(store(queue_, 256), std::nullopt);
  EXPECT_EQ(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kWorkHasEnded), std::nullopt) << "went past L2";
}

TEST_F(SharedMemoryTest, AnInvalidationHelpsOnlyAgainstWritesBeforeIt) {
  map({.host_sees = true});
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt);
  EXPECT_EQ(queue_.acquire(kAll), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad, kData + 16)), std::nullopt);
  host_writes(3);
  EXPECT_NE(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt) << "the line came back";
}

TEST_F(SharedMemoryTest, TheCardSeesItsOwnWritesInL2) {
  map({.host_sees = true});
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(store(queue_, 2), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad)), std::nullopt);
  queue_.stored_signal("RELEASE_MEM", kData + 8, 4);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad, kData + 8)), std::nullopt);
}

TEST_F(SharedMemoryTest, TheHostHearsOfNothingThatOnlyL2Has) {
  map({.host_sees = true});
  EXPECT_EQ(store(queue_, 5), std::nullopt);
  EXPECT_EQ(queue_.signal_at_end(kSignal, 1, {}, Meaning::kWorkHasEnded), std::nullopt) << "memory of the card alone";
  EXPECT_EQ(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kTime), std::nullopt);
  EXPECT_THAT(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kWorkHasEnded),
              Optional(HasSubstr("while only L2 may have the bytes at 0x10005, which dispatch 1 of compute queue 0 (of "
                                 "program 0x7000) has written: no write-back between")));
  EXPECT_EQ(queue_.signal_at_end(0, std::nullopt, {.writes_back_l2 = true}, Meaning::kWorkHasEnded), std::nullopt);
  EXPECT_EQ(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kWorkHasEnded), std::nullopt) << "stays written back";
}

TEST_F(SharedMemoryTest, MemoryOfOtherCardsIsToldLikeTheHosts) {
  map({.shared = true});
  EXPECT_EQ(store(queue_, 5), std::nullopt);
  EXPECT_NE(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kWorkHasEnded), std::nullopt);
}

TEST_F(SharedMemoryTest, MemoryOfTheCardAloneNeedNotBeWrittenBack) {
  map({});
  EXPECT_EQ(store(queue_, 5), std::nullopt);
  EXPECT_EQ(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kWorkHasEnded), std::nullopt);
}

TEST_F(SharedMemoryTest, OnlyWorkThatHasEndedIsWrittenBack) {
  map({.host_sees = true});
  EXPECT_EQ(store(queue_, 5), std::nullopt);
  EXPECT_EQ(queue_.acquire({.writes_back_l2 = true}), std::nullopt) << "does not wait for the dispatch";
  EXPECT_EQ(other_.signal_at_end(0, std::nullopt, {.writes_back_l2 = true}, Meaning::kWorkHasEnded), std::nullopt);
  EXPECT_NE(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kWorkHasEnded), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(queue_.acquire({.writes_back_l2 = true}), std::nullopt);
  EXPECT_EQ(queue_.signal_at_end(0, std::nullopt, {}, Meaning::kWorkHasEnded), std::nullopt);
}

TEST_F(SharedMemoryTest, WhatIsOverwrittenIsNotInvalidatedWithoutWritingBack) {
  map({});
  EXPECT_EQ(queue_.acquire({.invalidates_l2 = true}), std::nullopt);
  EXPECT_EQ(store(queue_, 5), std::nullopt);
  EXPECT_THAT(queue_.acquire({.invalidates_l2 = true}), Optional(HasSubstr("no write-back with it")));
  EXPECT_EQ(queue_.acquire({.invalidates_l2 = true, .writes_back_l2 = true}), std::nullopt);
}

TEST_F(SharedMemoryTest, WhatTheHostWritesThroughTheBarWaitsForAFlush) {
  map({.host_sees = true, .through_bar = true});
  host_writes(9);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad)), std::nullopt) << "beside it";
  EXPECT_THAT(
      dispatch(queue_, one(AccessKind::kScalarLoad, kData + 8)),
      Optional(HasSubstr("reads bytes at 0x10009 (pc 0x7010), which the host has written over PCIe: no flush")));
  queue_.flush_host_path();
  EXPECT_EQ(queue_.acquire(kAll), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad, kData + 8)), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(store(queue_, 9), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFarLoad, kData + 8)), std::nullopt) << "the card's own";
}

TEST_F(SharedMemoryTest, InstructionsAreFetchedAnewOnlyAfterAnInvalidation) {
  map({});
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFetch)), std::nullopt);
  queue_.wait_for_dispatches();
  EXPECT_EQ(queue_.check_packet("COPY", one(AccessKind::kFarStore)), std::nullopt);
  EXPECT_EQ(queue_.acquire({.invalidates_vector = true, .invalidates_scalar = true}), std::nullopt);
  EXPECT_THAT(dispatch(queue_, one(AccessKind::kFetch)), Optional(HasSubstr("fetches bytes at 0x10000")));
  EXPECT_EQ(queue_.acquire({.invalidates_instructions = true}), std::nullopt);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kFetch)), std::nullopt);
}

}  // namespace
}  // namespace bw::emulator
