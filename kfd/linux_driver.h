// Owns: the system calls of the Linux this program runs on, as a KernelDriver. Nothing is added but what a caller of
// these calls must always do: start them again when a signal interrupted them.
#pragma once

#include "kfd/driver.h"

namespace bw::kfd {

// Has no state; any number of them may be used from any thread.
class LinuxDriver final : public KernelDriver {
 public:
  int open(const char* path, int flags) override;
  int close(int fd) override;
  // EINTR and EAGAIN (how KFD says that a lock was interrupted) start the call again, as AMD's thunk does.
  int ioctl(int fd, unsigned long request, void* argument) override;
  int mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset, void** result) override;
  int munmap(void* address, size_t length_bytes) override;
  // -EFBIG for more than 16 MiB: no sysfs file is that long.
  int read_file(const std::string& path, std::string* content) override;
  int list_dir(const std::string& path, std::vector<std::string>* names) override;
};

}  // namespace bw::kfd
