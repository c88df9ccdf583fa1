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

  static std::optional<std::string> dispatch(Queue& queue, Accesses accesses) {
    return queue.check_dispatch(kProgram, std::move(accesses));
  }

  std::shared_ptr<MemoryChecker> checker_ = std::make_shared<MemoryChecker>();
  Queue queue_{checker_, "compute queue 0"};
  Queue other_{checker_, "compute queue 1"};
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
  queue_.signal(kSignal, WorkOrder::Signal::kNow);
  other_.wait_for_value(kSignal);
  EXPECT_NE(dispatch(other_, one(AccessKind::kFarLoad)), std::nullopt) << "stored while the dispatch runs";
  queue_.signal(kSignal, WorkOrder::Signal::kEndOfPipe);
  other_.wait_for_value(kSignal);
  EXPECT_EQ(dispatch(other_, one(AccessKind::kFarLoad)), std::nullopt);
}

TEST_F(MemoryCheckerTest, TheHostHasSeenTheSignalsBeforeItsDoorbell) {
  queue_.see_doorbell(100);
  queue_.begin_at(0);
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
  queue_.see_doorbell(200);
  queue_.signal(kSignal, WorkOrder::Signal::kEndOfPipe);
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
  queue_.invalidate_vector();
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kLoad)), std::nullopt);
}

TEST_F(MemoryCheckerTest, WhatRunsFillsTheCachesAgain) {
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kStore)), std::nullopt);
  queue_.invalidate_vector();
  queue_.wait_for_dispatches();
  EXPECT_THAT(dispatch(queue_, one(AccessKind::kLoad)), Optional(HasSubstr("no invalidation between")));
  queue_.invalidate_vector();
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
  queue_.invalidate_scalar();
  EXPECT_EQ(dispatch(queue_, one(AccessKind::kScalarLoad, kData + 60)), std::nullopt);
}

}  // namespace
}  // namespace bw::emulator
