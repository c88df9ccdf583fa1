// Owns: KernelDriver calls written as text, one line each, for --verbose and for tests.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kfd/driver.h"

namespace bw::kfd {

// Passes every call on to another driver and hands a line about it to `sink`, after the call has returned:
//
//   open(/dev/kfd, O_RDWR) = 3
//   ioctl(3, ALLOC_MEMORY_OF_GPU, gpu=51166 va=@7f0000000000 size=0x1000 flags=VRAM) = 0 handle=#c0de mmap_offset=#1000
//   mmap(@7f0000000000, 0x1000, RW, SHARED|FIXED, 4, #1000) = @7f0000000000
//   ioctl(3, FREE_MEMORY_OF_GPU, handle=#c0de) = EINVAL
//
// What differs from run to run stands after '@' (addresses) or '#' (handles and offsets of the driver), as hex digits
// without 0x, so that a test can replace it; see TraceNormaliser.
class TracingDriver final : public KernelDriver {
 public:
  // `sink` is called from the thread that made the call; the sink brings its own lock if several threads call.
  using Sink = std::function<void(const std::string& line)>;
  TracingDriver(KernelDriver& inner, Sink sink) : inner_(inner), sink_(std::move(sink)) {}

  int open(const char* path, int flags) override;
  int close(int fd) override;
  int ioctl(int fd, unsigned long request, void* argument) override;
  int mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset, void** result) override;
  int munmap(void* address, size_t length_bytes) override;
  int read_file(const std::string& path, std::string* content) override;
  int list_dir(const std::string& path, std::vector<std::string>* names) override;

 private:
  KernelDriver& inner_;
  Sink sink_;
};

// "ALLOC_MEMORY_OF_GPU"; the number in hex for a request that is not in kfd/uapi.h.
std::string request_name(unsigned long request);

// Replaces each value after '@' or '#' by its order of first appearance ("@1", "@2", "#1"); zero stays.
class TraceNormaliser {
 public:
  std::string normalise(std::string_view line);

 private:
  std::vector<std::string> seen_addresses_;
  std::vector<std::string> seen_handles_;
};

}  // namespace bw::kfd
