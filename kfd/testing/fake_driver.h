// Owns: a KernelDriver that only keeps books: files from a table, ioctls that hand out ids and take them back under the
// driver's rules, anonymous memory for every mmap. For tests of this room; the device that computes is the emulator.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kfd/driver.h"

namespace bw::kfd::testing {

// For one thread at a time.
class FakeDriver final : public KernelDriver {
 public:
  // A machine with one CPU (node 0) and two GPUs: node 1, id 1001, renderD128; node 2, id 1002, renderD129.
  FakeDriver();

  static constexpr uint32_t kFirstGpuId = 1001;
  static constexpr uint32_t kSecondGpuId = 1002;

  // What a test may change.
  uint32_t major_version = 1;
  uint32_t minor_version = 17;
  std::map<std::string, std::string> files;  // readable files; folders follow from their paths
  std::map<std::string, int> open_failures;  // path to errno
  std::map<std::string, int> read_failures;  // path to errno, of files and folders
  std::set<uint32_t> refusing_gpu_ids;       // MAP_MEMORY_TO_GPU stops at these
  int refusal = -12;                         // and returns this (-ENOMEM); 0: says nothing of it
  // Sees each ioctl first; a value is the call's result, and nothing else happens.
  std::function<std::optional<int>(unsigned long request, void* argument)> on_ioctl;

  int open(const char* path, int flags) override;
  int close(int fd) override;
  int ioctl(int fd, unsigned long request, void* argument) override;
  int mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset, void** result) override;
  int munmap(void* address, size_t length_bytes) override;
  int read_file(const std::string& path, std::string* content) override;
  int list_dir(const std::string& path, std::vector<std::string>* names) override;

 private:
  int memory_ioctl(unsigned long request, void* argument);
  int queue_ioctl(unsigned long request, void* argument);
  int event_ioctl(unsigned long request, void* argument);

  int next_fd_ = 100;
  std::map<int, std::string> open_files_;
  uint64_t next_handle_ = 0x10001;
  std::map<uint64_t, std::set<uint32_t>> buffers_;  // handle to the GPUs it is mapped to
  uint64_t event_page_ = 0;
  uint32_t next_queue_ = 0;
  std::set<uint32_t> queues_;
  uint32_t next_event_ = 1;
  std::set<uint32_t> events_;
};

}  // namespace bw::kfd::testing
