#include "kfd/testing/failing_driver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>

#include "kfd/testing/fake_driver.h"
#include "kfd/uapi.h"

namespace bw::kfd::testing {
namespace {

using ::testing::HasSubstr;

class FailingDriverTest : public ::testing::Test {
 protected:
  uint64_t allocate(int fd) {
    uapi::AllocMemoryArgs args{};
    args.va_addr = 4096;
    args.size = 4096;
    EXPECT_EQ(driver_.ioctl(fd, uapi::kAllocMemory, &args), 0);
    return args.handle;
  }

  FakeDriver fake_;
  FailingDriver driver_{fake_};
};

TEST_F(FailingDriverTest, FailsTheChosenCallAndNoOther) {
  driver_.fail_call(1, EMFILE);
  int fd = driver_.open(uapi::kKfdPath, O_RDWR);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(driver_.failed_call(), "");
  EXPECT_EQ(driver_.open(uapi::kKfdPath, O_RDWR), -EMFILE);
  EXPECT_EQ(driver_.failed_call(), "open /dev/kfd");
  EXPECT_EQ(driver_.close(fd), 0);
  EXPECT_EQ(driver_.call_count(), 3u);
  EXPECT_EQ(driver_.leaks(), "");
}

TEST_F(FailingDriverTest, GivingBackHappensEvenWhenItFails) {
  int fd = driver_.open(uapi::kKfdPath, O_RDWR);
  uapi::FreeMemoryArgs args{.handle = allocate(fd)};
  driver_.fail_call(driver_.call_count(), EIO);
  EXPECT_EQ(driver_.ioctl(fd, uapi::kFreeMemory, &args), -EIO);
  EXPECT_EQ(driver_.failed_call(), "ioctl FREE_MEMORY_OF_GPU");
  EXPECT_EQ(driver_.ioctl(fd, uapi::kFreeMemory, &args), -EINVAL);  // it is gone
  driver_.close(fd);
  EXPECT_EQ(driver_.leaks(), "");
}

TEST_F(FailingDriverTest, NamesAllThatIsLeftOpen) {
  int fd = driver_.open(uapi::kKfdPath, O_RDWR);
  void* pages = nullptr;
  ASSERT_EQ(driver_.mmap(nullptr, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &pages), 0);
  EXPECT_EQ(driver_.munmap(static_cast<std::byte*>(pages) + 4096, 4096), 0);
  uint32_t gpu_id = FakeDriver::kFirstGpuId;
  uapi::MapMemoryArgs map{};
  map.handle = allocate(fd);
  map.device_ids_array_ptr = reinterpret_cast<uint64_t>(&gpu_id);
  map.n_devices = 1;
  EXPECT_EQ(driver_.ioctl(fd, uapi::kMapMemory, &map), 0);
  uapi::CreateQueueArgs queue{};
  queue.ring_size = 4096;
  EXPECT_EQ(driver_.ioctl(fd, uapi::kCreateQueue, &queue), 0);
  uapi::CreateEventArgs event{};
  EXPECT_EQ(driver_.ioctl(fd, uapi::kCreateEvent, &event), 0);
  EXPECT_THAT(driver_.leaks(), HasSubstr("fd 100 (/dev/kfd)"));
  driver_.close(fd);
  const std::string leaks = driver_.leaks();
  EXPECT_THAT(leaks, HasSubstr("handle 0x10001 still mapped to 1 gpus"));
  EXPECT_THAT(leaks, HasSubstr("handle 0x10001 of 0x1000 bytes"));
  EXPECT_THAT(leaks, HasSubstr("queue 0"));
  EXPECT_THAT(leaks, HasSubstr("event 1"));
  // The hole in the mapping is not counted.
  const uint64_t begin = reinterpret_cast<uint64_t>(pages);
  EXPECT_THAT(leaks, HasSubstr(fmt::format("mapping {:#x}-{:#x}", begin, begin + 4096)));
  EXPECT_THAT(leaks, HasSubstr(fmt::format("mapping {:#x}-{:#x}", begin + 8192, begin + 12288)));
  EXPECT_EQ(driver_.munmap(pages, 3 * 4096), 0);
}

TEST_F(FailingDriverTest, TheEventPageMayStayUntilTheDeviceIsClosed) {
  int fd = driver_.open(uapi::kKfdPath, O_RDWR);
  uapi::CreateEventArgs event{};
  event.event_page_offset = allocate(fd);
  ASSERT_EQ(driver_.ioctl(fd, uapi::kCreateEvent, &event), 0);
  uapi::DestroyEventArgs destroy{};
  destroy.event_id = event.event_id;
  EXPECT_EQ(driver_.ioctl(fd, uapi::kDestroyEvent, &destroy), 0);
  driver_.close(fd);
  EXPECT_EQ(driver_.leaks(), "");
}

}  // namespace
}  // namespace bw::kfd::testing
