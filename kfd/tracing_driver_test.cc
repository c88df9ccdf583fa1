#include "kfd/tracing_driver.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "kfd/event.h"
#include "kfd/memory.h"
#include "kfd/queue.h"
#include "kfd/testing/fake_driver.h"
#include "kfd/uapi.h"

namespace bw::kfd {
namespace {

using ::testing::ElementsAre;

class TracingDriverTest : public ::testing::Test {
 protected:
  std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }

  testing::FakeDriver fake_;
  std::vector<std::string> lines_;
  TraceNormaliser normaliser_;
  TracingDriver driver_{fake_, [this](const std::string& line) { lines_.push_back(normaliser_.normalise(line)); }};
};

TEST_F(TracingDriverTest, WritesOneLineForEachCallOfALife) {
  Node node = read_topology(fake_).value()[1];
  {
    auto process = Process::open(driver_).value();
    auto gpu = Gpu::open(*process, node).value();
    EXPECT_THAT(take_lines(), ElementsAre("open(/dev/kfd, O_RDWR) = 100",                     //
                                          "ioctl(100, GET_VERSION) = 0 version=1.17",         //
                                          "open(/dev/dri/renderD128, O_RDWR) = 101",          //
                                          "ioctl(100, ACQUIRE_VM, gpu=1001 drm_fd=101) = 0",  //
                                          "ioctl(100, RUNTIME_ENABLE, mode=0) = 0"));
    Allocation memory = Allocation::create(*gpu, {.kind = MemoryKind::kGtt, .size_bytes = 4096}).value();
    EXPECT_THAT(
        take_lines(),
        ElementsAre("mmap(@0, 0x1000, NONE, PRIVATE|ANONYMOUS|NORESERVE, -1, #0) = @1",
                    "ioctl(100, ALLOC_MEMORY_OF_GPU, gpu=1001 va=@1 size=0x1000 "
                    "flags=GTT|UNCACHED|COHERENT|NO_SUBSTITUTE|EXECUTABLE|WRITABLE) = 0 handle=#1 mmap_offset=#2",
                    "mmap(@1, 0x1000, RW, SHARED|FIXED, 101, #2) = @1",
                    "ioctl(100, MAP_MEMORY_TO_GPU, handle=#1 gpus=[1001]) = 0 n_success=1"));
    EXPECT_TRUE(memory.free().is_ok());
    EXPECT_THAT(take_lines(), ElementsAre("ioctl(100, UNMAP_MEMORY_FROM_GPU, handle=#1 gpus=[1001]) = 0 n_success=1",
                                          "munmap(@1, 0x1000) = 0",  //
                                          "ioctl(100, FREE_MEMORY_OF_GPU, handle=#1) = 0"));
    Event event = Event::create(*process, uapi::EventType::kMemory, EventReset::kManual).value();
    const Event* events[] = {&event};
    ASSERT_TRUE(EventWaiter(*process, events, WaitFor::kAny).wait(200).is_ok());
    EXPECT_THAT(take_lines(),
                ElementsAre("ioctl(100, CREATE_EVENT, type=MEMORY auto_reset=0) = 0 event=1 slot=1 page_offset=#3",
                            "ioctl(100, WAIT_EVENTS, events=[1] for=ANY timeout=200) = 0 result=TIMEOUT"));
  }
  EXPECT_THAT(take_lines(), ElementsAre("ioctl(100, DESTROY_EVENT, event=1) = 0", "close(101) = 0", "close(100) = 0"));
}

TEST_F(TracingDriverTest, NamesTheErrnoOfAFailure) {
  EXPECT_EQ(driver_.open("/dev/nothing", 0), -ENOENT);
  int fd = driver_.open(uapi::kKfdPath, 0);
  uapi::FreeMemoryArgs args{.handle = 0x77};
  EXPECT_EQ(driver_.ioctl(fd, uapi::kFreeMemory, &args), -EINVAL);
  EXPECT_EQ(driver_.ioctl(fd, 0x1234, nullptr), -ENOTTY);
  std::string content;
  EXPECT_EQ(driver_.read_file("/sys/x", &content), -ENOENT);
  EXPECT_THAT(take_lines(), ElementsAre("open(/dev/nothing, O_RDONLY) = ENOENT", "open(/dev/kfd, O_RDONLY) = 100",
                                        "ioctl(100, FREE_MEMORY_OF_GPU, handle=#1) = EINVAL",
                                        "ioctl(100, 0x1234) = ENOTTY", "read(/sys/x) = ENOENT"));
}

TEST_F(TracingDriverTest, TellsOfACallThatMayBlockWhenItBegins) {
  std::vector<TracedCall> calls;
  const TracingDriver::CallSink sink = [&](const TracedCall& call) { calls.push_back(call); };
  TracingDriver driver(fake_, sink);
  int fd = driver.open(uapi::kKfdPath, 0);
  uapi::EventData event{};
  event.event_id = 7;
  uapi::WaitEventsArgs args{};
  args.events_ptr = reinterpret_cast<uint64_t>(&event);
  args.num_events = 1;
  driver.ioctl(fd, uapi::kWaitEvents, &args);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].name, "open");
  EXPECT_TRUE(calls[1].begins);
  EXPECT_EQ(calls[1].name, "WAIT_EVENTS");
  EXPECT_EQ(calls[1].line, "ioctl(100, WAIT_EVENTS, events=[7] for=ANY timeout=0)");
  EXPECT_FALSE(calls[2].begins);
  EXPECT_TRUE(calls[2].has_begun);
  EXPECT_EQ(calls[2].begin_ns, calls[1].begin_ns);
  EXPECT_GE(calls[2].end_ns, calls[2].begin_ns);
}

TEST_F(TracingDriverTest, SurvivesArgumentsThatCannotBeRead) {
  fake_.on_ioctl = [](unsigned long, void*) { return -EFAULT; };
  uapi::MapMemoryArgs map{};
  map.n_devices = 2;
  EXPECT_EQ(driver_.ioctl(100, uapi::kMapMemory, &map), -EFAULT);
  EXPECT_EQ(driver_.ioctl(100, uapi::kMapMemory, nullptr), -EFAULT);
  EXPECT_THAT(take_lines(),
              ElementsAre("ioctl(100, MAP_MEMORY_TO_GPU, handle=#0 gpus=null) = EFAULT",
                          "ioctl(100, MAP_MEMORY_TO_GPU, arguments at @0, which cannot be read) = EFAULT"));
}

TEST_F(TracingDriverTest, ReadsAnOlderCallersStructInItsSize) {
  fake_.on_ioctl = [](unsigned long, void*) { return 0; };
  std::array<uint32_t, 24> words{};
  words.fill(0xffffffff);
  std::fill_n(words.begin(), 22, 0u);  // CREATE_QUEUE ended at 88 bytes
  words[10] = 4;                       // SDMA_BY_ENG_ID
  const unsigned long request = _IOC(_IOC_READ | _IOC_WRITE, uapi::kRequestType, 0x02, 88);
  driver_.ioctl(100, request, words.data());
  EXPECT_THAT(take_lines(), ElementsAre(::testing::HasSubstr("CREATE_QUEUE, gpu=0 type=SDMA_BY_ENG_ID")));
}

TEST_F(TracingDriverTest, NamesWhatRenderNodesAreAsked) {
  fake_.on_ioctl = [](unsigned long, void*) { return 0; };
  std::array<uint32_t, 8> info{0, 0, 368, 0x16};
  driver_.ioctl(101, _IOC(_IOC_WRITE, 'd', 0x45, 32), info.data());
  driver_.ioctl(101, _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x00, 64), info.data());
  EXPECT_THAT(take_lines(),
              ElementsAre("ioctl(101, AMDGPU_INFO, query=DEV_INFO room=368) = 0", "ioctl(101, DRM_VERSION) = 0"));
}

TEST(TraceNormaliser, NumbersValuesByFirstAppearanceAndKeepsZero) {
  TraceNormaliser normaliser;
  EXPECT_EQ(normaliser.normalise("a @7f00 #10 @0 #0"), "a @1 #1 @0 #0");
  EXPECT_EQ(normaliser.normalise("@1000,@7f00 #10"), "@2,@1 #1");
  EXPECT_EQ(normaliser.normalise("@"), "@");
}

}  // namespace
}  // namespace bw::kfd
