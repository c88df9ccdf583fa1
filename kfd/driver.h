// Owns: the seam between this project and an operating system with a KFD driver. Everything the runtime asks of the
// kernel goes through these calls, so that a real card, an emulated one, a tracer or a fault injector can stand behind
// them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bw::kfd {

// System calls on /dev/kfd, /dev/dri/renderD* and /sys. Each returns a negative errno on failure, exactly as the kernel
// does, and takes the arguments the call of the same name takes. All are safe to call from any thread.
class KernelDriver {
 public:
  virtual ~KernelDriver() = default;

  // A descriptor >= 0. Descriptors of a driver mean something only to that driver.
  virtual int open(const char* path, int flags) = 0;
  virtual int close(int fd) = 0;
  // 0 or a non-negative result.
  virtual int ioctl(int fd, unsigned long request, void* argument) = 0;
  // Sets *result. fd is -1 for anonymous memory.
  virtual int mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset,
                   void** result) = 0;
  virtual int munmap(void* address, size_t length_bytes) = 0;
  // The whole of a (sysfs) file.
  virtual int read_file(const std::string& path, std::string* content) = 0;
  // Names in a folder, sorted, without "." and "..".
  virtual int list_dir(const std::string& path, std::vector<std::string>* names) = 0;
};

}  // namespace bw::kfd
