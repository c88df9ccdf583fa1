#include "kfd/linux_driver.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kfd/uapi.h"

namespace bw::kfd {
namespace {

TEST(LinuxDriver, FailuresAreNegativeErrnos) {
  LinuxDriver driver;
  EXPECT_EQ(driver.open("/no/such/file", O_RDWR), -ENOENT);
  EXPECT_EQ(driver.close(-1), -EBADF);
  uapi::GetVersionArgs args{};
  EXPECT_EQ(driver.ioctl(-1, uapi::kGetVersion, &args), -EBADF);
  void* result = nullptr;
  EXPECT_EQ(driver.mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &result), -EINVAL);
  EXPECT_EQ(driver.munmap(reinterpret_cast<void*>(1), 4096), -EINVAL);
  std::string content = "kept";
  EXPECT_EQ(driver.read_file("/no/such/file", &content), -ENOENT);
  EXPECT_EQ(content, "kept");
  std::vector<std::string> names;
  EXPECT_EQ(driver.list_dir("/no/such/dir", &names), -ENOENT);
}

TEST(LinuxDriver, ADeviceThatIsNotKfdAnswersENOTTY) {
  LinuxDriver driver;
  int fd = driver.open("/dev/null", O_RDWR);
  ASSERT_GE(fd, 0);
  uapi::GetVersionArgs args{};
  EXPECT_EQ(driver.ioctl(fd, uapi::kGetVersion, &args), -ENOTTY);
  EXPECT_EQ(driver.close(fd), 0);
}

TEST(LinuxDriver, MapsAnonymousMemory) {
  LinuxDriver driver;
  void* page = nullptr;
  ASSERT_EQ(driver.mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &page), 0);
  *static_cast<int*>(page) = 7;
  EXPECT_EQ(driver.munmap(page, 4096), 0);
}

TEST(LinuxDriver, ReadsFilesAndListsFoldersInOrder) {
  LinuxDriver driver;
  auto folder = std::filesystem::temp_directory_path() / ("barewave_linux_driver_test." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "b") << std::string(10000, 'x');
  std::ofstream(folder / "a") << "";
  std::vector<std::string> names;
  EXPECT_EQ(driver.list_dir(folder, &names), 0);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  std::string content;
  EXPECT_EQ(driver.read_file(folder / "b", &content), 0);
  EXPECT_EQ(content, std::string(10000, 'x'));
  EXPECT_EQ(driver.read_file(folder / "a", &content), 0);
  EXPECT_EQ(content, "");
  EXPECT_EQ(driver.read_file(folder, &content), -EISDIR);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace bw::kfd
