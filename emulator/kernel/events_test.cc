#include "emulator/kernel/events.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <thread>

namespace bw::emulator {
namespace {

using namespace kfd::uapi;

constexpr uint32_t kSignal = 0;
constexpr uint32_t kHwException = 3;
constexpr uint32_t kMemory = 8;

class Events : public ::testing::Test {
 protected:
  uint32_t create(uint32_t type, bool auto_reset) {
    uint32_t id = 0;
    EXPECT_EQ(table_.create(type, auto_reset, &id), 0);
    return id;
  }

  WaitResult wait(std::vector<uint32_t> ids, bool all = false, uint32_t timeout_ms = 0) {
    data_.assign(ids.size(), EventData{});
    for (size_t i = 0; i < ids.size(); ++i) data_[i].event_id = ids[i];
    uint32_t result = 99;
    status_ = table_.wait(data_, all, timeout_ms, &activated_, &result);
    return static_cast<WaitResult>(result);
  }

  void write_slot(uint32_t id, uint64_t value) {
    std::atomic_ref<uint64_t>(page_[id]).store(value, std::memory_order_release);
  }

  alignas(4096) std::array<uint64_t, 4096> page_{};
  EventTable table_{reinterpret_cast<std::byte*>(page_.data())};
  std::vector<EventData> data_;
  std::vector<bool> activated_;
  int status_ = 0;
};

TEST_F(Events, AutoResetEventSatisfiesOneWaitOnly) {
  const uint32_t id = create(kSignal, true);
  EXPECT_EQ(wait({id}), WaitResult::kTimeout);
  EXPECT_EQ(table_.set(id), 0);
  EXPECT_EQ(wait({id}), WaitResult::kComplete);
  EXPECT_EQ(wait({id}), WaitResult::kTimeout);
}

TEST_F(Events, ManualResetEventStaysSetUntilReset) {
  const uint32_t id = create(kSignal, false);
  EXPECT_EQ(table_.set(id), 0);
  EXPECT_EQ(wait({id}), WaitResult::kComplete);
  EXPECT_EQ(wait({id}), WaitResult::kComplete);
  EXPECT_EQ(table_.reset(id), 0);
  EXPECT_EQ(wait({id}), WaitResult::kTimeout);
}

TEST_F(Events, WaitForAllNeedsEveryEvent) {
  const uint32_t a = create(kSignal, false);
  const uint32_t b = create(kSignal, false);
  EXPECT_EQ(table_.set(a), 0);
  EXPECT_EQ(wait({a, b}, true), WaitResult::kTimeout);
  EXPECT_EQ(wait({a, b}, false), WaitResult::kComplete);
  EXPECT_EQ(table_.set(b), 0);
  EXPECT_EQ(wait({a, b}, true), WaitResult::kComplete);
}

TEST_F(Events, WaiterIsWokenByAnotherThread) {
  const uint32_t id = create(kSignal, true);
  std::thread setter([&] { EXPECT_EQ(table_.set(id), 0); });
  EXPECT_EQ(wait({id}, false, 10'000), WaitResult::kComplete);
  setter.join();
}

TEST_F(Events, DestroyingAnEventFailsItsWaiter) {
  const uint32_t id = create(kSignal, true);
  std::thread destroyer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(table_.destroy(id), 0);
  });
  EXPECT_EQ(wait({id}, false, kWaitForever), WaitResult::kFail);
  EXPECT_TRUE(status_ == -EIO || status_ == -EINVAL);
  destroyer.join();
}

// Found by the fuzzer: the waiter went on to look at the event.
TEST_F(Events, DestroyingAnEventThatWasSetFailsWhoWaitsForOthersToo) {
  const uint32_t set = create(kSignal, true);
  const uint32_t other = create(kSignal, true);
  EXPECT_EQ(table_.set(set), 0);
  std::thread destroyer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(table_.destroy(set), 0);
    EXPECT_EQ(table_.set(other), 0);
  });
  EXPECT_EQ(wait({set, other}, true, kWaitForever), WaitResult::kFail);
  EXPECT_TRUE(status_ == -EIO || status_ == -EINVAL);  // the latter if it was gone before the wait began
  destroyer.join();
}

TEST_F(Events, UnknownIdsAreInvalid) {
  EXPECT_EQ(table_.destroy(5), -EINVAL);
  EXPECT_EQ(table_.set(5), -EINVAL);
  EXPECT_EQ(table_.reset(5), -EINVAL);
  EXPECT_EQ(wait({5}), WaitResult::kFail);
  EXPECT_EQ(status_, -EINVAL);
  const uint32_t memory = create(kMemory, true);
  EXPECT_EQ(table_.set(memory), -EINVAL) << "only signal events are the host's to set";
}

TEST_F(Events, WaitingForNothingCompletes) {
  EXPECT_EQ(wait({}), WaitResult::kComplete);
  EXPECT_EQ(status_, 0);
}

TEST_F(Events, SignalIdsCountFromOneAndOthersFromTheUpperHalf) {
  EXPECT_EQ(create(kSignal, true), 1u);
  EXPECT_EQ(create(kSignal, true), 2u);
  EXPECT_EQ(create(kMemory, true), 0x40000000u);
  EXPECT_EQ(create(kHwException, true), 0x40000001u);
  EXPECT_EQ(table_.destroy(1), 0);
  EXPECT_EQ(create(kSignal, true), 1u) << "ids are used again";
}

TEST_F(Events, GpuRaisesOnlyAnEventWhoseSlotItHasWritten) {
  const uint32_t id = create(kSignal, true);
  table_.signal_from_gpu(id);
  EXPECT_EQ(wait({id}), WaitResult::kTimeout);
  write_slot(id, id);
  table_.signal_from_gpu(id);
  EXPECT_EQ(wait({id}), WaitResult::kComplete);
  EXPECT_EQ(page_[id], ~uint64_t{0}) << "the driver clears the slot";
}

TEST_F(Events, InterruptWithAForeignIdRaisesAllWrittenSlots) {
  const uint32_t a = create(kSignal, true);
  const uint32_t b = create(kSignal, true);
  write_slot(a, 1);
  write_slot(b, 1);
  table_.signal_from_gpu(3000);
  EXPECT_EQ(wait({a, b}, true), WaitResult::kComplete);
}

TEST_F(Events, AgeThatDiffersCompletesAtOnceAndIsWrittenBack) {
  const uint32_t id = create(kSignal, true);
  std::vector<EventData> data(1);
  data[0].event_id = id;
  data[0].signal_event_data.last_event_age = 1;
  uint32_t result = 0;
  EXPECT_EQ(table_.wait(data, false, 0, &activated_, &result), 0);
  EXPECT_EQ(result, 1u) << "a new event has age 1";
  EXPECT_EQ(table_.set(id), 0);
  EXPECT_EQ(wait({id}), WaitResult::kComplete) << "consumes the signal";
  EXPECT_EQ(table_.wait(data, false, 0, &activated_, &result), 0);
  EXPECT_EQ(result, 0u) << "but the age has moved";
  EXPECT_EQ(data[0].signal_event_data.last_event_age, 2u);
}

TEST_F(Events, ExceptionsCarryTheirData) {
  const uint32_t memory = create(kMemory, true);
  const uint32_t hw = create(kHwException, true);
  table_.raise_memory_exception({.failure = {.NotPresent = 1, .ReadOnly = 0, .NoExecute = 0, .imprecise = 0},
                                 .va = 0x1000,
                                 .gpu_id = 7,
                                 .ErrorType = 0});
  EXPECT_EQ(wait({memory, hw}), WaitResult::kComplete);
  EXPECT_TRUE(activated_[0]);
  EXPECT_FALSE(activated_[1]);
  EXPECT_EQ(data_[0].memory_exception_data.va, 0x1000u);
  EXPECT_EQ(data_[0].memory_exception_data.failure.NotPresent, 1u);
  table_.raise_hw_exception({.reset_type = 1, .reset_cause = 0, .memory_lost = 0, .gpu_id = 7});
  EXPECT_EQ(wait({hw}), WaitResult::kComplete);
  EXPECT_EQ(data_[0].hw_exception_data.gpu_id, 7u);
}

TEST_F(Events, OnlyAsManySignalEventsAsThePageHasSlots) {
  for (uint32_t i = 1; i < 256; ++i) create(kSignal, true);
  uint32_t id = 0;
  EXPECT_EQ(table_.create(kSignal, true, &id), -ENOSPC);
  EXPECT_EQ(table_.map_default_page(4096 * 8), 0);
  EXPECT_EQ(table_.create(kSignal, true, &id), 0);
  std::byte other[64];
  EXPECT_EQ(table_.set_page(other, sizeof(other), 1), -EINVAL);
}

}  // namespace
}  // namespace bw::emulator
