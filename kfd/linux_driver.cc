#include "kfd/linux_driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace bw::kfd {
namespace {

constexpr size_t kMaxFileBytes = 16u << 20;

// The C library's -1 and errno as the kernel's negative errno.
int as_kernel_result(int result) {
  return result < 0 ? -errno : result;
}

}  // namespace

int LinuxDriver::open(const char* path, int flags) {
  int fd;
  do {
    fd = ::open(path, flags | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return as_kernel_result(fd);
}

// Not started again on EINTR: Linux has closed the descriptor by then.
int LinuxDriver::close(int fd) {
  return as_kernel_result(::close(fd));
}

int LinuxDriver::ioctl(int fd, unsigned long request, void* argument) {
  int result;
  do {
    result = ::ioctl(fd, request, argument);
  } while (result < 0 && (errno == EINTR || errno == EAGAIN));
  return as_kernel_result(result);
}

int LinuxDriver::mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset,
                      void** result) {
  void* mapped = ::mmap(address, length_bytes, protection, flags, fd, offset);
  if (mapped == MAP_FAILED) return -errno;
  *result = mapped;
  return 0;
}

int LinuxDriver::munmap(void* address, size_t length_bytes) {
  return as_kernel_result(::munmap(address, length_bytes));
}

int LinuxDriver::read_file(const std::string& path, std::string* content) {
  int opened = open(path.c_str(), O_RDONLY);
  if (opened < 0) return opened;
  UniqueFd fd(opened);
  std::string read_so_far;
  char chunk[4096];
  for (;;) {
    ssize_t count = ::read(fd.get(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    if (count == 0) break;
    read_so_far.append(chunk, static_cast<size_t>(count));
    if (read_so_far.size() > kMaxFileBytes) return -EFBIG;
  }
  *content = std::move(read_so_far);
  return 0;
}

int LinuxDriver::list_dir(const std::string& path, std::vector<std::string>* names) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return -errno;
  std::vector<std::string> found;
  errno = 0;
  while (const dirent* entry = ::readdir(dir)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") found.push_back(std::move(name));
  }
  int read_errno = errno;
  ::closedir(dir);
  if (read_errno != 0) return -read_errno;
  std::sort(found.begin(), found.end());
  *names = std::move(found);
  return 0;
}

}  // namespace bw::kfd
