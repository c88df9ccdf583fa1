#include "kfd/event.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "kfd/testing/open_machine.h"

namespace bw::kfd {
namespace {

using ::testing::HasSubstr;
using uapi::EventType;

class EventTest : public testing::OpenMachine {
 protected:
  // The next waits are answered by `answer`.
  void on_wait(std::function<int(uapi::WaitEventsArgs&, std::span<uapi::EventData>)> answer) {
    fake_.on_ioctl = [answer](unsigned long request, void* argument) -> std::optional<int> {
      if (request != uapi::kWaitEvents) return std::nullopt;
      auto& args = *static_cast<uapi::WaitEventsArgs*>(argument);
      return answer(args, {reinterpret_cast<uapi::EventData*>(args.events_ptr), args.num_events});
    };
  }
};

TEST_F(EventTest, ThePageHoldsAMailboxForEachEvent) {
  {
    EventPage page = EventPage::create(*gpu_).value();
    Event first = Event::create(*process_, EventType::kSignal, EventReset::kAuto).value();
    Event second = Event::create(*process_, EventType::kSignal, EventReset::kManual).value();
    EXPECT_EQ(page.mailbox(second) - page.mailbox(first), 8u);
    EXPECT_TRUE(first.set().is_ok());
    EXPECT_TRUE(first.reset().is_ok());
    EXPECT_TRUE(first.destroy().is_ok());
    EXPECT_TRUE(first.destroy().is_ok());
    EventPage moved;
    moved = std::move(page);
  }
  close_and_expect_no_leaks();
}

TEST_F(EventTest, AProcessHasOnePage) {
  {
    EventPage page = EventPage::create(*gpu_).value();
    EXPECT_EQ(EventPage::create(*gpu_).status().sys_errno(), EINVAL);
  }
  close_and_expect_no_leaks();
}

TEST_F(EventTest, ThePageIsLeftToTheDriverWhichRefusesToFreeIt) {
  int frees = 0;
  fake_.on_ioctl = [&frees](unsigned long request, void*) -> std::optional<int> {
    if (request == uapi::kFreeMemory) ++frees;
    return std::nullopt;
  };
  { EventPage page = EventPage::create(*gpu_).value(); }
  EXPECT_EQ(frees, 0);
  close_and_expect_no_leaks();
}

TEST_F(EventTest, TellsWhetherAnEventIsSet) {
  Event event = Event::create(*process_, EventType::kHwException, EventReset::kManual).value();
  EXPECT_FALSE(event.is_set().value());
  on_wait([&](uapi::WaitEventsArgs& args, std::span<uapi::EventData> data) {
    EXPECT_EQ(args.timeout, 0u);
    EXPECT_EQ(data.size(), 1u);
    EXPECT_EQ(data[0].event_id, event.id());
    args.wait_result = 0;
    return 0;
  });
  EXPECT_TRUE(event.is_set().value());
  on_wait([](uapi::WaitEventsArgs&, std::span<uapi::EventData>) { return -EINVAL; });
  EXPECT_EQ(event.is_set().status().sys_errno(), EINVAL);
}

TEST_F(EventTest, RefusesAMailboxOutsideThePage) {
  fake_.on_ioctl = [](unsigned long request, void* argument) -> std::optional<int> {
    if (request != uapi::kCreateEvent) return std::nullopt;
    static_cast<uapi::CreateEventArgs*>(argument)->event_slot_index = uapi::kSignalEventLimit;
    return 0;
  };
  EXPECT_EQ(Event::create(*process_, EventType::kSignal, EventReset::kAuto).status().code(), StatusCode::kIo);
}

TEST_F(EventTest, WaitsForEventsByTheirIds) {
  Event signal = Event::create(*process_, EventType::kSignal, EventReset::kAuto).value();
  Event memory = Event::create(*process_, EventType::kMemory, EventReset::kManual).value();
  const Event* events[] = {&signal, &memory};
  EventWaiter waiter(*process_, events, WaitFor::kAll);
  on_wait([&](uapi::WaitEventsArgs& args, std::span<uapi::EventData> data) {
    EXPECT_EQ(args.wait_for_all, 1u);
    EXPECT_EQ(args.timeout, 200u);
    EXPECT_EQ(data.size(), 2u);
    EXPECT_EQ(data[0].event_id, signal.id());
    EXPECT_EQ(data[1].event_id, memory.id());
    args.wait_result = 0;
    return 0;
  });
  EXPECT_EQ(waiter.wait(200).value(), uapi::WaitResult::kComplete);
  EXPECT_FALSE(waiter.memory_fault().has_value());
  fake_.on_ioctl = nullptr;
  EXPECT_EQ(waiter.wait(0).value(), uapi::WaitResult::kTimeout);
}

TEST_F(EventTest, ReportsFaultsOfMemoryAndHardwareUntilTheNextWait) {
  Event signal = Event::create(*process_, EventType::kSignal, EventReset::kAuto).value();
  Event memory = Event::create(*process_, EventType::kMemory, EventReset::kManual).value();
  Event hardware = Event::create(*process_, EventType::kHwException, EventReset::kManual).value();
  const Event* events[] = {&signal, &memory, &hardware};
  EventWaiter waiter(*process_, events, WaitFor::kAny);
  on_wait([](uapi::WaitEventsArgs& args, std::span<uapi::EventData> data) {
    // The age of a signal event stands where a fault's flags do; it must not look like a fault.
    data[0].signal_event_data.last_event_age = ~uint64_t{0};
    data[1].memory_exception_data = {.failure = {.NotPresent = 1, .ReadOnly = 1, .NoExecute = 0, .imprecise = 0},
                                     .va = 0x7000,
                                     .gpu_id = 1001,
                                     .ErrorType = 0};
    data[2].hw_exception_data = {.reset_type = 0, .reset_cause = 0, .memory_lost = 1, .gpu_id = 1002};
    args.wait_result = 0;
    return 0;
  });
  ASSERT_TRUE(waiter.wait(1).is_ok());
  ASSERT_TRUE(waiter.memory_fault().has_value());
  EXPECT_EQ(waiter.memory_fault()->describe(),
            "gpu 1001: memory fault at 0x7000: page not present, write to a read-only page");
  ASSERT_TRUE(waiter.hw_fault().has_value());
  EXPECT_EQ(waiter.hw_fault()->describe(), "gpu 1002: the GPU hung, the whole GPU was reset, its memory is lost");
  fake_.on_ioctl = nullptr;
  ASSERT_TRUE(waiter.wait(1).is_ok());
  EXPECT_FALSE(waiter.memory_fault().has_value());
  EXPECT_FALSE(waiter.hw_fault().has_value());
}

TEST_F(EventTest, AnEventThatHasGoneIsAnError) {
  Event event = Event::create(*process_, EventType::kSignal, EventReset::kAuto).value();
  const Event* events[] = {&event};
  EventWaiter waiter(*process_, events, WaitFor::kAny);
  on_wait([](uapi::WaitEventsArgs& args, std::span<uapi::EventData>) {
    args.wait_result = 2;
    return 0;
  });
  EXPECT_THAT(waiter.wait(1).status().message(), HasSubstr("one of them was destroyed"));
  on_wait([](uapi::WaitEventsArgs& args, std::span<uapi::EventData>) {
    args.wait_result = 77;
    return 0;
  });
  EXPECT_THAT(waiter.wait(1).status().message(), HasSubstr("the driver answered 77"));
  on_wait([](uapi::WaitEventsArgs&, std::span<uapi::EventData>) { return -EIO; });
  EXPECT_EQ(waiter.wait(1).status().sys_errno(), EIO);
}

}  // namespace
}  // namespace bw::kfd
