#include "emulator/driver.h"

#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "emulator/testing/machine.h"

namespace bw::emulator {
namespace {

using testing::Machine;

TEST(EmulatedDriver, RefusesOptionsOutOfRange) {
  EmulatedOptions none;
  none.card_count = 0;
  EXPECT_EQ(EmulatedDriver::create(none).status().code(), StatusCode::kInvalidArgument);
  EmulatedOptions small;
  small.vram_bytes = 4096;
  EXPECT_EQ(EmulatedDriver::create(small).status().code(), StatusCode::kInvalidArgument);
  EmulatedOptions large;
  large.vram_bytes = 1ull << 40;
  EXPECT_EQ(EmulatedDriver::create(large).status().code(), StatusCode::kInvalidArgument);
}

TEST(EmulatedDriver, OpensDeviceFilesAndTheHostsFiles) {
  Machine machine;
  EmulatedDriver& driver = machine.driver();
  EXPECT_GE(machine.kfd(), 0);
  EXPECT_GE(machine.render(), 0);
  EXPECT_EQ(driver.open("/dev/dri/renderD129", O_RDWR), -ENOENT);
  EXPECT_EQ(driver.open("/dev/accel/accel0", O_RDWR), -ENOENT);
  EXPECT_EQ(driver.open(nullptr, O_RDWR), -EFAULT);
  const int null = driver.open("/dev/null", O_RDWR);
  EXPECT_GE(null, 0);
  EXPECT_EQ(driver.ioctl(null, kfd::uapi::kGetVersion, nullptr), -ENOTTY);
  EXPECT_EQ(driver.close(null), 0);
  EXPECT_EQ(driver.close(null), -EBADF);
  EXPECT_EQ(driver.ioctl(null, kfd::uapi::kGetVersion, nullptr), -EBADF);
  std::string content;
  EXPECT_EQ(driver.read_file("/proc/self/comm", &content), 0);
  EXPECT_FALSE(content.empty());
  EXPECT_EQ(driver.read_file("/does/not/exist", &content), -ENOENT);
}

TEST(EmulatedDriver, FilesOfSysfsAreReadableThroughDescriptors) {
  Machine machine;
  const int fd = machine.driver().open("/sys/class/kfd/kfd/topology/nodes/0/gpu_id", O_RDONLY);
  ASSERT_GE(fd, 0);
  char text[8] = {};
  EXPECT_EQ(::read(fd, text, sizeof(text)), 2);
  EXPECT_STREQ(text, "0\n");
  EXPECT_EQ(machine.driver().close(fd), 0);
  EXPECT_EQ(machine.driver().open("/sys/class/kfd/kfd/topology/nodes/0/gpu_id", O_RDWR), -EACCES);
}

TEST(EmulatedDriver, RenderNodesAreListed) {
  EmulatedOptions options;
  options.card_count = 2;
  Machine machine(options);
  std::vector<std::string> names;
  EXPECT_EQ(machine.driver().list_dir("/dev/dri", &names), 0);
  EXPECT_THAT(names, ::testing::ElementsAre("card0", "card1", "renderD128", "renderD129"));
  EXPECT_EQ(machine.driver().list_dir("/sys/class/drm/nothing", &names), -ENOENT);
}

TEST(RenderNode, TellsItsDriverInTwoCallsAsLibdrmAsks) {
  Machine machine;
  drm_version version{};
  ASSERT_EQ(machine.driver().ioctl(machine.render(), DRM_IOCTL_VERSION, &version), 0);
  EXPECT_EQ(version.version_major, 3);
  ASSERT_EQ(version.name_len, 6u);
  char name[7] = {};
  version = {};
  version.name = name;
  version.name_len = 6;
  ASSERT_EQ(machine.driver().ioctl(machine.render(), DRM_IOCTL_VERSION, &version), 0);
  EXPECT_STREQ(name, "amdgpu");
}

TEST(RenderNode, AnswersInfoUpToTheCallersRoom) {
  Machine machine;
  drm_amdgpu_info_device device{};
  drm_amdgpu_info info{};
  info.return_pointer = reinterpret_cast<uint64_t>(&device);
  info.return_size = sizeof(device);
  info.query = AMDGPU_INFO_DEV_INFO;
  ASSERT_EQ(machine.driver().ioctl(machine.render(), DRM_IOCTL_AMDGPU_INFO, &info), 0);
  EXPECT_EQ(device.device_id, 0x744cu);
  EXPECT_EQ(device.family, 145u);
  EXPECT_EQ(device.cu_active_number, 96u);
  EXPECT_EQ(device.gpu_counter_freq, 100000u);
  int bits = 0;
  for (const auto& row : device.cu_bitmap) {
    for (uint32_t column : row) bits += __builtin_popcount(column);
  }
  EXPECT_EQ(bits, 96);

  uint32_t words[2] = {7, 7};
  info.return_pointer = reinterpret_cast<uint64_t>(words);
  info.return_size = 4;
  info.query = AMDGPU_INFO_ACCEL_WORKING;
  ASSERT_EQ(machine.driver().ioctl(machine.render(), DRM_IOCTL_AMDGPU_INFO, &info), 0);
  EXPECT_EQ(words[0], 1u);
  EXPECT_EQ(words[1], 7u);
}

TEST(RenderNode, RefusesBadQuestions) {
  Machine machine;
  EmulatedDriver& driver = machine.driver();
  drm_amdgpu_info info{};
  EXPECT_EQ(driver.ioctl(machine.render(), DRM_IOCTL_AMDGPU_INFO, &info), -EINVAL);
  info.return_pointer = 8;
  info.return_size = 4;
  EXPECT_EQ(driver.ioctl(machine.render(), DRM_IOCTL_AMDGPU_INFO, &info), -EFAULT);
  info.query = 0xffff;
  EXPECT_EQ(driver.ioctl(machine.render(), DRM_IOCTL_AMDGPU_INFO, &info), -EINVAL);
  EXPECT_EQ(driver.ioctl(machine.render(), DRM_IOCTL_AMDGPU_INFO, nullptr), -EFAULT);
  EXPECT_EQ(driver.ioctl(machine.render(), DRM_IOCTL_VERSION, reinterpret_cast<void*>(16)), -EFAULT);
  EXPECT_EQ(driver.ioctl(machine.render(), kfd::uapi::kGetVersion, &info), -ENOTTY);
  EXPECT_EQ(driver.ioctl(machine.render(), DRM_IOCTL_AMDGPU_CS, &info), -EOPNOTSUPP) << "no submission";
}

TEST(EmulatedDriver, MapsOnlyWhatItGaveOut) {
  Machine machine;
  EmulatedDriver& driver = machine.driver();
  void* address = nullptr;
  EXPECT_EQ(driver.mmap(nullptr, 4096, PROT_READ, MAP_SHARED, machine.render(), 0, &address), -EINVAL);
  EXPECT_EQ(driver.mmap(nullptr, 4096, PROT_READ, MAP_SHARED, machine.render(), 1ll << 36, &address), -EINVAL);
  EXPECT_EQ(driver.mmap(nullptr, 4096, PROT_READ, MAP_SHARED, 12345, 0, &address), -EBADF);
  const auto buffer = machine.vram(8192);
  buffer.dwords()[1024] = 77;
  kfd::uapi::AllocMemoryArgs args{};
  args.va_addr = 0x10000000;
  args.size = 4096;
  args.gpu_id = machine.gpu_id();
  args.flags = 0xf0000001;
  ASSERT_EQ(machine.ioctl(kfd::uapi::kAllocMemory, args), 0);
  EXPECT_EQ(driver.mmap(nullptr, 8192, PROT_READ, MAP_SHARED, machine.render(), static_cast<off_t>(args.mmap_offset),
                        &address),
            -EINVAL)
      << "longer than the buffer";
  EXPECT_EQ(driver.mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, machine.render(), static_cast<off_t>(args.mmap_offset),
                        &address),
            -EINVAL);
  ASSERT_EQ(driver.mmap(nullptr, 4096, PROT_READ, MAP_SHARED, machine.render(), static_cast<off_t>(args.mmap_offset),
                        &address),
            0);
  EXPECT_EQ(*static_cast<const uint32_t*>(address), 0u);
  EXPECT_EQ(driver.munmap(address, 4096), 0);
}

// A line of /proc/self/status, e.g. "VmRSS".
long status_mib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1)) / 1024;
  }
  return -1;
}

TEST(EmulatedDriver, TakesMemoryOfTheHostAsItIsUsed) {
  constexpr uint64_t kGiB = 1ull << 30;
  const long before = status_mib("VmRSS");
  Machine machine;          // of a card with 24 GB
  machine.vram(20 * kGiB);  // never touched
  EXPECT_LT(status_mib("VmRSS"), before + 64);
  const long shared = status_mib("RssShmem");
  const auto touched = machine.vram(kGiB);
  std::memset(touched.dwords(), 1, kGiB);
  EXPECT_GE(status_mib("RssShmem"), shared + 1024);
  EXPECT_LT(status_mib("RssShmem"), shared + 1024 + 64);
  EXPECT_EQ(machine.unmap(touched), 0);
  EXPECT_EQ(machine.free(touched), 0);
  EXPECT_LT(status_mib("RssShmem"), shared + 16);
  EXPECT_EQ(touched.dwords()[0], 0u) << "a mapping that is left reads zero";
}

}  // namespace
}  // namespace bw::emulator
