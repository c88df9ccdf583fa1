// Owns: making one chosen call of a KernelDriver fail, and counting what the calls leave open. For tests, of this room
// and of all above it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kfd/driver.h"

namespace bw::kfd::testing {

// Passes calls on to another driver. Calls are numbered from 0 in the order they come, all kinds together. A test makes
// calls 0, 1, 2, .. fail in turn until a run comes to its end before the number is reached:
//
//   for (uint64_t n = 0;; ++n) {
//     FailingDriver driver(inner);
//     driver.fail_call(n, EIO);
//     use(driver);                              // must not crash
//     EXPECT_EQ(driver.leaks(), "");
//     if (driver.failed_call().empty()) break;  // n is beyond the last call
//   }
//
// A call that takes something (open, mmap, ALLOC_MEMORY_OF_GPU, ..) is not made when it is to fail. One that gives
// something back (close, munmap, FREE_MEMORY_OF_GPU, ..) is made, and then reported as failed, as Linux does with
// close: its caller could not do better than go on. Safe from any thread.
class FailingDriver final : public KernelDriver {
 public:
  explicit FailingDriver(KernelDriver& inner) : inner_(inner) {}

  // The call of this number fails with the (positive) errno.
  void fail_call(uint64_t number, int sys_errno);
  uint64_t call_count() const;
  // "ioctl ALLOC_MEMORY_OF_GPU", or "" if the chosen call has not come.
  std::string failed_call() const;
  // What is open now, and what the driver had to clean up when /dev/kfd was closed with things still in use: a line
  // each;
  // "" is what a test wants to see. The event page is not counted: only closing /dev/kfd frees it.
  std::string leaks() const;

  int open(const char* path, int flags) override;
  int close(int fd) override;
  int ioctl(int fd, unsigned long request, void* argument) override;
  int mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset, void** result) override;
  int munmap(void* address, size_t length_bytes) override;
  int read_file(const std::string& path, std::string* content) override;
  int list_dir(const std::string& path, std::vector<std::string>* names) override;

 private:
  struct Buffer {
    uint64_t size_bytes = 0;
    bool is_event_page = false;
    std::set<uint32_t> gpu_ids;  // it is mapped to
  };

  // The negative errno that the present call is to return, 0 if it is to go on.
  int take_failure(const std::string& call);
  void note_event_page(uint64_t handle);
  void note_ioctl(unsigned long request, const void* argument);
  void note_memory_ioctl(unsigned long request, const void* argument);
  void forget_range(uint64_t begin, uint64_t end);
  std::string process_leaks() const;

  KernelDriver& inner_;
  mutable std::mutex mutex_;  // guards all below
  uint64_t call_count_ = 0;
  bool is_armed_ = false;
  uint64_t failing_number_ = 0;
  int failing_errno_ = 0;
  std::string failed_call_;

  std::map<int, std::string> open_files_;
  std::map<uint64_t, uint64_t> mappings_;  // begin to end
  std::map<uint64_t, Buffer> buffers_;     // by handle
  std::set<uint32_t> queues_;
  std::set<uint32_t> events_;
  std::string leaked_at_close_;
};

}  // namespace bw::kfd::testing
