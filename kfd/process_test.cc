#include "kfd/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "kfd/testing/failing_driver.h"
#include "kfd/testing/fake_driver.h"

namespace bw::kfd {
namespace {

using testing::FailingDriver;
using testing::FakeDriver;
using ::testing::HasSubstr;

TEST(Process, WithoutADriverSaysWhatToDo) {
  FakeDriver driver;
  driver.open_failures[uapi::kKfdPath] = ENOENT;
  Status status = Process::open(driver).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(
      status.message(),
      "no /dev/kfd: no such file or directory (is the amdgpu driver loaded? use --device emulated to run without a "
      "card)");
}

TEST(Process, WithoutPermissionNamesTheGroup) {
  FakeDriver driver;
  driver.open_failures[uapi::kKfdPath] = EACCES;
  Status status = Process::open(driver).status();
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(), "opening /dev/kfd: permission denied (is the user in group 'render'?)");
}

TEST(Process, RefusesAnotherMajorVersionAndClosesTheDevice) {
  FakeDriver fake;
  fake.major_version = 2;
  FailingDriver driver(fake);
  Status status = Process::open(driver).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_EQ(status.message(), "/dev/kfd speaks version 2.17, expected 1.x");
  EXPECT_EQ(driver.leaks(), "");
}

TEST(Process, ReadsApertures) {
  FakeDriver driver;
  driver.on_ioctl = [](unsigned long request, void* argument) -> std::optional<int> {
    if (request != uapi::kGetProcessApertures) return std::nullopt;
    auto& args = *static_cast<uapi::GetProcessAperturesArgs*>(argument);
    auto* apertures = reinterpret_cast<uapi::DeviceApertures*>(args.kfd_process_device_apertures_ptr);
    if (args.num_of_nodes > 0) apertures[0].gpu_id = 5;
    args.num_of_nodes = args.num_of_nodes == 0 ? 2 : 1;
    return 0;
  };
  auto process = Process::open(driver).value();
  auto apertures = process->apertures().value();
  ASSERT_EQ(apertures.size(), 1u);
  EXPECT_EQ(apertures[0].gpu_id, 5u);
}

TEST(Process, DoesNotBelieveMillionsOfApertures) {
  FakeDriver driver;
  driver.on_ioctl = [](unsigned long request, void* argument) -> std::optional<int> {
    if (request != uapi::kGetProcessApertures) return std::nullopt;
    static_cast<uapi::GetProcessAperturesArgs*>(argument)->num_of_nodes = 0xffffffff;
    return 0;
  };
  auto process = Process::open(driver).value();
  EXPECT_EQ(process->apertures().status().code(), StatusCode::kIo);
}

class GpuTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Gpu>> open_gpu() { return Gpu::open(*process_, nodes_[1]); }

  FakeDriver fake_;
  FailingDriver driver_{fake_};
  std::vector<Node> nodes_ = read_topology(fake_).value();
  std::unique_ptr<Process> process_ = Process::open(driver_).value();
};

TEST_F(GpuTest, RefusesACpu) {
  EXPECT_EQ(Gpu::open(*process_, nodes_[0]).status().message(), "opening node 0: it is a cpu");
}

TEST_F(GpuTest, NamesTheRenderNodeThatCannotBeOpened) {
  fake_.open_failures["/dev/dri/renderD128"] = EACCES;
  EXPECT_EQ(open_gpu().status().message(),
            "opening /dev/dri/renderD128: permission denied (is the user in group 'render'?)");
}

TEST_F(GpuTest, ClosesTheRenderNodeIfTheAddressSpaceIsRefused) {
  fake_.on_ioctl = [](unsigned long request, void*) -> std::optional<int> {
    if (request == uapi::kAcquireVm) return -EINVAL;
    return std::nullopt;
  };
  EXPECT_THAT(open_gpu().status().message(), HasSubstr("address space of gpu 1001 (/dev/dri/renderD128)"));
  process_.reset();
  EXPECT_EQ(driver_.leaks(), "");
}

TEST_F(GpuTest, AnnouncesTheRuntimeOnlyToDriversThatKnowTheCall) {
  int calls = 0;
  fake_.on_ioctl = [&calls](unsigned long request, void*) -> std::optional<int> {
    if (request == uapi::kRuntimeEnable) ++calls;
    return std::nullopt;
  };
  EXPECT_TRUE(open_gpu().is_ok());
  EXPECT_EQ(calls, 1);
  fake_.minor_version = 11;
  process_ = Process::open(driver_).value();
  EXPECT_TRUE(open_gpu().is_ok());
  EXPECT_EQ(calls, 1);
}

TEST_F(GpuTest, ReadsClocksAndFreeMemory) {
  auto gpu = open_gpu().value();
  EXPECT_EQ(gpu->clock_counters()->gpu, 5u);
  EXPECT_EQ(gpu->clock_counters()->system_hz, 1000000000u);
  EXPECT_EQ(gpu->available_memory_bytes().value(), uint64_t{24} << 30);
  fake_.minor_version = 8;
  auto old_process = Process::open(driver_).value();
  auto old_gpu = Gpu::open(*old_process, nodes_[2]).value();
  EXPECT_EQ(old_gpu->available_memory_bytes().status().code(), StatusCode::kUnsupported);
}

TEST_F(GpuTest, MapsItsDoorbellsOnce) {
  auto gpu = open_gpu().value();
  const uint64_t area = uapi::kMmapTypeDoorbell;
  uint64_t* first = gpu->map_doorbell(area + 8).value();
  uint64_t* second = gpu->map_doorbell(area + 24).value();
  EXPECT_EQ(second - first, 2);
  EXPECT_EQ(gpu->map_doorbell(area + 4).status().code(), StatusCode::kIo);
  EXPECT_EQ(gpu->map_doorbell(area + uapi::kDoorbellAreaBytes).status().code(), StatusCode::kIo);
  gpu.reset();
  process_.reset();
  EXPECT_EQ(driver_.leaks(), "");
}

}  // namespace
}  // namespace bw::kfd
